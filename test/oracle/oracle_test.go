// Package oracle judges plans by the rehearsal's edge, which really caches: whatever was asked for
// before a release, nobody gets an old byte once the plan is purged and waited out, and what did not
// change and is not collateral is still served from the cache.
//
// The edge does not run functions, has no website origins, no origin groups and no ForwardedValues,
// so that these are not tried here.
package oracle

import (
	"errors"
	"flag"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// runs is how many random worlds are tried unless -rapid.checks says otherwise.
const runs = 1000

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	if !chosen {
		_ = flag.Set("rapid.checks", strconv.Itoa(runs)) // rapid registers it
	}
	os.Exit(m.Run())
}

// TestNobodyGetsOldBytes plays random days. -rapid.seed or -rapid.failfile, as a failure prints them,
// plays one again.
func TestNobodyGetsOldBytes(t *testing.T) { rapid.Check(t, day) }

// day is a world in which some releases are deployed, each purged or left pending, while viewers come
// by. The last is always purged.
func day(t *rapid.T) {
	d := &oracle{world: newWorld(t), history: newHistory(t), log: map[request]bool{}, ours: map[string]bool{}}
	d.distribute(d.prefix)
	d.in.Distribution = d.planned(rapid.IntRange(0, 4).Draw(t, "policies known") > 0)
	d.settings()
	d.furnish()
	d.next(d.buckets["site"])
	d.keep(true)
	d.list()
	releases := rapid.IntRange(2, 4).Draw(t, "releases")
	for i := range releases {
		d.visit("before")
		d.pass()
		d.next(d.buckets["site"])
		d.served = d.clock.Now()
		d.visit("after")
		purged := i == releases-1 || rapid.Bool().Draw(t, "purged")
		if purged {
			d.purge(i == releases-1)
		}
		d.keep(purged)
	}
}

// oracle is a day's world, and what the planner is told of it.
type oracle struct {
	*world
	*history
	in     plan.Input
	urls   []string         // that viewers may ask for
	ours   map[string]bool  // those of them that may be a key's
	log    map[request]bool // what they asked for
	served time.Time        // since when the origin serves the last release
}

// settings draws what a person decides.
func (d *oracle) settings() {
	t := d.world.t
	d.in.Preset = rapid.SampledFrom([]plan.Preset{"", plan.Balanced, plan.Gentlest, plan.Cheapest}).Draw(t, "preset")
	d.in.Used = rapid.SampledFrom([]int{0, 990, 2000}).Draw(t, "used")
	d.in.Patience = rapid.SampledFrom([]time.Duration{0, 0, -1, 9 * time.Second, 2 * time.Hour}).Draw(t, "patience")
	d.in.Deletes, d.in.Prefix = d.deletes, d.prefix
	d.in.Bucket = rapid.SampledFrom([]string{"site", "site", ""}).Draw(t, "bucket")
	if d.in.Distribution.CacheTagHeader != "" && rapid.Bool().Draw(t, "purge a tag") {
		d.in.Tags = []invalidation.Item{"#Red"}
	}
	if rapid.IntRange(0, 1).Draw(t, "routes known") == 0 {
		d.in.Routes = []string{"/zz/*", "/users"}
	}
}

// furnish fills the buckets with what is not the release's.
func (d *oracle) furnish() {
	d.buckets["site"].lists = rapid.Bool().Draw(d.world.t, "lists")
	for _, key := range append(slices.Clone(beside), names...) {
		d.buckets["api"].objects[key] = file{content: "api's " + key, control: "max-age=3600"}
		if d.prefix != "" && !strings.HasPrefix(key, d.prefix) {
			d.buckets["site"].objects[key] = file{content: "beside: " + key}
		}
	}
}

// current is what the bucket serves of the release, as a manifest has it.
func (d *oracle) current() site.Snapshot {
	if d.deletes || len(d.in.Known) == 0 {
		return d.release
	}
	return site.Overlay(d.in.Known[len(d.in.Known)-1], d.release)
}

// keep notes what caches may hold until a purge is verified.
func (d *oracle) keep(verified bool) {
	s := d.current()
	if verified {
		d.in.Known = nil
	}
	d.in.Known = append(d.in.Known, s)
}

