package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/invalidation"
)

// Distribution is what a plan needs to know of a CloudFront distribution. Behaviors, Origins and
// Errors come from FromConfig; without them (no Origins) only given items and "/*" can be planned.
type Distribution struct {
	ID                string   `json:"id"`
	Account           string   `json:"account"` // 12 digits
	Domain            string   `json:"domain"`  // e.g. "d111111abcdef8.cloudfront.net"
	Aliases           []string `json:"aliases,omitempty"`
	DefaultRootObject string   `json:"defaultRootObject,omitempty"` // a key, without a leading "/"; "" when there is none
	Enabled           bool     `json:"enabled"`
	CacheTagHeader    string   `json:"cacheTagHeader,omitempty"` // the origin's header that carries tags; "" when tags are off
	Status            string   `json:"status"`                   // "Deployed" or "InProgress"
	ETag              string   `json:"etag"`                     // version of the configuration

	Origins   []Origin        `json:"origins,omitempty"`
	Default   Behavior        `json:"default,omitzero"`    // its PathPattern is "*"
	Behaviors []Behavior      `json:"behaviors,omitempty"` // in order of precedence
	Errors    []ErrorResponse `json:"errors,omitempty"`
	Staging   bool            `json:"staging,omitempty"` // a continuous deployment's staging distribution
}

// Origin is where a distribution reads.
type Origin struct {
	ID      string `json:"id"`
	Domain  string `json:"domain"`            // e.g. "b.s3.us-east-1.amazonaws.com"
	Path    string `json:"path,omitempty"`    // put before every URL's path: "" or "/dir"
	Bucket  string `json:"bucket,omitempty"`  // "" when the origin is no S3 bucket
	Website bool   `json:"website,omitempty"` // the bucket's website endpoint, which serves index documents
}

// Behavior says how the URLs under a path pattern are served.
type Behavior struct {
	PathPattern string     `json:"pathPattern"` // may hold "*" and "?"
	Origins     []string   `json:"origins"`     // IDs: the target, or the members of its origin group
	Policy      Policy     `json:"policy"`
	Compress    bool       `json:"compress,omitempty"`
	Restricted  bool       `json:"restricted,omitempty"` // viewers need signed URLs or signed cookies
	Functions   []Function `json:"functions,omitempty"`
}

// QueryStrings says which query strings are in the cache key.
type QueryStrings string

// The values that CloudFront has. Source: API reference, CachePolicyQueryStringsConfig.
const (
	QueryNone      QueryStrings = "none"
	QueryWhitelist QueryStrings = "whitelist"
	QueryAllExcept QueryStrings = "allExcept"
	QueryAll       QueryStrings = "all"
)

// Policy is a cache policy, or what a behavior's older settings amount to.
type Policy struct {
	ID           string        `json:"id,omitempty"`
	Name         string        `json:"name,omitempty"`
	Unknown      bool          `json:"unknown,omitempty"` // only the ID is known: anything may be cached for any time, by any query string
	MinTTL       time.Duration `json:"minTTL"`
	DefaultTTL   time.Duration `json:"defaultTTL"`
	MaxTTL       time.Duration `json:"maxTTL"`
	QueryStrings QueryStrings  `json:"queryStrings"`
}

// byQuery reports whether one path may be cached in several variants by query string.
func (p Policy) byQuery() bool { return p.Unknown || p.QueryStrings != QueryNone }

// Function is a function that a behavior runs.
type Function struct {
	ARN     string  `json:"arn"`
	Event   string  `json:"event"`             // "viewer-request", "origin-request", "origin-response" or "viewer-response"
	Rewrite Rewrite `json:"rewrite,omitempty"` // what it does to URIs, when somebody declared it
}

// Rewrite is what a function is declared to do to URIs.
type Rewrite string

// What can be declared. Undeclared is what cannot be known of a function from outside.
const (
	Undeclared      Rewrite = ""
	RewriteNothing  Rewrite = "none"  // leaves URIs alone: headers, redirects, authorisation
	RewriteIndex    Rewrite = "index" // "/dir/" and "/dir" serve dir/index.html
	RewriteHTML     Rewrite = "html"  // "/page" serves page.html
	RewriteFallback Rewrite = "spa"   // routes serve one page of the site, under whose own URL they are then cached
)

// ErrorResponse is what viewers get in place of an origin's error.
type ErrorResponse struct {
	Code          int           `json:"code"`                   // of the origin's answer
	PagePath      string        `json:"pagePath,omitempty"`     // begins with "/"; "": no page of its own
	ResponseCode  int           `json:"responseCode,omitempty"` // 0: no page of its own
	CachingMinTTL time.Duration `json:"cachingMinTTL"`
}

// defaultErrorTTL is how long CloudFront caches an error that nothing is configured for. Source:
// developer guide, "How CloudFront caches HTTP 4xx and 5xx status codes".
const defaultErrorTTL = 10 * time.Second

