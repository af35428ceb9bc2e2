package ablation

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	journal  *journal.Journal
	script   *faults.Script
	releases int

	mu      sync.Mutex
	abandon context.CancelCauseFunc // ends the wait for a pipeline that will never start
}

// enter deploys the templates, each as change leaves it. The world comes back also with an error: its
// journal tells why.
func enter(t *testing.T, reuse cloudfront.Reuse, change func(name string, text []byte) []byte) (*world, error) {
	t.Helper()
	w := &world{script: &faults.Script{}}
	var err error
	w.Stage, err = story.Set(t.Context(), story.Options{
		Route: "relay", Source: static.Files, Lambdas: stage.Lambdas(t), Median: 40 * time.Millisecond, Template: change,
		World: func(o *rehearsal.Options) { o.Faults, o.Invalidation.Reuse = w.script, reuse },
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

// event notices that a push started nothing. On AWS too only the rule's metrics tell.
func (w *world) event(e journal.Event) {
	d, ok := e.Data.(events.Delivery)
	if !ok || d.Error == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.abandon != nil {
		w.abandon(errors.New(d.Error))
	}
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

// scenarios in the order in which they are played, on one world.
var scenarios = []scenario{
	{"green", (*world).green},       // a release reaches every viewer
	{"fallback", (*world).fallback}, // a deep link is answered from the cache
	{"logs", (*world).logs},         // whoever runs for the release has its log
	{"failure", (*world).failure},   // CloudFront refuses; the job says so
	{"replay", (*world).replay},     // the job function dies after CloudFront accepted
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

func (w *world) fallback(t *testing.T) *failed {
	for second := range 2 {
		views, err := w.Look(t.Context(), "/about/us")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range views {
			if v.Status != 200 || second == 1 && !strings.HasPrefix(v.XCache, "Hit ") {
				return &failed{where: "viewers", says: fmt.Sprintf("%s answers %s with %d %s", v.POP, v.URL, v.Status, v.XCache)}
			}
		}
	}
	return nil
}

func (w *world) failure(t *testing.T) *failed {
	w.script.Clear()
	w.script.Add(faults.Rule{
		Function: invalidator, Operation: "CreateInvalidation", Do: faults.Fail(400, "InvalidArgument", "The argument is not valid."),
	})
	_, f := w.release(t)
	w.script.Clear()
	switch {
	case f == nil:
		return &failed{where: "Deliver/Purge", says: "it succeeded although CloudFront refused"}
	case strings.Contains(f.says, "InvalidArgument"):
		return nil // what the job was to say
	}
	return f
}

func (w *world) replay(t *testing.T) *failed {
	w.script.Clear()
	var made int
	w.script.Add(faults.Rule{Function: invalidator, Operation: "CreateInvalidation", To: 1, Do: func(s *faults.Script, _ faults.Call, x front.Exchange) {
		x.Next.ServeHTTP(x.Writer, x.Request)
		made++
		s.Kill(job)
	}})
	_, f := w.release(t)
	struck := w.script.Struck()
	w.script.Clear()
	switch {
	case f != nil:
		return f
	case len(struck) != 1 || made != 1:
		t.Fatalf("the replay's rule struck %v", struck)
	}
	return w.seen(t)
}

// logs waits until the release's functions and its build have written their logs, or may not.
func (w *world) logs(t *testing.T) *failed {
	for _, writer := range []struct{ account, role, group string }{
		{story.PipelineAccount, "unstale-build", "/aws/codebuild/unstale"},
		{story.PipelineAccount, "unstale-job", "/aws/lambda/" + job},
		{story.DeliveryAccount, "unstale-invalidator", "/aws/lambda/" + invalidator},
	} {
		if denied := w.decided(t, writer.role); denied != "" {
			return &failed{where: "log of " + writer.role, says: denied}
		}
		if lines := readLog(t, w, writer.account, writer.group); len(lines) == 0 {
			return &failed{where: "log of " + writer.role, says: "it is empty"}
		}
	}
	return nil
}

// decided waits until it was decided whether a role may write its log, and returns why not.
func (w *world) decided(t *testing.T, role string) string {
	more := make(chan struct{}, 1)
	w.journal.OnCall(func(journal.Call) {
		select {
		case more <- struct{}{}:
		default:
		}
	})
	for {
		for _, c := range w.journal.Calls() {
			if strings.Contains(c.Principal, "/"+role+"/") && strings.HasPrefix(c.Action, "logs:") {
				if c.Decision == "deny" {
					return c.Reason
				}
				if c.Action == "logs:PutLogEvents" {
					return ""
				}
			}
		}
		select {
		case <-more:
		case <-t.Context().Done():
			t.Fatalf("no log call of %s: %v", role, t.Context().Err())
		case <-time.After(5 * time.Second):
			return "it was never asked for"
		}
	}
}

var _ = slices.Sort[[]string]
var _ io.Reader
