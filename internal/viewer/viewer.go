// Package viewer looks at a distribution as its viewers do and says whether they see the release:
// it chooses what to look at, fetches pages over HTTPS in the codings that viewers ask for, compares
// them with what the release holds, and judges their age. It sees what one caller at one point of
// presence sees, and says which. It sends no credentials.
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
	// Limit is how many bytes of one body are read, as sent and as decoded; 0 means 16 MiB. What the
	// release has longer is judged by its length and age: 100 videos in three codings are not free.
	Limit  int64
	Step   time.Duration // between looks at a page that is late; 0 means 1 s
	Within time.Duration // how long a page may be late before it counts as stale; 0 means 15 s
	Total  time.Duration // how long looking may take, however much there is to look at; 0 means 1 min
	Skew   time.Duration // how far this clock may be from CloudFront's; 0 means 1 s
}

// Viewer fetches and judges. Make it with New; it may be used by several goroutines.
type Viewer struct {
	Config
	client *http.Client
	brotli chan struct{} // has room for as many decoders as may run
}

// inParallel is how many pages of one check are fetched at once, and inBrotli how many bodies of all
// checks are decoded from Brotli at once.
const (
	inParallel = 8
	inBrotli   = 2
)

// New makes a viewer.
func New(c Config) *Viewer {
	if c.Transport == nil {
		c.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   inParallel,
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
	c.Limit = or(c.Limit, 16<<20)
	c.Step = or(c.Step, time.Second)
	c.Within = or(c.Within, 15*time.Second)
	c.Total = or(c.Total, time.Minute)
	c.Skew = or(c.Skew, time.Second)
	return &Viewer{Config: c, brotli: make(chan struct{}, inBrotli), client: &http.Client{
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

// Request is what to look at.
type Request struct {
	Domain string // host name, e.g. d111111abcdef8.cloudfront.net
	Expect []Expectation
	// Since is when the invalidation was created. An answer that was already in a cache then is stale.
	Since time.Time
	// Items are what the invalidation purged, nil meaning everything. A page that none of them covers
	// may have been in a cache before, if its content is the release's. Which pages have a tag is not
	// known here, so that a tag covers none.
	Items []string
}

// Check fetches every page in every coding until it is fresh, or late for too long, or the time or
// the context ends; what was not looked at by then is said. The pages of the report are in the order
// of the request, which is also the order of looking.
func (v *Viewer) Check(ctx context.Context, r Request) Report {
	report := Report{Domain: r.Domain, Pages: make([]Page, len(r.Expect))}
	if !hostName(r.Domain) {
		report.Refused = "it is not a host name"
		return report
	}
	ctx, cancel := context.WithTimeout(ctx, v.Total)
	defer cancel()
	var wg sync.WaitGroup
	c := check{Viewer: v, Request: r, free: make(chan struct{}, inParallel), until: v.Now().Add(v.Within)}
	for i, expect := range r.Expect {
		if !c.enter(ctx) {
			report.Pages[i] = c.untold(expect, codings[0])
			continue
		}
		wg.Go(func() {
			var inside bool
			if report.Pages[i], inside = c.look(ctx, expect); inside {
				<-c.free
			}
		})
	}
	wg.Wait()
	return report
}

// check is one Check.
type check struct {
	*Viewer
	Request
	free  chan struct{} // holds those that may fetch
	until time.Time     // when late pages are late for too long
}

// enter waits until one more may fetch, and reports false when the time is over first.
func (c *check) enter(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case c.free <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// untold is a page that nothing is known of.
func (c *check) untold(expect Expectation, coding string) Page {
	page := c.page(expect, coding)
	page.Why = "was not looked at: the time for looking was over"
	return page
}

// look looks at one page in every coding until all are fresh or its time is over. A page whose turn
// comes late is still looked at once. The first variant that is not fresh is the page's. The caller
// has entered; inside reports whether it still has.
func (c *check) look(ctx context.Context, expect Expectation) (page Page, inside bool) {
	served, looks := "", 0
	for i, coding := range codings {
		if i > 0 {
			served += ", "
		}
		page, inside = c.variant(ctx, expect, coding)
		served += page.Served
		looks += page.Looks
		if !page.Fresh {
			break
		}
	}
	if page.Fresh {
		page.Served = served
	}
	page.Looks = looks
	return page, inside
}

// variant looks at one page in one coding. Others may fetch while it waits for a late one. A fetch that
// the end of the time cut off does not replace what was seen before.
func (c *check) variant(ctx context.Context, expect Expectation, coding string) (page Page, inside bool) {
	page = c.untold(expect, coding)
	for looks := 1; ; looks++ {
		next := c.fetch(ctx, c.Request, expect, coding)
		if ctx.Err() != nil && !next.Fresh {
			return page, true
		}
		page = next
		page.Looks = looks
		if page.Fresh || c.Now().Add(c.Step).After(c.until) {
			return page, true
		}
		<-c.free
		select {
		case <-ctx.Done():
			return page, false
		case <-time.After(c.Step):
		}
		if !c.enter(ctx) {
			return page, false
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
