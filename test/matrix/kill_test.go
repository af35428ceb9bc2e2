package matrix

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/faults"
)

// TestKill lets each function die at each of its calls, before it, before the reply and after it, on
// every route. The calls are those of a good run, so that none can be forgotten. Whatever AWS does
// then, to run the function again or to tell the one that called it, the release gets one
// invalidation, its job one final answer, and that answer is true. On the route without a function
// the state machine's calls fare as badly as calls can.
func TestKill(t *testing.T) {
	t.Parallel()
	var lanes sync.WaitGroup
	for _, on := range routes {
		lanes.Go(func() { t.Run(on.name, func(t *testing.T) { killAll(t, on) }) })
	}
	lanes.Wait()
}

// TestKillAnnouncing lets the job function die at each call that it makes before the deploy. The release is
// announced once, deployed and purged, and the history has no trace of the death.
func TestKillAnnouncing(t *testing.T) {
	t.Parallel()
	for _, on := range routes {
		if on.function == "" {
			continue
		}
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			on.fallback, on.announces = "0", true
			w := newWorld(t, on, nil)
			cold(on.function)(w)
			good := w.play(row{})
			calls := slices.DeleteFunc(w.announcing, func(c faults.Call) bool { return c.Service == faults.Start })
			// Artifact, distribution, index and plan; manifest and index; and the answer.
			if good.status != codepipeline.Succeeded || len(calls) < 7 || slices.ContainsFunc(calls, func(c faults.Call) bool { return c.Operation == "CreateInvalidation" }) {
				t.Fatalf("the run to take calls from: %s: %v", good, calls)
			}
			for _, call := range calls {
				for _, m := range on.moments {
					name := fmt.Sprintf("%s, %s", call, m.name)
					t.Run(name, func(t *testing.T) { w.as(t).kill(name, call, m.do()) })
				}
			}
			t.Logf("%d rows: %v", len(calls)*len(on.moments), calls)
		})
	}
}

// killAll plays the rows of a route. No call is made while a release waits for the fallback page to expire,
// so here there is no such wait.
func killAll(t *testing.T, on route) {
	on.fallback = "0"
	w := newWorld(t, on, nil)
	cold(on.function)(w) // what is called once in the life of a process is called in this run
	good := w.play(row{})
	calls := slices.DeleteFunc(good.calls, func(c faults.Call) bool { return c.Service == faults.Start })
	if good.status != codepipeline.Succeeded || len(calls) < on.calls {
		t.Fatalf("the run to take calls from: %s: %v", good, calls)
	}
	// Manifest, index, plan, index and evidence; artifact, index twice, manifest and plan; and the origin besides.
	if writes, reads, looks := good.count(job, putObject), good.count(job, getObject), good.count(on.across, getObject); on.function != "" &&
		(writes < 5 || reads < 5 || looks < 1 || on.across == job && reads < 6) {
		t.Fatalf("%d writes, %d reads and %d looks at the origin in the run to take calls from: %v", writes, reads, looks, calls)
	}
	for _, call := range calls {
		for _, m := range on.moments {
			name := fmt.Sprintf("%s, %s", call, m.name)
			t.Run(name, func(t *testing.T) { w.as(t).kill(name, call, m.do()) })
		}
	}
	t.Logf("%d rows: %v", len(calls)*len(on.moments), calls)
}

// as is the world reporting to a row's test.
func (w *world) as(t *testing.T) *world {
	w.t = t
	return w
}

// kill plays a release in which a function dies with a call, and judges what came of it.
func (w *world) kill(name string, c faults.Call, do faults.Action) {
	w.t.Helper()
	rule := faults.Rule{Function: c.Function, Service: c.Service, Operation: c.Operation, From: c.N, To: c.N, Do: do}
	var got result
	// On a busy machine the function may look less often than in the good run; then slower
	// completion gives it the time.
	for slower := 1; slower <= 8 && len(got.struck) == 0; slower *= 2 {
		if c.Service == "sts" {
			cold(c.Function)(w) // a process keeps its session
		}
		var delays []time.Duration
		for _, d := range w.route.completion {
			delays = append(delays, time.Duration(slower)*d)
		}
		got = w.play(row{rules: []faults.Rule{rule}, delays: delays})
	}
	w.t.Logf("%-78s %s, %d invalidation, %d final answer; %d job and %d invalidator runs, %d calls, %v",
		name, got.status, len(got.created), got.terminal(), got.invocations(job), got.invocations(invalidator), len(got.calls), got.took.Round(time.Millisecond))
	if len(got.struck) != 1 {
		w.t.Errorf("struck %v; the row proves nothing", got.struck)
	}
	w.sound(got, 1)
	w.remembered(got)
	if got.status != codepipeline.Succeeded {
		w.t.Errorf("one death is no reason to fail: %s", got)
	}
}

