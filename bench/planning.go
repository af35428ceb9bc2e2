package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/unstale/unstale/bench/releases"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// distribution is what `aws cloudfront get-distribution-config` prints of the usual one: a bucket,
// CachingOptimized, and a root object.
const distribution = `{"ETag": "E2QWRUHAPOMQZL", "DistributionConfig": {"Enabled": true, "DefaultRootObject": "index.html",
	"Origins": {"Quantity": 1, "Items": [{"Id": "site", "DomainName": "site.s3.us-east-1.amazonaws.com", "OriginPath": ""}]},
	"DefaultCacheBehavior": {"TargetOriginId": "site", "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"}}}`

// timed says which releases the limits on time and memory are for: those of 10, 1,000 and 100,000
// changes.
var timed = []int{0, 2, 3}

// planning measures the plans for every release of the large site, beside what directories would do.
func planning(ctx context.Context, o options) ([]row, error) {
	d, err := plan.FromConfig([]byte(distribution))
	if err != nil {
		return nil, err
	}
	before := releases.Site()
	var costs, purges []row
	for i, r := range releases.All() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, err := compareRelease(d, before, r, o.plans)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		costs = append(costs, c.cost(slices.Contains(timed, i)))
		purges = append(purges, c.purge())
	}
	return append(costs, purges...), nil
}

// compared is one release, planned and collapsed.
type compared struct {
	name         string
	keys, stale  int
	ours, theirs usage
	plan, other  purged
	bound        int
}

// purged is what items purge.
type purged struct{ items, others int }

func compareRelease(d plan.Distribution, before site.Snapshot, r releases.Release, runs int) (compared, error) {
	after, changed := r.Of(before)
	c := compared{name: r.Name, keys: len(before), stale: len(changed)}
	var p plan.Plan
	var planErr error
	var other []invalidation.Item
	for range runs {
		c.ours.add(use(func() {
			p, planErr = plan.Build(plan.Input{Distribution: d, Release: after, Known: []site.Snapshot{before}})
		}))
		if planErr != nil {
			return compared{}, planErr
		}
		c.theirs.add(use(func() {
			var paths []string
			for _, change := range site.Diff(before, after) {
				paths = append(paths, invalidation.EncodeKey(change.Key))
			}
			other = releases.Collapse(paths, releases.Directories)
		}))
	}
	c.bound = p.Bound
	var err error
	if c.plan, err = count(p, before, changed); err != nil {
		return compared{}, err
	}
	if p.Collateral != c.plan.others {
		return compared{}, fmt.Errorf("the plan says that it purges %d others, and purges %d", p.Collateral, c.plan.others)
	}
	c.other, err = count(plan.Given(d, other, ""), before, changed)
	return c, err
}

// count goes through the site to see what a plan purges: all that changed, or it is no plan.
func count(p plan.Plan, s site.Snapshot, changed []string) (purged, error) {
	covering := p.Covering()
	out := purged{items: len(p.Items)}
	for _, o := range s {
		stale := len(changed) > 0 && changed[0] == o.Key
		if stale {
			changed = changed[1:]
		}
		switch covered := covering(invalidation.EncodeKey(o.Key)) != ""; {
		case stale && !covered:
			return purged{}, fmt.Errorf("%s changed and is not purged", o.Key)
		case covered && !stale:
			out.others++
		}
	}
	return out, nil
}

// cost is the row of what planning takes.
func (c compared) cost(limited bool) row {
	line := row{
		what: fmt.Sprintf("planning, %s keys, %s changed", thousands(c.keys), thousands(c.stale)),
		peer: c.theirs.String(), ours: c.ours.String(), ratio: ratio(c.theirs.took, c.ours.took),
	}
	if limited {
		line.ours += fmt.Sprintf(", %.0f with them", mebibytes(c.ours.peak))
		line.targets = []target{
			under("under 0.5 s", c.ours.alone().Seconds(), 0.5),
			under("under 300 MiB with both snapshots", mebibytes(c.ours.peak), 300),
		}
	}
	return line
}

// purge is the row of what is purged beside what changed.
func (c compared) purge() row {
	all := c.keys - c.stale
	line := row{what: "purging " + c.name, peer: fmt.Sprintf("`/*`: %s others", thousands(all)), ours: c.plan.String()}
	if c.other.others < all {
		line.peer = fmt.Sprintf("%d directories: %s; %s", releases.Directories, c.other, line.peer)
	} else {
		line.peer = fmt.Sprintf("%d directories and %s", releases.Directories, line.peer)
	}
	best := min(c.other.others, all)
	if c.plan.others > 0 {
		line.ratio = float64(best) / float64(c.plan.others)
	}
	text := "no more others than today"
	if c.bound == 0 {
		text, best = "no others", 0
	}
	line.targets = []target{under(text, float64(c.plan.others), float64(best))}
	return line
}

func (p purged) String() string {
	word := "items"
	if p.items == 1 {
		word = "item"
	}
	return fmt.Sprintf("%s %s, %s others", thousands(p.items), word, thousands(p.others))
}

// thousands writes a number with commas.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
