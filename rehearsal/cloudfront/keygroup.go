package cloudfront

import (
	"context"
	"slices"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// KeyGroup is public keys whose owners a cache behavior trusts to let viewers in. One that was handed
// out never changes: an update replaces it.
type KeyGroup struct {
	ID, ETag      string // a UUID
	Account       string
	Name, Comment string
	Modified      time.Time
	Keys          []*PublicKey
}

// key finds a key of the group; nil when it is not in it.
func (g *KeyGroup) key(id string) *PublicKey {
	for _, k := range g.Keys {
		if k.ID == id {
			return k
		}
	}
	return nil
}

// How many there may be. Source: Developer Guide, "Choose between trusted key groups (recommended)
// and AWS accounts" (H); both quotas can be raised.
const (
	maxKeysOfGroup             = 5
	maxKeyGroupsOfDistribution = 4
)

// CreateKeyGroup makes a key group in the caller's account. Name and Comment are read from g; keys are
// IDs of public keys.
func (s *Service) CreateKeyGroup(_ context.Context, caller accounts.Caller, g KeyGroup, keys []string) (*KeyGroup, error) {
	if err := s.authorize(caller, "CreateKeyGroup", "*"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g.ID, g.Account = random.UUID(), caller.Account
	return s.storeGroup(g, keys)
}

// storeGroup makes g with these keys the group of its ID. The caller holds mu.
func (s *Service) storeGroup(g KeyGroup, keys []string) (*KeyGroup, error) {
	switch {
	case g.Name == "" || len(g.Comment) > maxComment:
		return nil, invalid("A key group has a name and a comment of at most %d characters.", maxComment)
	case len(keys) == 0:
		return nil, invalid("A key group has at least one public key.")
	case len(keys) > maxKeysOfGroup:
		return nil, wire.Errorf(400, "TooManyPublicKeysInKeyGroup",
			"The number of public keys in this key group is more than the maximum allowed.")
	}
	for _, other := range s.groups {
		if other.Account == g.Account && other.Name == g.Name && other.ID != g.ID {
			return nil, wire.Errorf(409, "KeyGroupAlreadyExists",
				"A key group with this name already exists. You must provide a unique name. To modify an existing key group, use UpdateKeyGroup.")
		}
	}
	g.Keys = nil
	for _, id := range keys {
		// The only documented code that fits a key which does not exist is InvalidArgument (M); its
		// text, and that a key may be named once only, are L.
		k := s.keys[id]
		if k == nil || k.Account != g.Account || g.key(id) != nil {
			return nil, invalid("The public key %q does not exist or is named twice.", id)
		}
		g.Keys = append(g.Keys, k)
	}
	g.ETag, g.Modified = random.ID("E", 13), s.clock.Now()
	s.groups[g.ID] = &g
	return &g, nil
}

// UpdateKeyGroup changes one, and with it every distribution that trusts it. What readers hold of the
// former does not change under them.
func (s *Service) UpdateKeyGroup(_ context.Context, caller accounts.Caller, id string, g KeyGroup, keys []string) (*KeyGroup, error) {
	old, err := s.keyGroup(caller, "UpdateKeyGroup", id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g.ID, g.Account = old.ID, old.Account
	made, err := s.storeGroup(g, keys)
	if err != nil {
		return nil, err
	}
	for name, old := range s.distributions {
		if !old.Config.trusts(id) {
			continue
		}
		d := *old
		d.Config.Behaviors = slices.Clone(old.Config.Behaviors)
		d.Config.Default.retrust(made)
		for i := range d.Config.Behaviors {
			d.Config.Behaviors[i].retrust(made)
		}
		s.distributions[name] = &d
	}
	return made, nil
}

// GetKeyGroup reads one.
func (s *Service) GetKeyGroup(_ context.Context, caller accounts.Caller, id string) (*KeyGroup, error) {
	return s.keyGroup(caller, "GetKeyGroup", id)
}

// DeleteKeyGroup removes one that no cache behavior trusts.
func (s *Service) DeleteKeyGroup(_ context.Context, caller accounts.Caller, id string) error {
	if _, err := s.keyGroup(caller, "DeleteKeyGroup", id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.distributions {
		if d.Config.trusts(id) {
			return wire.Errorf(409, "ResourceInUse", "Cannot delete this resource because it is in use.")
		}
	}
	delete(s.groups, id)
	return nil
}

// keyGroup decides action and finds a group of the caller's account.
func (s *Service) keyGroup(caller accounts.Caller, action, id string) (*KeyGroup, error) {
	if err := s.authorize(caller, action, "*"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[id]
	if g == nil || g.Account != caller.Account {
		return nil, wire.Errorf(404, "NoSuchResource", "A resource that was specified is not valid.")
	}
	return g, nil
}

// trusted finds the key groups that a behavior of account names. The caller holds mu.
func (s *Service) trusted(account string, ids []string) ([]*KeyGroup, error) {
	var groups []*KeyGroup
	for i, id := range ids {
		g := s.groups[id]
		switch {
		case g == nil || g.Account != account:
			return nil, wire.Errorf(400, "TrustedKeyGroupDoesNotExist", "The specified key group does not exist.")
		case slices.Contains(ids[:i], id):
			return nil, invalid("The trusted key group %s is named twice.", id) // (L)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// keyGroups are those that any behavior trusts, each once.
func (c *Config) keyGroups() []*KeyGroup {
	groups := slices.Clone(c.Default.KeyGroups)
	for _, b := range c.Behaviors {
		for _, g := range b.KeyGroups {
			if !slices.Contains(groups, g) {
				groups = append(groups, g)
			}
		}
	}
	return groups
}

func (c *Config) trusts(group string) bool {
	return slices.ContainsFunc(c.keyGroups(), func(g *KeyGroup) bool { return g.ID == group })
}

// retrust puts a group in the place of what it was.
func (b *Behavior) retrust(g *KeyGroup) {
	b.KeyGroups = slices.Clone(b.KeyGroups)
	for i, old := range b.KeyGroups {
		if old.ID == g.ID {
			b.KeyGroups[i] = g
		}
	}
}

// TrustedKey finds the public key that a viewer's signature names among those that the behavior trusts.
func (b *Behavior) TrustedKey(id string) (*PublicKey, bool) {
	for _, g := range b.KeyGroups {
		if k := g.key(id); k != nil {
			return k, true
		}
	}
	return nil, false
}
