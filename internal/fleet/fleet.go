// Package fleet carries out purges on many targets at once, each by itself: a target that fails, hangs or
// is throttled takes nothing from those of other accounts, and from those of its own account no more than the
// turns of its calls. It knows no terminal and no files; what happens it tells to an observer.
package fleet

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/viewer"
)

// Bounds of calls at once, where nobody says otherwise.
const (
	DefaultPerAccount = 4
	DefaultOverall    = 64
)

// DefaultBegin is how long a target may take until its invalidation is created: reading, planning,
// waiting for room and for throttles.
const DefaultBegin = 10 * time.Minute

// Fleet is how a number of targets is purged. Viewer is required.
type Fleet struct {
	PerAccount int // calls at once in one account, of each kind; 0: DefaultPerAccount
	Overall    int // calls at once in all; 0: DefaultOverall
	// Begin is how long a target may take until its invalidation is created; 0: DefaultBegin. Wait is how
	// long it is waited for from then on; 0: not at all. A target is given up whose calls had no answer for
	// [Patience] of it in all.
	Begin, Wait time.Duration
	Verify      bool // look as a viewer once it is completed
	// Stop begins no other target once one has failed. Then only PerAccount targets of an account are
	// between their beginning and their invalidation at a time.
	Stop     bool
	Viewer   purge.Viewer
	Schedule purge.Schedule
	Retry    purge.Retry
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
	Observe  func(Event)      // told one event at a time; nil: nobody is
}

// Target is one to purge.
type Target struct {
	Name string
	// Account is whose limits its calls count against; targets without one share none.
	Account string
	Wait    *time.Duration // nil: the fleet's
	Blind   bool           // there is nothing to look at, so completion is all that can be waited for
	// Open makes ready for the purge. It runs beside the others' work and may call AWS.
	Open func(ctx context.Context) (Work, error)
}

// Work is what is to be done on a target.
type Work struct {
	Gateway purge.Gateway
	// Order is without Until, which the fleet sets: here the context ends the waiting.
	Order purge.Order
	From  purge.Progress // where an earlier run left it; zero: at the beginning
	// Conclude records a verdict and names the record; nil: nothing is recorded. Record names the record of a
	// target that an earlier run has finished and concluded; nil: it has none.
	Conclude func(ctx context.Context, v *purge.Verdict) string
	Record   func(p purge.Progress) string
}

// Event is something that happened on a target.
type Event struct {
	Index    int // of the target
	Target   string
	Progress purge.Progress // as it is now
	Doing    Doing          // while there is no invalidation yet; "": what comes after the Progress
	Result   *Result        // set with a target's last event
}

// Doing is what is done on the way to an invalidation.
type Doing string

// What is done.
const (
	Checking Doing = "checking the origin"    // whether it serves the release
	Awaiting Doing = "waiting for the origin" // it did not serve the release when it was looked at
	Creating Doing = "creating"               // the invalidation is asked for
)

// never is an Until that no purge reaches. Waiting ends with the context, so that a purge that is not
// completed is handed over and not called failed.
const never = 100 * 365 * 24 * time.Hour

// Run purges the targets and gives their results in order. When the context ends it stops waiting; what
// was asked of AWS goes on there.
func (f Fleet) Run(ctx context.Context, targets []Target) []Result {
	f.Begin = cmp.Or(f.Begin, DefaultBegin)
	if f.Now == nil {
		f.Now = time.Now
	}
	if f.Log == nil {
		f.Log = slog.New(slog.DiscardHandler)
	}
	r := &running{
		Fleet: f, lanes: newLanes(cmp.Or(f.PerAccount, DefaultPerAccount), cmp.Or(f.Overall, DefaultOverall), f.Now),
		queues: map[string]chan struct{}{},
	}
	for _, t := range targets {
		if r.queues[t.Account] == nil {
			r.queues[t.Account] = make(chan struct{}, cmp.Or(f.PerAccount, DefaultPerAccount))
		}
	}
	results := make([]Result, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() {
			results[i] = r.target(ctx, i, t)
			r.observe(Event{Index: i, Target: t.Name, Progress: results[i].Verdict.Progress, Result: &results[i]})
		})
	}
	wg.Wait()
	return results
}

// running is a fleet at work.
type running struct {
	Fleet
	lanes  *lanes
	queues map[string]chan struct{} // by account: who is between beginning and creation

	mu     sync.Mutex
	failed string // the first target that failed; "": none has

	watching sync.Mutex // one event at a time
}

func (r *running) observe(e Event) {
	if r.Observe == nil {
		return
	}
	r.watching.Lock()
	defer r.watching.Unlock()
	r.Observe(e)
}

