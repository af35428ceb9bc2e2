package purge

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// cloud is a gateway that plays CloudFront in (fake) time, with failures from a script.
type cloud struct {
	takes   time.Duration      // from creation to completion
	fails   map[string][]error // by operation, used up one a call
	hangs   map[string]bool    // operations that answer only when the context ends
	others  []invalidation.Invalidation
	freed   time.Time                // when the others are gone
	arrives time.Time                // when the origin holds the release
	change  func(*plan.Distribution) // as it is configured; nil: as it is here

	calls   []string
	at      []time.Duration // when each was made
	began   time.Time
	created *invalidation.Invalidation
	paid    int
}

func (c *cloud) call(ctx context.Context, name string) error {
	if c.began.IsZero() {
		c.began = time.Now()
	}
	c.calls = append(c.calls, name)
	c.at = append(c.at, time.Since(c.began))
	if c.hangs[name] {
		<-ctx.Done()
		return &gateway.Error{Code: gateway.RequestTimeout, Message: "no answer", Err: ctx.Err()}
	}
	if script := c.fails[name]; len(script) > 0 {
		c.fails[name] = script[1:]
		return script[0]
	}
	return nil
}

func (c *cloud) Distribution(ctx context.Context) (plan.Distribution, error) {
	err := c.call(ctx, "distribution")
	d := plan.Distribution{ID: "E1", Account: "222222222222", Domain: "d1.cloudfront.net", DefaultRootObject: "index.html", Enabled: true}
	if c.change != nil {
		c.change(&d)
	}
	return d, err
}

func (c *cloud) Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error) {
	if err := c.call(ctx, "create"); err != nil {
		return invalidation.Invalidation{}, err
	}
	if c.created == nil || c.created.Reference != batch.Reference {
		c.paid++
		c.created = &invalidation.Invalidation{
			ID: "I1", Distribution: batch.Distribution, Reference: batch.Reference, Status: invalidation.InProgress, Created: time.Now(),
		}
		for _, item := range batch.Items {
			c.created.Items = append(c.created.Items, item.String())
		}
	}
	return c.state(), nil
}

func (c *cloud) state() invalidation.Invalidation {
	now := *c.created
	if time.Since(now.Created) >= c.takes {
		now.Status = invalidation.Completed
	}
	return now
}

func (c *cloud) Get(ctx context.Context, id string) (invalidation.Invalidation, error) {
	if err := c.call(ctx, "get"); err != nil {
		return invalidation.Invalidation{}, err
	}
	if c.created == nil || c.created.ID != id {
		return invalidation.Invalidation{}, &gateway.Error{Code: gateway.NoSuchInvalidation, Message: "no " + id, Status: 404}
	}
	return c.state(), nil
}

func (c *cloud) InProgress(ctx context.Context) ([]invalidation.Invalidation, error) {
	if err := c.call(ctx, "list"); err != nil {
		return nil, err
	}
	if time.Now().Before(c.freed) {
		return c.others, nil
	}
	return nil, nil
}

// Objects gives what the origin holds: what is asked for has the size that was put.
func (c *cloud) Objects(ctx context.Context, _ plan.Origin, keys []string) ([]gateway.Stored, error) {
	if err := c.call(ctx, "objects"); err != nil {
		return nil, err
	}
	all := make([]gateway.Stored, len(keys))
	for i, key := range keys {
		all[i] = gateway.Stored{Key: key, Found: key != "missing", Size: 1, Summed: true, CRC32: 7}
		if !time.Now().Before(c.arrives) {
			all[i].Size = 2
		}
	}
	return all, nil
}

// eyes is a viewer that sees what it is told.
type eyes struct {
	pages []viewer.Page
	asked []viewer.Request
	takes time.Duration
}

func (e *eyes) Check(ctx context.Context, r viewer.Request) viewer.Report {
	e.asked = append(e.asked, r)
	select {
	case <-ctx.Done():
		return viewer.Report{Domain: r.Domain}
	case <-time.After(e.takes):
		return viewer.Report{Domain: r.Domain, Pages: e.pages}
	}
}

func fresh() *eyes {
	return &eyes{pages: []viewer.Page{{URL: "https://d1.cloudfront.net/", POP: "FRA56-P1", Fresh: true, Compared: true, Matches: true}}}
}

func quiet() *slog.Logger { return slog.New(slog.NewJSONHandler(io.Discard, nil)) }

func noted() (*slog.Logger, *bytes.Buffer) {
	var buf bytes.Buffer
	return slog.New(slog.NewJSONHandler(&buf, nil)), &buf
}

// purge of everything by the cloud and the eyes, in bare (un-jittered) steps.
func purgeOf(c *cloud, e *eyes) (Purge, Order) {
	return Purge{
		Gateway: c, Viewer: e, Log: quiet(), Retry: Retry{Rand: func() float64 { return 0 }},
	}, Order{
		Target: "default", Release: "r2", Attempt: "11111111-1111-1111-1111-111111111111",
		Plan: func(_ context.Context, d plan.Distribution, _ invalidation.Limits) (plan.Plan, error) {
			return plan.Everything(d, "no history"), nil
		},
		Expect: func(context.Context, plan.Distribution) ([]viewer.Expectation, error) {
			return []viewer.Expectation{{Path: "/"}}, nil
		},
		Until: time.Now().Add(10 * time.Minute),
	}
}

// invocation is the context of a function that may run for d.
func invocation(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// throughout runs an order to its end, over as many invocations as that takes. The next comes 30 s after
// one that handed over.
func throughout(t *testing.T, p Purge, o Order) (v Verdict, invocations int) {
	for invocations = 1; ; invocations++ {
		if v = p.Run(invocation(t, 5*time.Minute), o, v.Progress); v.Outcome != Unfinished {
			return v, invocations
		}
		time.Sleep(30 * time.Second)
	}
}

func code(c string) error { return &gateway.Error{Code: c, Message: "no", Try: "do " + c} }

func times(n int, err error) []error {
	all := make([]error, n)
	for i := range all {
		all[i] = err
	}
	return all
}

// given plans items, whatever the distribution.
func given(items ...invalidation.Item) func(context.Context, plan.Distribution, invalidation.Limits) (plan.Plan, error) {
	return func(_ context.Context, d plan.Distribution, _ invalidation.Limits) (plan.Plan, error) {
		return plan.Given(d, items, "asked for"), nil
	}
}
