package plan

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// forever is a lifetime of which nothing is known.
const forever = time.Duration(math.MaxInt64)

// lifetime is how long at most an answer may be served from the cache without asking the origin; 0
// means never. Source: developer guide, "Manage how long content stays in the cache", its table of
// minimum TTL 0 and more than 0.
func (p Policy) lifetime(cacheControl string, known bool) time.Duration {
	switch {
	case p.Unknown:
		return forever
	case p.MaxTTL == 0:
		return 0
	case !known:
		return forever
	}
	c := parseControl(cacheControl)
	ttl := max(p.MinTTL, p.DefaultTTL)
	switch {
	case c.forbid:
		return p.MinTTL
	case c.hasAge:
		ttl = min(max(c.age, p.MinTTL), p.MaxTTL)
	}
	// An expired answer is served once more to each viewer while CloudFront asks behind his back.
	return ttl + c.revalidate
}

// control is what a Cache-Control header says that CloudFront heeds.
type control struct {
	age        time.Duration
	hasAge     bool // s-maxage or max-age is there
	forbid     bool // no-cache, no-store or private
	revalidate time.Duration
}

func parseControl(header string) control {
	var c control
	shared := false
	for directive := range strings.SplitSeq(strings.ToLower(header), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name = strings.TrimSpace(name); name {
		case "s-maxage", "max-age":
			if age, ok := seconds(value); ok && (name == "s-maxage" || !shared) {
				c.age, c.hasAge = age, true
				shared = shared || name == "s-maxage"
			}
		case "no-cache", "no-store", "private":
			c.forbid = true
		case "stale-while-revalidate":
			c.revalidate, _ = seconds(value)
		}
	}
	return c
}

func seconds(s string) (time.Duration, bool) {
	n, err := strconv.ParseInt(strings.Trim(strings.TrimSpace(s), `"`), 10, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	return time.Duration(min(n, maxSeconds)) * time.Second, true
}
