package viewer

import (
	"context"
	"crypto/tls"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
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
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of what a viewer does not want to read
	server.StartTLS()
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

func TestWhatAViewerSends(t *testing.T) {
	var got *http.Request
	var asked []string
	v := New(Config{Transport: edge(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		asked = append(asked, r.Header.Get("Accept-Encoding"))
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
	if diff := cmp.Diff([]string{"gzip, deflate, br", "gzip", "identity"}, asked); diff != "" {
		t.Error(diff)
	}
	for name := range got.Header {
		if name != "Accept-Encoding" && name != "User-Agent" {
			t.Errorf("sent %s: %s", name, got.Header.Get(name))
		}
	}
	want := Page{
		URL: "https://" + domain + "/caf%C3%A9/a%20b?x=1", Key: "index.html", Coding: "identity", Served: "identity, identity, identity", Status: 200,
		XCache: "Hit from cloudfront", POP: "FRA56-P1", CRC32: crc32.ChecksumIEEE(release), Size: int64(len(release)),
		Compared: true, Matches: true, Fresh: true, Looks: 3,
	}
	if diff := cmp.Diff(want, report.Pages[0]); diff != "" {
		t.Error(diff)
	}
	if got := report.Pages[0].String(); got != want.URL+" (FRA56-P1, Hit from cloudfront) serves the release's index.html" {
		t.Error(got)
	}
	if report.String() != "1 page seen from FRA56-P1 in 3 codings, 1 equal to the release" {
		t.Error(report)
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
type fake func(r *http.Request) (*http.Response, error)

func (f fake) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering answers with bodies.
func answering(body func(r *http.Request) []byte) fake {
	return func(r *http.Request) (*http.Response, error) { return response(r, body(r)), nil }
}

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
		{"on time", 0, 10 * time.Second, true, 3, 0},
		{"late", 5 * time.Second, 10 * time.Second, true, 6, 6 * time.Second},
		{"too late", time.Minute, 10 * time.Second, false, 6, 10 * time.Second},
		{"no patience", 5 * time.Second, time.Second, false, 1, 0},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				v := New(Config{Step: 2 * time.Second, Within: tt.within, Transport: answering(func(*http.Request) []byte {
					if time.Since(began) < tt.late {
						return []byte("old")
					}
					return release
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

// When the time is over, whatever was seen by then is told, and what was not is called that.
func TestTheEndOfTheTime(t *testing.T) {
	stale := func(*http.Request) ([]byte, time.Duration) { return nil, 0 }
	slow := func(*http.Request) ([]byte, time.Duration) { return release, time.Hour }
	then := func(r *http.Request) ([]byte, time.Duration) { // one coding answers, the next hangs
		if r.Header.Get("Accept-Encoding") == codings[0] {
			return release, 0
		}
		return release, time.Hour
	}
	for _, tt := range []struct {
		what          string
		answer        func(*http.Request) ([]byte, time.Duration)
		total, within time.Duration
		ctx           time.Duration
		took          time.Duration
		why           string
		unanswered    bool
	}{
		{"the context's", stale, time.Hour, time.Hour, 3 * time.Second, 3 * time.Second, "served 0 bytes", false},
		{"its own", stale, 5 * time.Second, time.Hour, time.Hour, 5 * time.Second, "served 0 bytes", false},
		{"nothing came", slow, 5 * time.Second, time.Hour, time.Hour, 5 * time.Second, "was not looked at", true},
		{"one coding came", then, 5 * time.Second, time.Hour, time.Hour, 5 * time.Second, "was not looked at", true},
		{"over before it began", stale, time.Hour, time.Hour, -1, 0, "was not looked at", true},
		{"a fetch's", slow, time.Hour, time.Nanosecond, time.Hour, 40 * time.Second, "gave no answer: context deadline exceeded", true},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.ctx)
				defer cancel()
				began := time.Now()
				v := New(Config{Within: tt.within, Total: tt.total, Transport: fake(func(r *http.Request) (*http.Response, error) {
					body, takes := tt.answer(r)
					select {
					case <-r.Context().Done():
						return nil, r.Context().Err()
					case <-time.After(takes):
						return response(r, body), nil
					}
				})})
				expect := slices.Repeat([]Expectation{expectation("/", release)}, 4*inParallel)
				report := v.Check(ctx, Request{Domain: domain, Expect: expect, Since: began})
				if report.Fresh() || report.Unanswered() != tt.unanswered || time.Since(began) != tt.took {
					t.Errorf("%v after %v", report, time.Since(began))
				}
				for i, page := range report.Pages {
					if page.Fresh || !strings.Contains(page.Why, tt.why) || page.URL == "" || page.Coding == "" {
						t.Errorf("page %d: %+v", i, page)
					}
				}
			})
		})
	}
}

// Pages that are late do not keep others from being looked at.
func TestLatePagesDoNotHoldOthersUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		last := map[string]time.Duration{}
		var mu sync.Mutex
		v := New(Config{Step: 5 * time.Second, Within: time.Minute, Total: time.Hour, Transport: answering(func(r *http.Request) []byte {
			mu.Lock()
			defer mu.Unlock()
			last[r.URL.Path] = time.Since(began)
			if strings.HasPrefix(r.URL.Path, "/late") && time.Since(began) < 30*time.Second {
				return nil
			}
			return release
		})})
		var expect []Expectation
		for i := range 10 * inParallel {
			expect = append(expect, expectation(fmt.Sprintf("/late%d", i), release))
		}
		expect = append(expect, expectation("/ready", release))
		report := v.Check(t.Context(), Request{Domain: domain, Expect: expect, Since: began})
		if !report.Fresh() || last["/ready"] != 0 || time.Since(began) != 30*time.Second {
			t.Errorf("%v after %v, the page that was ready after %v", report, time.Since(began), last["/ready"])
		}
	})
}

func TestManyPagesKeepTheirOrderAndAreNotAllFetchedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		v := New(Config{Transport: answering(func(r *http.Request) []byte {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
			return []byte(r.URL.Path)
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
