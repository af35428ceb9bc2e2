package oracle

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/site"
)

// lasting is a lifetime by which an object is worth keeping: what lives no longer is waited out.
const lasting = 5 * time.Second

// place is a URL that serves a key of the release as its own.
type place struct {
	path   string
	key    string
	policy *cloudfront.CachePolicy
}

// places lists where the distribution serves keys, each by the origin of the URL's own behavior.
func (d *oracle) places() (all []place) {
	c := &d.distribution.Config
	for _, key := range d.keys {
		seen := map[string]bool{}
		for _, path := range d.urlsOf(key) {
			b := c.BehaviorFor(pathOf(path))
			o, _ := c.OriginByID(b.TargetOriginID)
			below, found := strings.CutPrefix("/"+d.prefix+key, o.Path+"/")
			if o.Bucket() == "site" && found && !seen[path] && path == paths(below)[0] {
				seen[path] = true
				all = append(all, place{path, key, b.CachePolicy})
			}
		}
	}
	return all
}

// lifetime is how long an object stays in a cache by the guide's table, for what is drawn here.
func lifetime(p *cloudfront.CachePolicy, control string) time.Duration {
	var age time.Duration
	hasAge := false
	for part := range strings.SplitSeq(control, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "no-cache", "no-store", "private":
			return p.MinTTL
		case "max-age", "s-maxage": // s-maxage is drawn last
			n, _ := strconv.Atoi(value)
			age, hasAge = time.Duration(n)*time.Second, true
		}
	}
	if !hasAge {
		age = max(p.DefaultTTL, p.MinTTL)
	}
	return min(max(age, p.MinTTL), p.MaxTTL)
}

// warmth is one object in the cache of one point of presence before the purge.
type warmth struct {
	place
	request request
	tagged  bool // an item goes by its tag
}

// rows says of the bucket's keys how they changed since the known snapshots. Of what changed in its
// header only, caches may hold what it said before.
func (d *oracle) rows() (what map[string]site.What, headers bool) {
	what = map[string]site.What{}
	for row := range site.Join(d.current(), d.in.Known...) {
		what[row.Key] = row.What()
		other := func(o *site.Object) bool { return o.CacheControl != row.New.CacheControl }
		if row.What() == site.Unchanged && slices.ContainsFunc(row.Old, other) {
			what[row.Key], headers = site.Modified, true
		}
	}
	return what, headers
}

// hits asks for every unchanged object, twice, and lists what comes from a cache then and will for a
// while.
func (d *oracle) hits() (warm []warmth) {
	what, _ := d.rows()
	for _, p := range d.places() {
		if what[p.key] != site.Unchanged || d.history.served[p.key].content == "" {
			continue
		}
		for pop := range 2 {
			r := request{pop, "GET", p.path, encodings[0], "en"}
			d.get(r)
			got := d.get(r)
			age, _ := strconv.Atoi(got.age)
			left := lifetime(p.policy, got.control) - time.Duration(age)*time.Second
			if got.hit && !got.err && left > time.Minute {
				warm = append(warm, warmth{p, r, got.tag != "" && d.in.Tags != nil})
			}
		}
	}
	return warm
}

// stillHit checks that what no item covers is still served from the caches, and that no more is lost
// than the plan says.
func (d *oracle) stillHit(p plan.Plan, warm []warmth) {
	covering := p.Covering()
	lost := map[string]bool{}
	for _, w := range warm {
		if w.tagged {
			continue
		}
		item := covering(encoded(w.path))
		switch hit := d.get(w.request).hit; {
		case item == "" && !hit:
			d.world.t.Fatalf("%s did not change and no item covers it, but it is lost: %+v, %+v\n%s",
				w.request, d.history.served[w.key], *w.policy, p.Explain())
		case item != "" && hit:
			d.world.t.Fatalf("%s is covered by %s, but is still there\n%s", w.request, item, p.Explain())
		case !hit:
			lost[w.path] = true
		}
	}
	if len(lost) > p.Collateral {
		d.world.t.Fatalf("%d unchanged objects are lost, more than %d: %v\n%s", len(lost), p.Collateral, lost, p.Explain())
	}
	if want, all := d.collateral(p); all && want != p.Collateral {
		d.world.t.Fatalf("%d unchanged objects are covered, not %d\n%s\n%s", want, p.Collateral, p.Explain(), printed(d.distribution))
	}
}

// collateral counts the unchanged objects that are worth keeping and that items cover; all says that
// the plan counts nothing else.
func (d *oracle) collateral(p plan.Plan) (n int, all bool) {
	c := &d.distribution.Config
	for _, b := range append(slices.Clone(c.Behaviors), c.Default) {
		if o, _ := c.OriginByID(b.TargetOriginID); o.Bucket() != "site" || !strings.HasPrefix(o.Path+"/", "/"+d.prefix) {
			return 0, false // others' objects count too
		}
	}
	what, headers := d.rows()
	covering := p.Covering()
	for _, w := range what {
		if w == site.Added || headers {
			return 0, false // what a pending release had, or what lives no shorter now, may be worth keeping
		}
	}
	for _, at := range d.places() {
		life := time.Duration(0)
		switch {
		case d.blind(at.policy):
			life = lasting + 1
		case at.policy.MaxTTL == 0:
		case !d.control:
			life = lasting + 1
		default:
			life = lifetime(at.policy, d.history.served[at.key].control)
		}
		if _, there := d.history.served[at.key]; there && what[at.key] == site.Unchanged && life > lasting && covering(encoded(at.path)) != "" {
			n++
		}
	}
	return n, true
}

// blind reports whether the planner knows no more of a policy than its ID.
func (d *oracle) blind(p *cloudfront.CachePolicy) bool {
	for _, b := range append(slices.Clone(d.in.Distribution.Behaviors), d.in.Distribution.Default) {
		if b.Policy.ID == cmp.Or(p.ID, "none") && b.Policy.Unknown {
			return true
		}
	}
	return false
}
