package release

import (
	"cmp"
	"hash/fnv"
	"io"
	"slices"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// served is what the origin has to hold before anything is purged: what the release replaces, or as
// much of it as is looked at in one go.
func (r *Run) served(d plan.Distribution) purge.Served {
	origin, found := r.origin(d)
	if !found {
		return purge.Served{}
	}
	return purge.Served{
		Origin: origin, Prefix: r.Target.Plans().Prefix, Optional: r.State == nil,
		Objects: sample(site.Stale(r.Snapshot, r.known.Snapshots...), r.Name, gateway.MaxKeys),
	}
}

// origin is the one that holds the release: the named bucket's, or the only bucket's.
func (r *Run) origin(d plan.Distribution) (origin plan.Origin, found bool) {
	named := r.Target.Plans().Bucket
	for _, o := range d.Origins {
		switch {
		case o.Bucket == "" || o.Website || named != "" && o.Bucket != named:
		case found && o.Bucket != origin.Bucket:
			return plan.Origin{}, false
		case !found:
			origin, found = o, true
		}
	}
	return origin, found
}

// sample chooses objects of a release by a hash of its name, so that each release looks at others and
// the same one always at the same.
func sample(changes []site.Change, name string, most int) []site.Object {
	type ranked struct {
		rank   uint64
		object site.Object
	}
	var all []ranked
	keep := func() {
		slices.SortFunc(all, func(a, b ranked) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.object.Key, b.object.Key))
		})
		all = all[:min(len(all), most)]
	}
	for _, change := range changes {
		if change.New == nil {
			continue
		}
		h := fnv.New64a()
		_, _ = io.WriteString(h, name+"\x00"+change.Key)
		if all = append(all, ranked{h.Sum64(), *change.New}); len(all) == 4*most {
			keep()
		}
	}
	keep()
	objects := make([]site.Object, len(all))
	for i, one := range all {
		objects[i] = one.object
	}
	slices.SortFunc(objects, func(a, b site.Object) int { return cmp.Compare(a.Key, b.Key) })
	return objects
}
