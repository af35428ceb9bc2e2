package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The parts of a DistributionConfig that decide what is cached, and where. Source: API reference.
type (
	configFile struct {
		ETag               string
		DistributionConfig *distributionConfig // get-distribution-config
		Distribution       *struct {           // get-distribution
			ID                 string `json:"Id"`
			ARN                string
			Status             string
			DomainName         string
			DistributionConfig *distributionConfig
		}
	}
	distributionConfig struct {
		Aliases              *list[string]
		DefaultRootObject    string
		Origins              *list[originConfig]
		OriginGroups         *list[originGroup]
		DefaultCacheBehavior *behaviorConfig
		CacheBehaviors       *list[behaviorConfig]
		CustomErrorResponses *list[errorConfig]
		CacheTagConfig       *struct{ HeaderName string }
		Enabled              *bool
		Staging              bool
	}
	originConfig struct {
		ID         string `json:"Id"`
		DomainName string
		OriginPath string
	}
	originGroup struct {
		ID      string `json:"Id"`
		Members *list[struct {
			OriginID string `json:"OriginId"`
		}]
	}
	behaviorConfig struct {
		PathPattern     string
		TargetOriginID  string `json:"TargetOriginId"`
		CachePolicyID   string `json:"CachePolicyId"`
		ForwardedValues *struct {
			QueryString          bool
			QueryStringCacheKeys *list[string]
		}
		MinTTL, DefaultTTL, MaxTTL *int64
		Compress                   bool
		TrustedSigners             *struct{ Enabled bool }
		TrustedKeyGroups           *struct{ Enabled bool }
		FunctionAssociations       *list[struct{ FunctionARN, EventType string }]
		LambdaFunctionAssociations *list[struct{ LambdaFunctionARN, EventType string }]
	}
	errorConfig struct {
		ErrorCode          int
		ResponsePagePath   string
		ResponseCode       string
		ErrorCachingMinTTL *int64
	}
)

// list is how CloudFront writes lists. One whose quantity is not its length was cut or edited.
type list[T any] struct {
	Quantity *int
	Items    []T
}

func (l *list[T]) items(name string) ([]T, error) {
	if l == nil {
		return nil, nil
	}
	if l.Quantity != nil && *l.Quantity != len(l.Items) {
		return nil, fmt.Errorf("%s has %d items and says that they are %d", name, len(l.Items), *l.Quantity)
	}
	return l.Items, nil
}

// FromConfig reads what `aws cloudfront get-distribution-config` or `get-distribution` prints, or
// such a DistributionConfig alone. What decides where and how long something is cached has to be
// there and make sense; the rest is not looked at. Cache policies other than AWS's own are not part
// of that output: give those that are known (see FromPolicy), others are planned for as if they
// cached everything for ever, by every query string. get-distribution-config does not tell ID,
// account, domain and status; they stay empty.
func FromConfig(data []byte, policies ...Policy) (Distribution, error) {
	var file configFile
	data, err := text(data)
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	d := Distribution{ETag: file.ETag}
	config := file.DistributionConfig
	if out := file.Distribution; out != nil {
		config, d.ID, d.Domain, d.Status = out.DistributionConfig, out.ID, out.DomainName, out.Status
		if parts := strings.Split(out.ARN, ":"); len(parts) == 6 {
			d.Account = parts[4]
		}
	}
	if err == nil && config == nil {
		err = json.Unmarshal(data, &config)
	}
	if err == nil {
		err = d.fill(config, policies)
	}
	if err != nil {
		return Distribution{}, fmt.Errorf("read distribution config: %w", err)
	}
	return d, nil
}

// text is JSON without the mark that some editors and shells put before it. What is not UTF-8 is
// refused: names would be read with U+FFFD in them, and match nothing.
func text(data []byte) ([]byte, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8, which JSON is; PowerShell's > writes UTF-16, so use Out-File -Encoding utf8")
	}
	return data, nil
}

// fill takes over a configuration.
func (d *Distribution) fill(c *distributionConfig, policies []Policy) error {
	switch {
	case c == nil || c.Origins == nil || c.DefaultCacheBehavior == nil:
		return fmt.Errorf("there is no DistributionConfig with Origins and DefaultCacheBehavior, which get-distribution-config prints")
	case c.Enabled == nil:
		return fmt.Errorf("it does not say whether the distribution is Enabled")
	}
	d.DefaultRootObject, d.Enabled, d.Staging = strings.TrimPrefix(c.DefaultRootObject, "/"), *c.Enabled, c.Staging
	if c.CacheTagConfig != nil {
		d.CacheTagHeader = c.CacheTagConfig.HeaderName
	}
	var err error
	if d.Aliases, err = c.Aliases.items("Aliases"); err != nil {
		return err
	}
	groups, err := d.readOrigins(c)
	if err != nil {
		return err
	}
	behaviors, err := c.CacheBehaviors.items("CacheBehaviors")
	if err != nil {
		return err
	}
	for i, b := range behaviors {
		made, err := b.behavior(groups, policies)
		if err == nil && made.PathPattern == "" {
			err = fmt.Errorf("it has no PathPattern")
		}
		if err != nil {
			return fmt.Errorf("cache behavior %d (%s): %w", i+1, b.PathPattern, err)
		}
		d.Behaviors = append(d.Behaviors, made)
	}
	if d.Default, err = c.DefaultCacheBehavior.behavior(groups, policies); err != nil {
		return fmt.Errorf("default cache behavior: %w", err)
	}
	d.Default.PathPattern = "*"
	return d.readErrors(c)
}

