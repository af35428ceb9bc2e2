package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

func TestTTL(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	type bounds [3]time.Duration // minimum, default, maximum
	zero, some, off := bounds{0, 24 * time.Hour, 48 * time.Hour}, bounds{time.Minute, time.Hour, 24 * time.Hour}, bounds{}
	for _, tt := range []struct {
		bounds  bounds
		control string
		expires time.Duration // from now; 0: no header
		fresh   time.Duration
		keep    bool
	}{
		{zero, "", 0, 24 * time.Hour, true},
		{some, "", 0, time.Hour, true},
		{bounds{2 * time.Hour, 0, 24 * time.Hour}, "", 0, 2 * time.Hour, true},
		{zero, "max-age=10", 0, 10 * time.Second, true},
		{some, "max-age=10", 0, time.Minute, true},
		{some, "max-age=999999", 0, 24 * time.Hour, true},
		{zero, "max-age=999999", 0, 48 * time.Hour, true},
		{zero, "max-age=10, s-maxage=20", 0, 20 * time.Second, true},
		{zero, "s-maxage=20, max-age=10", 0, 20 * time.Second, true},
		{zero, "public, S-MaxAge=\"20\"", 0, 20 * time.Second, true},
		{zero, "max-age=0", 0, 0, true},
		{zero, "max-age=soon", 0, 24 * time.Hour, true},
		{zero, "no-cache", 0, 0, false},
		{zero, "max-age=60, private", 0, 0, false},
		{zero, "no-store", time.Hour, 0, false},
		{some, "no-store", 0, time.Minute, true},
		{zero, "", time.Hour, time.Hour, true},
		{zero, "", -time.Hour, 0, true},
		{some, "", time.Second, time.Minute, true},
		{zero, "", 1000 * time.Hour, 48 * time.Hour, true},
		{zero, "max-age=10", time.Hour, 10 * time.Second, true},
		{off, "", 0, 0, false},
		{off, "max-age=10", 0, 0, false},
	} {
		h := http.Header{}
		if tt.control != "" {
			h.Set("Cache-Control", tt.control)
		}
		if tt.expires != 0 {
			h.Set("Expires", now.Add(tt.expires).Format(http.TimeFormat))
		}
		p := &cloudfront.CachePolicy{MinTTL: tt.bounds[0], DefaultTTL: tt.bounds[1], MaxTTL: tt.bounds[2]}
		if fresh, keep := ttl(p, h, now); fresh != tt.fresh || keep != tt.keep {
			t.Errorf("%v %q %v: %v, %v; want %v, %v", tt.bounds, tt.control, tt.expires, fresh, keep, tt.fresh, tt.keep)
		}
	}
}

func TestTTLStaysWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &cloudfront.CachePolicy{MinTTL: time.Duration(rapid.IntRange(0, 100).Draw(t, "min")) * time.Second}
		p.DefaultTTL = p.MinTTL + time.Duration(rapid.IntRange(0, 100).Draw(t, "default"))*time.Second
		p.MaxTTL = p.DefaultTTL + time.Duration(rapid.IntRange(0, 100).Draw(t, "max"))*time.Second
		h := http.Header{"Cache-Control": {rapid.StringMatching(`((no-cache|no-store|private|public|max-age=[0-9]{0,20}|s-maxage=-?[0-9]{0,3}),? ?){0,3}`).Draw(t, "control")}}
		fresh, keep := ttl(p, h, time.Unix(0, 0))
		if keep && (fresh < p.MinTTL || fresh > p.MaxTTL) || !keep && p.MinTTL > 0 {
			t.Fatalf("%v, %v", fresh, keep)
		}
	})
}

