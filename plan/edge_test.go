package plan_test

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// edge is a point of presence as simple as can be, written from CloudFront's rules alone, to judge
// plans by: what it serves after a purge must be what the origin has.
type edge struct {
	d       plan.Distribution
	bucket  map[string]stored // of the site
	other   string            // what other origins answer
	now     time.Duration
	cache   map[entry]answer
	rewrite plan.Rewrite // what the viewer-request function of every behavior does
	// asked says that rewritten requests are cached as viewers asked, not as they were rewritten:
	// the guide says to purge both.
	asked bool
}

type stored struct{ content, cacheControl string }

// entry is where an answer is kept. Two behaviors that ask different origins do not share any.
type entry struct{ pattern, name string }

type answer struct {
	content string
	until   time.Duration
}

// origin answers a path of a behavior; missing says that S3 has no such key.
func (e *edge) origin(b plan.Behavior, path string) (o stored, missing bool) {
	for _, origin := range e.d.Origins {
		if origin.ID != b.Origins[0] {
			continue
		}
		if origin.Bucket != "site" {
			return stored{e.other + path, ""}, false
		}
		key, err := url.PathUnescape(strings.TrimPrefix(origin.Path+path, "/"))
		o, found := e.bucket[key]
		return o, err != nil || !found
	}
	panic("no origin")
}

func (e *edge) behavior(path string) plan.Behavior {
	for _, b := range e.d.Behaviors {
		head, tail, star := strings.Cut(b.PathPattern, "*")
		if !star && path == head || star && len(path) >= len(head)+len(tail) && strings.HasPrefix(path, head) && strings.HasSuffix(path, tail) {
			return b
		}
	}
	return e.d.Default
}

// fetch is what the origin answers to a viewer's path now, and how long that is kept.
func (e *edge) fetch(b plan.Behavior, path string) (content string, ttl time.Duration) {
	if path == "/" && e.d.DefaultRootObject != "" {
		path = invalidation.EncodePath(e.d.DefaultRootObject)
	}
	o, missing := e.origin(b, path)
	if !missing {
		return o.content, life(b.Policy, o.cacheControl)
	}
	content, ttl = "error", 10*time.Second
	for _, r := range e.d.Errors {
		if r.Code == 403 {
			ttl = r.CachingMinTTL
			if page, missing := e.origin(e.behavior(r.PagePath), r.PagePath); r.PagePath != "" && !missing {
				content = page.content
			}
		}
	}
	return content, ttl
}

// life is the guide's table of Cache-Control, for what the tests use of it.
func life(p plan.Policy, header string) time.Duration {
	switch {
	case p.MaxTTL == 0:
		return 0
	case header == "no-cache":
		return p.MinTTL
	case header == "":
		return max(p.MinTTL, p.DefaultTTL)
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(header, "max-age="))
	return min(max(time.Duration(n)*time.Second, p.MinTTL), p.MaxTTL)
}

// get answers a viewer.
func (e *edge) get(path, query string) (content string, hit bool) {
	path = canonical(path)
	b := e.behavior(path)
	to := e.rewritten(path)
	name := to
	if e.asked {
		name = path
	}
	if query != "" && b.Policy.QueryStrings != plan.QueryNone {
		name += "?" + query
	}
	at := entry{b.PathPattern, name}
	if a, found := e.cache[at]; found && e.now < a.until {
		return a.content, true
	}
	content, ttl := e.fetch(b, to)
	e.cache[at] = answer{content, e.now + ttl}
	return content, false
}

func (e *edge) rewritten(path string) string {
	dir, file := path[:strings.LastIndexByte(path, '/')+1], path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case e.rewrite == plan.RewriteIndex && file == "":
		return dir + "index.html"
	case e.rewrite == plan.RewriteIndex && !strings.Contains(file, "."):
		return path + "/index.html"
	case e.rewrite == plan.RewriteHTML && file != "" && !strings.Contains(file, "."):
		return path + ".html"
	case e.rewrite == plan.RewriteFallback && !strings.Contains(file, "."):
		return "/index.html"
	}
	return path
}

// purge removes what items match.
func (e *edge) purge(items []invalidation.Item) {
	for at := range e.cache {
		for _, item := range items {
			end, wildcard := strings.CutSuffix(string(item), "*")
			if wildcard && strings.HasPrefix(at.name, end) || at.name == string(item) {
				delete(e.cache, at)
			}
		}
	}
}

// canonical is a path as the edge compares it.
func canonical(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"{}|\\^`", c) >= 0 {
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c)+0x100, 16)[1:]))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// spellings is how viewers may ask for a key: as browsers spell it, and with what others encode.
func spellings(key string) []string {
	browser := "/" + strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23").Replace(key)
	return []string{browser, strings.ReplaceAll(browser, "+", "%2B"), strings.ReplaceAll(browser, "~", "%7E")}
}

// keep is the snapshot of a bucket, for the keys below a prefix.
func keep(bucket map[string]stored, known func(key string) bool) site.Snapshot {
	return snapshot(bucket, func(key string, s stored) site.Object {
		o := site.Object{ETag: s.content}
		if known(key) {
			o.CacheKnown, o.CacheControl = true, s.cacheControl
		}
		return o
	})
}
