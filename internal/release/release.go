// Package release takes one release to one target: it keeps the history of what the distribution's
// caches may hold, turns a release into the order for a purge, and records what came of it. The purge
// itself is package purge's.
package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// State is what runs keep for later ones; see store.State.
type State interface {
	Begin(ctx context.Context, site string, d store.Deploy) (store.Known, error)
	Finish(ctx context.Context, site, attempt string) (bool, error)
	Doubt(ctx context.Context, site, attempt, why string) (bool, error)
	Plan(ctx context.Context, site, attempt string) (plan.Plan, bool, error)
	KeepPlan(ctx context.Context, site, attempt string, known store.Known, p plan.Plan) (plan.Plan, error)
	Evidence(ctx context.Context, key string, record any) error
	Used(ctx context.Context, account string, now time.Time) (int, error)
	URI(key string) string
}

// Release is one release on its way to one target.
type Release struct {
	Target   target.Target
	Name     string              // for people; "" when it has none
	Attempt  string              // makes the reference; see purge.Order
	Snapshot site.Snapshot       // what was deployed; nil when that is not known
	Items    []invalidation.Item // what somebody chose to purge; nil: it is planned
	Verify   []string            // URL paths to look at besides the changed ones and the entry points
	Announce bool                // it is recorded before it is deployed, and not purged
	Function string              // who does it, for the record
	State    State               // nil: nothing is kept, and nothing is known of earlier releases
	Started  time.Time
	Now      func() time.Time
}

// Run is the work on a release in one process. It is for one goroutine.
type Run struct {
	Release
	at      string // the site; "" until prepare is done
	known   store.Known
	earlier *plan.Plan // the attempt's own; nil: it has none yet
	used    int        // paths this month
	counted bool       // used is set
}

// New begins the work on a release.
func New(r Release) *Run {
	if r.Now == nil {
		r.Now = time.Now
	}
	return &Run{Release: r}
}

// Order is what the purge has to do.
func (r *Run) Order(until time.Time, saved func(purge.Progress)) purge.Order {
	return purge.Order{
		Target: r.Target.Name, Release: r.Name, Attempt: r.Attempt, Until: until, Saved: saved,
		Prepare: r.prepare, Served: r.served, Plan: r.plan, Keep: r.keep, Expect: r.expect,
	}
}

// prepare records the release as pending, before anything is decided, and learns what caches may hold.
func (r *Run) prepare(ctx context.Context, d plan.Distribution) error {
	if i := slices.IndexFunc(r.Verify, d.Restricted); i >= 0 {
		return &purge.Failure{
			Err: fmt.Errorf("verify %s: viewers need signed URLs or signed cookies for it, so it cannot be looked at", r.Verify[i]),
			Try: "take it out of verify, or name a page that is public",
		}
	}
	if r.Items == nil {
		if err := d.CheckBucket(r.Target.Plans().Bucket); err != nil {
			return &purge.Failure{Err: err, Try: "set bucket of the target to the one that the release is deployed to, or leave it out"}
		}
	}
	if r.State == nil || r.at != "" {
		return nil
	}
	at := r.site(d)
	known, err := r.State.Begin(ctx, at, store.Deploy{
		Attempt: r.Attempt, Release: r.Name, Snapshot: r.Snapshot, Deletes: r.Target.Plans().Deletes, Announced: r.Announce, At: r.Now(),
	})
	if err != nil {
		return explained(err)
	}
	earlier, found, err := r.State.Plan(ctx, at, r.Attempt)
	if err != nil {
		return explained(err)
	}
	if r.known, r.at = known, at; found {
		r.earlier = &earlier
	}
	return nil
}

// explained says of a refusal of the state who was refused what, and what to do.
func explained(err error) error {
	var stored *store.Error
	if !errors.As(err, &stored) || stored.Code == "" {
		return err
	}
	e := gateway.Explain(stored)
	e.Operation = fmt.Sprintf("%s state s3://%s/%s", stored.What, stored.Bucket, stored.Key)
	return e
}

