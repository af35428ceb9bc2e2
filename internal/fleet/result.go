package fleet

import (
	"errors"
	"fmt"
	"time"

	"github.com/unstale/unstale/internal/purge"
)

// Outcome is what came of a target.
type Outcome string

// The outcomes. The zero value is no success.
const (
	Done       Outcome = "done"       // all that was asked for
	Failed     Outcome = "failed"     // it will not succeed by going on
	Stale      Outcome = "stale"      // completed, and viewers still see the old release
	InProgress Outcome = "inProgress" // the waiting ended before
	Skipped    Outcome = "skipped"    // not begun, because another target failed
)

// Result is what came of one target.
type Result struct {
	Target  string
	Outcome Outcome
	Verdict purge.Verdict // as far as there is one
	Err     error         // why it is not Done
	Try     string        // the next step; "" when there is none to name
	Record  string        // where the evidence lies; "" when there is none
	Took    time.Duration
}

// judge says what a verdict means for who asked. trouble is why the last call failed, silent why the target was
// given up; each may be nil.
func (r *running) judge(g goal, interrupted bool, name string, v purge.Verdict, trouble, silent error) Result {
	result := Result{Target: name, Verdict: v}
	switch v.Outcome {
	case purge.Viewed:
		result.Outcome = Done
	case purge.Failed:
		result.Outcome, result.Err, result.Try = Failed, v.Failure.Err, v.Failure.Try
		if by := (*stopError)(nil); errors.As(v.Failure.Err, &by) {
			return skipped(name, by.target)
		}
		if v.Failure.Stage == purge.Completed && seenStale(v) {
			result.Outcome = Stale
		}
	default:
		r.unfinished(&result, g, interrupted, trouble, silent)
	}
	return result
}

// seenStale reports whether viewers were seen to get something else than the release.
func seenStale(v purge.Verdict) bool {
	return len(v.Report.Stale()) > 0 && !v.Report.Unanswered()
}

// unfinished judges a purge that nobody waits for any more.
func (r *running) unfinished(result *Result, g goal, interrupted bool, trouble, silent error) {
	p := result.Verdict.Progress
	switch {
	case g.enough(p):
		result.Outcome = Done
	case p.Stage == purge.Completed && seenStale(result.Verdict):
		result.Outcome, result.Err = Stale, fmt.Errorf("verify distribution %s: viewers did not see the release when the wait ended: %s", p.Distribution, result.Verdict.Report)
	case p.Stage == purge.Completed && p.Spared():
		result.Outcome, result.Err = InProgress, fmt.Errorf("verify distribution %s: nothing had to be purged, but viewers were not seen to get the release yet", p.Distribution)
	case p.Stage == purge.Completed:
		result.Outcome, result.Err = InProgress, fmt.Errorf("verify distribution %s: invalidation %s is completed, but viewers were not seen to get the release yet", p.Distribution, p.ID)
	case p.Stage == purge.Created:
		result.Outcome, result.Err = InProgress, fmt.Errorf("wait for invalidation %s on distribution %s: it goes on at AWS and completes by itself", p.ID, p.Distribution)
	case interrupted:
		result.Outcome, result.Err = InProgress, fmt.Errorf("purge %s: interrupted before CloudFront accepted an invalidation", result.Target)
	case silent != nil:
		result.Outcome, result.Err, result.Try = Failed, silent, adviceOf(silent)
	default:
		result.Outcome, result.Err, result.Try = Failed, fmt.Errorf("purge %s: CloudFront accepted no invalidation within %s", result.Target, r.Begin), adviceOf(trouble)
		if trouble != nil {
			result.Err = fmt.Errorf("%w: %w", result.Err, trouble)
		}
	}
}

func failed(name string, err error, try string) Result {
	v := purge.Verdict{Target: name, Outcome: purge.Failed, Failure: &purge.Failure{Err: err, Try: try}}
	return Result{Target: name, Outcome: Failed, Verdict: v, Err: err, Try: try}
}

func interrupted(name string) Result {
	v := purge.Verdict{Target: name, Outcome: purge.Unfinished}
	return Result{Target: name, Outcome: InProgress, Verdict: v, Err: fmt.Errorf("purge %s: interrupted before it was begun", name)}
}

// stopError says that a target was not gone on with.
type stopError struct{ target string }

func (e *stopError) Error() string { return "target " + e.target + " failed before" }

func skipped(name, by string) Result {
	v := purge.Verdict{Target: name, Outcome: purge.Unfinished}
	return Result{Target: name, Outcome: Skipped, Verdict: v, Err: fmt.Errorf("purge %s: not begun: %w", name, &stopError{by})}
}

// adviceOf is the next step that an error names itself.
func adviceOf(err error) string {
	var advised interface{ Advice() string }
	if errors.As(err, &advised) {
		return advised.Advice()
	}
	return gatewayAdvice(err)
}
