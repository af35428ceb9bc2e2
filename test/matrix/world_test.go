// Package matrix holds the kill matrix, the fault matrix and the soak: every route with real
// functions under every failure that the rehearsal can make, and what the pipeline says each time.
package matrix

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	pipelines "github.com/aws/aws-sdk-go-v2/service/codepipeline"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/lambda"
	"github.com/unstale/unstale/test/stage"
)

func TestMain(m *testing.M) { stage.Main(m, printTally) }

// The functions, as the templates name them.
const (
	job         = "unstale-job"
	invalidator = "unstale-invalidator"
)

// median is how long an invalidation usually takes here. Functions live in wall time.
const median = 60 * time.Millisecond

// patience ends a row that hangs. No row is meant to come near it.
const patience = 30 * time.Second

// world is one rehearsal with the route deployed, on which release after release is played.
type world struct {
	t testing.TB
	*story.Stage
	route   route
	script  *faults.Script
	release int

	mu      sync.Mutex
	changed chan struct{} // closed and made anew with everything that happens
	row     row
	ended   map[string]string // status by execution
	events  int               // asynchronous events under way
	running int               // invocations under way
	pending int               // invalidations in progress
	created []cloudfront.Invalidation
	dropped []lambda.Invocation
	// announcing are the calls until the release was announced.
	announcing []faults.Call
	// runs counts invocations of each function.
	runs map[string]int
	// hold, when set, lets time skip again; see occupy.
	hold func()
}

// row is what a release meets. The zero value is an ordinary day.
type row struct {
	rules      []faults.Rule
	parameters string          // UserParameters besides targets and release, e.g. `"wait": "1s"`
	delays     []time.Duration // of the points of presence; nil: the route's
	stale      map[string]bool // points of presence that ignore purges
	// deliveries of the events to a function; nil: once, at once. nth counts the events of the row.
	deliveries func(nth int) []time.Duration
	refuse     func(lambda.Invocation) error // before an invocation
	ahead      time.Duration                 // AWS's clock before the functions'
	asked      int                           // events seen by deliveries
}

// newWorld stages a rehearsal of a route; adjust may change its options.
func newWorld(t testing.TB, on route, adjust func(*rehearsal.Options)) *world {
	t.Helper()
	w := &world{
		t: t, route: on, script: &faults.Script{Who: on.who}, changed: make(chan struct{}), ended: map[string]string{}, runs: map[string]int{},
	}
	var given map[string]map[string]string
	if on.fallback != "" {
		given = map[string]map[string]string{on.delivery(): {"ErrorCachingSeconds": on.fallback}}
	}
	set, err := story.Set(t.Context(), story.Options{
		Parameters: given,
		Route:      on.name, Source: static.Files, Lambdas: stage.Lambdas(t), Packages: stage.Packages(t), Median: median, Template: on.template,
		Observe: func(r *rehearsal.World) {
			r.Journal().OnEvent(w.event)
			r.Journal().OnCall(func(c journal.Call) {
				if c.Action == "cloudfront:ListInvalidations" {
					w.letGo()
				}
			})
		},
		World: func(o *rehearsal.Options) {
			o.Faults, o.Hooks = w.script, w
			o.Edge.StaleAfterCompletion = func(pop string) bool { return w.day().stale[pop] }
			o.Invalidation.Delays = func(n int) []time.Duration {
				d := w.day().delays
				if d == nil {
					d = on.completion
				}
				return cloudfront.Fixed(d...)(n)
			}
			o.Pipelines.Runners = map[string]codepipeline.Runner{"Source/CodeCommit": stage.Source{}, "Build/CodeBuild": stage.Build{Do: w.build}}
			if adjust != nil {
				adjust(o)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Stage = set
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Errorf("close the stage: %v", err)
		}
	})
	// A first release that nothing befalls, so that every point of presence has one to be stale with.
	if got := w.play(row{}); got.status != codepipeline.Succeeded || got.lie() != "" {
		t.Fatalf("the first release: %s", got)
	}
	return w
}

// letGo lets time skip again after occupy.
func (w *world) letGo() {
	w.mu.Lock()
	hold := w.hold
	w.hold = nil
	w.mu.Unlock()
	if hold != nil {
		hold()
	}
}

func (w *world) day() row {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.row
}

// BeforeInvoke and Deliveries make the world the rehearsal's lambda.Hooks.
func (w *world) BeforeInvoke(i lambda.Invocation) error {
	if refuse := w.day().refuse; refuse != nil {
		return refuse(i)
	}
	return nil
}

func (w *world) Deliveries(lambda.Invocation) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	when := []time.Duration{0}
	w.row.asked++
	if w.row.deliveries != nil {
		when = w.row.deliveries(w.row.asked)
	}
	w.events += len(when)
	return when
}

