// Package edge is CloudFront's points of presence in a rehearsal: what viewers talk to. Each really
// caches, by the rules of the distribution's cache policies, reads the bucket as CloudFront so that
// iam decides, lets only signed requests in where a behavior asks for that, and purges when an
// invalidation reaches it. Each has one loopback port that is an HTTP and HTTPS proxy and also answers
// direct requests for a distribution's host.
//
// Not emulated, and documented only here since viewers' requests cannot carry an error about it:
// eviction of what is rarely asked for, regional edge caches, and the collapse of simultaneous
// requests across points of presence.
package edge

import (
	"context"
	"fmt"
	"net/http"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/cloudfront"
)

// Distributions is what the edge knows of the control plane.
type Distributions interface {
	// ByHost finds the distribution that answers for a domain or alias.
	ByHost(host string) (*cloudfront.Distribution, bool)
}

// Origin is the buckets that the edge reads.
type Origin interface {
	// GetObject reads a whole object as caller. header is what S3 would answer with: Content-Type,
	// ETag, Last-Modified, Cache-Control, Content-Encoding, Expires, x-amz-*. A *wire.Error is what
	// S3 would refuse with; for a key that is not there that is 403 AccessDenied unless the caller
	// may s3:ListBucket, and 404 NoSuchKey only then (H).
	GetObject(ctx context.Context, caller accounts.Caller, bucket, key string) (body []byte, header http.Header, err error)
}

// Options are what a rehearsal may choose.
type Options struct {
	// Names are the points of presence; empty means three.
	Names []string
	// StaleAfterCompletion makes a point of presence ignore purges while it returns true, for
	// rehearsing what AWS should never do. nil: never.
	StaleAfterCompletion func(pop string) bool
	// Intercept stands between a point of presence's port and its answer: it lets the request through
	// by calling next, or answers itself. nil: nobody does.
	Intercept func(pop string, w http.ResponseWriter, r *http.Request, next http.Handler)
	// Dir is where Listen makes its private directory; empty means the system's.
	Dir string
}

// Deps are what the edge works with.
type Deps struct {
	Distributions Distributions
	Origin        Origin
	Clock         *clock.Clock
	Options       Options
}

// Edge is all points of presence.
type Edge struct {
	deps  Deps
	pops  []*POP
	names []string
	ca    *authority // nil before Listen
}

// New makes the points of presence. They answer Fetch at once; Listen opens their ports.
func New(d Deps) *Edge {
	e := &Edge{deps: d, names: d.Options.Names}
	if len(e.names) == 0 {
		e.names = []string{"FRA56-P1", "IAD89-C2", "NRT57-P3"}
	}
	for _, name := range e.names {
		e.pops = append(e.pops, newPOP(e, name))
	}
	return e
}

// POPs lists the points of presence, in the order of Names.
func (e *Edge) POPs() []*POP { return e.pops }

// Names lists them by name.
func (e *Edge) Names() []string { return e.names }

// Purge removes at one point of presence what the items match of a distribution and returns how
// many cached answers went. What is on its way from the origin at that moment was asked for before
// the purge, so it is delivered but not kept (L: AWS does not say; the alternative is an edge that
// stays stale although the invalidation completed).
func (e *Edge) Purge(pop, distribution string, items []string) int {
	if stale := e.deps.Options.StaleAfterCompletion; stale != nil && stale(pop) {
		return 0
	}
	for _, p := range e.pops {
		if p.name == pop {
			return p.cache.purge(distribution, newMatcher(items))
		}
	}
	return 0
}

// Listen opens a loopback port for every point of presence and makes the rehearsal's certificate
// authority. Close ends both.
func (e *Edge) Listen() error {
	ca, err := newAuthority(e.deps.Options.Dir)
	if err != nil {
		return err
	}
	e.ca = ca
	for _, p := range e.pops {
		if err := p.listen(ca); err != nil {
			_ = e.Close()
			return fmt.Errorf("open the port of %s: %w", p.name, err)
		}
	}
	return nil
}

// CAFile is the path of the authority's certificate in PEM, for SSL_CERT_FILE; empty before Listen.
func (e *Edge) CAFile() string {
	if e.ca == nil {
		return ""
	}
	return e.ca.file
}

// CASPKI is the authority's public key as Chromium's --ignore-certificate-errors-spki-list wants it:
// base64 of SHA-256. Empty before Listen.
func (e *Edge) CASPKI() string {
	if e.ca == nil {
		return ""
	}
	return e.ca.spki()
}

// Close closes the ports and removes the authority's directory.
func (e *Edge) Close() error {
	for _, p := range e.pops {
		p.close()
	}
	if e.ca == nil {
		return nil
	}
	return e.ca.close()
}
