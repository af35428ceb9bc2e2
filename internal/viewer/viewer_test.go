package viewer

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"hash/crc32"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const domain = "d111111abcdef8.cloudfront.net"

var release = []byte("<html data-release=2></html>")

// expectation of a page that serves content.
func expectation(path string, content []byte) Expectation {
	return Expectation{
		Path: path, Key: "index.html", HasSum: true,
		CRC32: crc32.ChecksumIEEE(content), Size: int64(len(content)),
	}
}

// edge serves over TLS and gives a transport that reaches it under any name.
func edge(t *testing.T, h http.Handler) http.RoundTripper {
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	return &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
}

func answer(status int, body []byte, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		w.Write(body)
	}
}

func gzipped(b []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(b)
	w.Close()
	return buf.Bytes()
}

func TestJudgement(t *testing.T) {
	known, unknown := expectation("/", release), Expectation{Path: "/"}
	unpromised := Expectation{Path: "/", MayFail: true}
	for _, tt := range []struct {
		what   string
		expect Expectation
		answer http.HandlerFunc
		why    string // "" means fresh
	}{
		{"the release from the origin", known, answer(200, release, "X-Cache", "Miss from cloudfront"), ""},
		{"the release from a cache", known, answer(200, release, "Age", "3"), ""},
		{"the release, cached before", known, answer(200, release, "Age", "60"), "60 s old"},
		{"another release", known, answer(200, []byte("<html data-release=1></html>")), "instead of the release's index.html"},
		{"same length, other content", known, answer(200, bytes.ToUpper(release)), "crc32"},
		{"cut short", known, answer(200, release[:5]), "served 5 bytes"},
		{"nothing", known, answer(200, nil), "served 0 bytes"},
		{"stored compressed, released plain", known, answer(200, gzipped(release), "Content-Encoding", "gzip"), ""},
		{
			"stored compressed, released compressed", expectation("/", gzipped(release)),
			answer(200, gzipped(release), "Content-Encoding", "gzip"), "",
		},
		{"broken compression", known, answer(200, release, "Content-Encoding", "gzip"), "decode gzip"},
		{"a coding nobody asked for", known, answer(200, release, "Content-Encoding", "br"), `encoded as "br"`},
		{"an error page", known, answer(404, release), "answered 404"},
		{"the origin refuses", unknown, answer(403, nil), "answered 403"},
		{"the origin is down", unpromised, answer(502, nil), "answered 502"},
		{"a redirect", known, answer(301, nil, "Location", "/en/"), `a redirect to "/en/"`},
		{"a redirect of unknown content", unknown, answer(301, nil, "Location", "/en/"), ""},
		{"unknown content, new", unknown, answer(200, release, "Age", "10"), ""},
		{"unknown content, old", unknown, answer(200, release, "Age", "12"), "12 s old"},
		{"an error nobody promised away", unpromised, answer(403, nil), ""},
		{"an old error", unpromised, answer(403, nil, "Age", "99"), "99 s old"},
		{"an age that is none", unknown, answer(200, release, "Age", "old"), ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
			v := New(Config{
				Transport: edge(t, tt.answer), Now: func() time.Time { return now },
				Step: time.Second, Within: time.Nanosecond,
			})
			report := v.Check(t.Context(), Request{
				Domain: domain, Expect: []Expectation{tt.expect}, Since: now.Add(-10 * time.Second),
			})
			page := report.Pages[0]
			if page.Fresh != (tt.why == "") || report.Fresh() != page.Fresh || !strings.Contains(page.Why, tt.why) {
				t.Errorf("fresh %v, %q; want %q", page.Fresh, page.Why, tt.why)
			}
		})
	}
}

func TestWhatAViewerSends(t *testing.T) {
	var got *http.Request
	v := New(Config{Transport: edge(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("X-Amz-Cf-Pop", "FRA56-P1")
		w.Header().Set("X-Cache", "Hit from cloudfront")
		w.Header().Set("Age", "0")
		w.Write(release)
	}))})
	report := v.Check(t.Context(), Request{
		Domain: domain, Expect: []Expectation{expectation("/caf%C3%A9/a%20b?x=1", release)}, Since: time.Now(),
	})
	if got.Host != domain || got.RequestURI != "/caf%C3%A9/a%20b?x=1" {
		t.Errorf("asked %s for %s", got.Host, got.RequestURI)
	}
	if got.Header.Get("Accept-Encoding") != "identity" || got.Header.Get("Authorization") != "" {
		t.Errorf("headers %v", got.Header)
	}
	want := Page{
		URL: "https://" + domain + "/caf%C3%A9/a%20b?x=1", Key: "index.html", Coding: "identity", Status: 200,
		XCache: "Hit from cloudfront", POP: "FRA56-P1", CRC32: crc32.ChecksumIEEE(release), Size: int64(len(release)),
		Compared: true, Matches: true, Fresh: true, Looks: 2,
	}
	if diff := cmp.Diff(want, report.Pages[0]); diff != "" {
		t.Error(diff)
	}
	if got := report.Pages[0].String(); got != want.URL+" (FRA56-P1, Hit from cloudfront) serves the release's index.html" {
		t.Error(got)
	}
	if report.String() != "1 pages seen from FRA56-P1, 1 equal to the release" {
		t.Error(report)
	}
}

