package ablation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/events"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/test/stage"
)

// The functions, as their sessions are named.
const (
	job         = "unstale-job"
	invalidator = "unstale-invalidator"
)

// world is both accounts with the templates deployed, and what a scenario needs to meddle.
type world struct {
	*story.Stage
	route    string
	reuse    cloudfront.Reuse
	journal  *journal.Journal
	script   *faults.Script
	releases int

	mu      sync.Mutex
	made    int                     // invalidations
	abandon context.CancelCauseFunc // ends the wait for a pipeline that will never start
}

// enter deploys a route, each template as change leaves it. The world comes back also with an error: its
// journal tells why.
func enter(t *testing.T, route string, reuse cloudfront.Reuse, change func(name string, text []byte) []byte) (*world, error) {
	t.Helper()
	w := &world{route: route, reuse: reuse, script: &faults.Script{}}
	var err error
	w.Stage, err = story.Set(t.Context(), story.Options{
		Route: route, Source: static.Files, Lambdas: stage.Lambdas(t), Median: 40 * time.Millisecond, Template: change,
		Parameters: withoutWaits(t, route),
		World:      func(o *rehearsal.Options) { o.Faults, o.Invalidation.Reuse = w.script, reuse },
		Observe: func(r *rehearsal.World) {
			w.journal = r.Journal()
			w.journal.OnEvent(w.event)
		},
	})
	if w.Stage != nil {
		t.Cleanup(func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return w, err
}

// withoutWaits has no edge cache the fallback page, so that no release waits for it to expire.
func withoutWaits(t *testing.T, route string) map[string]map[string]string {
	given := map[string]map[string]string{}
	for _, name := range templatesOf(t, route) {
		if _, found := decode(t, get(t, name))["Parameters"].(object)["ErrorCachingSeconds"]; found {
			given[name] = map[string]string{"ErrorCachingSeconds": "0"}
		}
	}
	return given
}

// event counts invalidations, and notices that a push started nothing: on AWS only the rule's
// metrics tell.
func (w *world) event(e journal.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch data := e.Data.(type) {
	case cloudfront.InvalidationCreated:
		w.made++
	case events.Delivery:
		if data.Error != "" && w.abandon != nil {
			w.abandon(errors.New(data.Error))
		}
	}
}

func (w *world) created() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.made
}

// failed is where a scenario failed, in a reader's words, and what was said there.
type failed struct {
	where, says string
	took        time.Duration // rehearsal time from the push to the end
}

func (f *failed) Error() string { return f.where + ": " + f.says }

// release pushes the next release and waits for its pipeline.
func (w *world) release(t *testing.T) (codepipeline.Execution, *failed) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)
	w.mu.Lock()
	w.abandon = abandon
	w.mu.Unlock()
	w.releases++
	began := w.World.Clock().Now()
	e, err := w.Release(ctx, strconv.Itoa(w.releases), nil)
	took := w.World.Clock().Now().Sub(began)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return e, &failed{"start", err.Error(), took}
	}
	for _, st := range e.Stages {
		for _, a := range st.Actions {
			if a.Status == codepipeline.Failed {
				return e, &failed{st.Name + "/" + a.Name, a.ErrorCode + ": " + a.Message, took}
			}
		}
	}
	return e, nil
}

// scenario is something that happens to releases, and how it should go.
type scenario struct {
	name string
	play func(*world, *testing.T) *failed
}

// scenariosOf a route. Route states has no job function that could die: CodePipeline watches a machine,
// which keeps its state, and can only lose an answer.
func scenariosOf(route string) []scenario {
	if route == "states" {
		return slices.Concat(scenarios[:3], []scenario{{"lost", (*world).lost}})
	}
	return scenarios
}

// scenarios in the order in which they are played, on one world.
var scenarios = []scenario{
	{"green", (*world).green},     // a release reaches every viewer
	{"logs", (*world).logs},       // whoever runs for the release has its log
	{"failure", (*world).failure}, // CloudFront refuses; the job says so
	{"replay", (*world).replay},   // the job function dies after CloudFront accepted
}

func (w *world) green(t *testing.T) *failed {
	if _, f := w.release(t); f != nil {
		return f
	}
	return w.seen(t)
}