// stopped names the target for whose failure no other is begun, "" when there is none.
func (r *running) stopped() string {
	if !r.Stop {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// target purges one target. A panic in it is a failure of that target.
func (r *running) target(ctx context.Context, i int, t Target) (result Result) {
	began := r.Now()
	leave := func() {}
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("panic", "target", t.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			result = failed(t.Name, fmt.Errorf("purge %s: unstale panicked: %v", t.Name, p), "report it, with what --verbose prints")
		}
		if result.Outcome == Failed || result.Outcome == Stale {
			r.mu.Lock()
			r.failed = cmp.Or(r.failed, t.Name)
			r.mu.Unlock()
		}
		leave()
		result.Took = r.Now().Sub(began)
	}()
	if r.Stop {
		queue := r.queues[t.Account]
		select {
		case queue <- struct{}{}:
		case <-ctx.Done():
			return interrupted(t.Name)
		}
		leave = sync.OnceFunc(func() { <-queue })
	}
	if by := r.stopped(); by != "" {
		return skipped(t.Name, by)
	}
	work, err := t.Open(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return interrupted(t.Name)
	case err != nil:
		return failed(t.Name, err, adviceOf(err))
	}
	return r.purge(ctx, i, t, work, func() { leave() })
}

// purge goes on with a target until there is a verdict, or the waiting ends.
func (r *running) purge(parent context.Context, i int, t Target, work Work, created func()) Result {
	// Without the parent's deadline: a purge that sees one coming hands over before it, again and again.
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	defer cancel()
	defer context.AfterFunc(parent, cancel)()
	g := goal{r.Wait, r.Verify && !t.Blind}
	if t.Wait != nil {
		g.wait = *t.Wait
	}
	limit := r.Begin
	if work.From.Stage != purge.Planned {
		limit = g.wait
	}
	timer := time.AfterFunc(limit, cancel)
	defer timer.Stop()

	paced := &gateway{Gateway: work.Gateway, lanes: r.lanes, account: t.Account, stopped: r.stopped}
	paced.silence = &silence{patience: Patience(g.wait), giveUp: cancel}
	defer paced.silence.close()
	paced.doing = func(d Doing) { r.observe(Event{Index: i, Target: t.Name, Progress: work.From, Doing: d}) }
	saved := work.Order.Saved
	work.Order.Until = r.Now().Add(never)
	work.Order.Saved = func(p purge.Progress) {
		if saved != nil {
			saved(p)
		}
		r.observe(Event{Index: i, Target: t.Name, Progress: p})
		created()
		switch {
		case g.enough(p):
			cancel()
		case p.Stage == purge.Created || p.Spared() && p.Stage == purge.Completed:
			timer.Reset(g.wait)
		}
	}
	p := purge.Purge{
		Gateway: paced, Viewer: awake{r.Viewer}, Now: r.Now, Schedule: r.Schedule, Retry: r.Retry, Log: r.Log.With("target", t.Name),
	}
	var v purge.Verdict
	for from := work.From; ; from = v.Progress {
		if g.enough(from) {
			v = purge.Verdict{Target: t.Name, Release: work.Order.Release, Outcome: purge.Unfinished, Progress: from}
			break
		}
		v = together(v, p.Run(ctx, work.Order, from))
		if v.Outcome != purge.Unfinished || ctx.Err() != nil {
			break
		}
	}
	silent := paced.silence.why()
	if parent.Err() != nil {
		silent = nil // whoever interrupts it has not waited for that
	}
	result := r.judge(g, parent.Err() != nil, t.Name, v, paced.trouble(), silent)
	result.Record = work.conclude(parent, &result.Verdict)
	return result
}

// conclude records a verdict, once, and names the record. A target that was finished before has a record of what was
// seen then, and nothing of that is known here.
func (w Work) conclude(parent context.Context, v *purge.Verdict) string {
	switch {
	case w.From.Stage.Final() && w.Record == nil, w.Conclude == nil:
		return ""
	case w.From.Stage.Final():
		return w.Record(w.From)
	}
	// What was done is to be recorded also where the context has ended.
	end, cancel := context.WithTimeout(context.WithoutCancel(parent), concluding)
	defer cancel()
	return w.Conclude(end, v)
}

// awake is a viewer that does not look once nobody waits for what it sees.
type awake struct{ purge.Viewer }

func (a awake) Check(ctx context.Context, q viewer.Request) viewer.Report {
	if ctx.Err() != nil {
		return viewer.Report{Domain: q.Domain}
	}
	return a.Viewer.Check(ctx, q)
}

// concluding is how long recording a verdict may take.
const concluding = 30 * time.Second

// goal is what is asked for of a target.
type goal struct {
	wait   time.Duration
	verify bool
}

// enough reports whether a progress is all that was asked for.
func (g goal) enough(p purge.Progress) bool {
	switch p.Stage {
	case purge.Created:
		return g.wait == 0
	case purge.Completed:
		return g.wait == 0 || !g.verify
	}
	return false
}

// together adds to a verdict what an earlier execution of the same order knew.
func together(before, v purge.Verdict) purge.Verdict {
	if v.Distribution.ID == "" {
		v.Distribution = before.Distribution
	}
	if v.Plan.Items == nil {
		v.Plan = before.Plan
	}
	if v.Items == nil {
		v.Items = before.Items
	}
	if v.Gated.IsZero() {
		v.Gated = before.Gated
	}
	if v.Took == 0 {
		v.Took = before.Took
	}
	v.Status = cmp.Or(v.Status, before.Status)
	v.Looks += before.Looks
	v.Notes = append(before.Notes[:len(before.Notes):len(before.Notes)], v.Notes...)
	return v
}
