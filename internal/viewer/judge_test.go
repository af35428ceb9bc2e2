package viewer

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestJudgement(t *testing.T) {
	known, unknown := expectation("/", release), Expectation{Path: "/"}
	unpromised := Expectation{Path: "/", MayFail: true}
	earlier := []byte("<html data-release=1></html>")
	was := known
	was.Before = []Sum{sumOf(earlier)}
	for _, tt := range []struct {
		what   string
		expect Expectation
		answer http.HandlerFunc
		why    string // "" means fresh
	}{
		{"the release from the origin", known, answer(200, release, "X-Cache", "Miss from cloudfront"), ""},
		{"the release from a cache", known, answer(200, release, "Age", "3"), ""},
		{"the release, cached before", known, answer(200, release, "Age", "60"), "served an answer 60 s old"},
		{"another release", known, answer(200, earlier), "served 28 bytes (crc32 2d0beddc) instead of the release's index.html, 28 bytes (crc32"},
		{"an earlier release", was, answer(200, earlier), "served what an earlier release had there, 28 bytes"},
		{"an earlier release, cached before", was, answer(200, earlier, "Age", "60"), ", an answer 60 s old, from before"},
		{"same length, other content", known, answer(200, bytes.ToUpper(release)), "crc32"},
		{"cut short", known, answer(200, release[:5]), "served 5 bytes"},
		{"nothing", known, answer(200, nil), "served 0 bytes"},
		{"an error page", known, answer(404, release), "answered 404"},
		{"the origin refuses", unknown, answer(403, nil), "answered 403"},
		{"the origin is down", unpromised, answer(502, nil), "answered 502"},
		{"a redirect", known, answer(301, nil, "Location", "/en/"), `a redirect to "/en/"`},
		{"a redirect of unknown content", unknown, answer(301, nil, "Location", "/en/"), ""},
		{"a function's redirect", known, answer(301, nil, "Location", "/en/", "X-Cache", "FunctionGeneratedResponse from cloudfront"), ""},
		{"a function's question for a password", known, answer(401, nil, "X-Cache", "LambdaGeneratedResponse from cloudfront"), ""},
		{"a question for a password by another", known, answer(401, nil, "X-Cache", "Error from cloudfront"), "answered 401"},
		{"a function's refusal", known, answer(403, nil, "X-Cache", "LambdaGeneratedResponse from cloudfront"), "answered 403"},
		{"a function's page", known, answer(200, nil, "X-Cache", "FunctionGeneratedResponse from cloudfront"), "served 0 bytes"},
		{"unknown content, new", unknown, answer(200, release, "Age", "10"), ""},
		{"unknown content, old", unknown, answer(200, release, "Age", "12"), "12 s old"},
		{"an error nobody promised away", unpromised, answer(403, nil), ""},
		{"an old error", unpromised, answer(403, nil, "Age", "99"), "99 s old"},
		{"an age that is none", unknown, answer(200, release, "Age", "old"), ""},
		{"an age below none", unknown, answer(200, release, "Age", "-5"), ""},
		{"an age beyond numbers", unknown, answer(200, release, "Age", strings.Repeat("9", 30)), "2147483647 s old"},
		{"several ages", unknown, answer(200, release, "Age", "60, 1"), "60 s old"},
	} {
		t.Run(tt.what, func(t *testing.T) { judged(t, tt.expect, nil, tt.answer, tt.why) })
	}
}

// judged looks at a page once, 10 s after the invalidation.
func judged(t *testing.T, expect Expectation, items []string, h http.HandlerFunc, why string) Page {
	t.Helper()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	v := New(Config{Transport: edge(t, h), Now: func() time.Time { return now }, Within: time.Nanosecond})
	report := v.Check(t.Context(), Request{
		Domain: domain, Expect: []Expectation{expect}, Since: now.Add(-10 * time.Second), Items: items,
	})
	page := report.Pages[0]
	if page.Fresh != (why == "") || report.Fresh() != page.Fresh || !strings.Contains(page.Why, why) {
		t.Errorf("fresh %v, %q; want %q", page.Fresh, page.Why, why)
	}
	return page
}

func TestARemovedObjectIsGone(t *testing.T) {
	old, index := []byte("the old page"), []byte("<html>fallback</html>")
	anything := Expectation{Path: "/old.html", Key: "old.html", Gone: true, Before: []Sum{sumOf(old), sumOf([]byte("older"))}}
	denied, fallback := anything, anything
	denied.Instead = []Answer{{Status: 403}, {Status: 404}}
	fallback.Instead = []Answer{{200, true, sumOf(index)}, {Status: 404}}
	for _, tt := range []struct {
		what   string
		expect Expectation
		answer http.HandlerFunc
		why    string
	}{
		{"still there", denied, answer(200, old), "still served old.html, which the release removed (12 bytes"},
		{"still there, in gzip", fallback, answer(200, gzipped(old), "Content-Encoding", "gzip"), "still served"},
		{"an even older one", anything, answer(200, []byte("older")), "still served"},
		{"refused", denied, answer(403, nil), ""},
		{"not found", denied, answer(404, old), ""},
		{"something else", denied, answer(200, index), "answered 200, 21 bytes (crc32 20a8100d), although the release removed old.html; 403 or 404 would be right"},
		{"the fallback", fallback, answer(200, index), ""},
		{"the fallback of another release", fallback, answer(200, []byte("<html>old</html>")), "; 200 with 21 bytes (crc32 20a8100d) or 404 would be right"},
		{"an error page where a fallback should be", fallback, answer(403, nil), "answered 403"},
		{"not found, besides a fallback", fallback, answer(404, nil), ""},
		{"anything", anything, answer(200, index), ""},
		{"a redirect", anything, answer(301, nil, "Location", "/"), ""},
		{"a redirect by nobody", denied, answer(301, nil, "Location", "/"), "answered 301"},
		{"a function's redirect", denied, answer(301, nil, "X-Cache", "FunctionGeneratedResponse from cloudfront"), ""},
		{"the origin is down", anything, answer(503, nil), "answered 503"},
		{"gone before the invalidation", denied, answer(403, nil, "Age", "60"), "60 s old"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			page := judged(t, tt.expect, nil, tt.answer, tt.why)
			if !page.Gone || !page.Compared || page.Matches != (tt.why == "" || strings.Contains(tt.why, "s old")) {
				t.Errorf("%+v", page)
			}
		})
	}
}

