// Package kms is the Key Management Service of a rehearsal: keys with their policies, aliases, and
// the decisions that S3 asks for on every encrypted object. What it encrypts is really encrypted.
package kms

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Service holds the keys of all accounts. Make it with New.
type Service struct {
	directory *accounts.Directory
	clock     *clock.Clock

	mu      sync.Mutex
	keys    map[string]*Key   // by ARN
	aliases map[string]string // "account/region/alias/name" -> key ARN
}

// Key is a symmetric customer managed key.
type Key struct {
	ARN, ID, Account, Region, Description string
	Created                               time.Time
	Rotation                              bool
	Deletion                              time.Time // zero: none scheduled
	policy                                iam.Document
	secret                                [32]byte
}

// New makes the service.
func New(d *accounts.Directory, c *clock.Clock) *Service {
	return &Service{directory: d, clock: c, keys: map[string]*Key{}, aliases: map[string]string{}}
}

// Create makes a key in the caller's account. Without a policy it gets AWS's default one: the
// account's root. A policy under which the caller could never change it again is refused.
func (s *Service) Create(caller accounts.Caller, region, description string, policy []byte, rotation bool) (Key, error) {
	if err := s.directory.Authorize(accounts.Check{Caller: caller, Action: "kms:CreateKey", Resource: "*"}); err != nil {
		return Key{}, err
	}
	if len(policy) == 0 {
		policy = fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow",`+
			`"Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"kms:*","Resource":"*"}]}`, caller.Account)
	}
	id := random.UUID()
	key := &Key{
		ARN: "arn:aws:kms:" + region + ":" + caller.Account + ":key/" + id, ID: id, Account: caller.Account, Region: region,
		Description: description, Created: s.clock.Now(), Rotation: rotation,
	}
	_, _ = rand.Read(key.secret[:])
	if err := s.setPolicy(caller, key, policy); err != nil {
		return Key{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[key.ARN] = key
	return *key, nil
}

// PutPolicy replaces a key's policy.
func (s *Service) PutPolicy(caller accounts.Caller, arn string, policy []byte) error {
	changed, err := s.decide(caller, "kms:PutKeyPolicy", arn, nil)
	if err != nil {
		return err
	}
	if err := s.setPolicy(caller, &changed, policy); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[arn].policy = changed.policy // keys are never removed
	return nil
}

// Describe replaces a key's description.
func (s *Service) Describe(caller accounts.Caller, arn, description string) error {
	return s.change(caller, "kms:UpdateKeyDescription", arn, func(k *Key) { k.Description = description })
}

// Rotate turns the yearly rotation of a key on or off.
func (s *Service) Rotate(caller accounts.Caller, arn string, on bool) error {
	action := "kms:DisableKeyRotation"
	if on {
		action = "kms:EnableKeyRotation"
	}
	return s.change(caller, action, arn, func(k *Key) { k.Rotation = on })
}

func (s *Service) change(caller accounts.Caller, action, arn string, change func(*Key)) error {
	if _, err := s.decide(caller, action, arn, nil); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.keys[arn])
	return nil
}

