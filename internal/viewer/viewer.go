// Package viewer looks at a distribution as its viewers do and says whether they see the release:
// it fetches pages over HTTPS, compares them with what the release holds, and judges their age. It
// sees what one caller at one point of presence sees, and says which. It sends no credentials.
package viewer

import (
	"context"
	"crypto/tls"
	"net/http"
	"sync"
	"time"
)

// Config is what a viewer works with. The zero value is usable.
type Config struct {
	// Transport carries the requests; nil means one of its own that honours HTTPS_PROXY, NO_PROXY
	// and, through crypto/x509, SSL_CERT_FILE.
	Transport http.RoundTripper
	Now       func() time.Time // nil means time.Now
	Timeout   time.Duration    // of one fetch; 0 means 10 s
	Limit     int64            // bytes of one body; 0 means 64 MiB
	Step      time.Duration    // between looks at a page that is late; 0 means 1 s
	Within    time.Duration    // how long a page may be late before it counts as stale; 0 means 15 s
	Skew      time.Duration    // how far this clock may be from CloudFront's; 0 means 1 s
}

// Viewer fetches and judges. Make it with New; it may be used by several goroutines.
type Viewer struct {
	Config
	client *http.Client
}

// New makes a viewer.
func New(c Config) *Viewer {
	if c.Transport == nil {
		c.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:     true,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: 10 * time.Second,
			IdleConnTimeout:       30 * time.Second,
			DisableCompression:    true,
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Timeout = or(c.Timeout, 10*time.Second)
	c.Limit = or(c.Limit, 64<<20)
	c.Step = or(c.Step, time.Second)
	c.Within = or(c.Within, 15*time.Second)
	c.Skew = or(c.Skew, time.Second)
	return &Viewer{Config: c, client: &http.Client{
		Transport: c.Transport,
		// What a viewer is sent is what is judged; where it leads to is another page.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func or[T int64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// Expectation is what a page has to be.
type Expectation struct {
	Path   string // URL path, percent-encoded, beginning with "/"; a query may follow
	Key    string // the release's object it is compared with; "" when HasSum is false
	HasSum bool   // CRC32 and Size are known; otherwise only the age is judged
	CRC32  uint32 // IEEE, of the content after content codings
	Size   int64  // bytes, likewise
	// MayFail is for a page nobody promised (the "/" of a distribution without a root object): an
	// answer of 4xx is judged by its age like any other.
	MayFail bool
}

// Request is what to look at.
type Request struct {
	Domain string // host name, e.g. d111111abcdef8.cloudfront.net
	Expect []Expectation
	// Since is when the invalidation was created. An answer that was already in a cache then is stale.
	Since time.Time
}

// inParallel is how many pages are fetched at once.
const inParallel = 6

// Check fetches every page until it is fresh, or late for too long, or the context ends. The pages
// of the report are in the order of the request.
func (v *Viewer) Check(ctx context.Context, r Request) Report {
	report := Report{Domain: r.Domain, Pages: make([]Page, len(r.Expect))}
	if !hostName(r.Domain) {
		report.Refused = "it is not a host name"
		return report
	}
	var wg sync.WaitGroup
	free := make(chan struct{}, inParallel)
	until := v.Now().Add(v.Within)
	for i, expect := range r.Expect {
		wg.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			report.Pages[i] = v.page(ctx, r, expect, until)
		})
	}
	wg.Wait()
	return report
}

// codings are what a page is asked for in. A cache keeps a variant for each that it compresses into, and
// a viewer with another coding than a browser's would see another one than browsers do. Brotli is
// missing: the standard library cannot decode it.
var codings = []string{"gzip", "identity"}

// page looks at one page in every coding until all are fresh or its time is over. A page whose turn comes late is
// still looked at once. The first variant that is not fresh is the page's.
func (v *Viewer) page(ctx context.Context, r Request, expect Expectation, until time.Time) Page {
	var page Page
	for _, coding := range codings {
		looks := page.Looks
		page = v.variant(ctx, r, expect, coding, until)
		page.Looks += looks
		if !page.Fresh {
			break
		}
	}
	return page
}

func (v *Viewer) variant(ctx context.Context, r Request, expect Expectation, coding string, until time.Time) Page {
	for looks := 1; ; looks++ {
		page := v.fetch(ctx, r, expect, coding)
		page.Looks = looks
		if page.Fresh || v.Now().Add(v.Step).After(until) {
			return page
		}
		select {
		case <-ctx.Done():
			return page
		case <-time.After(v.Step):
		}
	}
}

// hostName reports whether s is a plain host name: the domain comes from another account, and
// must not turn a fetch into one of something else.
func hostName(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '.' || s[0] == '-' {
		return false
	}
	dots, letters := 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			dots++
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			letters = true
		case '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return dots > 0 && letters
}
