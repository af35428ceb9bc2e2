package report

import (
	"slices"
	"strings"

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
	mounts   []mount
	unknown  bool
}

func newJudge(in plan.Input, p plan.Plan) *judge {
	return &judge{in, p.Covering(), mounts(in), unknown(in)}
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
	for _, m := range j.mounts {
		if name, served := strings.CutPrefix(key, m.cut); served && j.covering(invalidation.EncodeKey(m.add+name)) != "" {
			return true
		}
	}
	return false
}

// mount is how keys become paths behind one origin: without cut, and with add before them.
type mount struct{ cut, add string }

// mounts are the origin paths from which the distribution serves the release.
func mounts(in plan.Input) []mount {
	var all []mount
	take := func(o plan.Origin) {
		root := strings.TrimPrefix(o.Path+"/", "/")
		var m mount
		switch {
		case strings.HasPrefix(in.Prefix, root):
			m.add = in.Prefix[len(root):]
		case strings.HasPrefix(root, in.Prefix):
			m.cut = root[len(in.Prefix):]
		default:
			return // beside the origin's path
		}
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	ours := slices.DeleteFunc(slices.Clone(in.Distribution.Origins), func(o plan.Origin) bool {
		return o.Bucket == "" || in.Bucket != "" && o.Bucket != in.Bucket
	})
	if len(ours) == 0 && in.Bucket == "" {
		ours = in.Distribution.Origins
	}
	for _, o := range ours {
		take(o)
	}
	if len(in.Distribution.Origins) == 0 {
		take(plan.Origin{})
	}
	return all
}
