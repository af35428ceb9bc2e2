package edge

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// entry is one cached answer. It never changes once it is in a cache.
type entry struct {
	url    string
	tags   []string
	status int
	header http.Header // as the viewer gets it, without x-cache, age and the like
	body   []byte
	etag   string // the origin's, before compression
	isErr  bool   // the origin answered an error, whatever the viewer gets instead
	at     time.Time
	fresh  time.Duration
	keep   bool
}

func (e *entry) freshAt(now time.Time) bool { return now.Before(e.at.Add(e.fresh)) }

// cache is one point of presence's, by distribution and key.
type cache struct {
	mu      sync.Mutex
	entries map[string]map[string]*entry
	flights map[string]map[string]*flight
}

// flight is a request to the origin that others with the same key wait for.
type flight struct {
	url    string
	done   chan struct{}
	purged bool // an invalidation came by; the answer is not kept
	result *entry
	kind   string
}

func newCache() *cache {
	return &cache{entries: map[string]map[string]*entry{}, flights: map[string]map[string]*flight{}}
}

// How an answer came about, as x-cache says it.
const (
	hit        = "Hit from cloudfront"
	miss       = "Miss from cloudfront"
	refreshHit = "RefreshHit from cloudfront"
	failed     = "Error from cloudfront"
	redirected = "Redirect from cloudfront"
)

// fetcher asks the origin; old is an expired entry, nil when there is none.
type fetcher func(old *entry) (*entry, string)

// get answers from the cache while fresh, and otherwise asks fetch, once for all who want the same
// at the same time.
func (c *cache) get(ctx context.Context, now func() time.Time, l lookup, fetch fetcher) (*entry, string, error) {
	id := l.distribution.ID
	c.mu.Lock()
	old := c.entries[id][l.key]
	if old != nil && old.freshAt(now()) {
		c.mu.Unlock()
		return old, hit, nil
	}
	if f := c.flights[id][l.key]; f != nil {
		c.mu.Unlock()
		select {
		case <-f.done:
			return f.result, f.kind, nil
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
	f := &flight{url: l.url, done: make(chan struct{})}
	put(c.flights, id, l.key, f)
	c.mu.Unlock()

	f.result, f.kind = fetch(old)

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[id][l.key] == f {
		delete(c.flights[id], l.key)
	}
	switch {
	case f.purged:
	case f.result.keep:
		put(c.entries, id, l.key, f.result)
	default:
		delete(c.entries[id], l.key)
	}
	close(f.done)
	return f.result, f.kind, nil
}

// purge removes what m matches and returns how many entries went.
func (c *cache) purge(distribution string, m matcher) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	removed := 0
	for key, e := range c.entries[distribution] {
		if m.entry(e) {
			delete(c.entries[distribution], key)
			removed++
		}
	}
	for key, f := range c.flights[distribution] {
		// What tags the answer will have is not known yet, so any tag item counts.
		if len(m.tags) > 0 || m.url(f.url) {
			f.purged = true
			delete(c.flights[distribution], key) // who comes now asks the origin anew
		}
	}
	return removed
}

// size counts what is cached, expired or not.
func (c *cache) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, entries := range c.entries {
		n += len(entries)
	}
	return n
}

func put[V any](m map[string]map[string]V, outer, inner string, v V) {
	if m[outer] == nil {
		m[outer] = map[string]V{}
	}
	m[outer][inner] = v
}