func (s *Service) setPolicy(caller accounts.Caller, key *Key, text []byte) error {
	doc, err := iam.Parse(text)
	if err == nil {
		err = doc.Validate(iam.LayerKey)
	}
	if err != nil {
		return wire.Errorf(400, "MalformedPolicyDocumentException", "%v", err)
	}
	if doc, err = s.directory.StorePrincipals(doc); err != nil {
		return wire.Errorf(400, "MalformedPolicyDocumentException", "Policy contains a statement with one or more invalid principals. (%s)", wire.AsError(err).Message)
	}
	// AWS refuses a policy that locks the caller out. Source: KMS API Reference, PutKeyPolicy,
	// BypassPolicyLockoutSafetyCheck (AWS-documented).
	lockout := iam.Decide(iam.Request{
		Principal: caller.Principal, Action: "kms:PutKeyPolicy", Resource: key.ARN, ResourceAccount: key.Account,
	}, iam.Policies{Resource: &iam.Policy{Name: "key", Document: doc}, Kind: iam.ResourceKey, Identity: allowAll()})
	if !lockout.Allowed {
		return wire.Errorf(400, "MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
	}
	key.policy = doc
	return nil
}

// allowAll stands for whatever identity policies the account may still give: the lockout check asks
// only whether the key policy lets anything through.
func allowAll() []iam.Policy {
	doc, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`))
	if err != nil {
		return nil
	}
	return []iam.Policy{{Name: "lockout check", Document: doc}}
}

// Authorize decides a data operation on a key for a caller; extra are condition keys such as
// kms:ViaService. key is an ARN.
func (s *Service) Authorize(_ context.Context, caller accounts.Caller, action, key string, extra map[string][]string) error {
	_, err := s.decide(caller, action, key, extra)
	return err
}

// decide decides an action on a key and returns the key as it is now.
func (s *Service) decide(caller accounts.Caller, action, arn string, extra map[string][]string) (Key, error) {
	key, names, err := s.find(arn)
	if err != nil {
		return Key{}, err
	}
	context := map[string][]string{"kms:CallerAccount": {caller.Account}}
	maps.Copy(context, extra)
	if len(names) > 0 {
		context["kms:ResourceAliases"] = names
	}
	err = s.directory.Authorize(accounts.Check{
		Caller: caller, Action: action, Resource: arn, Account: key.Account,
		Policy: &iam.Policy{Name: "key " + key.ID, Document: key.policy}, Kind: iam.ResourceKey, Context: context,
	})
	if err != nil {
		return Key{}, err
	}
	if !key.Deletion.IsZero() && action != "kms:DescribeKey" && action != "kms:GetKeyPolicy" {
		return Key{}, wire.Errorf(400, "KMSInvalidStateException", "%s is pending deletion.", arn)
	}
	return key, nil
}

// find is a copy of a key, and its aliases by name.
func (s *Service) find(arn string) (Key, []string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.keys[arn]
	if key == nil {
		return Key{}, nil, wire.Errorf(400, "NotFoundException", "Key '%s' does not exist", arn)
	}
	var names []string
	for name, target := range s.aliases {
		if target == arn {
			names = append(names, name[strings.Index(name, "alias/"):])
		}
	}
	slices.Sort(names)
	return *key, names, nil
}

// Resolve turns a key ID, key ARN, alias or alias ARN into the key's ARN, as seen from an account.
func (s *Service) Resolve(account, region, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := strings.SplitN(name, ":", 6); len(f) == 6 {
		if strings.HasPrefix(f[5], "key/") {
			return name, nil
		}
		region, account, name = f[3], f[4], f[5]
	}
	if strings.HasPrefix(name, "alias/") {
		if arn, ok := s.aliases[account+"/"+region+"/"+name]; ok {
			return arn, nil
		}
		return "", wire.Errorf(400, "NotFoundException", "Alias arn:aws:kms:%s:%s:%s is not found.", region, account, name)
	}
	return "arn:aws:kms:" + region + ":" + account + ":key/" + name, nil
}

// ScheduleDeletion ends a key's use at once; AWS keeps it 7 to 30 days in that state.
func (s *Service) ScheduleDeletion(caller accounts.Caller, arn string, days int) (time.Time, error) {
	if _, err := s.decide(caller, "kms:ScheduleKeyDeletion", arn, nil); err != nil {
		return time.Time{}, err
	}
	if days < 7 || days > 30 {
		return time.Time{}, wire.Errorf(400, "ValidationException", "PendingWindowInDays must be between 7 and 30")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.clock.Now().AddDate(0, 0, days)
	s.keys[arn].Deletion = end
	return end, nil
}

// CreateAlias points a name ("alias/...") at a key of the caller's account.
func (s *Service) CreateAlias(caller accounts.Caller, region, name, keyARN string) error {
	if !strings.HasPrefix(name, "alias/") || strings.HasPrefix(name, "alias/aws/") || len(name) > 256 {
		return wire.Errorf(400, "InvalidAliasNameException", "Alias must start with the prefix \"alias/\" and not with \"alias/aws/\".")
	}
	if _, err := s.decide(caller, "kms:CreateAlias", keyARN, nil); err != nil {
		return err
	}
	aliasARN := "arn:aws:kms:" + region + ":" + caller.Account + ":" + name
	if err := s.directory.Authorize(accounts.Check{Caller: caller, Action: "kms:CreateAlias", Resource: aliasARN}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := caller.Account + "/" + region + "/" + name
	if s.aliases[slot] != "" {
		return wire.Errorf(400, "AlreadyExistsException", "An alias with the name %s already exists", aliasARN)
	}
	s.aliases[slot] = keyARN
	return nil
}

// PointAlias points an existing name at another key of the account. Source of the three decisions: KMS
// Developer Guide, "Controlling access to aliases" (kms:UpdateAlias on the alias and on both keys).
func (s *Service) PointAlias(caller accounts.Caller, region, name, keyARN string) error {
	slot := caller.Account + "/" + region + "/" + name
	aliasARN := "arn:aws:kms:" + region + ":" + caller.Account + ":" + name
	s.mu.Lock()
	old := s.aliases[slot]
	s.mu.Unlock()
	if old == "" {
		return wire.Errorf(400, "NotFoundException", "Alias %s is not found.", aliasARN)
	}
	if err := s.directory.Authorize(accounts.Check{Caller: caller, Action: "kms:UpdateAlias", Resource: aliasARN}); err != nil {
		return err
	}
	for _, key := range []string{old, keyARN} {
		if _, err := s.decide(caller, "kms:UpdateAlias", key, nil); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aliases[slot] = keyARN
	return nil
}

// DeleteAlias removes a name.
func (s *Service) DeleteAlias(caller accounts.Caller, region, name string) error {
	aliasARN := "arn:aws:kms:" + region + ":" + caller.Account + ":" + name
	if err := s.directory.Authorize(accounts.Check{Caller: caller, Action: "kms:DeleteAlias", Resource: aliasARN}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := caller.Account + "/" + region + "/" + name
	if s.aliases[slot] == "" {
		return wire.Errorf(400, "NotFoundException", "Alias %s is not found.", aliasARN)
	}
	delete(s.aliases, slot)
	return nil
}

// Alias is a name of a key.
type Alias struct{ Name, ARN, KeyARN string }

// Aliases lists the caller's aliases of a region by name.
func (s *Service) Aliases(caller accounts.Caller, region string) ([]Alias, error) {
	if err := s.directory.Authorize(accounts.Check{Caller: caller, Action: "kms:ListAliases", Resource: "*"}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Alias
	for slot, key := range s.aliases {
		if name, ok := strings.CutPrefix(slot, caller.Account+"/"+region+"/"); ok {
			out = append(out, Alias{name, "arn:aws:kms:" + region + ":" + caller.Account + ":" + name, key})
		}
	}
	slices.SortFunc(out, func(a, b Alias) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}
