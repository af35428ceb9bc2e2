package cloudfront

import (
	"context"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Spec is a distribution as asked for: a Config whose references are still IDs.
type Spec struct {
	Config
	// AccessControls gives origins their origin access control: origin ID -> its ID.
	AccessControls map[string]string
	// CachePolicies gives the behaviors their policy: path pattern ("" the default) -> its ID.
	CachePolicies map[string]string
	// KeyGroups gives the behaviors the key groups that they trust: path pattern ("" the default) -> IDs.
	KeyGroups map[string][]string
}

// CreateDistribution makes a distribution in the caller's account. It is deployed at once: the
// minutes that AWS takes teach nothing about invalidations.
func (s *Service) CreateDistribution(_ context.Context, caller accounts.Caller, spec Spec) (*Distribution, error) {
	if err := s.authorize(caller, "CreateDistribution", arn(caller.Account, "distribution", "*")); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := random.ID("E", 13)
	config, err := s.resolve(caller.Account, id, spec)
	if err != nil {
		return nil, err
	}
	d := &Distribution{
		ID: id, Account: caller.Account, ARN: arn(caller.Account, "distribution", id),
		Domain: strings.ToLower(random.ID("d", 13)) + ".cloudfront.net", Config: config,
	}
	s.order = append(s.order, id)
	s.store(d)
	return d, nil
}

// UpdateDistribution replaces the configuration of one.
func (s *Service) UpdateDistribution(_ context.Context, caller accounts.Caller, id string, spec Spec) (*Distribution, error) {
	old, err := s.distribution(caller, "UpdateDistribution", id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	config, err := s.resolve(old.Account, id, spec)
	if err != nil {
		return nil, err
	}
	config.CallerReference = old.Config.CallerReference
	d := &Distribution{ID: id, Account: old.Account, ARN: old.ARN, Domain: old.Domain, Config: config}
	s.forget(old)
	s.store(d)
	return d, nil
}

// DeleteDistribution removes one. CloudFormation disables it first, which AWS counts as an update
// of its own; here that is part of the deletion.
func (s *Service) DeleteDistribution(_ context.Context, caller accounts.Caller, id string) error {
	d, err := s.distribution(caller, "DeleteDistribution", id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(d)
	delete(s.distributions, id)
	delete(s.invalidations, id)
	s.order = slices.DeleteFunc(s.order, func(other string) bool { return other == id })
	return nil
}

// GetDistribution reads one; GetDistributionConfig on the wire reads the same under another action.
func (s *Service) GetDistribution(_ context.Context, caller accounts.Caller, id string) (*Distribution, error) {
	return s.distribution(caller, "GetDistribution", id)
}

// ListDistributions lists the caller's account, in order of creation. It has no resource level (H).
func (s *Service) ListDistributions(_ context.Context, caller accounts.Caller) ([]*Distribution, error) {
	if err := s.authorize(caller, "ListDistributions", "*"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Distribution
	for _, id := range s.order {
		if d := s.distributions[id]; d.Account == caller.Account {
			out = append(out, d)
		}
	}
	return out, nil
}

// store makes d the distribution of its ID and hosts. The caller holds mu.
func (s *Service) store(d *Distribution) {
	d.Modified, d.ETag = s.clock.Now(), random.ID("E", 13)
	s.distributions[d.ID] = d
	s.hosts[d.Domain] = d.ID
	for _, alias := range d.Config.Aliases {
		s.hosts[strings.ToLower(alias)] = d.ID
	}
}

func (s *Service) forget(d *Distribution) {
	delete(s.hosts, d.Domain)
	for _, alias := range d.Config.Aliases {
		delete(s.hosts, strings.ToLower(alias))
	}
}

// resolve checks a spec and turns its IDs into what they name. The caller holds mu.
func (s *Service) resolve(account, id string, spec Spec) (Config, error) {
	c := spec.Config
	if err := checkConfig(c); err != nil {
		return c, err
	}
	for _, alias := range c.Aliases {
		if owner := s.hosts[strings.ToLower(alias)]; owner != "" && owner != id {
			return c, wire.Errorf(409, "CNAMEAlreadyExists",
				"One or more of the CNAMEs you provided are already associated with a different resource.")
		}
	}
	c.Origins = slices.Clone(c.Origins)
	for i, o := range c.Origins {
		control := spec.AccessControls[o.ID]
		if control == "" {
			continue
		}
		c.Origins[i].AccessControl = s.controls[control]
		if a := s.controls[control]; a == nil || a.Account != account {
			return c, wire.Errorf(400, "InvalidOriginAccessControl", "The origin access control is not valid.")
		}
	}
	c.Behaviors = slices.Clone(c.Behaviors)
	if err := s.resolveBehavior(account, spec, &c.Default); err != nil {
		return c, err
	}
	for i := range c.Behaviors {
		if err := s.resolveBehavior(account, spec, &c.Behaviors[i]); err != nil {
			return c, err
		}
	}
	if len(c.keyGroups()) > maxKeyGroupsOfDistribution {
		return c, wire.Errorf(400, "TooManyKeyGroupsAssociatedToDistribution",
			"The number of key groups referenced by this distribution is more than the maximum allowed.")
	}
	return c, nil
}

func (s *Service) resolveBehavior(account string, spec Spec, b *Behavior) error {
	var err error
	if b.CachePolicy, err = s.policy(account, spec.CachePolicies[b.PathPattern]); err != nil {
		return err
	}
	b.KeyGroups, err = s.trusted(account, spec.KeyGroups[b.PathPattern])
	return err
}
