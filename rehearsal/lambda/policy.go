package lambda

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// policy is the grants on one qualifier of a function.
type policy struct {
	grants   []grant
	revision string
}

// grant is one statement: as it decides (roles by their unique ID) and the principal as it was given.
type grant struct {
	stored    iam.Statement
	principal string
}

// Permission is an AddPermission request.
type Permission struct {
	StatementId    string // spelt as on the wire
	Action         string
	Principal      string // account ID, ARN of an account's root, a role or a user, service, or "*"
	SourceArn      string
	SourceAccount  string
	PrincipalOrgID string
	RevisionId     string // spelt as on the wire
}

const maxPolicy = 20 << 10 // bytes; Source: Lambda Developer Guide, "Lambda quotas" (H)

var (
	statementID      = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)
	actionRule       = regexp.MustCompile(`^(lambda:[*]|lambda:[a-zA-Z]+|[*])$`)
	servicePrincipal = regexp.MustCompile(`^[a-z0-9.-]+\.amazonaws\.com$`)
)

// AddPermission grants on a function, or on one version or alias of it: then the invoker has to
// name just that one. It answers the statement as JSON.
func (s *Service) AddPermission(c accounts.Caller, region, name, qualifier string, in Permission) (string, error) {
	t, err := s.policyTarget(c, region, name, qualifier, "AddPermission")
	if err != nil {
		return "", err
	}
	g, err := s.newGrant(in, t.arn())
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(t)
	if err == nil {
		_, err = f.resolve(t.qualifier)
	}
	if err != nil {
		return "", err
	}
	p := f.policies[t.qualifier]
	if p == nil {
		p = &policy{}
	}
	if err := checkRevision(in.RevisionId, p.revision); err != nil {
		return "", err
	}
	if slices.ContainsFunc(p.grants, func(g grant) bool { return g.stored.Sid == in.StatementId }) {
		return "", conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", in.StatementId)
	}
	grants := append(slices.Clone(p.grants), g)
	if size := len(s.document(grants).String()); size > maxPolicy {
		return "", wire.Errorf(400, "PolicyLengthExceededException", "The final policy size (%d) is bigger than the limit (%d).", size, maxPolicy)
	}
	f.policies[t.qualifier] = &policy{grants: grants, revision: random.UUID()}
	return s.document([]grant{g}).Statements[0].String(), nil
}

// policyTarget begins the operations on policies. They are decided on the function's own ARN: the
// Service Authorization Reference lists no other resource type for them (M).
func (s *Service) policyTarget(c accounts.Caller, region, name, qualifier, action string) (target, error) {
	t, err := parseTarget(name, qualifier, place{c.Account, region})
	if err != nil {
		return target{}, err
	}
	if err := s.authorize(c, action, target{key: t.key}); err != nil {
		return target{}, err
	}
	if t.qualifier == latest {
		return target{}, invalid("We currently do not support adding policies for $LATEST.")
	}
	return t, nil
}

// newGrant checks a permission and writes its statement as AWS does: conditions only from its
// own parameters, the source as ArnLike. Source: Lambda Developer Guide, "Using resource-based
// policies" (H; the API text says StringLike for the source).
func (s *Service) newGrant(in Permission, resource string) (grant, error) {
	switch {
	case !statementID.MatchString(in.StatementId):
		return grant{}, patternError("statementId", in.StatementId, "([a-zA-Z0-9-_]+)")
	case !actionRule.MatchString(in.Action):
		return grant{}, patternError("action", in.Action, "(lambda:[*]|lambda:[a-zA-Z]+|[*])")
	}
	st := iam.Statement{
		Sid: in.StatementId, Effect: iam.Allow, Action: []string{in.Action}, Resource: []string{resource},
		Principal: &iam.Principals{}, Condition: iam.Conditions{},
	}
	equals := map[string][]string{}
	if in.SourceAccount != "" {
		equals["AWS:SourceAccount"] = []string{in.SourceAccount}
	}
	if in.PrincipalOrgID != "" {
		equals["aws:PrincipalOrgID"] = []string{in.PrincipalOrgID}
	}
	if len(equals) > 0 {
		st.Condition["StringEquals"] = equals
	}
	if in.SourceArn != "" {
		st.Condition["ArnLike"] = map[string][]string{"AWS:SourceArn": {in.SourceArn}}
	}
	if len(st.Condition) == 0 {
		st.Condition = nil
	}
	p := in.Principal
	switch {
	case p == "*":
		st.Principal.Everyone = true
	case servicePrincipal.MatchString(p):
		st.Principal.Service = []string{p}
	case iam.ValidAccount(p):
		p = "arn:aws:iam::" + p + ":root"
		st.Principal.AWS = []string{p}
	default:
		st.Principal.AWS = []string{p}
	}
	doc, err := s.Directory.StorePrincipals(iam.Document{Version: iam.Version2012, Statements: []iam.Statement{st}})
	if err != nil {
		return grant{}, invalid("The provided principal was invalid. Please check the principal and try again.")
	}
	return grant{stored: doc.Statements[0], principal: p}, nil
}

