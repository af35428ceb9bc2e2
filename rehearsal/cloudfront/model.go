package cloudfront

import (
	"strings"
	"time"
)

// Distribution is a distribution as deployed. One that was handed out never changes: an update
// replaces it.
type Distribution struct {
	ID       string // "E..."
	Account  string // 12 digits
	ARN      string
	Domain   string // "d....cloudfront.net"
	ETag     string // changes with the configuration
	Modified time.Time
	Config   Config
}

// Config is what a distribution's owner decides, with AWS's defaults filled in.
type Config struct {
	CallerReference   string
	Enabled           bool
	Comment           string
	DefaultRootObject string // without a leading slash; empty: none
	HTTPVersion       string // "http1.1", "http2", "http3", "http2and3"
	IPv6              bool
	PriceClass        string // "PriceClass_All", "PriceClass_200", "PriceClass_100"
	Aliases           []string
	Certificate       Certificate
	Origins           []Origin
	Default           Behavior   // PathPattern is empty
	Behaviors         []Behavior // in order of precedence
	Errors            []ErrorResponse
	CacheTagHeader    string // HeaderName of CacheTagConfig; empty: no tags
}

// Certificate is what viewers of the aliases see; its zero value is CloudFront's own.
type Certificate struct {
	ACMArn             string
	SSLSupportMethod   string
	MinProtocolVersion string
}

// Origin is a bucket that the distribution reads.
type Origin struct {
	ID, Domain    string // Domain is the bucket's, e.g. "b.s3.us-east-1.amazonaws.com"
	Path          string // put before every key; empty or "/dir"
	AccessControl *AccessControl
}

// Bucket is the bucket's name in the origin's domain; empty when it is no bucket's REST endpoint.
func (o Origin) Bucket() string {
	host, ok := strings.CutSuffix(o.Domain, ".amazonaws.com")
	if !ok {
		return ""
	}
	if bucket, ok := strings.CutSuffix(host, ".s3"); ok {
		return bucket // the global endpoint
	}
	i := strings.LastIndexByte(host, '.')
	if i < 0 || strings.HasPrefix(host[i+1:], "s3-website") {
		return ""
	}
	bucket, ok := strings.CutSuffix(host[:i], ".s3")
	if !ok {
		return ""
	}
	return bucket
}

// Behavior says how the objects under a path pattern are served.
type Behavior struct {
	PathPattern          string // may hold "*" and "?"
	TargetOriginID       string
	ViewerProtocolPolicy string // "allow-all", "https-only", "redirect-to-https"
	CachePolicy          *CachePolicy
	Compress             bool
	// KeyGroups, when there are any, restrict viewers to those with a signature of one of their keys.
	KeyGroups []*KeyGroup
}

// ErrorResponse is what viewers get in place of an origin's error.
type ErrorResponse struct {
	Code          int    // of the origin's answer
	ResponseCode  int    // 0: no page of its own, only the TTL
	PagePath      string // begins with a slash
	CachingMinTTL time.Duration
}

// BehaviorFor is the behavior whose pattern matches path first.
func (c *Config) BehaviorFor(path string) *Behavior {
	for i := range c.Behaviors {
		if matchPattern(c.Behaviors[i].PathPattern, path) {
			return &c.Behaviors[i]
		}
	}
	return &c.Default
}

// OriginByID finds an origin.
func (c *Config) OriginByID(id string) (Origin, bool) {
	for _, o := range c.Origins {
		if o.ID == id {
			return o, true
		}
	}
	return Origin{}, false
}

// ErrorFor is the configured answer to an origin's status.
func (c *Config) ErrorFor(status int) (ErrorResponse, bool) {
	for _, e := range c.Errors {
		if e.Code == status {
			return e, true
		}
	}
	return ErrorResponse{}, false
}

// matchPattern matches a behavior's path pattern, whose leading slash may be left out. Source:
// Developer Guide, "Path pattern".
func matchPattern(pattern, path string) bool {
	return Wildcard(strings.TrimPrefix(pattern, "/"), strings.TrimPrefix(path, "/"))
}

// Wildcard matches text as CloudFront does path patterns and the resources of signed policies: "*" is
// any characters, "?" exactly one, and letters count. Source: Developer Guide, "Path pattern" and
// "Create a signed URL using a custom policy" (H).
func Wildcard(pattern, text string) bool {
	star, resume := -1, 0
	p, s := 0, 0
	for s < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, s
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[s]):
			p, s = p+1, s+1
		case star >= 0:
			resume++
			p, s = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