// plan chooses the items.
func (r *Run) plan(ctx context.Context, d plan.Distribution, busy invalidation.Limits) (plan.Plan, error) {
	switch {
	case r.earlier != nil:
		return *r.earlier, nil
	case r.Items != nil:
		if i := slices.IndexFunc(r.Items, invalidation.Item.Tag); i >= 0 && d.CacheTagHeader == "" {
			return plan.Plan{}, &purge.Failure{
				Err: fmt.Errorf("purge %s: distribution %s has no cache tag header, so %s would purge nothing", r.Target.Name, d.ID, r.Items[i]),
				Try: "set CacheTagConfig of the distribution to the header in which the origin names its tags, such as Cache-Tag; or paths",
			}
		}
		return plan.Given(d, r.Items, "named by the action"), nil
	case r.Snapshot == nil:
		return plan.Everything(d, "there is no input artifact, so what changed is not known"), nil
	}
	if err := r.count(ctx); err != nil {
		return plan.Plan{}, err
	}
	budget, err := plan.ParseBudget(r.Target.Plans().Budget)
	if err != nil {
		return plan.Plan{}, err
	}
	in, notes := r.input(d)
	in.Budget, in.InProgress, in.Used = budget, busy, r.used
	p, err := plan.Build(in)
	p.Notes = slices.Concat(notes, p.Notes)
	return p, err
}

// input is what the plan is made from, but for the room and the money there is. The notes say what is
// doubtful about it.
func (r *Run) input(d plan.Distribution) (in plan.Input, notes []string) {
	if r.known.Why != "" {
		notes = append(notes, "nothing is known of what caches hold: "+r.known.Why)
	}
	how := r.Target.Plans()
	d, unfit := declare(d, how.Rewrites)
	return plan.Input{
		Distribution: d, Release: r.Snapshot, Known: r.known.Snapshots, Deletes: how.Deletes,
		Bucket: how.Bucket, Prefix: how.Prefix, Routes: how.Routes, Preset: how.Preset,
	}, append(notes, unfit...)
}

// declare tells a distribution what its functions are known to do. The notes name functions that it
// does not have.
func declare(d plan.Distribution, rewrites map[string]plan.Rewrite) (declared plan.Distribution, notes []string) {
	names := make([]string, 0, len(rewrites))
	for name := range rewrites {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		n := 0
		if d, n = d.Declare(name, rewrites[name]); n == 0 {
			notes = append(notes, fmt.Sprintf("a rewrite is declared for function %s, which the distribution does not run", name))
		}
	}
	return d, notes
}

// count learns how many paths were used this month, once.
func (r *Run) count(ctx context.Context) error {
	if r.State == nil || r.counted {
		return nil
	}
	used, err := r.State.Used(ctx, r.account(), r.Started)
	if err != nil {
		return explained(err)
	}
	r.used, r.counted = used, true
	return nil
}

// keep fixes the plan of the attempt.
func (r *Run) keep(ctx context.Context, _ plan.Distribution, p plan.Plan) (plan.Plan, error) {
	if r.State == nil || r.earlier != nil {
		return p, nil
	}
	kept, err := r.State.KeepPlan(ctx, r.at, r.Attempt, r.known, p)
	if err != nil {
		return plan.Plan{}, explained(err)
	}
	r.earlier = &kept
	return kept, nil
}

// expect is what viewers have to get.
func (r *Run) expect(ctx context.Context, d plan.Distribution) ([]viewer.Expectation, error) {
	if err := r.prepare(ctx, d); err != nil {
		return nil, err
	}
	in, _ := r.input(d)
	if in.Release != nil && in.Known == nil {
		in.Known = []site.Snapshot{{}} // all of the release is looked at as if it were new
	}
	return viewer.Expect(in, r.Verify, cmp.Or(r.Name, r.Attempt)), nil
}
