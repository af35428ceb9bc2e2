package fleet

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/invalidation"
)

// Plans makes the plan of each target and carries out none. A Result's Verdict has the plan.
func (f Fleet) Plans(ctx context.Context, targets []Target) []Result {
	if f.Now == nil {
		f.Now = time.Now
	}
	l := newLanes(cmp.Or(f.PerAccount, DefaultPerAccount), cmp.Or(f.Overall, DefaultOverall), f.Now)
	results := make([]Result, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() {
			v, err := planned(ctx, l, t)
			switch {
			case err != nil && ctx.Err() != nil:
				results[i] = interrupted(t.Name)
			case err != nil:
				results[i] = failed(t.Name, err, adviceOf(err))
			default:
				results[i] = Result{Target: t.Name, Outcome: Done, Verdict: v}
			}
		})
	}
	wg.Wait()
	return results
}

// planned is a verdict with a plan and nothing else.
func planned(ctx context.Context, l *lanes, t Target) (v purge.Verdict, err error) {
	v = purge.Verdict{Target: t.Name, Outcome: purge.Unfinished}
	work, err := t.Open(ctx)
	if err != nil {
		return v, err
	}
	g := &gateway{Gateway: work.Gateway, lanes: l, account: t.Account, stopped: func() string { return "" }}
	if v.Distribution, err = g.Distribution(ctx); err != nil {
		return v, err
	}
	if work.Order.Prepare != nil {
		if err := work.Order.Prepare(ctx, v.Distribution); err != nil {
			return v, err
		}
	}
	list, err := g.InProgress(ctx)
	if err != nil {
		v.Notes = append(v.Notes, "did not look at what is in progress: "+err.Error())
	}
	if v.Plan, err = work.Order.Plan(ctx, v.Distribution, Busy(list)); err != nil {
		return v, err
	}
	v.Notes = append(v.Notes, v.Plan.Notes...)
	return v, nil
}

// Busy counts what is in progress as the limits count it.
func Busy(list []invalidation.Invalidation) invalidation.Limits {
	var busy invalidation.Limits
	for _, one := range list {
		if one.Status.Done() {
			continue
		}
		items := make([]invalidation.Item, len(one.Items))
		for i, item := range one.Items {
			items[i] = invalidation.Item(item)
		}
		n := invalidation.Count(items)
		busy.Files += n.Files
		busy.Wildcards += n.Wildcards
	}
	return busy
}
