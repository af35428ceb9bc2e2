package cloudfront

import (
	"cmp"
	"context"
	"slices"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

const policyKind = "cache-policy"

// CreateCachePolicy makes a custom cache policy in the caller's account.
func (s *Service) CreateCachePolicy(_ context.Context, caller accounts.Caller, p CachePolicy) (*CachePolicy, error) {
	if err := s.authorize(caller, "CreateCachePolicy", arn(caller.Account, policyKind, "*")); err != nil {
		return nil, err
	}
	if err := checkPolicy(p); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.policies {
		if other.Account == caller.Account && other.Name == p.Name {
			return nil, wire.Errorf(409, "CachePolicyAlreadyExists", "A cache policy with this name already exists.")
		}
	}
	p.ID, p.Account, p.Managed, p.Modified = random.UUID(), caller.Account, false, s.clock.Now()
	s.policies[p.ID] = &p
	return &p, nil
}

// DeleteCachePolicy removes a custom policy that no distribution uses.
func (s *Service) DeleteCachePolicy(_ context.Context, caller accounts.Caller, id string) error {
	if err := s.authorize(caller, "DeleteCachePolicy", arn(caller.Account, policyKind, id)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.policy(caller.Account, id)
	switch {
	case err != nil:
		return wire.Errorf(404, "NoSuchCachePolicy", "The specified cache policy does not exist.")
	case p.Managed:
		return wire.Errorf(400, "IllegalDelete", "You cannot delete a managed policy.")
	}
	for _, d := range s.distributions {
		for _, b := range append(slices.Clone(d.Config.Behaviors), d.Config.Default) {
			if b.CachePolicy == p {
				return wire.Errorf(409, "CachePolicyInUse", "Cannot delete the cache policy because it is attached to one or more cache behaviors.")
			}
		}
	}
	delete(s.policies, id)
	return nil
}

// cachePolicy decides action on a policy and finds it. Managed policies have the caller's account
// in their ARN (L).
func (s *Service) cachePolicy(caller accounts.Caller, action, id string) (*CachePolicy, error) {
	if err := s.authorize(caller, action, arn(caller.Account, policyKind, id)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policy(caller.Account, id)
}

func (s *Service) getPolicy(r request) (answer, error) {
	p, err := s.cachePolicy(r.caller(), "GetCachePolicy", r.ids[0])
	if err != nil {
		return answer{}, err
	}
	return answer{body: policyView(p), etag: policyTag(p)}, nil
}

func (s *Service) getPolicyConfig(r request) (answer, error) {
	p, err := s.cachePolicy(r.caller(), "GetCachePolicyConfig", r.ids[0])
	if err != nil {
		return answer{}, err
	}
	return answer{body: group("CachePolicyConfig", policyConfigView(p)...), etag: policyTag(p)}, nil
}

// policyTag is the version of a policy; policies here never change.
func policyTag(p *CachePolicy) string { return "E" + p.ID[:8] + p.ID[9:13] }

func (s *Service) listPolicies(r request) (answer, error) {
	if err := s.authorize(r.caller(), "ListCachePolicies", "*"); err != nil {
		return answer{}, err
	}
	want := r.http.URL.Query().Get("Type")
	s.mu.Lock()
	var all []*CachePolicy
	for _, p := range s.policies {
		if p.kind() == cmp.Or(want, p.kind()) && (p.Managed || p.Account == r.caller().Account) {
			all = append(all, p)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *CachePolicy) int { return cmp.Compare(a.Name, b.Name) })
	return page(r, "CachePolicyList", all, func(p *CachePolicy) string { return p.ID }, func(p *CachePolicy) element {
		return group("CachePolicySummary", text("Type", p.kind()), policyView(p))
	})
}

func (p *CachePolicy) kind() string {
	if p.Managed {
		return "managed"
	}
	return "custom"
}
