package cloudfront

import (
	"time"

	"github.com/unstale/unstale/rehearsal/wire"
)

// CachePolicy says what makes two requests the same and how long an answer is kept.
type CachePolicy struct {
	ID, Name, Comment string
	Managed           bool
	Account           string // owner of a custom policy
	Modified          time.Time
	MinTTL            time.Duration
	DefaultTTL        time.Duration
	MaxTTL            time.Duration
	Gzip, Brotli      bool
	QueryStrings      Selection
	Headers           Selection
	Cookies           Selection
}

// Selection is which query strings, headers or cookies are part of the cache key.
type Selection struct {
	Behavior string // "none", "whitelist", "allExcept", "all"
	Names    []string
}

// Includes reports whether a name is part of the key. same compares two names.
func (s Selection) Includes(name string, same func(a, b string) bool) bool {
	listed := false
	for _, n := range s.Names {
		listed = listed || same(n, name)
	}
	switch s.Behavior {
	case "all":
		return true
	case "whitelist":
		return listed
	case "allExcept":
		return !listed
	}
	return false
}

// IDs of AWS's managed cache policies. Source: Developer Guide, "Use managed cache policies" (H).
const (
	CachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
	CachingDisabled  = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
)

// managedPolicies are the managed policies that the rehearsal knows.
func managedPolicies() map[string]*CachePolicy {
	none := Selection{Behavior: "none"}
	year := 365 * 24 * time.Hour
	since := time.Date(2020, 7, 1, 0, 0, 0, 0, time.UTC)
	return map[string]*CachePolicy{
		CachingOptimized: {
			ID: CachingOptimized, Name: "Managed-CachingOptimized", Managed: true, Modified: since,
			Comment: "Policy with caching enabled. Supports Gzip and Brotli compression.",
			MinTTL:  time.Second, DefaultTTL: 24 * time.Hour, MaxTTL: year,
			Gzip: true, Brotli: true, QueryStrings: none, Headers: none, Cookies: none,
		},
		CachingDisabled: {
			ID: CachingDisabled, Name: "Managed-CachingDisabled", Managed: true, Modified: since,
			Comment:      "Policy with caching disabled",
			QueryStrings: none, Headers: none, Cookies: none,
		},
	}
}

// policy finds a cache policy of account, or a managed one. The caller holds mu.
func (s *Service) policy(account, id string) (*CachePolicy, error) {
	p := s.policies[id]
	if p == nil || (!p.Managed && p.Account != account) {
		// Other managed policies exist on AWS, so that their absence here is no NoSuchCachePolicy.
		if p == nil && len(id) == 36 {
			return nil, wire.NotEmulated("the cache policy %s (known: CachingOptimized, CachingDisabled and this stack's own)", id)
		}
		return nil, wire.Errorf(404, "NoSuchCachePolicy", "The specified cache policy does not exist.")
	}
	return p, nil
}

// checkPolicy refuses what AWS refuses in a custom cache policy.
func checkPolicy(p CachePolicy) error {
	switch {
	case p.Name == "":
		return invalid("The cache policy has no name.")
	case p.MinTTL < 0 || p.DefaultTTL < p.MinTTL || p.MaxTTL < p.DefaultTTL:
		return invalid("The cache policy's TTLs must be in the order MinTTL, DefaultTTL, MaxTTL.")
	case p.MaxTTL == 0 && (p.Gzip || p.Brotli || p.QueryStrings.Behavior != "none" || p.Headers.Behavior != "none" || p.Cookies.Behavior != "none"):
		// API reference, CachePolicyConfig: with caching disabled nothing can be in the key (H).
		return invalid("The parameter HeaderBehavior is invalid for policy with caching disabled.")
	}
	for _, sel := range []Selection{p.QueryStrings, p.Headers, p.Cookies} {
		listed := sel.Behavior == "whitelist" || sel.Behavior == "allExcept"
		switch {
		case !listed && sel.Behavior != "none" && sel.Behavior != "all":
			return invalid("The behavior %q is not one of none, whitelist, allExcept, all.", sel.Behavior)
		case listed != (len(sel.Names) > 0):
			return invalid("The behavior %s goes with %d names.", sel.Behavior, len(sel.Names))
		}
	}
	if p.Headers.Behavior == "all" || p.Headers.Behavior == "allExcept" {
		return invalid("The header behavior is none or whitelist.")
	}
	return nil
}

func invalid(format string, args ...any) error {
	return wire.Errorf(400, "InvalidArgument", format, args...)
}
