package plan

import (
	"strings"

	"github.com/unstale/unstale/site"
)

// role is what a URL is to the key that it serves.
type role uint8

const (
	primary  role = iota // the key's own URL
	rootURL              // "/", which serves the default root object
	indexURL             // "/dir/" or "/dir", which serve dir/index.html
	cleanURL             // "/page", which serves page.html
)

// indexName is the name of index documents.
const indexName = "index.html"

// aliases judges the other URLs under which a changed key is served, and reports whether there is one.
func (s *survey) aliases(i int, name, path string, row site.Row, what site.What) (served bool) {
	s.others(i, name, path, func(v *view, at spelling, as role) {
		s.url([]*view{v}, at, row, what, as)
		served = true
	})
	return served
}

// others finds the URLs besides its own under which a key is served: "/" for the default root object,
// and what functions or a bucket's website make of index documents and pages.
func (s *survey) others(i int, name, path string, found func(v *view, at spelling, as role)) {
	if s.root != "" && path == s.root {
		if v := s.view(""); v.ours[i] {
			found(v, spelling{}, rootURL)
		}
	}
	at := func(path string, as role, r Rewrite) {
		alias := s.speller.spell(path)
		if v := s.view(alias.asked); v.ours[i] && (v.rewrites[r] || as == indexURL && s.mounts[i].website) {
			found(v, alias, as)
		}
	}
	if dir, index := strings.CutSuffix(name, indexName); index && (dir == "" || dir[len(dir)-1] == '/') {
		if dir != "" || s.root != path { // else "/" was judged as the root
			at(dir, indexURL, RewriteIndex)
		}
		if dir != "" {
			at(dir[:len(dir)-1], indexURL, RewriteIndex)
		}
	}
	if page, html := strings.CutSuffix(name, ".html"); html && page != "" && page[len(page)-1] != '/' {
		at(page, cleanURL, RewriteHTML)
	}
}

// page notes what a changed key means where it is the page of an error.
func (s *survey) page(m *mount, path, key string) {
	if m.website && s.d.missingTTL() > s.in.patience() {
		// Which key is the bucket's error document is not part of the distribution's configuration.
		s.fallback(websiteError, key)
	}
	for _, e := range s.pages[path] {
		ttl := e.CachingMinTTL
		switch {
		case ttl > s.in.patience():
			s.fallback(fallbackChanged, key)
		case ttl > 0:
			s.wait = max(s.wait, ttl)
			s.left.add(errorWaited, key, ttl)
		}
	}
}

// fallback notes that every URL under which an error's page may be cached has to go.
func (s *survey) fallback(why cause, key string) {
	if s.fallen == nil || why == websiteError {
		s.fallen = &demand{key: key, why: why, cone: true}
	}
}

// fallbacks demands what is cached under routes: any URL that is no key, unless routes are declared.
func (s *survey) fallbacks() {
	if s.fallen == nil {
		return
	}
	if s.in.Routes == nil || s.fallen.why == websiteError {
		s.ask(*s.fallen)
		return
	}
	routes := s.in.Routes
	if !s.rooted {
		routes = append([]string{"/"}, routes...)
	}
	for _, route := range routes {
		certain, cone := route, false
		if at := strings.IndexAny(route, onlyInItems); at >= 0 {
			certain, cone = route[:at], true
		}
		d := demand{encoded(certain), s.fallen.key, routeCached, cone}
		s.ask(d)
		if !cone && s.view(d.path).Policy.byQuery() {
			s.ask(demand{d.path + "?", d.key, d.why, true})
		}
	}
}

// hidden notes whether a behavior whose function may do anything to URIs could have cached what a
// key had: under which URL is not known.
func (s *survey) hidden(v *view, row site.Row, what site.What) {
	if v.touched || what != site.Modified && named(row) {
		return
	}
	life, missing := s.lives([]*view{v}, row, what)
	if what == site.Unchanged || what == site.Added {
		life = v.outlives(row)
	}
	v.touched = life > shortLife || missing > s.in.patience()
	if !v.touched {
		s.wait = max(s.wait, life, missing)
	}
}

// functions demands everything behind a behavior where something is stale and a function may serve
// it under any URI.
func (s *survey) functions() {
	for i := range s.views {
		if v := &s.views[i]; v.touched {
			s.ask(demand{v.fixed(), functionName(v.unknown.ARN), unknownFunction, true})
		}
	}
}
