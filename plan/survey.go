package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/site"
)

// demand is something that the items have to cover: one URL, or as a cone every URL that begins with
// it.
type demand struct {
	path string // encoded, without the leading "/"
	key  string // what is stale under it; "" when no single key is
	why  cause
	cone bool
}

// spot is one place among the distribution's URLs: a demand, or a fresh object.
type spot struct {
	path   string
	demand int32 // its number; fresh where negative
}

const fresh = -1

// survey goes through a release and finds out what caches may hold of it.
type survey struct {
	in      *Input
	d       *Distribution
	speller *speller
	mounts  []mount
	views   []view
	pages   map[string][]ErrorResponse // by encoded path, without the leading "/"
	by      []*view                    // scratch space
	root    string                     // path of the default root object
	rooted  bool                       // it has always been there, so that "/" never was an error

	inOrder []spot // sorted strictly
	aside   []spot // all others
	demands []demand
	foreign []foreign     // what others may have cached
	left    ledger        // what was left out
	wait    time.Duration // what has to be waited out
	fallen  *demand       // the page of an error changed; nil otherwise
}

// view is a behavior with what the survey needs to know of it. The last is the default one.
type view struct {
	*Behavior
	ours     []bool // by mount: the behavior reads it
	rewrites map[Rewrite]bool
	unknown  *Function // one that may do anything to URIs
	blind    bool      // functions may replace Cache-Control
	touched  bool      // unknown may have served something stale

	// The last lifetime that was worked out: most objects share theirs.
	cache string
	known bool
	life  time.Duration
	valid bool
}

func newSurvey(in *Input) *survey {
	s := &survey{in: in, d: &in.Distribution, speller: newSpeller(), mounts: in.mounts(), pages: map[string][]ErrorResponse{}}
	s.root = s.speller.spell(s.d.DefaultRootObject).path
	for _, b := range append(slices.Clone(s.d.Behaviors), s.d.Default) {
		v := view{Behavior: &b, blind: b.replacesHeaders()}
		v.rewrites, v.unknown = b.rewrites()
		for _, m := range s.mounts {
			v.ours = append(v.ours, slices.ContainsFunc(b.Origins, func(id string) bool { return m.origins[id] }))
		}
		s.views = append(s.views, v)
	}
	for _, e := range s.d.Errors {
		if e.PagePath != "" {
			page := encoded(e.PagePath)
			s.pages[page] = append(s.pages[page], e)
		}
	}
	return s
}

// run goes through all keys.
func (s *survey) run() {
	s.inOrder = make([]spot, 0, len(s.in.Release))
	for row := range site.Join(s.in.Release, s.in.Known...) {
		s.row(row)
	}
	s.functions()
	s.fallbacks()
	s.foreigners()
}

// row judges one key wherever it is served.
func (s *survey) row(row site.Row) {
	row, what, stays := s.deployed(row)
	if stays {
		s.left.add(staysServed, row.Key, 0)
	}
	if what == site.Modified && slices.ContainsFunc(row.Old, func(o *site.Object) bool { return o != nil && o.Kind() != row.New.Kind() }) {
		s.left.add(incomparable, row.Key, 0)
	}
	served := false
	for i := range s.mounts {
		served = s.mounted(i, row, what) || served
	}
	if !served && what != site.Unchanged {
		s.left.add(notServed, row.Key, 0)
	}
}

// deployed is a row as the deploy left it, and whether the bucket holds a key that the release lacks.
func (s *survey) deployed(row site.Row) (_ site.Row, what site.What, stays bool) {
	if row.New == nil && !s.in.Deletes {
		// It is still in the bucket, as the last deploy that had it left it.
		row.New, stays = row.Any(), true
	}
	return row, row.What(), stays
}

// name is what a key is called below a mount's origin path; found is false where it lies elsewhere.
func (s *survey) name(m *mount, key string) (name string, found bool) {
	name, found = strings.CutPrefix(key, m.cut)
	if !found || name == "" && (m.cut == "" || s.root != "") {
		return "", false // a key that is the origin path and "/" is what "/" serves, without a root object
	}
	if m.add != "" {
		name = m.add + name
	}
	return name, true
}

