package plan

import (
	"time"

	"github.com/unstale/unstale/site"
)

// recontrolled reports whether caches may hold an object with another Cache-Control than it has now.
func recontrolled(row site.Row) bool {
	for _, o := range row.Old {
		if o != nil && (o.CacheKnown != row.New.CacheKnown || o.CacheControl != row.New.CacheControl) {
			return true
		}
	}
	return false
}

// outlives is how long caches may keep what a key had, where that is longer than its object says
// now; 0 elsewhere.
func (v *view) outlives(row site.Row) time.Duration {
	var longest time.Duration
	for _, old := range row.Old {
		if old != nil {
			longest = max(longest, v.lifetime(old))
		}
	}
	if longest <= v.lifetime(row.New) {
		return 0
	}
	return longest
}

// outlived demands a URL that has nothing new to serve, but is kept for longer than it says now: the
// next release will go by what it says. It reports whether there is one to demand.
func (s *survey) outlived(by []*view, at spelling, row site.Row, as role) bool {
	for _, v := range by {
		old := v.outlives(row)
		if old > shortLife {
			s.demand(by, at, row.Key, as.cause(site.Unchanged))
			return true
		}
		s.wait = max(s.wait, old)
	}
	return false
}