// sound demands what holds whatever happens: so many invalidations, one accepted answer a job, one
// of them final, and the truth.
func (w *world) sound(got result, invalidations int) {
	w.t.Helper()
	if len(got.created) != invalidations {
		w.t.Errorf("%d invalidations instead of %d: %+v", len(got.created), invalidations, got.created)
	}
	byJob := map[string]int{}
	for _, a := range got.answers {
		if a.Accepted {
			byJob[a.Job]++
		}
	}
	for id, n := range byJob {
		if n != 1 {
			w.t.Errorf("job %s was answered %d times", id, n)
		}
	}
	answers := 1
	switch {
	case w.route.function == "":
		answers = 0 // there is no job
	case w.route.announces:
		answers = 2
	}
	if got.terminal() != answers {
		w.t.Errorf("%d final answers instead of %d: %+v", got.terminal(), answers, got.answers)
	}
	if lie := got.lie(); lie != "" {
		w.t.Errorf("the pipeline lied: %s", lie)
	}
}

// invocations counts the runs of a function.
func (r result) invocations(function string) int {
	n := 0
	for arn, runs := range r.runs {
		if strings.Contains(arn, ":function:"+function) {
			n += runs
		}
	}
	return n
}

// twiceAtOnce delivers the first event of a release two times.
func twiceAtOnce(nth int) []time.Duration {
	if nth == 1 {
		return []time.Duration{0, 0}
	}
	return []time.Duration{0}
}

// TestDelivery delivers events as AWS says it may: more than once, and out of order.
func TestDelivery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, relay, nil)
	t.Run("an event twice at once: one invalidation, one answer counts", func(t *testing.T) {
		got := w.as(t).play(row{deliveries: twiceAtOnce})
		t.Log(got)
		w.sound(got, 1)
		w.remembered(got)
		if got.status != codepipeline.Succeeded || got.invocations(job) != 2 || len(got.answers) != 2 {
			t.Errorf("%s", got)
		}
	})
	t.Run("the first event again while the continuation is at work: nothing is done twice", func(t *testing.T) {
		got := w.as(t).play(row{
			// The second job comes 30 s after the first handed over at 0.15 s; the duplicate in the midst of it.
			deliveries: func(nth int) []time.Duration {
				if nth == 1 {
					return []time.Duration{0, 30*time.Second + 250*time.Millisecond}
				}
				return []time.Duration{0}
			},
			delays: []time.Duration{time.Second, 30*time.Second + 300*time.Millisecond},
		})
		t.Log(got)
		w.sound(got, 1)
		w.remembered(got)
		if got.status != codepipeline.Succeeded || got.accepted(codepipeline.AnswerContinuation) < 1 || len(got.answers) < 3 {
			t.Errorf("%s", got)
		}
	})
	t.Run("a stage that is retried is a new attempt: it purges again under another reference", func(t *testing.T) {
		everywhere := map[string]bool{"FRA56-P1": true, "IAD89-C2": true, "NRT57-P3": true}
		first := w.as(t).play(row{stale: everywhere})
		t.Log(first)
		w.sound(first, 1)
		if first.status != codepipeline.Failed {
			t.Fatalf("%s", first)
		}
		second := w.retry(first.execution.ID, row{})
		t.Log(second)
		if second.status != codepipeline.Succeeded || len(second.created) != 1 || second.terminal() != 2 || second.lie() != "" {
			t.Fatalf("%s; %s", second, second.lie())
		}
		if second.created[0].Reference == first.created[0].Reference || second.created[0].ID == first.created[0].ID {
			t.Errorf("the same invalidation again: %+v", second.created[0])
		}
	})
}