func patternError(what, value, pattern string) error {
	return wire.Errorf(400, "ValidationException",
		"1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", value, what, pattern)
}

// document is the policy as people see it: a role by its ARN while it is still the same role.
func (s *Service) document(grants []grant) iam.Document {
	doc := iam.Document{Version: iam.Version2012, ID: "default"}
	for _, g := range grants {
		st := g.stored
		if len(st.Principal.AWS) == 1 && iam.ValidUniqueID(st.Principal.AWS[0]) && s.stillNames(g) {
			principal := *st.Principal
			principal.AWS = []string{g.principal}
			st.Principal = &principal
		}
		doc.Statements = append(doc.Statements, st)
	}
	return doc
}

// stillNames reports whether the ARN that was granted to is still the principal that was meant.
func (s *Service) stillNames(g grant) bool {
	now, err := s.Directory.StorePrincipals(iam.Document{Statements: []iam.Statement{
		{Effect: iam.Allow, Principal: &iam.Principals{AWS: []string{g.principal}}},
	}})
	return err == nil && slices.Equal(now.Statements[0].Principal.AWS, g.stored.Principal.AWS)
}

// RemovePermission takes a grant back.
func (s *Service) RemovePermission(c accounts.Caller, region, name, qualifier, statement, revision string) error {
	t, err := s.policyTarget(c, region, name, qualifier, "RemovePermission")
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(t)
	if err != nil {
		return err
	}
	p := f.policies[t.qualifier]
	if p == nil {
		return noPolicy()
	}
	if err := checkRevision(revision, p.revision); err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(p.grants), func(g grant) bool { return g.stored.Sid == statement })
	switch len(left) {
	case len(p.grants):
		return wire.Errorf(404, "ResourceNotFoundException", "Statement %s is not found in resource policy.", statement)
	case 0:
		delete(f.policies, t.qualifier)
	default:
		f.policies[t.qualifier] = &policy{grants: left, revision: random.UUID()}
	}
	return nil
}

// GetPolicy is the policy of a function, version or alias as JSON, with its revision.
func (s *Service) GetPolicy(c accounts.Caller, region, name, qualifier string) (document, revision string, err error) {
	t, err := s.policyTarget(c, region, name, qualifier, "GetPolicy")
	if err != nil {
		return "", "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(t)
	if err != nil {
		return "", "", err
	}
	p := f.policies[t.qualifier]
	if p == nil {
		return "", "", noPolicy()
	}
	text, err := json.Marshal(s.document(p.grants))
	return string(text), p.revision, err
}

func noPolicy() error {
	return wire.Errorf(404, "ResourceNotFoundException", "The resource you requested does not exist.")
}

// decisionPolicy is the policy that decides on an invocation through t, nil when nothing was
// granted there. $LATEST has none of its own and its ARN is not the function's, so a grant on the
// function does not reach it by that name. The caller holds mu.
func (f *function) decisionPolicy(t target) *iam.Policy {
	p := f.policies[strings.TrimPrefix(t.qualifier, latest)]
	if p == nil {
		return nil
	}
	doc := iam.Document{Version: iam.Version2012, ID: "default"}
	for _, g := range p.grants {
		doc.Statements = append(doc.Statements, g.stored)
	}
	name := "function/" + t.name
	if t.qualifier != "" {
		name += ":" + t.qualifier
	}
	return &iam.Policy{Name: name + " policy", Document: doc}
}
