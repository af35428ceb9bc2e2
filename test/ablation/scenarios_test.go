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

	pipelines "github.com/aws/aws-sdk-go-v2/service/codepipeline"

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
	bare     bool // its pipeline is started by the API, and gets a site that is built already

	mu      sync.Mutex
	made    int                     // invalidations
	abandon context.CancelCauseFunc // ends the wait for a pipeline that will never start
	ended   chan string             // a bare world's executions, by ID
}

// enter deploys a route, each template as change leaves it. The world comes back also with an error: its
// journal tells why.
func enter(t *testing.T, route string, reuse cloudfront.Reuse, change func(name string, text []byte) []byte) (*world, error) {
	t.Helper()
	return (&world{route: route, reuse: reuse}).enter(t, change)
}

// enterBare is enter for what is about neither git nor the build, which take most of a release's time:
// another test takes the same route through them.
func enterBare(t *testing.T, route string, reuse cloudfront.Reuse, change func(name string, text []byte) []byte) (*world, error) {
	t.Helper()
	return (&world{route: route, reuse: reuse, bare: true}).enter(t, change)
}

func (w *world) enter(t *testing.T, change func(name string, text []byte) []byte) (*world, error) {
	t.Helper()
	w.script, w.ended = &faults.Script{}, make(chan string, 1)
	var err error
	w.Stage, err = story.Set(t.Context(), story.Options{
		Route: w.route, Source: static.Files, Lambdas: stage.Lambdas(t), Packages: stage.Packages(t), Median: 40 * time.Millisecond, Template: change,
		Parameters: withoutWaits(t, w.route),
		World: func(o *rehearsal.Options) {
			o.Faults, o.Invalidation.Reuse = w.script, w.reuse
			if w.bare {
				o.Pipelines.Runners = map[string]codepipeline.Runner{"Source/CodeCommit": stage.Source{}, "Build/CodeBuild": stage.Build{Do: w.build}}
			}
		},
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
	case codepipeline.ExecutionStateChange:
		if w.bare && data.Status != codepipeline.InProgress {
			select {
			case w.ended <- data.Execution:
			default: // nobody waits for another
			}
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
	start := w.push
	if w.bare {
		start = w.startBare
	}
	e, err := start(ctx)
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

func (w *world) push(ctx context.Context) (codepipeline.Execution, error) {
	return w.Release(ctx, strconv.Itoa(w.releases), nil)
}

// startBare starts the pipeline of a bare world and waits for its end.
func (w *world) startBare(ctx context.Context) (codepipeline.Execution, error) {
	pipeline := w.Outputs["PipelineName"]
	_, err := pipelines.NewFromConfig(w.Config(story.PipelineAccount)).StartPipelineExecution(ctx, &pipelines.StartPipelineExecutionInput{Name: &pipeline})
	if err != nil {
		return codepipeline.Execution{}, err
	}
	select {
	case <-ctx.Done():
		return codepipeline.Execution{}, ctx.Err()
	case id := <-w.ended:
		all := w.World.Executions(story.PipelineAccount, pipeline)
		i := slices.IndexFunc(all, func(e codepipeline.Execution) bool { return e.ID == id })
		return all[i], nil
	}
}

// build is what stands for the build of a bare world.
func (w *world) build(ctx context.Context, run *codepipeline.Run) (codepipeline.Outcome, error) {
	page := fmt.Sprintf(`<!doctype html><main id="root" data-release="%d">Release %[1]d</main>`, w.releases)
	return codepipeline.Outcome{}, stage.KeepSite(ctx, w.Config(story.PipelineAccount), run, map[string]string{"index.html": page})
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
		if w.bare && writer.role == "unstale-build" {
			continue
		}
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
