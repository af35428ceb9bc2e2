package release

import (
	"cmp"
	"hash/fnv"
	"io"
	"slices"
	"strings"

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
		Objects: r.sampled(),
	}
}

// sampled chooses the objects to look at. Each recorded snapshot has a share of its own in what differs from
// it: its release will be forgotten once viewers see this one, which is wrong if it was deployed after this one
// and is served still. Where nothing is known, any object of the release has to be there.
func (r *Run) sampled() []site.Object {
	known := r.known.Left
	if len(r.known.Snapshots) == 0 {
		known = append([]site.Snapshot{{}}, known...)
	}
	var all []site.Object
	for _, one := range known {
		all = append(all, sample(site.Stale(r.Snapshot, one), r.Name, gateway.MaxKeys/len(known))...)
	}
	byKey := func(a, b site.Object) int { return cmp.Compare(a.Key, b.Key) }
	slices.SortFunc(all, byKey)
	return slices.CompactFunc(all, func(a, b site.Object) bool { return a.Key == b.Key })
}

// site names what the release belongs to in the state: the distribution, unless the target says that it
// is one of several sites there. Each has a history of its own; in a common one, what is not of the last
// release would be forgotten.
func (r *Run) site(d plan.Distribution) string {
	how := r.Target.Plans()
	others := slices.ContainsFunc(d.Origins, func(o plan.Origin) bool { return o.Bucket != "" && o.Bucket != how.Bucket })
	if how.Prefix == "" && (how.Bucket == "" || !others) {
		return d.ID
	}
	origin, _ := r.origin(d)
	return d.ID + "/" + cmp.Or(how.Bucket, origin.Bucket) + "/" + strings.Trim(how.Prefix, "/")
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
