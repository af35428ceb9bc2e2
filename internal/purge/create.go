package purge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// create makes sure that the origin serves the release, plans, admits and asks for the invalidation.
func (r *run) create(ctx context.Context) error {
	d, err := r.prepared(ctx)
	if err != nil {
		return err
	}
	if err := r.gate(ctx, d); err != nil {
		return err
	}
	planned, err := r.admit(ctx, d)
	if err != nil {
		return err
	}
	if r.Keep != nil {
		if planned, err = r.Keep(ctx, d, planned); err != nil {
			return err
		}
	}
	r.verdict.Plan, r.verdict.Notes = planned, append(r.verdict.Notes, planned.Notes...)
	if len(planned.Items) == 0 {
		return r.spare(d, planned)
	}
	return r.ask(ctx, d, planned)
}

// prepared reaches the distribution and has the order prepared.
func (r *run) prepared(ctx context.Context) (plan.Distribution, error) {
	d, err := r.distribution(ctx)
	if err != nil {
		return d, err
	}
	if !d.Enabled {
		return d, &Failure{
			Stage: Planned,
			Err:   fmt.Errorf("look at distribution %s: it is disabled, so no viewer can see the release", d.ID),
			Try:   "enable the distribution, or take it out of the targets",
		}
	}
	if r.Prepare == nil {
		return d, nil
	}
	return d, r.Prepare(ctx, d)
}

// ask has CloudFront make the invalidation of a plan.
func (r *run) ask(ctx context.Context, d plan.Distribution, planned plan.Plan) error {
	batch, err := invalidation.NewBatch(r.Attempt, d.ID, planned.Paths())
	if err != nil {
		return err
	}
	r.verdict.Progress.Reference = batch.Reference
	created, err := retrying(ctx, r, "create invalidation", func(ctx context.Context) (invalidation.Invalidation, error) {
		return r.Gateway.Create(ctx, batch)
	})
	if err != nil {
		return err
	}
	r.verdict.Items, r.verdict.Status = created.Items, created.Status
	r.verdict.Progress = Progress{
		Stage: Created, Distribution: d.ID, Reference: batch.Reference, ID: created.ID, Noted: r.Now().UnixMilli(),
		Paths: len(batch.Items), Settle: r.settled(planned), Gated: !r.verdict.Gated.IsZero(),
	}
	if !created.Created.IsZero() {
		r.verdict.Progress.Created = created.Created.UnixMilli()
	}
	r.log("created", "items", len(created.Items), "status", string(created.Status))
	return nil
}

// spare goes on without an invalidation: what the release changes, no cache holds.
func (r *run) spare(d plan.Distribution, planned plan.Plan) error {
	r.verdict.Items = []string{}
	r.verdict.Progress = Progress{
		Stage: Completed, Distribution: d.ID, Noted: r.Now().UnixMilli(), Settle: r.settled(planned), Gated: !r.verdict.Gated.IsZero(),
	}
	r.log("nothing to purge")
	return nil
}

// settled is when what the plan leaves to expire has expired, in Unix milliseconds; 0: there is nothing.
func (r *run) settled(planned plan.Plan) int64 {
	if planned.WaitOut <= 0 {
		return 0
	}
	from := r.verdict.Gated
	if from.IsZero() {
		from = r.Now()
	}
	return from.Add(planned.WaitOut).UnixMilli()
}

// distribution reads the distribution once in an execution.
func (r *run) distribution(ctx context.Context) (plan.Distribution, error) {
	if r.verdict.Distribution.ID != "" {
		return r.verdict.Distribution, nil
	}
	d, err := retrying(ctx, r, "read distribution", r.Gateway.Distribution)
	if err != nil {
		return d, err
	}
	r.verdict.Distribution, r.verdict.Progress.Distribution = d, d.ID
	r.log("distribution read", "domain", d.Domain, "account", d.Account)
	return d, nil
}

// admit plans, and waits until the plan fits beside what is in progress on the distribution: with less
// room a plan may have other items. The limits are per account, and other distributions are not seen
// from here: CloudFront has the last word, and create waits for it the same way. So not being able to
// look is noted, and stops nothing.
func (r *run) admit(ctx context.Context, d plan.Distribution) (plan.Plan, error) {
	for tries := 1; ; tries++ {
		list, err := retrying(ctx, r, "list in progress", r.Gateway.InProgress)
		if errors.Is(err, errHandOver) {
			return plan.Plan{}, err
		}
		blind := err != nil
		if blind {
			r.verdict.Notes = append(r.verdict.Notes, "did not look at what is in progress: "+err.Error())
			r.Log.Warn("admission unknown", "error", err.Error())
		}
		planned, full, err := r.fit(ctx, d, list)
		if err != nil {
			return plan.Plan{}, err
		}
		if full == nil || blind {
			r.log("admitted", "inProgress", len(list), "items", len(planned.Items))
			return planned, nil
		}
		if err := r.waitForRoom(ctx, tries, full); err != nil {
			return plan.Plan{}, err
		}
	}
}

// fit plans for the room there is. full says why the plan, if there is one, cannot be carried out now.
func (r *run) fit(ctx context.Context, d plan.Distribution, list []invalidation.Invalidation) (planned plan.Plan, full, err error) {
	busy, _ := load(list, "")
	planned, err = r.Plan(ctx, d, busy)
	var infeasible *plan.Infeasible
	if errors.As(err, &infeasible) && infeasible.Wait {
		return plan.Plan{}, r.full(d, infeasible.Error()), nil
	}
	if err != nil || len(planned.Items) == 0 {
		return planned, nil, err
	}
	batch, err := invalidation.NewBatch(r.Attempt, d.ID, planned.Paths())
	if err != nil {
		return plan.Plan{}, nil, err
	}
	limits, need := invalidation.DefaultLimits(), invalidation.Count(batch.Items)
	if _, ours := load(list, batch.Reference); ours || (busy.Files+need.Files <= limits.Files && busy.Wildcards+need.Wildcards <= limits.Wildcards) {
		return planned, nil, nil
	}
	return planned, r.full(d, fmt.Sprintf("%d files and %d wildcards are in progress, %d and %d more do not fit into %d and %d",
		busy.Files, busy.Wildcards, need.Files, need.Wildcards, limits.Files, limits.Wildcards)), nil
}

func (r *run) full(d plan.Distribution, why string) error {
	return &gateway.Error{
		Code: gateway.TooManyInvalidationsInProgress, Operation: "admit invalidation", Distribution: d.ID, Message: why,
		Try: "wait until the invalidations in progress have completed, or cover files with a wildcard",
	}
}

// waitForRoom lets some of what is in progress complete; with no time left for that the error is full.
func (r *run) waitForRoom(ctx context.Context, tries int, full error) error {
	delay, again := r.Retry.Delay(Slow, tries)
	if !again || r.Now().Add(delay).After(r.Until) {
		return full
	}
	r.Log.Warn("waiting for room", "seconds", delay.Round(time.Millisecond).Seconds(), "error", full.Error())
	return r.pause(ctx, Slow, delay)
}

// load counts what is in progress, and tells whether the reference's own invalidation is there: it
// needs no room of its own.
func load(list []invalidation.Invalidation, reference string) (busy invalidation.Limits, ours bool) {
	for _, one := range list {
		if one.Status.Done() {
			continue
		}
		ours = ours || one.Reference == reference
		items := make([]invalidation.Item, len(one.Items))
		for i, item := range one.Items {
			items[i] = invalidation.Item(item)
		}
		n := invalidation.Count(items)
		busy.Files += n.Files
		busy.Wildcards += n.Wildcards
	}
	return busy, ours
}