// event keeps count of what is under way.
func (w *world) event(e journal.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch data := e.Data.(type) {
	case codepipeline.ExecutionStateChange:
		w.ended[data.Execution] = data.Status
	case codepipeline.ActionStateChange:
		if data.Action.Name != "Announce" || data.Action.Status != codepipeline.Succeeded {
			return
		}
		w.announcing = w.script.Calls()
	case cloudfront.InvalidationCreated:
		w.pending++
		w.created = append(w.created, data.Invalidation)
	case cloudfront.InvalidationCompleted:
		w.pending--
	case lambda.Invocation:
		switch e.Name {
		case "InvocationStart":
			w.running++
			w.runs[data.FunctionARN]++
		case "InvocationEnd":
			w.running--
			if data.Type == lambda.Event && data.Error == "" {
				w.events--
			}
		case "EventDropped":
			w.events--
			w.dropped = append(w.dropped, data)
		}
	default:
		return
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// await returns once done, which is asked under the lock, says so.
func (w *world) await(ctx context.Context, done func() bool) error {
	for {
		w.mu.Lock()
		ok, changed := done(), w.changed
		w.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// play takes a release through the pipeline and waits until nothing that it began is under way.
func (w *world) play(r row) result {
	w.t.Helper()
	w.release++
	w.begin(r)
	out, err := w.pipelines().StartPipelineExecution(w.t.Context(), &pipelines.StartPipelineExecutionInput{Name: aws.String(w.Outputs["PipelineName"])})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.finish(*out.PipelineExecutionId)
}

// retry runs the failed stage of an execution again.
func (w *world) retry(execution string, r row) result {
	w.t.Helper()
	w.begin(r)
	w.mu.Lock()
	delete(w.ended, execution)
	w.mu.Unlock()
	_, err := w.pipelines().RetryStageExecution(w.t.Context(), &pipelines.RetryStageExecutionInput{
		PipelineName: aws.String(w.Outputs["PipelineName"]), PipelineExecutionId: &execution, StageName: aws.String("Deliver"),
		RetryMode: types.StageRetryModeFailedActions,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.finish(execution)
}

func (w *world) pipelines() *pipelines.Client {
	return pipelines.NewFromConfig(w.Config(story.PipelineAccount))
}

func (w *world) begin(r row) {
	w.script.Clear()
	w.mu.Lock()
	w.row, w.created, w.dropped, w.runs = r, nil, nil, map[string]int{}
	w.mu.Unlock()
	w.script.SetAhead(r.ahead)
	w.script.Add(r.rules...)
}

// finish waits and gathers what came of a release.
func (w *world) finish(execution string) result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	began := time.Now()
	err := w.await(ctx, func() bool {
		status := w.ended[execution]
		return status != "" && status != codepipeline.InProgress && w.events == 0 && w.running == 0 && w.pending == 0
	})
	got := result{release: fmt.Sprint(w.release), struck: w.script.Struck(), calls: w.script.Calls(), took: time.Since(began)}
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.t.Fatalf("release %d hangs: %q, %d events, %d invocations, %d invalidations under way; calls %v", w.release, w.ended[execution], w.events, w.running, w.pending, got.calls)
	}
	w.script.Clear()
	w.mu.Lock()
	w.row, got.created, got.dropped, got.runs = row{}, w.created, w.dropped, w.runs
	w.mu.Unlock()
	for _, e := range w.World.Executions(story.PipelineAccount, w.Outputs["PipelineName"]) {
		if e.ID == execution {
			got.execution, got.status = e, e.Status
		}
	}
	got.answers = w.World.Answers(execution)
	for _, path := range []string{"/", "/index.html", "/about"} {
		views, err := w.Look(w.t.Context(), path)
		if err != nil {
			w.t.Fatal(err)
		}
		got.views = append(got.views, views...)
	}
	return got
}

// build keeps a site of this release as the build's artifact, and hands the row's parameters on. What a
// release goes through before it is deployed the stories test.
func (w *world) build(ctx context.Context, run *codepipeline.Run) (codepipeline.Outcome, error) {
	parameters := w.day().parameters
	if parameters != "" {
		parameters = "," + parameters
	}
	return codepipeline.Outcome{Variables: map[string]string{"Parameters": parameters}}, stage.KeepSite(ctx, w.Config(story.PipelineAccount), run, map[string]string{
		"index.html": fmt.Sprintf(`<!doctype html><main id="root" data-release="%d">Release %[1]d</main>`, w.release), "robots.txt": "User-agent: *\n",
	})
}

// valid says whether a row's parameters are JSON, so that a slip here is not taken for a finding.
func valid(parameters string) bool {
	return parameters == "" || json.Valid([]byte("{"+parameters+"}"))
}