// seen looks whether every point of presence serves the current release.
func (w *world) seen(t *testing.T) *failed {
	views, err := w.Look(t.Context(), "/")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range views {
		if v.Release != strconv.Itoa(w.releases) {
			return &failed{where: "viewers", says: fmt.Sprintf("%s serves release %q: %d %s", v.POP, v.Release, v.Status, v.XCache)}
		}
	}
	return nil
}

func (w *world) failure(t *testing.T) *failed {
	w.script.Clear()
	w.script.Add(faults.Rule{
		Service: cloudfront.SigningName, Operation: "CreateInvalidation", Do: faults.Fail(400, "InvalidArgument", "The argument is not valid."),
	})
	_, f := w.release(t)
	w.script.Clear()
	switch {
	case f == nil:
		return &failed{where: "Deliver/Purge", says: "it succeeded although CloudFront refused"}
	case strings.Contains(f.says, "InvalidArgument"), strings.Contains(f.says, "BatchRefused"):
		return nil // what the job was to say
	}
	return f
}

func (w *world) replay(t *testing.T) *failed {
	w.script.Clear()
	before := w.created()
	w.script.Add(faults.Rule{
		Service: cloudfront.SigningName, Operation: "CreateInvalidation", To: 1,
		Do: func(s *faults.Script, _ faults.Call, x front.Exchange) {
			x.Next.ServeHTTP(x.Writer, x.Request)
			s.Kill(job)
		},
	})
	_, f := w.release(t)
	struck := w.script.Struck()
	w.script.Clear()
	switch made := w.created() - before; {
	case f != nil:
		return f
	case len(struck) != 1:
		t.Fatalf("the function was killed at %v, not once", struck)
	case made != 1:
		return &failed{where: "Deliver/Purge", says: fmt.Sprintf("%d invalidations were made", made)}
	}
	return w.seen(t)
}

// lost plays a machine whose task loses CloudFront's answer and tries again. It may not list, so where
// CloudFront refuses the reference it knows, the machine purges once more.
func (w *world) lost(t *testing.T) *failed {
	w.script.Clear()
	before := w.created()
	w.script.Add(faults.Rule{Service: cloudfront.SigningName, Operation: "CreateInvalidation", To: 1, Do: faults.Lose()})
	_, f := w.release(t)
	struck := w.script.Struck()
	w.script.Clear()
	want := 2
	if w.reuse == cloudfront.ReuseDocumented {
		want = 1
	}
	switch made := w.created() - before; {
	case f != nil:
		return f
	case len(struck) != 1:
		t.Fatalf("the answer was lost at %v, not once", struck)
	case made != want:
		return &failed{where: "Deliver/Purge", says: fmt.Sprintf("%d invalidations were made, not %d", made, want)}
	}
	return w.seen(t)
}

// writer is a role that writes a log.
type writer struct{ account, role, group string }

// writersOf are a route's build and functions.
func writersOf(route string) []writer {
	pipeline, delivery := story.AccountsOf(route)
	all := []writer{{pipeline, "unstale-build", "/aws/codebuild/unstale"}}
	switch route {
	case "states":
		return all
	case "direct":
		pipeline = delivery // that is where the job function runs
	}
	all = append(all, writer{pipeline, job, "/aws/lambda/" + job})
	if route == "relay" {
		all = append(all, writer{delivery, invalidator, "/aws/lambda/" + invalidator})
	}
	return all
}

// logs looks whether the build and the functions have written their logs. A log that may not be
// written is lost in silence, as on AWS; only the journal knows.
func (w *world) logs(t *testing.T) *failed {
	for _, writer := range writersOf(w.route) {
		lost := ""
		w.until(t, "the log of "+writer.role, func() bool {
			lost = w.refusedLog(writer.role)
			return lost != "" || len(readLog(t, w, writer.account, writer.group)) > 0
		})
		if lost != "" {
			return &failed{where: "log of " + writer.role, says: lost}
		}
	}
	return nil
}

// refusedLog is why a role may not write its log; empty: nothing was refused.
func (w *world) refusedLog(role string) string {
	for _, c := range w.journal.Calls() {
		if strings.Contains(c.Principal, "/"+role+"/") && strings.HasPrefix(c.Action, "logs:") && c.Decision == "deny" {
			return c.Reason
		}
	}
	return ""
}

// until waits for something that functions do after their pipeline has ended.
func (w *world) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, ctx.Err())
		}
	}
}