func TestErrorTTL(t *testing.T) {
	c := &cloudfront.Config{Errors: []cloudfront.ErrorResponse{{Code: 403, CachingMinTTL: time.Minute}, {Code: 404}}}
	for _, tt := range []struct {
		status  int
		control string
		fresh   time.Duration
		keep    bool
	}{
		{403, "", time.Minute, true},
		{403, "max-age=10", time.Minute, true},
		{403, "max-age=100", 100 * time.Second, true},
		{404, "", 0, true},
		{500, "", 10 * time.Second, true},
		{500, "no-store", 10 * time.Second, true},
		{416, "", 0, false},
	} {
		fresh, keep := errorTTL(c, tt.status, http.Header{"Cache-Control": {tt.control}})
		if fresh != tt.fresh || keep != tt.keep {
			t.Errorf("%d %q: %v, %v", tt.status, tt.control, fresh, keep)
		}
	}
}

func TestMatcher(t *testing.T) {
	for _, tt := range []struct {
		item string
		url  string // as the viewer asks
		want bool
	}{
		{"/a", "/a", true},
		{"/a", "/A", false},
		{"/a", "/a/", false},
		{"/a/", "/a", false},
		{"/*", "/", true},
		{"/*", "/a?b=c", true},
		{"/dir/*", "/dir/", true},
		{"/dir/*", "/dir", false},
		{"/dir*", "/dir", true},
		{"/dir*", "/directory", true},
		{"/a?v=1", "/a?v=1", true},
		{"/a", "/a?v=1", false},
		{"/a*", "/a?v=1", true},
		{"/a%20b", "/a%20b", true},
		{"/%c3%a9", "/%C3%A9", true},
		{"/%C3%A9", "/é", true},
		{"/%7Ea", "/~a", false}, // encoding what viewers send raw misses
		{"/%61", "/a", false},
	} {
		if got := newMatcher([]string{tt.item}).url(canonical(tt.url)); got != tt.want {
			t.Errorf("%s purges %s: %v", tt.item, tt.url, got)
		}
	}
}

func TestTags(t *testing.T) {
	h := http.Header{"X-Amz-Meta-Cache-Tag": {"Product:1, category:tv ,,", strings.Repeat("t,", 60)}}
	tags := tagsOf("x-amz-meta-cache-tag", h)
	if len(tags) != maxTags || tags[0] != "product:1" || tags[1] != "category:tv" {
		t.Error(tags)
	}
	e := &entry{url: "/x", tags: tags}
	for item, want := range map[string]bool{"#PRODUCT:1": true, "#product": false, "#product:*": false, "/x": true} {
		if got := newMatcher([]string{item}).entry(e); got != want {
			t.Errorf("%s: %v", item, got)
		}
	}
	if tagsOf("", h) != nil {
		t.Error("tags without a header name")
	}
}