// mounted judges one key as one mount serves it, and reports whether it does.
func (s *survey) mounted(i int, row site.Row, what site.What) bool {
	m := &s.mounts[i]
	name, found := s.name(m, row.Key)
	if !found {
		return false
	}
	spelled := s.speller.spell(name)
	if s.root != "" && spelled.path == s.root && row.New != nil && !slices.Contains(row.Old, nil) && s.view("").ours[i] {
		s.rooted = true
	}
	by := s.by[:0]
	if v := s.view(spelled.asked); v.ours[i] {
		by = append(by, v)
	}
	if what == site.Unchanged && !recontrolled(row) { // unchanged objects count under their own URL only
		s.by = by
		if len(by) == 0 {
			return false
		}
		s.markFresh(by[0], spelled, row)
		return true
	}
	for j := range s.views {
		v := &s.views[j]
		if !v.ours[i] {
			continue
		}
		if v.unknown != nil {
			s.hidden(v, row, what)
		}
		// What a function rewrites is cached under the key's own URL, but by its own behavior.
		if v.moves() && !slices.Contains(by, v) {
			by = append(by, v)
		}
	}
	s.by = by
	if len(by) > 0 {
		s.url(by, spelled, row, what, primary)
		if what != site.Unchanged {
			s.page(m, spelled.path, row.Key)
		}
	}
	return s.aliases(i, name, spelled.path, row, what) || len(by) > 0
}

// view is the view of the behavior that serves a path, spelled as browsers do.
func (s *survey) view(path string) *view {
	last := len(s.views) - 1
	for i := range s.views[:last] {
		if matches(s.views[i].PathPattern, path) {
			return &s.views[i]
		}
	}
	return &s.views[last]
}

// moves reports whether a function of the behavior changes URIs, or may.
func (v *view) moves() bool {
	return v.unknown != nil || v.rewrites[RewriteIndex] || v.rewrites[RewriteHTML] || v.rewrites[RewriteFallback]
}

// lifetime is how long at most caches serve an object without asking.
func (v *view) lifetime(o *site.Object) time.Duration {
	known := o.CacheKnown && !v.blind
	if !v.valid || v.known != known || v.cache != o.CacheControl {
		v.cache, v.known, v.valid = o.CacheControl, known, true
		v.life = v.Policy.lifetime(v.cache, known)
	}
	return v.life
}

// url judges one URL under which behaviors may have cached what a key had; the first is the one that
// the URL has.
func (s *survey) url(by []*view, at spelling, row site.Row, what site.What, as role) {
	switch what {
	case site.Unchanged:
		if !s.outlived(by, at, row, as) && as == primary {
			s.markFresh(by[0], at, row)
		}
	case site.Added: // a pending release may have had it
		if !s.outlived(by, at, row, as) {
			s.added(by, at, row, as)
		}
	case site.Modified, site.Removed:
		s.replaced(by, at, row, what, as)
	}
}

// markFresh marks an unchanged object that is worth keeping.
func (s *survey) markFresh(v *view, at spelling, row site.Row) {
	if v.lifetime(row.New) > shortLife {
		s.mark(spot{at.path, fresh})
	}
}

// added judges a URL that had nothing to serve when some known release was there.
func (s *survey) added(by []*view, at spelling, row site.Row, as role) {
	ttl := s.d.missingTTL()
	switch {
	case hashed(row.Key) && (ttl == 0 || !s.in.Deletes && row.Any() == nil):
		// Where deploys delete, it may have been there before: pages of that release ask for it in
		// vain until a rollback brings it back.
		s.leave(as, newAsset, row.Key, 0)
	case ttl > s.in.patience():
		s.demand(by, at, row.Key, as.cause(site.Added))
		return
	case ttl > 0:
		s.wait = max(s.wait, ttl)
		s.leave(as, newKey, row.Key, ttl)
	default:
		s.leave(as, newKey, row.Key, 0)
	}
	if old := row.Any(); old != nil && as == primary && by[0].lifetime(old) > shortLife {
		s.mark(spot{at.path, fresh}) // a pending release had it
	}
}

