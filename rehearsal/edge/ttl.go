package edge

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

// control is what a Cache-Control header says that CloudFront heeds.
type control struct {
	age    time.Duration
	hasAge bool // s-maxage or max-age was there
	forbid bool // no-cache, no-store or private
	// unknown is a directive that CloudFront heeds and the rehearsal does not.
	unknown string
}

func parseControl(h http.Header) control {
	var c control
	shared := false
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name = strings.TrimSpace(name); name {
		case "s-maxage", "max-age":
			seconds, ok := parseSeconds(value)
			if ok && (name == "s-maxage" || !shared) {
				c.age, c.hasAge = seconds, true
				shared = shared || name == "s-maxage"
			}
		case "no-cache", "no-store", "private":
			c.forbid = true
		case "stale-while-revalidate", "stale-if-error":
			c.unknown = name
		}
	}
	return c
}

// maxSeconds is CloudFront's longest: 100 years. Source: Developer Guide, "Expiration" (H).
const maxSeconds = 100 * 365 * 24 * 60 * 60

func parseSeconds(s string) (time.Duration, bool) {
	n, err := strconv.ParseInt(strings.Trim(strings.TrimSpace(s), `"`), 10, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	return time.Duration(min(n, maxSeconds)) * time.Second, true
}

// ttl is how long an answer of an origin stays fresh, and whether it is kept at all. Source:
// Developer Guide, "Manage how long content stays in the cache", its table of minimum TTL 0 and
// more than 0 (H).
func ttl(p *cloudfront.CachePolicy, h http.Header, now time.Time) (fresh time.Duration, keep bool) {
	c := parseControl(h)
	switch {
	case p.MaxTTL == 0:
		return 0, false // caching is disabled
	case c.forbid:
		return p.MinTTL, p.MinTTL > 0
	case c.hasAge:
		fresh = c.age
	case h.Get("Expires") != "":
		// A date that cannot be read is in the past (RFC 9111, section 5.3).
		if at, err := http.ParseTime(h.Get("Expires")); err == nil {
			fresh = at.Sub(now)
		}
	default:
		return max(p.MinTTL, p.DefaultTTL), true
	}
	return min(max(fresh, p.MinTTL, 0), p.MaxTTL), true
}

// errorTTL is how long an origin's error stays: the longer of the error caching minimum TTL and the
// error's own max-age. AWS's guide contradicts itself on 400, 403, 412 and 415 without a max-age
// (one list has them uncached); S3's 403 is seen to be cached (M). 416 never is (H).
func errorTTL(c *cloudfront.Config, status int, h http.Header) (fresh time.Duration, keep bool) {
	if status == http.StatusRequestedRangeNotSatisfiable {
		return 0, false
	}
	minimum := 10 * time.Second
	if e, ok := c.ErrorFor(status); ok {
		minimum = e.CachingMinTTL
	}
	own := parseControl(h)
	return max(minimum, own.age), true
}