func TestCacheKey(t *testing.T) {
	listed := func(names ...string) cloudfront.Selection {
		return cloudfront.Selection{Behavior: "whitelist", Names: names}
	}
	all, none := cloudfront.Selection{Behavior: "all"}, cloudfront.Selection{Behavior: "none"}
	type request struct{ url, header, cookie string }
	for _, tt := range []struct {
		what string
		p    cloudfront.CachePolicy
		a, b request
		same bool
		url  string // of a
	}{
		{"no query", cloudfront.CachePolicy{QueryStrings: none}, request{"/a?x=1", "", ""}, request{"/a?x=2", "", ""}, true, "/a"},
		{"all queries", cloudfront.CachePolicy{QueryStrings: all}, request{"/a?x=1", "", ""}, request{"/a?x=2", "", ""}, false, "/a?x=1"},
		{"order counts", cloudfront.CachePolicy{QueryStrings: all}, request{"/a?x=1&y=2", "", ""}, request{"/a?y=2&x=1", "", ""}, false, "/a?x=1&y=2"},
		{"listed query", cloudfront.CachePolicy{QueryStrings: listed("v")}, request{"/a?x=1&v=1", "", ""}, request{"/a?v=1&x=2", "", ""}, true, "/a?v=1"},
		{
			"all but",
			cloudfront.CachePolicy{QueryStrings: cloudfront.Selection{Behavior: "allExcept", Names: []string{"v"}}},
			request{"/a?v=1", "", ""},
			request{"/a?v=2", "", ""},
			true, "/a",
		},
		{"no header", cloudfront.CachePolicy{}, request{"/a", "x", ""}, request{"/a", "y", ""}, true, "/a"},
		{"listed header", cloudfront.CachePolicy{Headers: listed("accept-language")}, request{"/a", "x", ""}, request{"/a", "y", ""}, false, "/a"},
		{"no cookie", cloudfront.CachePolicy{}, request{"/a", "", "c=1"}, request{"/a", "", "c=2"}, true, "/a"},
		{"cookie", cloudfront.CachePolicy{Cookies: listed("c")}, request{"/a", "", "c=1"}, request{"/a", "", "c=2"}, false, "/a"},
		{"other cookie", cloudfront.CachePolicy{Cookies: listed("d")}, request{"/a", "", "c=1"}, request{"/a", "", "c=2"}, true, "/a"},
		{"case", cloudfront.CachePolicy{}, request{"/a", "", ""}, request{"/A", "", ""}, false, "/a"},
		{"escapes", cloudfront.CachePolicy{}, request{"/%c3%a9", "", ""}, request{"/%C3%A9", "", ""}, true, "/%C3%A9"},
	} {
		look := func(r request) lookup {
			req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+domain+r.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept-Language", r.header)
			req.Header.Set("Cookie", r.cookie)
			return newLookup(&cloudfront.Distribution{}, &cloudfront.Behavior{CachePolicy: &tt.p}, req)
		}
		a, b := look(tt.a), look(tt.b)
		if (a.key == b.key) != tt.same || a.url != tt.url {
			t.Errorf("%s: %s %q, %q", tt.what, a.url, a.key, b.key)
		}
	}
}

func TestAcceptEncoding(t *testing.T) {
	for _, tt := range []struct {
		accept, proto string
		gzip, br      bool
		want          string
	}{
		{"gzip, deflate, br, zstd", "1.1", true, true, "br,gzip"},
		{"gzip, br", "1.1", true, false, "gzip"},
		{"gzip, br", "1.1", false, true, "br"},
		{"gzip, br", "1.1", false, false, ""},
		{"gzip, br", "1.0", true, true, ""},
		{"BR;q=0.5, gzip; q=0.0", "1.1", true, true, "br"},
		{"deflate", "1.1", true, true, ""},
	} {
		r := &http.Request{ProtoMajor: 1, ProtoMinor: int(tt.proto[2] - '0'), Header: http.Header{"Accept-Encoding": {tt.accept}}}
		if got := acceptEncoding(&cloudfront.CachePolicy{Gzip: tt.gzip, Brotli: tt.br}, r); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.accept, got, tt.want)
		}
	}
}

// What is in the cache can be purged by the URL that viewers use for it, and by a wildcard of any of
// its prefixes.
func TestEverythingCanBePurged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		url := canonical("/" + rapid.StringMatching(`[a-zA-Z0-9/._~é %{}-]{0,20}`).Draw(t, "path"))
		cut := rapid.IntRange(1, len(url)).Draw(t, "cut")
		for cut > 1 && strings.ContainsRune(url[max(0, cut-2):cut], '%') { // not inside an escape
			cut--
		}
		if !newMatcher([]string{url}).url(url) || !newMatcher([]string{url[:cut] + "*"}).url(url) || newMatcher([]string{url + "x"}).url(url) {
			t.Fatalf("%s", url)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"/", "/%", "/%zz", "/a b", "/é", "/%c3%A9", "/~", "/%0\xbf\xbd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		once := canonical(path)
		if diff := cmp.Diff(once, canonical(once)); diff != "" {
			t.Error(diff)
		}
	})
}
