package lateness

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"maps"
	"math"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// make bench asks for more draws, and for the results.
var (
	draws   = flag.Int("draws", 1000, "completion times a watcher and median")
	results = flag.String("results", "", "file to write the results to, as JSON")
)

const (
	seed = 20261122
	// scheduling is how long CodePipeline takes to come back with a continuation token. It is not
	// documented; half a minute is what people see.
	scheduling = 30 * time.Second
	// functionTime is what the job function has for its work: its timeout as deployed, less what is
	// kept for answering.
	functionTime = 87 * time.Second
	reference    = "unstale-1-abc"
)

// cloud is one invalidation that completes at its time.
type cloud struct {
	created  time.Time
	takes    time.Duration
	looks    int
	noticed  time.Time
	finished bool
}

func newCloud(takes time.Duration) *cloud { return &cloud{created: time.Now(), takes: takes} }

// look counts a look, and reports whether the invalidation is completed.
func (c *cloud) look() bool {
	if c.finished {
		return true // whoever knows and looks again is not waiting any more
	}
	c.looks++
	if time.Since(c.created) >= c.takes {
		c.finished, c.noticed = true, time.Now()
	}
	return c.finished
}

func (c *cloud) notice() Notice { return Notice{c.noticed.Sub(c.created) - c.takes, c.looks} }

func (c *cloud) status() invalidation.Status {
	if c.look() {
		return invalidation.Completed
	}
	return invalidation.InProgress
}

// ours is purge.Gateway over the cloud.
type ours struct{ *cloud }

func (o ours) Distribution(context.Context) (plan.Distribution, error) {
	return plan.Distribution{ID: "E2EXAMPLE", Account: "222222222222", Domain: "d1.cloudfront.net", Enabled: true}, nil
}

func (o ours) Create(_ context.Context, b invalidation.Batch) (invalidation.Invalidation, error) {
	return invalidation.Invalidation{
		ID: "I1", Distribution: b.Distribution, Reference: b.Reference, Items: []string{"/*"},
		Status: invalidation.InProgress, Created: o.created,
	}, nil
}

func (o ours) Get(context.Context, string) (invalidation.Invalidation, error) {
	return invalidation.Invalidation{
		ID: "I1", Distribution: "E2EXAMPLE", Reference: reference, Items: []string{"/*"}, Status: o.status(), Created: o.created,
	}, nil
}

func (o ours) InProgress(context.Context) ([]invalidation.Invalidation, error) { return nil, nil }

// Objects is never asked: nothing is known of the release.
func (o ours) Objects(context.Context, plan.Origin, []string) ([]gateway.Stored, error) {
	return nil, nil
}

// Check is purge.Viewer: every viewer sees the release.
func (ours) Check(context.Context, viewer.Request) viewer.Report {
	return viewer.Report{Domain: "d1.cloudfront.net", Pages: []viewer.Page{{URL: "https://d1.cloudfront.net/", Fresh: true}}}
}

// watchers wait for one invalidation, each in its way.
func watchers(median time.Duration) map[string]func(*testing.T, *cloud) {
	return map[string]func(*testing.T, *cloud){
		// The whole purge, over as many jobs as it takes.
		Ours: func(t *testing.T, c *cloud) {
			p := purge.Purge{
				Gateway: ours{c}, Viewer: ours{c}, Schedule: purge.Schedule{Median: median}, Log: slog.New(slog.DiscardHandler),
			}
			order := purge.Order{
				Target: "default", Attempt: "11111111-1111-4111-8111-111111111111", Until: c.created.Add(24 * time.Hour),
				Plan: func(_ context.Context, d plan.Distribution, _ invalidation.Limits) (plan.Plan, error) {
					return plan.Everything(d, "bench"), nil
				},
				Expect: func(context.Context, plan.Distribution) ([]viewer.Expectation, error) { return nil, nil },
			}
			var progress purge.Progress
			for {
				ctx, cancel := context.WithTimeout(t.Context(), functionTime)
				v := p.Run(ctx, order, progress)
				cancel()
				switch v.Outcome {
				case purge.Viewed:
					return
				case purge.Unfinished:
					progress = v.Progress
					time.Sleep(scheduling)
				default:
					t.Fatalf("%v", v.Failure)
				}
			}
		},
		// aws cloudfront wait invalidation-completed: at once, then every 20 s, 30 times (botocore's
		// waiters-2.json). It gives up after ten minutes; here it is let go on, in its favour.
		"AWS CLI waiter": func(_ *testing.T, c *cloud) {
			for !c.look() {
				time.Sleep(20 * time.Second)
			}
		},
		"Go SDK waiter": func(t *testing.T, c *cloud) {
			id, distribution := "I1", "E2EXAMPLE"
			in := &cloudfront.GetInvalidationInput{DistributionId: &distribution, Id: &id}
			if err := cloudfront.NewInvalidationCompletedWaiter(sdk{c}).Wait(t.Context(), in, 24*time.Hour); err != nil {
				t.Fatal(err)
			}
		},
		// A function that looks once and leaves the waiting to CodePipeline.
		"continuation token alone": func(_ *testing.T, c *cloud) {
			for !c.look() {
				time.Sleep(scheduling)
			}
		},
	}
}