// lives is how long at most caches serve what a key had under some behaviors, answered with the old
// objects' Cache-Control, and the error that was there where some release lacked it.
func (s *survey) lives(by []*view, row site.Row, what site.What) (life, missing time.Duration) {
	for _, old := range row.Old {
		switch {
		case old != nil && what != site.Added:
			for _, v := range by {
				life = max(life, v.lifetime(old))
			}
		case old == nil && what != site.Removed:
			missing = s.d.missingTTL()
		}
	}
	return life, missing
}

// replaced judges a URL whose old answer is no longer right.
func (s *survey) replaced(by []*view, at spelling, row site.Row, what site.What, as role) {
	life, missing := s.lives(by, row, what)
	switch {
	case what == site.Removed && named(row):
		s.leave(as, goneAsset, row.Key, 0)
	case life > shortLife:
		s.demand(by, at, row.Key, as.cause(what))
	case missing > s.in.patience():
		s.demand(by, at, row.Key, as.cause(site.Added))
	case max(life, missing) == 0:
		s.leave(as, neverCached, row.Key, 0)
	default:
		s.wait = max(s.wait, life, missing)
		s.leave(as, shortLived, row.Key, max(life, missing))
	}
}

// leave notes what is left out, once a key.
func (s *survey) leave(as role, why omission, key string, wait time.Duration) {
	if as == primary {
		s.left.add(why, key, wait)
	}
}

// demand demands a URL in all its spellings and variants.
func (s *survey) demand(by []*view, at spelling, key string, why cause) {
	s.variants(by, at.path, at.certain, key, why)
	if at.plus != "" {
		s.variants(by, at.plus, at.certain+len("2B")*strings.Count(at.path[:at.certain], "+"), key, why)
	}
}

// variants demands a URL by all its query strings, or from where it is spelled in several ways.
func (s *survey) variants(by []*view, path string, certain int, key string, why cause) {
	if certain < len(path) {
		s.ask(demand{path[:certain], key, spelledTwice, true})
		return
	}
	s.ask(demand{path, key, why, false})
	if slices.ContainsFunc(by, func(v *view) bool { return v.Policy.byQuery() }) {
		s.ask(demand{path + "?", key, why, true})
	}
}

// ask adds a demand.
func (s *survey) ask(d demand) {
	s.demands = append(s.demands, d)
	s.mark(spot{d.path, int32(len(s.demands) - 1)})
}

// mark adds a spot. Most come in the order of their paths; the others are sorted later.
func (s *survey) mark(at spot) {
	if n := len(s.inOrder); n == 0 || s.inOrder[n-1].path < at.path {
		s.inOrder = append(s.inOrder, at)
	} else {
		s.aside = append(s.aside, at)
	}
}

// spots are all places, sorted by path; where several are at one path, the cones come first, then
// the other demands.
func (s *survey) spots() []spot {
	slices.SortFunc(s.aside, s.compare)
	i, j := len(s.inOrder)-1, len(s.aside)-1
	all := append(s.inOrder, s.aside...)
	for k := len(all) - 1; j >= 0; k-- { // merge from behind
		if i >= 0 && s.compare(all[i], s.aside[j]) > 0 {
			all[k] = all[i]
			i--
		} else {
			all[k] = s.aside[j]
			j--
		}
	}
	return all
}

func (s *survey) compare(a, b spot) int {
	if c := strings.Compare(a.path, b.path); c != 0 {
		return c
	}
	return s.rank(a) - s.rank(b)
}

// rank orders what is at one path; demands among themselves by their numbers, for determinism.
func (s *survey) rank(at spot) int {
	switch {
	case at.demand == fresh:
		return 2 * len(s.demands)
	case s.demands[at.demand].cone:
		return int(at.demand) - len(s.demands)
	}
	return int(at.demand)
}
