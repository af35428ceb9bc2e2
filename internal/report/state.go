package report

import (
	"slices"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// State is what becomes of an object.
type State uint8

// The states, in the order in which they are told.
const (
	Unchanged  State = iota // left alone
	Changed                 // left alone all the same: the plan's notes say why
	Purged                  // stale, or it may be
	Collateral              // unchanged, and purged with others
	states
)

// unknown reports whether too little is known for a plan that is better than "/*".
func unknown(in plan.Input) bool {
	return in.Release == nil || len(in.Known) == 0 || len(in.Distribution.Origins) == 0 ||
		slices.ContainsFunc(in.Known, func(s site.Snapshot) bool { return s == nil })
}

// judge finds the state of keys.
type judge struct {
	in       plan.Input
	covering func(path string) invalidation.Item
	at       *plan.Addresses
	unknown  bool
}

func newJudge(in plan.Input, p plan.Plan) *judge {
	return &judge{in, p.Covering(), in.Addresses(), unknown(in)}
}

// state judges one key; o is the object that the site serves, nil when the deploy deletes it.
func (j *judge) state(row site.Row) (s State, o *site.Object) {
	o = row.New
	if o == nil && !j.in.Deletes {
		o = row.Any()
		row.New = o
	}
	changed := row.What() != site.Unchanged || j.unknown
	switch purged := j.purged(row.Key); {
	case purged && changed:
		return Purged, o
	case purged:
		return Collateral, o
	case changed:
		return Changed, o
	}
	return Unchanged, o
}

func (j *judge) purged(key string) bool {
	for path := range j.at.Places(key) {
		if j.covering(path) != "" {
			return true
		}
	}
	return false
}