// sdk is what the Go SDK's waiter asks.
type sdk struct{ *cloud }

func (s sdk) GetInvalidation(context.Context, *cloudfront.GetInvalidationInput, ...func(*cloudfront.Options)) (*cloudfront.GetInvalidationOutput, error) {
	status := string(s.status())
	return &cloudfront.GetInvalidationOutput{Invalidation: &types.Invalidation{Status: &status}}, nil
}

// TestNoticing holds that ours looks at most five times, and at the usual median is late less than a
// half of what any of the others is. How it stands to the target is make bench's to say.
func TestNoticing(t *testing.T) {
	var all []Result
	for _, median := range []time.Duration{purge.DefaultMedian, 2 * time.Minute} {
		times := Draw(*draws, median, seed)
		kinds := watchers(median)
		for _, name := range slices.Sorted(maps.Keys(kinds)) {
			watch := kinds[name]
			notices := make([]Notice, len(times))
			synctest.Test(t, func(t *testing.T) {
				for i, takes := range times {
					c := newCloud(takes)
					watch(t, c)
					notices[i] = c.notice()
				}
			})
			r := Summarise(name, median, notices)
			t.Logf("median %v: %s %v late (95%%: %v) after %.1f looks", median, name, r.Late, r.P95, r.Looks)
			all = append(all, r)
		}
	}
	for _, r := range all {
		switch ours := all[slices.IndexFunc(all, func(o Result) bool { return o.Watcher == Ours && o.Median == r.Median })]; {
		case r.Watcher == Ours && r.Looks > 5:
			t.Errorf("median %v: %.2f looks", r.Median, r.Looks)
		case r.Watcher != Ours && r.Median == purge.DefaultMedian && 2*ours.Late > r.Late:
			t.Errorf("median %v: %v late, %s %v", r.Median, ours.Late, r.Watcher, r.Late)
		}
	}
	if *results != "" {
		text, err := json.Marshal(all)
		if err := errors.Join(err, os.WriteFile(*results, text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDrawIsLognormal(t *testing.T) {
	times := Draw(20001, 10*time.Second, seed)
	if !slices.Equal(times[:10], Draw(10, 10*time.Second, seed)) || slices.Equal(times[:10], Draw(10, 10*time.Second, 1)) {
		t.Error("the seed does not decide the draws")
	}
	slices.Sort(times)
	if middle := times[len(times)/2].Seconds(); math.Abs(middle-10) > 0.3 {
		t.Errorf("median %v s", middle)
	}
	// One standard deviation above: 84.1%.
	if above := times[len(times)*841/1000].Seconds(); math.Abs(above-10*math.Exp(Sigma)) > 0.5 {
		t.Errorf("84.1%% are under %v s", above)
	}
}

func TestSummarise(t *testing.T) {
	notices := make([]Notice, 100)
	for i := range notices {
		notices[i] = Notice{time.Duration(i) * time.Second, 1 + i%2}
	}
	got := Summarise("w", time.Minute, notices)
	want := Result{"w", time.Minute, 100, 49500 * time.Millisecond, 95 * time.Second, 1.5}
	if got != want {
		t.Errorf("%+v", got)
	}
}
