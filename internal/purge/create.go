package purge

import (
	"context"
	"errors"
	"fmt"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// create plans, admits and asks for the invalidation.
func (r *run) create(ctx context.Context) error {
	d, err := r.distribution(ctx)
	if err != nil {
		return err
	}
	if !d.Enabled {
		return &Failure{
			Stage: Planned,
			Err:   fmt.Errorf("purge distribution %s: it is disabled, so no viewer can see the release", d.ID),
			Try:   "enable the distribution, or take it out of the targets",
		}
	}
	planned := r.Plan(d)
	r.verdict.Notes = append(r.verdict.Notes, planned.Notes...)
	batch, err := invalidation.NewBatch(r.Attempt, d.ID, planned.Paths())
	if err != nil {
		return err
	}
	r.verdict.Progress.Reference = batch.Reference
	if err := r.admit(ctx, batch); err != nil {
		return err
	}
	created, err := retrying(ctx, r, "create invalidation", func(ctx context.Context) (invalidation.Invalidation, error) {
		return r.Gateway.Create(ctx, batch)
	})
	if err != nil {
		return err
	}
	r.verdict.Items, r.verdict.Status = created.Items, created.Status
	r.verdict.Progress = Progress{
		Stage: Created, Distribution: d.ID, Reference: batch.Reference, ID: created.ID, Noted: r.Now().UnixMilli(),
	}
	if !created.Created.IsZero() {
		r.verdict.Progress.Created = created.Created.UnixMilli()
	}
	r.log("created", "items", len(created.Items), "status", string(created.Status))
	return nil
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

// admit waits until the batch fits beside what is in progress on the distribution. The limits are
// per account, and other distributions are not seen from here: CloudFront has the last word, and
// create waits for it the same way. So not being able to look is noted, and stops nothing.
func (r *run) admit(ctx context.Context, batch invalidation.Batch) error {
	limits := invalidation.DefaultLimits()
	need := invalidation.Count(batch.Items)
	for tries := 1; ; tries++ {
		list, err := retrying(ctx, r, "list in progress", r.Gateway.InProgress)
		if errors.Is(err, errHandOver) {
			return err
		}
		if err != nil {
			r.verdict.Notes = append(r.verdict.Notes, "did not look at what is in progress: "+err.Error())
			r.Log.Warn("admission unknown", "error", err.Error())
			return nil
		}
		busy, ours := load(list, batch.Reference)
		if ours || (busy.Files+need.Files <= limits.Files && busy.Wildcards+need.Wildcards <= limits.Wildcards) {
			r.log("admitted", "inProgress", len(list), "files", need.Files, "wildcards", need.Wildcards)
			return nil
		}
		full := &gateway.Error{
			Code:         gateway.TooManyInvalidationsInProgress,
			Operation:    "admit invalidation",
			Distribution: batch.Distribution,
			Message: fmt.Sprintf("%d files and %d wildcards are in progress, %d and %d more do not fit into %d and %d",
				busy.Files, busy.Wildcards, need.Files, need.Wildcards, limits.Files, limits.Wildcards),
			Try: "wait until the invalidations in progress have completed, or cover files with a wildcard",
		}
		delay, again := r.Retry.Delay(Slow, tries)
		if !again || r.Now().Add(delay).After(r.Until) {
			return full
		}
		r.Log.Warn("waiting for room", "seconds", delay.Seconds(), "error", full.Error())
		if err := r.pause(ctx, Slow, delay); err != nil {
			return err
		}
	}
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
