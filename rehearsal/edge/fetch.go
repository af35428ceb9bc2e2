package edge

import (
	"context"
	"net/http"
	"time"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

// fetch asks the origin for what l wants and makes the entry to cache. old is what expired.
func (p *POP) fetch(ctx context.Context, l lookup, old *entry) (*entry, string) {
	path := l.path
	if root := l.distribution.Config.DefaultRootObject; path == "/" && root != "" {
		path = "/" + root
	}
	got := p.edge.ask(ctx, l.distribution, l.behavior, path)
	now := p.edge.deps.Clock.Now()
	if got.status >= 400 {
		return p.failed(ctx, l, old, got, now)
	}
	made := newEntry(l, got, now)
	made.fresh, made.keep = ttl(l.behavior.CachePolicy, got.header, now)
	if old != nil && !old.isErr && old.etag != "" && old.etag == made.etag {
		// The origin would have said 304. An object that was cached uncompressed stays so (H:
		// Developer Guide, "Serving compressed files").
		made.body = old.body
		for _, name := range []string{"Content-Encoding", "Etag", "Vary"} {
			delete(made.header, name)
			if v, ok := old.header[name]; ok {
				made.header[name] = v
			}
		}
		return made, refreshHit
	}
	return made, miss
}

// newEntry is an answer as viewers get it, compressed where that is due.
func newEntry(l lookup, got object, now time.Time) *entry {
	e := &entry{
		url: l.url, tags: tagsOf(l.distribution.Config.CacheTagHeader, got.header), status: got.status,
		header: got.header, body: got.body, etag: got.header.Get("Etag"), at: now,
	}
	e.header.Set("Date", now.Format(http.TimeFormat))
	if l.behavior.Compress {
		compress(e, l.encodings)
	}
	return e
}

// failed makes the entry for an origin's error: an expired object again for 5xx, the custom error
// page where there is one, else the error. It is cached under the URL that the viewer asked for, so
// that a purge of the page's own path does not reach it. Source: Developer Guide, "How CloudFront
// processes HTTP 4xx and 5xx status codes from your origin" (H).
func (p *POP) failed(ctx context.Context, l lookup, old *entry, got object, now time.Time) (*entry, string) {
	config := &l.distribution.Config
	fresh, keep := errorTTL(config, got.status, got.header)
	if got.status >= 500 && old != nil && !old.isErr {
		again := *old
		again.fresh = now.Add(fresh).Sub(old.at)
		return &again, hit
	}
	made := newEntry(l, p.edge.errorPage(ctx, l.distribution, got), now)
	made.isErr, made.fresh, made.keep = true, fresh, keep
	return made, failed
}

// errorPage is what viewers get in place of an error: the custom page where there is one, else the error.
// The page comes from the origin of the behavior that its own path has, not from what is cached under
// that path (H as documented; L in practice). What that behavior asks of viewers is not asked of CloudFront
// itself (M: in aws-samples/cloudfront-authorization-at-edge issue 25 a page for signed-in viewers was shown
// to others so), which means that a fallback for 403 gives a restricted page away.
func (e *Edge) errorPage(ctx context.Context, d *cloudfront.Distribution, got object) object {
	page, ok := d.Config.ErrorFor(got.status)
	if !ok || page.PagePath == "" {
		return got
	}
	shown := e.ask(ctx, d, d.Config.BehaviorFor(page.PagePath), canonical(page.PagePath))
	if shown.status < 400 {
		shown.status = page.ResponseCode
	} // else the viewer gets the page's own error (H)
	return shown
}