// readOrigins returns, for every ID that a behavior may target, the origins behind it.
func (d *Distribution) readOrigins(c *distributionConfig) (map[string][]string, error) {
	origins, err := c.Origins.items("Origins")
	if err != nil {
		return nil, err
	}
	behind := map[string][]string{}
	for _, o := range origins {
		bucket, website := bucketOf(o.DomainName)
		d.Origins = append(d.Origins, Origin{
			ID: o.ID, Domain: o.DomainName, Path: strings.TrimSuffix(o.OriginPath, "/"), Bucket: bucket, Website: website,
		})
		if o.OriginPath != "" && o.OriginPath[0] != '/' {
			return nil, fmt.Errorf("the path %q of origin %s does not begin with a slash", o.OriginPath, o.ID)
		}
		behind[o.ID] = []string{o.ID}
	}
	groups, err := c.OriginGroups.items("OriginGroups")
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		members, err := g.Members.items("Members")
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			if _, found := d.origin(m.OriginID); !found {
				return nil, fmt.Errorf("origin group %s has a member %q that is no origin", g.ID, m.OriginID)
			}
			behind[g.ID] = append(behind[g.ID], m.OriginID)
		}
	}
	return behind, nil
}

// bucketOf is the bucket in an origin's domain, and whether it is the bucket's website. Source:
// Amazon S3 user guide, "Virtual hosting of buckets", "Website endpoints".
func bucketOf(domain string) (bucket string, website bool) {
	host, ok := strings.CutSuffix(strings.TrimSuffix(domain, ".cn"), ".amazonaws.com")
	if !ok {
		return "", false
	}
	for _, mark := range []string{".s3-website-", ".s3-website.", ".s3.", ".s3-"} {
		if i := strings.LastIndex(host+".", mark); i > 0 {
			return host[:i], strings.HasPrefix(mark, ".s3-website")
		}
	}
	return "", false
}

// behavior takes over a cache behavior.
func (b *behaviorConfig) behavior(groups map[string][]string, policies []Policy) (Behavior, error) {
	made := Behavior{PathPattern: b.PathPattern, Origins: groups[b.TargetOriginID], Compress: b.Compress}
	made.Restricted = b.TrustedSigners != nil && b.TrustedSigners.Enabled || b.TrustedKeyGroups != nil && b.TrustedKeyGroups.Enabled
	if made.Origins == nil {
		return Behavior{}, fmt.Errorf("its target %q is no origin", b.TargetOriginID)
	}
	var err error
	if made.Policy, err = b.policy(policies); err != nil {
		return Behavior{}, err
	}
	functions, err := b.FunctionAssociations.items("FunctionAssociations")
	if err != nil {
		return Behavior{}, err
	}
	for _, f := range functions {
		made.Functions = append(made.Functions, Function{ARN: f.FunctionARN, Event: f.EventType})
	}
	lambdas, err := b.LambdaFunctionAssociations.items("LambdaFunctionAssociations")
	for _, f := range lambdas {
		made.Functions = append(made.Functions, Function{ARN: f.LambdaFunctionARN, Event: f.EventType})
	}
	for _, f := range made.Functions {
		switch f.Event {
		case "viewer-request", "origin-request", "origin-response", "viewer-response":
		default:
			return Behavior{}, fmt.Errorf("function %s has the event %q, which is not known", f.ARN, f.Event)
		}
	}
	return made, err
}

// policy is the cache policy, or what the older settings amount to.
func (b *behaviorConfig) policy(policies []Policy) (Policy, error) {
	if b.CachePolicyID != "" {
		for _, p := range policies {
			if p.ID == b.CachePolicyID {
				return p, nil
			}
		}
		if p, found := managed(b.CachePolicyID); found {
			return p, nil
		}
		return Policy{ID: b.CachePolicyID, Unknown: true, QueryStrings: QueryAll}, nil
	}
	if b.ForwardedValues == nil {
		return Policy{}, fmt.Errorf("it has neither CachePolicyId nor ForwardedValues")
	}
	p := Policy{QueryStrings: QueryNone}
	names, err := b.ForwardedValues.QueryStringCacheKeys.items("QueryStringCacheKeys")
	switch {
	case err != nil:
		return Policy{}, err
	case b.ForwardedValues.QueryString && len(names) > 0:
		p.QueryStrings = QueryWhitelist
	case b.ForwardedValues.QueryString:
		p.QueryStrings = QueryAll
	}
	return p, p.ttls(b.MinTTL, b.DefaultTTL, b.MaxTTL)
}

// readErrors takes over the custom error responses.
func (d *Distribution) readErrors(c *distributionConfig) error {
	responses, err := c.CustomErrorResponses.items("CustomErrorResponses")
	if err != nil {
		return err
	}
	for _, e := range responses {
		made := ErrorResponse{Code: e.ErrorCode, PagePath: e.ResponsePagePath, CachingMinTTL: defaultErrorTTL}
		if e.ErrorCode < 400 || e.ErrorCode > 599 {
			return fmt.Errorf("there is no error code %d", e.ErrorCode)
		}
		if e.ResponseCode != "" {
			if made.ResponseCode, err = strconv.Atoi(e.ResponseCode); err != nil {
				return fmt.Errorf("the response code %q for error %d is no number", e.ResponseCode, e.ErrorCode)
			}
		}
		if made.PagePath != "" && made.PagePath[0] != '/' {
			return fmt.Errorf("the page %q for error %d does not begin with a slash", made.PagePath, e.ErrorCode)
		}
		if s := e.ErrorCachingMinTTL; s != nil {
			if *s < 0 || *s > maxSeconds {
				return fmt.Errorf("the error caching minimum TTL of error %d is %d seconds", e.ErrorCode, *s)
			}
			made.CachingMinTTL = time.Duration(*s) * time.Second
		}
		d.Errors = append(d.Errors, made)
	}
	return nil
}