// purge plans the release, purges, and looks at what viewers get.
func (d *oracle) purge(last bool) {
	t := d.world.t
	p := d.plan(last)
	if patience := d.patience(); p.WaitOut > patience {
		t.Fatalf("%s to wait out, more than %s\n%s", p.WaitOut, patience, p.Explain())
	}
	warm := d.hits()
	var items []string
	for _, item := range p.Paths() {
		items = append(items, string(item))
	}
	if len(items) > 0 {
		d.invalidate(items, time.Second, time.Duration(rapid.IntRange(0, 9).Draw(t, "late"))*time.Second)
	}
	d.stillHit(p, warm)
	if early := d.served.Add(p.WaitOut).Sub(d.clock.Now()); early > 0 {
		d.clock.Advance(early)
	}
	now := map[string]answer{} // by URL: nobody's language or encoding matters to the origin
	for _, r := range d.everything(last) {
		want, asked := now[r.url]
		if !asked {
			want = d.now(r.url)
			now[r.url] = want
		}
		got := d.get(r)
		if got.status == want.status && got.body == want.body || d.gone(r, got) {
			continue
		}
		t.Fatalf("%s: %d %.40q (hit %v, age %s), not %d %.40q\n%s\n%s", r, got.status, got.body, got.hit, got.age, want.status, want.body,
			p.Explain(), printed(d.distribution))
	}
}

// patience is the longest time that anybody may have to wait: for errors as long as it was said, for
// objects that live no longer than they are worth.
func (d *oracle) patience() time.Duration {
	if d.in.Patience == 0 {
		return plan.DefaultPatience
	}
	return max(d.in.Patience, lasting)
}

// gone reports whether an answer is what was removed and is named by content: it is left in caches
// because older pages may still need it.
func (d *oracle) gone(r request, got answer) bool {
	return d.assetOf(r.url, func(key string) bool {
		_, there := d.history.served[key]
		return !there && d.had[key][got.body]
	})
}

// assetOf reports whether a URL is an asset's for which ok holds.
func (d *oracle) assetOf(url string, ok func(key string) bool) bool {
	path, _, _ := strings.Cut(url, "?")
	return slices.ContainsFunc(assets, func(key string) bool {
		full := "/" + d.prefix + key
		return strings.HasSuffix(full, path) && strings.HasSuffix(path, key[strings.LastIndexByte(key, '/')+1:]) && ok(key)
	})
}

// plan plans, at last while other invalidations are in progress.
func (d *oracle) plan(last bool) plan.Plan {
	t := d.world.t
	d.in.Release = d.release
	if last {
		d.in.InProgress = invalidation.Limits{
			Wildcards: rapid.SampledFrom([]int{0, 0, 13, 14, 15}).Draw(t, "wildcards in progress"),
			Files:     rapid.SampledFrom([]int{0, 0, 2995, 2999, 3000}).Draw(t, "files in progress"),
		}
	}
	d.in.Budget = rapid.SampledFrom([]plan.Budget{{}, {}, {Unit: plan.PerPlan, Items: 3}, {Unit: plan.PerMonth, Money: invalidation.Dollar}}).Draw(t, "budget")
	p, err := plan.Build(d.in)
	var full *plan.Infeasible
	if errors.As(err, &full) { // whoever has to wait, or to pay more, does so
		if !full.Wait && d.in.Budget.Unit == plan.Unlimited {
			t.Fatalf("raise which budget? %v", err)
		}
		if full.Wait {
			d.in.InProgress = invalidation.Limits{}
		}
		d.in.Budget = plan.Budget{}
		p, err = plan.Build(d.in)
		if errors.As(err, &full) {
			d.in.InProgress = invalidation.Limits{}
			p, err = plan.Build(d.in)
		}
	}
	var unread *plan.BucketUnread
	switch {
	case errors.As(err, &unread): // then nothing may be stale, whatever is not purged
		p = plan.Plan{Distribution: d.in.Distribution}
	case err != nil:
		t.Fatal(err)
	}
	d.busy()
	return p
}

// busy begins the invalidations that are in progress already.
func (d *oracle) busy() {
	var items []string
	for i := range d.in.InProgress.Files {
		items = append(items, "/nothing/"+strconv.Itoa(i))
	}
	for i := range d.in.InProgress.Wildcards {
		items = append(items, "/nothing/"+strconv.Itoa(i)+"*")
	}
	for part := range slices.Chunk(items, 3000) {
		d.begin("busy "+d.clock.Now().String()+part[0], part, 1000*time.Hour, 1000*time.Hour)
	}
}
