package plan

import (
	"encoding/json"
	"fmt"
	"time"
)

const year = 365 * 24 * time.Hour

// managed returns an AWS managed cache policy. Source: developer guide, "Use managed cache policies".
// Amplify's are left out: AWS advises against them on one's own distributions.
func managed(id string) (Policy, bool) {
	p := Policy{ID: id, QueryStrings: QueryNone, MaxTTL: year}
	switch id {
	case "658327ea-f89d-4fab-a63d-7e88639e58f6":
		p.Name, p.MinTTL, p.DefaultTTL = "CachingOptimized", time.Second, 24*time.Hour
	case "b2884449-e4de-46a7-ac36-70bc7f1ddd6d":
		p.Name, p.MinTTL, p.DefaultTTL = "CachingOptimizedForUncompressedObjects", time.Second, 24*time.Hour
	case "4135ea2d-6df8-44a3-9df3-4b5a84be39ad":
		p.Name, p.MaxTTL = "CachingDisabled", 0
	case "83da9c7e-98b4-4e11-a168-04f0df8e2c65":
		p.Name = "UseOriginCacheControlHeaders"
	case "4cc15a8a-d715-48a4-82b8-cc0b614638fe":
		p.Name, p.QueryStrings = "UseOriginCacheControlHeaders-QueryStrings", QueryAll
	case "08627262-05a9-4f76-9ded-b50ca2e3a84f":
		p.Name, p.DefaultTTL, p.QueryStrings = "Elemental-MediaPackage", 24*time.Hour, QueryWhitelist
	default:
		return Policy{}, false
	}
	return p, true
}

// policyConfig is a CachePolicyConfig. Source: API reference.
type policyConfig struct {
	Name       string
	MinTTL     *int64
	DefaultTTL *int64
	MaxTTL     *int64
	Parameters *struct {
		QueryStringsConfig struct {
			QueryStringBehavior QueryStrings
		}
	} `json:"ParametersInCacheKeyAndForwardedToOrigin"`
}

// FromPolicy reads what `aws cloudfront get-cache-policy` prints, so that FromConfig knows a policy
// that is not AWS's own.
func FromPolicy(data []byte) (Policy, error) {
	var in struct {
		CachePolicy *struct {
			ID                string `json:"Id"`
			CachePolicyConfig *policyConfig
		}
	}
	data, err := text(data)
	if err == nil {
		err = json.Unmarshal(data, &in)
	}
	if err != nil {
		return Policy{}, fmt.Errorf("read cache policy: %w", err)
	}
	if in.CachePolicy == nil || in.CachePolicy.ID == "" || in.CachePolicy.CachePolicyConfig == nil {
		return Policy{}, fmt.Errorf("read cache policy: it has no CachePolicy with Id and CachePolicyConfig, which get-cache-policy prints")
	}
	c := in.CachePolicy.CachePolicyConfig
	p := Policy{ID: in.CachePolicy.ID, Name: c.Name, QueryStrings: QueryNone}
	if err := p.ttls(c.MinTTL, c.DefaultTTL, c.MaxTTL); err != nil {
		return Policy{}, fmt.Errorf("read cache policy %s: %w", p.ID, err)
	}
	if c.Parameters != nil {
		p.QueryStrings = c.Parameters.QueryStringsConfig.QueryStringBehavior
	}
	switch p.QueryStrings {
	case QueryNone, QueryWhitelist, QueryAllExcept, QueryAll:
	default:
		return Policy{}, fmt.Errorf("read cache policy %s: there is no query string behavior %q", p.ID, p.QueryStrings)
	}
	return p, nil
}

// ttls takes seconds; what is missing is AWS's default. Source: API reference, CachePolicyConfig and
// CacheBehavior (DefaultTTL 86,400, MaxTTL 31,536,000).
func (p *Policy) ttls(minimum, standard, maximum *int64) error {
	var err error
	read := func(name string, seconds *int64, missing time.Duration) time.Duration {
		if seconds == nil {
			return missing
		}
		if *seconds < 0 || *seconds > maxSeconds {
			err = fmt.Errorf("%s is %d, not 0 to %d seconds", name, *seconds, int64(maxSeconds))
			return 0
		}
		return time.Duration(*seconds) * time.Second
	}
	p.MinTTL = read("MinTTL", minimum, 0)
	// The defaults give way to a minimum beyond them.
	p.DefaultTTL = read("DefaultTTL", standard, max(24*time.Hour, p.MinTTL))
	p.MaxTTL = read("MaxTTL", maximum, max(year, p.DefaultTTL))
	if err == nil && p.MinTTL > p.MaxTTL {
		err = fmt.Errorf("MinTTL %s is more than MaxTTL %s", p.MinTTL, p.MaxTTL)
	}
	return err
}

// maxSeconds is CloudFront's longest TTL: 100 years. Source: developer guide, "Expiration".
const maxSeconds = 100 * 365 * 24 * 60 * 60
