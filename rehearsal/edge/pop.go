package edge

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

// POP is one point of presence.
type POP struct {
	edge  *Edge
	name  string
	cache *cache
	door  *door // nil before Listen

	mu    sync.Mutex
	stats Stats
}

// Stats counts a point of presence's answers by their x-cache.
type Stats struct {
	Hits, Misses, RefreshHits, Errors, Redirects int
	Refused                                      int // no distribution, a method or a protocol that is not allowed
	Entries                                      int // cached now, expired or not
}

func newPOP(e *Edge, name string) *POP { return &POP{edge: e, name: name, cache: newCache()} }

// Name is e.g. "FRA56-P1", which viewers see in x-amz-cf-pop.
func (p *POP) Name() string { return p.name }

// Stats is a copy of the counts.
func (p *POP) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Entries = p.cache.size()
	return s
}

// RoundTrip is Fetch, so that a POP is an http.RoundTripper.
func (p *POP) RoundTrip(r *http.Request) (*http.Response, error) { return p.Fetch(r) }

// Fetch answers a viewer's request without sockets. The distribution is that of r.Host or the URL's
// host, the protocol that of the URL. An error means that the request was given up.
func (p *POP) Fetch(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	a, err := p.answer(r, r.URL.Scheme == "https", host)
	if err != nil {
		return nil, err
	}
	length := int64(a.body.Len())
	if v := a.header.Get("Content-Length"); v != "" && r.Method == http.MethodHead {
		length, _ = strconv.ParseInt(v, 10, 64) // ServeContent wrote it
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.header, ContentLength: length,
		Body: io.NopCloser(bytes.NewReader(a.body.Bytes())), Request: r,
	}, nil
}

// answer is what a viewer gets; it is also the ResponseWriter that http.ServeContent fills.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: http.Header{}} }

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// answer is one viewer's request from beginning to end.
func (p *POP) answer(r *http.Request, secure bool, host string) (*answer, error) {
	defer p.edge.deps.Clock.Busy()()
	host = hostname(host)
	d, ok := p.edge.deps.Distributions.ByHost(host)
	if !ok {
		return p.refuse(fmt.Sprintf("The rehearsal's edge serves no distribution at %q.", host)), nil
	}
	b := d.Config.BehaviorFor(r.URL.EscapedPath())
	switch {
	case !d.Config.Enabled:
		return p.refuse("The distribution " + d.ID + " is disabled."), nil
	case !secure && b.ViewerProtocolPolicy == "redirect-to-https":
		return p.redirect(r, host), nil
	case !secure && b.ViewerProtocolPolicy == "https-only":
		return p.refuse("The distribution " + d.ID + " answers HTTPS only."), nil
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		// AWS's text for a behavior that allows GET and HEAD, with status 403 (M).
		return p.refuse("This distribution is not configured to allow the HTTP request method that was used for this request. The distribution supports only cachable requests."), nil
	}
	if len(b.KeyGroups) > 0 {
		// Who signs is a real process, which has not seen time skip.
		clock := p.edge.deps.Clock
		if err := passOf(r).admit(b, baseURL(r, secure, host), clock.Wall(clock.Now())); err != nil {
			return p.bar(r, d, b, err), nil
		}
		r = unsigned(r)
	}
	l := newLookup(d, b, r)
	e, kind, err := p.cache.get(r.Context(), p.edge.deps.Clock.Now, l, func(old *entry) (*entry, string) {
		// Others may wait for the same answer, so that this viewer may not take it with him.
		return p.fetch(context.WithoutCancel(r.Context()), l, old)
	})
	if err != nil {
		return nil, err
	}
	return p.serve(r, d, e, kind), nil
}

// serve answers with an entry, heeding conditions and ranges.
func (p *POP) serve(r *http.Request, d *cloudfront.Distribution, e *entry, kind string) *answer {
	a := newAnswer()
	for name, values := range e.header {
		a.header[name] = append([]string(nil), values...)
	}
	p.sign(a, d.ID)
	if kind == hit {
		age := p.edge.deps.Clock.Now().Sub(e.at)
		a.header.Set("Age", strconv.FormatInt(int64(age/time.Second), 10))
	}
	if e.isErr {
		kind = failed // a cached error too, whatever status it is shown with (M)
	}
	a.header.Set("X-Cache", kind)
	p.count(kind)
	if e.status == http.StatusOK {
		modified, _ := http.ParseTime(e.header.Get("Last-Modified")) // none: zero, which counts as none
		http.ServeContent(a, r, "", modified, bytes.NewReader(e.body))
		return a
	}
	a.header.Del("Accept-Ranges")
	a.header.Set("Content-Length", strconv.Itoa(len(e.body)))
	a.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		a.body.Write(e.body)
	}
	return a
}

// bar answers a viewer whom the behavior's key groups do not let in, before the cache and the origin are
// asked. A custom error page for 403 stands in for CloudFront's own error as for an origin's, which is how
// sites send people to their sign-in page (M: several publish that setup). None of it is cached here: the
// next viewer of the same URL may be let in (L; those setups have an error TTL of 0 to be sure).
func (p *POP) bar(r *http.Request, d *cloudfront.Distribution, b *cloudfront.Behavior, err error) *answer {
	got := refusal(err)
	if got.status == http.StatusForbidden {
		got = p.edge.errorPage(r.Context(), d, got)
	}
	e := newEntry(newLookup(d, b, unsigned(r)), got, p.edge.deps.Clock.Now())
	e.isErr = true
	return p.serve(r, d, e, failed)
}

// sign adds what CloudFront adds to every answer.
func (p *POP) sign(a *answer, distribution string) {
	id := make([]byte, 42)
	_, _ = rand.Read(id) // never fails
	a.header.Set("Via", "1.1 "+strings.ToLower(distribution)+".cloudfront.net (CloudFront)")
	a.header.Set("X-Amz-Cf-Pop", p.name)
	a.header.Set("X-Amz-Cf-Id", base64.URLEncoding.EncodeToString(id))
}

// refuse is CloudFront's own error, made at the edge and never cached.
func (p *POP) refuse(text string) *answer {
	a := newAnswer()
	p.sign(a, "edge")
	a.header.Set("Server", "CloudFront")
	a.header.Set("Content-Type", "text/plain; charset=utf-8")
	a.header.Set("X-Cache", failed)
	a.WriteHeader(http.StatusForbidden)
	a.body.WriteString("403: " + text + "\n")
	p.count("")
	return a
}

func (p *POP) redirect(r *http.Request, host string) *answer {
	a := newAnswer()
	p.sign(a, "edge")
	a.header.Set("Server", "CloudFront")
	a.header.Set("X-Cache", redirected)
	a.header.Set("Location", "https://"+host+r.URL.RequestURI())
	// GET and HEAD are redirected with 301, which browsers keep the method of; CloudFront sends
	// 307 to others (H: Developer Guide, "Require HTTPS between viewers and CloudFront").
	a.WriteHeader(http.StatusMovedPermanently)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		a.status = http.StatusTemporaryRedirect
	}
	p.count(redirected)
	return a
}

func (p *POP) count(kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch kind {
	case hit:
		p.stats.Hits++
	case miss:
		p.stats.Misses++
	case refreshHit:
		p.stats.RefreshHits++
	case failed:
		p.stats.Errors++
	case redirected:
		p.stats.Redirects++
	default:
		p.stats.Refused++
	}
}
