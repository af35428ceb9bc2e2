package fleet

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync"

	at "github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// gateway is a target's gateway whose calls keep to their account's lanes.
type gateway struct {
	purge.Gateway
	lanes   *lanes
	account string
	stopped func() string
	doing   func(Doing) // told what a call is for, where that changes; nil: nobody is
	silence *silence    // nil: however long nobody answers, the calls' own bounds count

	mu   sync.Mutex
	last error // of the last call that failed
	told Doing
	seen bool // the origin was looked at, and there was an answer
}

// trouble is why the last call failed, nil when none did.
func (g *gateway) trouble() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// tell says what is being done, once. Who looks at the origin again after an answer had not found the release
// there.
func (g *gateway) tell(d Doing) {
	if g.doing == nil {
		return
	}
	g.mu.Lock()
	before := g.told
	if d == Checking && g.seen {
		d = Awaiting
	}
	g.told = d
	g.mu.Unlock()
	if d != before {
		g.doing(d)
	}
}

// creation is the kind of call whose answer is waited for.
const creation = "create"

// pass makes a call in its lane.
func pass[T any](ctx context.Context, g *gateway, kind string, call func(context.Context) (T, error)) (out T, err error) {
	err = g.lanes.do(ctx, lane{g.account, kind}, func() (err error) {
		ctx := ctx
		if g.silence != nil {
			g.silence.begin(kind == creation) // here, where the lane was got
			defer func() { g.silence.end(err) }()
			ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: g.silence.heard})
		}
		if out, err = call(ctx); err != nil && ctx.Err() == nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.last = err
		}
		return err
	})
	return out, err
}

func (g *gateway) Distribution(ctx context.Context) (plan.Distribution, error) {
	return pass(ctx, g, "distribution", g.Gateway.Distribution)
}

// Create asks for a batch. Once the request is on its way its answer is waited for, however impatient
// the caller gets: the answer tells the invalidation's ID. Gateways bound their calls themselves: CloudFront
// has 10 s for it, an invalidator 45 s.
func (g *gateway) Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error) {
	g.tell(Creating)
	return pass(ctx, g, creation, func(ctx context.Context) (invalidation.Invalidation, error) {
		if err := ctx.Err(); err != nil {
			return invalidation.Invalidation{}, err
		}
		if by := g.stopped(); by != "" {
			return invalidation.Invalidation{}, &at.Error{
				Code: at.Canceled, Operation: "create invalidation", Distribution: batch.Distribution, Message: "another target failed", Err: &stopError{by},
			}
		}
		return g.Gateway.Create(context.WithoutCancel(ctx), batch)
	})
}

func (g *gateway) Get(ctx context.Context, id string) (invalidation.Invalidation, error) {
	return pass(ctx, g, "get", func(ctx context.Context) (invalidation.Invalidation, error) { return g.Gateway.Get(ctx, id) })
}

func (g *gateway) InProgress(ctx context.Context) ([]invalidation.Invalidation, error) {
	return pass(ctx, g, "list", g.Gateway.InProgress)
}

func (g *gateway) Objects(ctx context.Context, origin plan.Origin, keys []string) ([]at.Stored, error) {
	g.tell(Checking)
	stored, err := pass(ctx, g, "objects", func(ctx context.Context) ([]at.Stored, error) { return g.Gateway.Objects(ctx, origin, keys) })
	if err == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.seen = true
	}
	return stored, err
}

// gatewayAdvice is the next step that a gateway's error names.
func gatewayAdvice(err error) string {
	var e *at.Error
	if errors.As(err, &e) {
		return e.Try
	}
	return ""
}