// What the plan left in the caches may be as old as it likes, if it is the release's. Where nothing but
// the age can be judged, it has to be judged.
func TestOldAnswersThatWereNotPurged(t *testing.T) {
	known, unknown := expectation("/a%20b/~x.js", release), Expectation{Path: "/a%20b/~x.js"}
	gone := Expectation{Path: "/a%20b/~x.js", Key: "k", Gone: true, Instead: []Answer{{Status: 403}}}
	doubtful := Expectation{Path: "/a%20b/~x.js", MayFail: true}
	old := answer(200, release, "Age", "60")
	for _, tt := range []struct {
		what   string
		items  []string
		expect Expectation
		answer http.HandlerFunc
		fresh  bool
	}{
		{"everything was purged", nil, known, old, false},
		{"nothing was", []string{}, known, old, true},
		{"something else was", []string{"/b", "/a/*", "#tag"}, known, old, true},
		{"it was", []string{"/a%20b/%7Ex.js"}, known, old, false},
		{"it was, by a wildcard", []string{"/b", "/a%20b/*"}, known, old, false},
		{"it was not, and is another's", []string{"/b"}, known, answer(200, nil, "Age", "60"), false},
		{"it was not, and cannot be compared", []string{"/b"}, unknown, old, false},
		{"it was not, and nobody promised it", []string{"/b"}, doubtful, old, true},
		{"it was not, and is gone", []string{"/b"}, gone, answer(403, nil, "Age", "60"), true},
	} {
		t.Run(tt.what, func(t *testing.T) {
			why := "60 s old"
			if tt.fresh {
				why = ""
			}
			judged(t, tt.expect, tt.items, tt.answer, why)
		})
	}
	query := Request{Items: []string{"/item"}}
	if !query.purged(expectation("/item?id=7", release)) || query.purged(expectation("/items?id=7", release)) {
		t.Error("an item purges a page with any query string, and no other page")
	}
}

// Whatever an edge answers, it does not break the viewer, which reads no more than it may, and what
// it calls fresh is the release.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "gzip", "3", "Hit from cloudfront", gzipped(release))
	f.Add(200, "br", "", "Miss from cloudfront", brotlied(release))
	f.Add(200, "deflate", "1", "", deflated(release))
	f.Add(404, "identity", "-1", "Error from cloudfront", release)
	f.Add(301, "zstd", "9999999999999", "FunctionGeneratedResponse from cloudfront", []byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, status int, coding, age, xcache string, content []byte) {
		read := 0
		v := New(Config{Limit: 1 << 12, Within: 1, Transport: fake(func(r *http.Request) (*http.Response, error) {
			resp := response(r, content)
			resp.StatusCode = status
			resp.ContentLength = -1
			resp.Body = io.NopCloser(io.TeeReader(bytes.NewReader(content), counter{&read}))
			resp.Header = http.Header{"Content-Encoding": {coding}, "Age": {age}, "X-Cache": {xcache}}
			return resp, nil
		})})
		gone := Expectation{Path: "/", Key: "k", Gone: true, Before: []Sum{sumOf(release)}}
		report := v.Check(t.Context(), Request{Domain: domain, Expect: []Expectation{expectation("/", release), gone}, Since: time.Now()})
		for _, page := range report.Pages {
			if page.Fresh != (page.Why == "") || page.Size > 1<<12+64<<10 || page.Age < unknownAge {
				t.Errorf("%+v", page)
			}
		}
		if most := 2 * len(codings) * (1<<12 + 64<<10); read > most {
			t.Errorf("%d bytes were read", read)
		}
		page := report.Pages[0]
		if page.Fresh && page.Compared && !slices.Contains([]Sum{sumOf(content), {page.CRC32, page.Size}}, sumOf(release)) {
			t.Errorf("%q is called the release: %+v", content, page)
		}
		if page := report.Pages[1]; page.Fresh && status < 300 && bytes.Equal(content, release) {
			t.Errorf("what was removed is called gone: %+v", page)
		}
	})
}

// counter counts what is written to it.
type counter struct{ n *int }

func (c counter) Write(p []byte) (int, error) {
	*c.n += len(p)
	return len(p), nil
}