// A cache keeps a variant for each coding. One that only browsers get is stale for browsers.
func TestEveryVariantIsLookedAt(t *testing.T) {
	for _, stale := range []string{"gzip", "identity"} {
		v := New(Config{Within: time.Millisecond, Transport: edge(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := release
			if r.Header.Get("Accept-Encoding") == stale {
				body = []byte("old")
			}
			if r.Header.Get("Accept-Encoding") == "gzip" {
				w.Header().Set("Content-Encoding", "gzip")
				body = gzipped(body)
			}
			w.Write(body)
		}))})
		report := v.Check(t.Context(), Request{Domain: domain, Expect: []Expectation{expectation("/", release)}, Since: time.Now()})
		if page := report.Pages[0]; report.Fresh() || page.Coding != stale || page.Matches {
			t.Errorf("a stale variant %s: %+v", stale, page)
		}
	}
}

func TestABodyIsNotReadForever(t *testing.T) {
	long := bytes.Repeat([]byte{0}, 1<<20)
	for _, h := range []http.HandlerFunc{
		answer(200, long),
		answer(200, gzipped(long), "Content-Encoding", "gzip"), // 1 KB that becomes 1 MB
	} {
		v := New(Config{Transport: edge(t, h), Limit: 1 << 16, Within: time.Nanosecond})
		page := v.Check(t.Context(), Request{Domain: domain, Expect: []Expectation{{Path: "/"}}, Since: time.Now()}).Pages[0]
		if page.Fresh || !strings.Contains(page.Why, "longer than is read") {
			t.Errorf("%+v", page)
		}
	}
}

func TestDomainsThatAreNone(t *testing.T) {
	for _, d := range []string{
		"", "localhost", "127.0.0.1", "a.b/c", "a.b:80", "user@a.b", "a.b?x", "a.b#x", "[::1]", "-a.b", ".a.b", "a b.c",
		strings.Repeat("a.", 127) + "b",
	} {
		report := New(Config{}).Check(t.Context(), Request{Domain: d, Expect: []Expectation{{Path: "/"}}})
		if report.Refused == "" || report.Fresh() || !strings.Contains(report.String(), "not a host name") {
			t.Errorf("domain %q: %v", d, report)
		}
	}
	v := New(Config{Within: time.Nanosecond})
	if page := v.Check(t.Context(), Request{Domain: domain, Expect: []Expectation{{Path: "@evil"}}}).Pages[0]; page.Fresh ||
		!strings.Contains(page.Why, "not the path of a page") {
		t.Errorf("%+v", page)
	}
}

// fake answers without a network, so that time can be faked too.
type fake func(r *http.Request) *http.Response

func (f fake) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func response(r *http.Request, body []byte) *http.Response {
	w := httptest.NewRecorder()
	w.Write(body)
	resp := w.Result()
	resp.Request = r
	return resp
}

func TestALateEdgeIsLookedAtAgain(t *testing.T) {
	for _, tt := range []struct {
		what   string
		late   time.Duration
		within time.Duration
		fresh  bool
		looks  int
		took   time.Duration
	}{
		{"on time", 0, 10 * time.Second, true, 2, 0},
		{"late", 5 * time.Second, 10 * time.Second, true, 5, 6 * time.Second},
		{"too late", time.Minute, 10 * time.Second, false, 6, 10 * time.Second},
		{"no patience", 5 * time.Second, time.Second, false, 1, 0},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				v := New(Config{Step: 2 * time.Second, Within: tt.within, Transport: fake(func(r *http.Request) *http.Response {
					if time.Since(began) < tt.late {
						return response(r, []byte("old"))
					}
					return response(r, release)
				})})
				report := v.Check(t.Context(), Request{Domain: domain, Expect: []Expectation{expectation("/", release)}, Since: began})
				if report.Fresh() != tt.fresh || report.Pages[0].Looks != tt.looks || time.Since(began) != tt.took {
					t.Errorf("%v after %d looks and %v; want %v, %d, %v", report.Fresh(), report.Pages[0].Looks,
						time.Since(began), tt.fresh, tt.looks, tt.took)
				}
			})
		})
	}
}

func TestTheContextEndsTheLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		v := New(Config{Within: time.Hour, Transport: fake(func(r *http.Request) *http.Response { return response(r, nil) })})
		report := v.Check(ctx, Request{Domain: domain, Expect: []Expectation{expectation("/", release)}})
		if report.Fresh() || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", report, time.Since(began))
		}
	})
}

func TestManyPagesKeepTheirOrderAndAreNotAllFetchedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		v := New(Config{Transport: fake(func(r *http.Request) *http.Response {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
			return response(r, []byte(r.URL.Path))
		})})
		var expect []Expectation
		for i := range 30 {
			path := "/" + strings.Repeat("x", i)
			expect = append(expect, expectation(path, []byte(path)))
		}
		report := v.Check(t.Context(), Request{Domain: domain, Expect: expect, Since: time.Now()})
		for i, page := range report.Pages {
			if !page.Fresh || page.URL != "https://"+domain+expect[i].Path {
				t.Errorf("page %d: %+v", i, page)
			}
		}
		if most.Load() != inParallel {
			t.Errorf("%d at once; want %d", most.Load(), inParallel)
		}
	})
}