// errorTTL is how long an origin's error stays cached at least.
func (d *Distribution) errorTTL(code int) time.Duration {
	for _, e := range d.Errors {
		if e.Code == code {
			return e.CachingMinTTL
		}
	}
	return defaultErrorTTL
}

// missingTTL is how long the answer for a key that S3 does not have stays cached: S3 says 403 or 404,
// depending on whether the caller may list the bucket.
func (d *Distribution) missingTTL() time.Duration {
	return max(d.errorTTL(403), d.errorTTL(404))
}

// EntryPoints are the paths a viewer begins at: "/", and the root object's own path where one is set.
func (d Distribution) EntryPoints() []string {
	if d.DefaultRootObject == "" {
		return []string{"/"}
	}
	return []string{"/", invalidation.EncodeKey(d.DefaultRootObject)}
}

// Restricted reports whether viewers need a signed URL or signed cookies for a URL's path, which is encoded and
// begins with "/"; a query may follow. Source: developer guide, "Serve private content with signed URLs and signed
// cookies".
func (d Distribution) Restricted(path string) bool {
	path, _, _ = strings.Cut(strings.TrimPrefix(path, "/"), "?")
	for _, b := range d.Behaviors {
		if matches(b.PathPattern, path) {
			return b.Restricted
		}
	}
	return d.Default.Restricted
}

// origin finds an origin by its ID.
func (d *Distribution) origin(id string) (Origin, bool) {
	for _, o := range d.Origins {
		if o.ID == id {
			return o, true
		}
	}
	return Origin{}, false
}

// reads reports whether any behavior reads an origin.
func (d *Distribution) reads(id string) bool {
	reads := func(b Behavior) bool { return slices.Contains(b.Origins, id) }
	return reads(d.Default) || slices.ContainsFunc(d.Behaviors, reads)
}

// matches compares a path without its leading "/" with a behavior's pattern: "*" stands for any
// characters, "?" for exactly one, case matters, and the pattern's leading slash may be left out.
// Source: developer guide, "Path pattern".
func matches(pattern, path string) bool {
	pattern = strings.TrimPrefix(pattern, "/")
	star, resume := -1, 0
	p, s := 0, 0
	for s < len(path) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, s
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == path[s]):
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

// fixed is what all paths under the behavior's pattern begin with: encoded, without the leading "/".
func (b *Behavior) fixed() string {
	head := b.PathPattern
	if i := strings.IndexAny(head, "?"+onlyInItems); i >= 0 {
		head = head[:i]
	}
	return encoded(head)
}

// encoded is a URL's path as demands have it: without the leading "/".
func encoded(path string) string { return invalidation.EncodePath(path)[1:] }

// rewrites reports what the behavior's functions do to URIs: what is declared, and whether one could
// do anything. Functions on responses see no URI to change.
func (b *Behavior) rewrites() (declared map[Rewrite]bool, unknown *Function) {
	declared = map[Rewrite]bool{}
	for i := range b.Functions {
		f := &b.Functions[i]
		if f.Event != "viewer-request" && f.Event != "origin-request" {
			continue
		}
		declared[f.Rewrite] = true
		if f.Rewrite == Undeclared {
			unknown = f
		}
	}
	return declared, unknown
}

// replacesHeaders reports whether a function may change the Cache-Control with which answers are cached.
func (b *Behavior) replacesHeaders() bool {
	for _, f := range b.Functions {
		if f.Event == "origin-response" {
			return true
		}
	}
	return false
}

// Declare returns the distribution with what somebody knows of its functions: name is an ARN, the
// function's name, or "*" for all that nothing else is known of. It reports how many it fitted.
func (d Distribution) Declare(name string, r Rewrite) (Distribution, int) {
	fitted := 0
	declare := func(b Behavior) Behavior {
		functions := append([]Function(nil), b.Functions...)
		for i, f := range functions {
			if name == f.ARN || name == functionName(f.ARN) || name == "*" && f.Rewrite == Undeclared {
				functions[i].Rewrite = r
				fitted++
			}
		}
		b.Functions = functions
		return b
	}
	d.Default = declare(d.Default)
	behaviors := make([]Behavior, len(d.Behaviors))
	for i, b := range d.Behaviors {
		behaviors[i] = declare(b)
	}
	d.Behaviors = behaviors
	return d, fitted
}

// functionName is the name in a function's ARN: "arn:aws:cloudfront::ACCOUNT:function/NAME" or
// "arn:aws:lambda:us-east-1:ACCOUNT:function:NAME:VERSION".
func functionName(arn string) string {
	if _, name, found := strings.Cut(arn, ":function/"); found {
		return name
	}
	_, name, _ := strings.Cut(arn, ":function:")
	name, _, _ = strings.Cut(name, ":")
	return name
}
