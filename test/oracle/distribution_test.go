package oracle

import (
	"context"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/rehearsal/cloudfront"
)

// Where the release may lie in its bucket, and from where origins may read.
var (
	prefixes    = []string{"", "", "", "live/", "live/a/"}
	originPaths = []string{"", "", "", "/live", "/a", "/live/a"}
)

// patterns are those of cache behaviors.
var patterns = []string{
	"/a/*", "a*", "c*.html", "/index.html", "/", "*.js", "/a/?.html", "assets/*", "live/*", "/ab/%C3%A9*", "*/index.html", "*b*",
}

// errorTTLs lie around what a plan waits out.
var errorTTLs = []time.Duration{0, time.Second, 10 * time.Second, time.Minute, time.Minute + time.Second, time.Hour, time.Hour}

// policy draws a cache policy that is not AWS's own.
func policy(t *rapid.T, name string) cloudfront.CachePolicy {
	p := cloudfront.CachePolicy{
		Name: name, Gzip: rapid.Bool().Draw(t, "gzip"), Brotli: rapid.Bool().Draw(t, "brotli"),
		Headers: cloudfront.Selection{Behavior: "none"}, Cookies: cloudfront.Selection{Behavior: "none"},
	}
	p.MinTTL = rapid.SampledFrom([]time.Duration{0, 0, time.Second, 5 * time.Second, time.Minute, time.Hour}).Draw(t, "minimum TTL")
	p.DefaultTTL = max(p.MinTTL, rapid.SampledFrom([]time.Duration{0, time.Second, 24 * time.Hour}).Draw(t, "default TTL"))
	p.MaxTTL = max(p.DefaultTTL, time.Second, rapid.SampledFrom([]time.Duration{0, time.Hour, 365 * 24 * time.Hour}).Draw(t, "maximum TTL"))
	p.QueryStrings.Behavior = rapid.SampledFrom([]string{"none", "whitelist", "allExcept", "all"}).Draw(t, "query strings")
	if p.QueryStrings.Behavior == "whitelist" || p.QueryStrings.Behavior == "allExcept" {
		p.QueryStrings.Names = []string{"x"}
	}
	if rapid.IntRange(0, 4).Draw(t, "languages") == 4 {
		p.Headers = cloudfront.Selection{Behavior: "whitelist", Names: []string{"Accept-Language"}}
	}
	return p
}

// policies makes two policies and answers the IDs of all that behaviors may have.
func (w *world) policies() []string {
	ids := []string{cloudfront.CachingOptimized, cloudfront.CachingOptimized, cloudfront.CachingDisabled}
	for _, name := range []string{"one", "two"} {
		made, err := w.service.CreateCachePolicy(context.Background(), w.caller, policy(w.t, name+w.name))
		if err != nil {
			w.t.Fatal(err)
		}
		ids = append(ids, made.ID)
	}
	return ids
}

// distribute draws a distribution: origins "site" and "again" read the release's bucket, "api" one
// of others. Some are made for a single-page app under the prefix.
func (w *world) distribute(prefix string) {
	t := w.t
	ids := w.policies()
	spec := cloudfront.Spec{CachePolicies: map[string]string{}}
	spec.Enabled, spec.HTTPVersion, spec.PriceClass = true, "http2", "PriceClass_All"
	spec.DefaultRootObject = rapid.SampledFrom([]string{"index.html", "index.html", "", "a/index.html", "live/index.html"}).Draw(t, "root object")
	spec.Origins = []cloudfront.Origin{
		{ID: "site", Domain: "site.s3.eu-west-1.amazonaws.com", Path: rapid.SampledFrom(originPaths).Draw(t, "origin path")},
		{ID: "again", Domain: "site.s3.amazonaws.com", Path: rapid.SampledFrom(originPaths).Draw(t, "other origin path")},
		{ID: "api", Domain: "api.s3.us-east-1.amazonaws.com"},
	}
	draw := func(pattern string) cloudfront.Behavior {
		spec.CachePolicies[pattern] = rapid.SampledFrom(ids).Draw(t, "policy")
		return cloudfront.Behavior{
			PathPattern: pattern, ViewerProtocolPolicy: "redirect-to-https", Compress: rapid.Bool().Draw(t, "compress"),
			TargetOriginID: rapid.SampledFrom([]string{"site", "site", "site", "again", "api"}).Draw(t, "origin"),
		}
	}
	spec.Default = draw("")
	for _, pattern := range rapid.SliceOfNDistinct(rapid.SampledFrom(patterns), 0, 4, rapid.ID[string]).Draw(t, "patterns") {
		spec.Behaviors = append(spec.Behaviors, draw(pattern))
	}
	for _, code := range []int{403, 404, 500} {
		if rapid.IntRange(0, 3).Draw(t, "error") < map[int]int{403: 3, 404: 2, 500: 1}[code] {
			spec.Errors = append(spec.Errors, errorResponse(t, code))
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "single-page app") == 3 {
		spec.Origins[0].Path, spec.Default.TargetOriginID = strings.TrimSuffix("/"+prefix, "/"), "site"
		ttl := rapid.SampledFrom(errorTTLs).Draw(t, "fallback TTL")
		spec.Errors = nil
		for _, code := range []int{403, 404} {
			spec.Errors = append(spec.Errors, cloudfront.ErrorResponse{Code: code, ResponseCode: 200, PagePath: "/index.html", CachingMinTTL: ttl})
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "tags") == 3 {
		spec.CacheTagHeader = tagHeader
	}
	d, err := w.service.CreateDistribution(context.Background(), w.caller, spec)
	if err != nil {
		t.Fatal(err)
	}
	w.distribution = d
}

func errorResponse(t *rapid.T, code int) cloudfront.ErrorResponse {
	e := cloudfront.ErrorResponse{Code: code, CachingMinTTL: rapid.SampledFrom(errorTTLs).Draw(t, "error TTL")}
	e.PagePath = rapid.SampledFrom([]string{"/index.html", "/index.html", "", "/c/1.html", "/live/index.html", "/ab/%C3%A9.html", "/a/b~c"}).Draw(t, "page")
	if e.PagePath != "" {
		e.ResponseCode = rapid.SampledFrom([]int{200, 404}).Draw(t, "response code")
	}
	return e
}

// ownPolicies are the policies of behaviors that are not AWS's.
func (w *world) ownPolicies() (own []*cloudfront.CachePolicy) {
	c := &w.distribution.Config
	for _, b := range append(slices.Clone(c.Behaviors), c.Default) {
		if !b.CachePolicy.Managed {
			own = append(own, b.CachePolicy)
		}
	}
	return own
}

// planned is the distribution as the planner reads it. Without policies it knows no more of those
// that are not AWS's own than their IDs.
func (w *world) planned(policies bool) plan.Distribution {
	var known []plan.Policy
	for _, own := range w.ownPolicies() {
		p, err := plan.FromPolicy(printedPolicy(own))
		if err != nil {
			w.t.Fatal(err)
		}
		if policies {
			known = append(known, p)
		}
	}
	d, err := plan.FromConfig(printed(w.distribution), known...)
	if err != nil {
		w.t.Fatal(err)
	}
	d.ID = w.distribution.ID
	return d
}
