package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/site"
)

// TagsOff says that cache tags were asked for where the distribution has none: such items would
// complete and purge nothing.
type TagsOff struct {
	Distribution string
	Tags         []invalidation.Item
}

func (e *TagsOff) Error() string {
	return fmt.Sprintf("plan distribution %s: it has no cache tag header (CacheTagConfig), so %s would purge nothing",
		e.Distribution, joinSome(e.Tags, len(e.Tags)))
}

// BucketUnread says that a release lies in a bucket that no behavior reads, so that viewers get nothing of it.
type BucketUnread struct {
	Distribution, Bucket string
	Read                 []string // the buckets that behaviors read
}

func (e *BucketUnread) Error() string {
	read := "they read none"
	if len(e.Read) > 0 {
		read = "they read " + strings.Join(e.Read, ", ")
	}
	return fmt.Sprintf("plan distribution %s: none of its behaviors reads bucket %s; %s", e.Distribution, e.Bucket, read)
}

// CheckBucket refuses a bucket that no behavior reads, with a *BucketUnread. Where behaviors are not known, or
// none is named, there is nothing to say.
func (d Distribution) CheckBucket(name string) error {
	var read []string
	for _, o := range d.Origins {
		if o.Bucket != "" && d.reads(o.ID) && !slices.Contains(read, o.Bucket) {
			read = append(read, o.Bucket)
		}
	}
	if name == "" || len(d.Origins) == 0 || slices.Contains(read, name) {
		return nil
	}
	return &BucketUnread{d.ID, name, read}
}

// Build plans what a release makes stale. Where nothing is known of what caches hold, or of the
// distribution's configuration, that is "/*", and the reason says so. Errors are *TagsOff, *BucketUnread,
// *Infeasible, and *invalidation.ItemError for a tag or a route that cannot be one.
//
// The same input gives the same plan, whatever the order of Routes and Tags.
func Build(in Input) (Plan, error) {
	tags, routes, err := in.check()
	if err == nil {
		err = in.Distribution.CheckBucket(in.Bucket)
	}
	if err != nil {
		return Plan{}, err
	}
	in.Routes = routes
	s := newSurvey(&in)
	unknown := in.unknown()
	if unknown != "" {
		s.ask(demand{cone: true})
	} else {
		s.run()
	}
	t := grow(s.spots(), s.demands)
	r, err := in.room(&t, len(tags))
	if err != nil {
		return Plan{}, err
	}
	chosen := t.choose(r)
	w := writer{survey: s, tree: &t, unknown: unknown}
	p := Plan{
		Distribution: in.Distribution, Preset: in.preset(), Items: w.items(chosen.picks),
		Collateral: t.collateral(chosen.picks), Bound: chosen.bound, Exact: chosen.exact, WaitOut: s.wait,
	}
	if len(t.nodes) > 0 {
		p.Stale = int(t.nodes[t.root()].count)
	}
	for _, tag := range tags {
		p.Items = append(p.Items, Choice{Item: tag, Reason: "this cache tag was asked for; which objects carry it is not known here"})
	}
	slices.SortFunc(p.Items, func(a, b Choice) int { return cmp.Compare(a.Item, b.Item) })
	for _, c := range p.Items {
		if _, err := invalidation.ParseItem(string(c.Item)); err != nil {
			return Plan{}, fmt.Errorf("plan distribution %s: %w", in.Distribution.ID, err)
		}
	}
	p.Price = invalidation.Cost(len(p.Items), in.Used)
	p.Notes = w.notes(p)
	return p, nil
}

func (in *Input) preset() Preset {
	if in.Preset == "" {
		return Balanced
	}
	return in.Preset
}

// check reads tags and routes: sorted, each once.
func (in *Input) check() (tags []invalidation.Item, routes []string, err error) {
	if _, err := ParsePreset(string(in.Preset)); err != nil {
		return nil, nil, err
	}
	for _, tag := range in.Tags {
		item, err := invalidation.ParseItem(string(tag))
		if err == nil && !item.Tag() {
			err = &invalidation.ItemError{Item: string(tag), Rule: invalidation.TagEmpty, Try: "give paths as items, not as tags"}
		}
		if err != nil {
			return nil, nil, err
		}
		tags = append(tags, item)
	}
	slices.Sort(tags)
	tags = slices.Compact(tags)
	if len(tags) > 0 && in.Distribution.CacheTagHeader == "" {
		return nil, nil, &TagsOff{in.Distribution.ID, tags}
	}
	for _, route := range in.Routes {
		if _, err := invalidation.ParseItem(invalidation.EncodePath(route)); err != nil {
			return nil, nil, err
		}
		routes = append(routes, route)
	}
	slices.Sort(routes)
	return tags, slices.Compact(routes), nil
}

// unknown says what lacks for a plan that is better than "/*"; "" when nothing does.
func (in *Input) unknown() string {
	switch {
	case in.Release == nil:
		return "nothing is known of the release, so that everything may be stale"
	case len(in.Known) == 0:
		return "nothing is known of what caches hold (no earlier release was recorded), so that everything may be stale"
	case slices.ContainsFunc(in.Known, func(s site.Snapshot) bool { return s == nil }):
		return "an earlier release was recorded, but not what it held, so that everything may be stale"
	case len(in.Distribution.Origins) == 0:
		return "the distribution's cache behaviors are not known, so that any URL may serve what changed"
	}
	return ""
}
