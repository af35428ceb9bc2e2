// Package purge carries out a plan on one target and says what came of it: it makes sure that
// CloudFront has room (admit), asks for the invalidation once (create), waits for it (watch) and has
// a viewer look (verify). Every step begins from a Progress and ends in one, so that a purge can be
// handed over between invocations, and nothing that is done is done again.
package purge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// Gateway is what a purge needs of a route to a distribution. It does not retry; its errors are
// *gateway.Error, which Classify reads.
type Gateway interface {
	Distribution(ctx context.Context) (plan.Distribution, error)
	// Create is idempotent by the batch's reference.
	Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error)
	Get(ctx context.Context, id string) (invalidation.Invalidation, error)
	// InProgress lists the distribution's invalidations that are not completed, with their items.
	InProgress(ctx context.Context) ([]invalidation.Invalidation, error)
	// Objects looks at what an origin holds.
	Objects(ctx context.Context, origin plan.Origin, keys []string) ([]gateway.Stored, error)
}

// Viewer is what a purge needs to know what viewers get.
type Viewer interface {
	Check(ctx context.Context, r viewer.Request) viewer.Report
}

// Purge carries out orders. Gateway, Viewer and Log are required.
type Purge struct {
	Gateway  Gateway
	Viewer   Viewer
	Now      func() time.Time // nil means time.Now
	Schedule Schedule
	Retry    Retry
	Log      *slog.Logger // carries the target already
}

// Order is what to purge.
type Order struct {
	Target  string // name of the target
	Release string // for people; "" when not known
	// Attempt makes the reference: the same attempt never pays twice, another one purges again.
	Attempt string
	// Plan chooses the items, once the distribution and what is in progress there are known. It may be
	// asked again when there is no room for them.
	Plan func(ctx context.Context, d plan.Distribution, busy invalidation.Limits) (plan.Plan, error)
	// Expect is what viewers have to get.
	Expect func(ctx context.Context, d plan.Distribution) ([]viewer.Expectation, error)

	// The rest may be nil. Prepare comes before anything is decided; Served is what the origin has to
	// serve before anything is purged; Keep fixes the plan of the attempt before it is carried out, and
	// gives the earlier one where the attempt has one already.
	Prepare func(ctx context.Context, d plan.Distribution) error
	Served  func(d plan.Distribution) Served
	Keep    func(ctx context.Context, d plan.Distribution, p plan.Plan) (plan.Plan, error)
	// Until ends the waiting: for room, for completion, between retries.
	Until time.Time
	// Saved, when set, is called with every Progress worth keeping.
	Saved func(Progress)
}

// run is one execution of an order.
type run struct {
	Purge
	Order
	slow    time.Duration // spent on waiting for room
	verdict Verdict
}

// Run goes on from a Progress (the zero value begins) as far as it can: to a verdict, or to the
// point where the context's deadline or the schedule's window makes it hand over. A verdict that is
// Unfinished carries the Progress to go on from. The context needs a deadline before which the
// caller can still act.
func (p Purge) Run(ctx context.Context, o Order, from Progress) Verdict {
	ctx, r := p.begin(ctx, o, from)
	for !r.verdict.Progress.Stage.Final() {
		at := r.verdict.Progress.Stage
		step, known := map[Stage]func(context.Context) error{
			Planned: r.create, Created: r.watch, Completed: r.verify,
		}[at]
		if !known {
			return r.end(&Failure{Stage: at, Err: fmt.Errorf("go on from stage %q: there is no such stage", at)})
		}
		if err := step(ctx); err != nil {
			return r.end(err)
		}
		if o.Saved != nil {
			o.Saved(r.verdict.Progress)
		}
	}
	r.verdict.Outcome = Viewed
	return r.verdict
}

// errHandOver says that a step stopped because this invocation has no more time for it.
var errHandOver = errors.New("hand over")

// Announce does what can be done before the release is deployed: it reaches the distribution and has the
// order prepared. Whatever becomes of the deploy, and should no purge ever be run, it is known what caches
// may hold. Nothing is purged. The verdict is Announced, Failed or Unfinished; then it begins again.
func (p Purge) Announce(ctx context.Context, o Order) Verdict {
	ctx, r := p.begin(ctx, o, Progress{})
	if _, err := r.prepared(ctx); err != nil {
		return r.end(err)
	}
	r.log("announced")
	r.verdict.Outcome = Announced
	return r.verdict
}

func (p Purge) begin(ctx context.Context, o Order, from Progress) (context.Context, *run) {
	if p.Now == nil {
		p.Now = time.Now
	}
	p.Schedule = p.Schedule.orDefault()
	p.Retry = p.Retry.orDefault(p.Schedule)
	p.Log = p.Log.With("release", o.Release)
	ctx = gateway.Cause{Release: o.Release, Target: o.Target}.In(ctx)
	return ctx, &run{Purge: p, Order: o, verdict: Verdict{Target: o.Target, Release: o.Release, Progress: from}}
}

// end makes the verdict of a step that did not finish.
func (r *run) end(err error) Verdict {
	if errors.Is(err, errHandOver) {
		r.verdict.Outcome = Unfinished
		r.log("handing over")
		return r.verdict
	}
	var failure *Failure
	if !errors.As(err, &failure) {
		failure = &Failure{Stage: r.verdict.Progress.Stage, Err: err, Try: advice(err)}
	}
	r.verdict.Outcome, r.verdict.Failure = Failed, failure
	r.Log.Error("failed", "reference", r.verdict.Progress.Reference, "invalidation", r.verdict.Progress.ID,
		"stage", failure.Stage.Name(), "error", failure.Err.Error(), "try", failure.Try)
	return r.verdict
}

func (r *run) log(msg string, args ...any) {
	p := r.verdict.Progress
	r.Log.Info(msg, append([]any{
		"distribution", p.Distribution, "reference", p.Reference, "invalidation", p.ID, "stage", p.Stage.Name(),
	}, args...)...)
}

// pause waits before another try of a class. Room comes when others complete, which may take long:
// past the window that is waited for between invocations, not in one.
func (r *run) pause(ctx context.Context, class Class, d time.Duration) error {
	if class == Slow {
		if r.slow += d; r.slow > r.Schedule.Window() {
			return errHandOver
		}
	}
	return r.sleep(ctx, d)
}

// sleep waits, unless that is pointless: errHandOver when the context would end first.
func (r *run) sleep(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return errHandOver
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return errHandOver
	case <-timer.C:
		return nil
	}
}
