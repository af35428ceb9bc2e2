// Package sts is the Security Token Service of a rehearsal: it decides by trust policy who may
// become which role, and makes the sessions.
package sts

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Limits of AssumeRole. Source: STS API Reference, AssumeRole (AWS-documented; chaining cap: IAM
// User Guide, "Role chaining").
const (
	minDuration     = 15 * time.Minute
	defaultDuration = time.Hour
	chainedMax      = time.Hour
	maxPolicyText   = 2048
	maxTags         = 50
)

var (
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:/-]*$`)
)

// Service answers STS calls. Make it with New.
type Service struct {
	directory *accounts.Directory

	mu sync.Mutex
	// transitive are the keys of the session tags that a session hands on, by its access key ID.
	transitive map[string][]string
}

// New makes the service over the directory whose roles it hands out.
func New(d *accounts.Directory) *Service {
	return &Service{directory: d, transitive: map[string][]string{}}
}

// Input is an AssumeRole request.
type Input struct {
	RoleARN, SessionName string
	ExternalID           string            // sent only when not empty
	Policies             []string          // session policies as JSON; at most one from the API
	Duration             time.Duration     // 0: one hour
	Tags                 map[string]string // session tags
	Transitive           []string          // keys of tags that sessions of this session inherit
	SourceIdentity       string

	inherited []string            // keys of the caller's transitive tags
	earlier   map[string][]string // the context that holds their values
}

// Assume decides by the role's trust policy and makes a session. A role that does not exist is
// refused in the words of one that does not trust the caller, as AWS does.
func (s *Service) Assume(_ context.Context, caller accounts.Caller, in Input) (accounts.Credentials, error) {
	if err := in.validate(caller); err != nil {
		return accounts.Credentials{}, err
	}
	if err := s.inherit(caller, &in); err != nil {
		return accounts.Credentials{}, err
	}
	role, err := s.directory.Role(in.RoleARN)
	if err != nil {
		role = &accounts.Role{ARN: in.RoleARN, Name: accounts.RoleName(in.RoleARN), Account: accounts.AccountOf(in.RoleARN), MaxSession: defaultDuration}
	}
	if err := s.decide(caller, role, err == nil, in); err != nil {
		return accounts.Credentials{}, err
	}
	if in.Duration > role.MaxSession {
		return accounts.Credentials{}, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	policies, err := sessionPolicies(in.Policies)
	if err != nil {
		return accounts.Credentials{}, err
	}
	cred := s.directory.Session(role, in.SessionName, policies, in.sessionContext(), in.Duration)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transitive[cred.AccessKeyID] = in.Transitive
	return cred, nil
}

// inherit adds what a chained session takes over: the source identity, which cannot be changed once
// set, and transitive tags, which cannot be set again. Source: IAM User Guide, "Monitor and control
// actions taken with assumed roles" and "Passing session tags" (AWS-documented).
func (s *Service) inherit(caller accounts.Caller, in *Input) error {
	if old := caller.Context["aws:SourceIdentity"]; len(old) > 0 {
		if in.SourceIdentity != "" && in.SourceIdentity != old[0] {
			return wire.Denied("The source identity of a session cannot be changed from %s to %s", old[0], in.SourceIdentity)
		}
		in.SourceIdentity = old[0]
	}
	s.mu.Lock()
	keys := s.transitive[caller.AccessKeyID]
	s.mu.Unlock()
	for _, key := range keys {
		if _, again := in.Tags[key]; again {
			return invalid("The tag key %s is transitive and was set by an earlier session of the chain", key)
		}
		in.inherited = append(in.inherited, key)
	}
	in.Transitive = append(slices.Clone(in.Transitive), keys...)
	if len(keys) > 0 {
		in.earlier = caller.Context
	}
	return nil
}

func (in *Input) validate(caller accounts.Caller) error {
	if strings.HasSuffix(caller.ARN, ":root") && caller.RoleARN == "" {
		// Source: STS API Reference, AssumeRole: "You cannot call AssumeRole by using AWS account root user
		// credentials" (AWS-documented; the text is the observed one).
		return wire.Denied("Roles may not be assumed by root accounts.")
	}
	if f := strings.SplitN(in.RoleARN, ":", 6); len(f) != 6 || f[2] != "iam" || !strings.HasPrefix(f[5], "role/") {
		return invalid("%s is invalid", in.RoleARN)
	}
	if !sessionName.MatchString(in.SessionName) {
		return invalid("Value %q at 'roleSessionName' failed to satisfy constraint: 2 to 64 characters of [\\w+=,.@-]", in.SessionName)
	}
	if n := len(in.ExternalID); n > 0 && (n < 2 || n > 1224 || !externalID.MatchString(in.ExternalID)) {
		return invalid("Value at 'externalId' failed to satisfy constraint: 2 to 1224 characters of [\\w+=,.@:\\/-]")
	}
	if in.SourceIdentity != "" && !sessionName.MatchString(in.SourceIdentity) {
		return invalid("Value at 'sourceIdentity' failed to satisfy constraint: 2 to 64 characters of [\\w+=,.@-]")
	}
	if err := in.validateTags(); err != nil {
		return err
	}
	if in.Duration == 0 {
		in.Duration = defaultDuration
	}
	if in.Duration < minDuration || in.Duration > 12*time.Hour {
		return invalid("Value %d at 'durationSeconds' failed to satisfy constraint: between 900 and 43200", int(in.Duration.Seconds()))
	}
	if caller.RoleARN != "" && in.Duration > chainedMax {
		return invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	return nil
}

func (in *Input) validateTags() error {
	if len(in.Tags) > maxTags {
		return invalid("a session takes %d tags at most", maxTags)
	}
	for k, v := range in.Tags {
		if k == "" || len(k) > 128 || len(v) > 256 || strings.HasPrefix(strings.ToLower(k), "aws:") {
			return invalid("the tag %q: a key has 1 to 128 characters and no prefix aws:, a value 256 at most", k)
		}
	}
	for _, k := range in.Transitive {
		if _, ok := in.Tags[k]; !ok {
			return invalid("the transitive tag key %s is not among the tags", k)
		}
	}
	return nil
}

// decide asks for sts:AssumeRole, and for the further actions that tags and a source identity need.
func (s *Service) decide(caller accounts.Caller, role *accounts.Role, exists bool, in Input) error {
	context := map[string][]string{"sts:RoleSessionName": {in.SessionName}}
	if in.ExternalID != "" {
		context["sts:ExternalId"] = []string{in.ExternalID}
	}
	for k, v := range in.Tags {
		context["aws:RequestTag/"+k] = []string{v}
		context["aws:TagKeys"] = append(context["aws:TagKeys"], k)
	}
	if len(in.Transitive) > 0 {
		context["sts:TransitiveTagKeys"] = in.Transitive
	}
	if in.SourceIdentity != "" {
		context["sts:SourceIdentity"] = []string{in.SourceIdentity}
	}
	actions := []string{"sts:AssumeRole"}
	if len(in.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if in.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	var trust *iam.Policy
	if exists {
		trust = &iam.Policy{Name: "role/" + role.Name + " trust", Document: role.Trust}
	}
	for _, action := range actions {
		err := s.directory.Authorize(accounts.Check{
			Caller: caller, Action: action, Resource: role.ARN, Account: role.Account,
			Policy: trust, Kind: iam.ResourceTrust, Context: context,
		})
		if err != nil {
			denied := wire.AsError(err)
			// STS never says which side refused. Source: observed AWS text (AWS-documented shape).
			return &wire.Error{
				Status: http.StatusForbidden, Code: "AccessDenied", Cause: denied.Cause,
				Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", caller.Name(), action, role.ARN),
			}
		}
	}
	return nil
}

func sessionPolicies(texts []string) ([]iam.Policy, error) {
	var out []iam.Policy
	size := 0
	for _, text := range texts {
		if size += len(text); size > maxPolicyText {
			return nil, wire.Errorf(400, "PackedPolicyTooLarge", "Serialized token too large for session")
		}
		doc, err := iam.Parse([]byte(text))
		if err != nil {
			return nil, wire.Errorf(400, "MalformedPolicyDocument", "%v", err)
		}
		out = append(out, iam.Policy{Name: "session policy", Document: doc})
	}
	return out, nil
}

// sessionContext are the condition keys that every call of the session will carry.
func (in Input) sessionContext() map[string][]string {
	context := map[string][]string{}
	for k, v := range in.Tags {
		context["aws:PrincipalTag/"+k] = []string{v}
	}
	for _, k := range in.inherited {
		context["aws:PrincipalTag/"+k] = in.earlier["aws:PrincipalTag/"+k]
	}
	if in.SourceIdentity != "" {
		context["aws:SourceIdentity"] = []string{in.SourceIdentity}
	}
	return context
}

func invalid(format string, args ...any) error {
	return wire.Errorf(400, "ValidationError", format, args...)
}
