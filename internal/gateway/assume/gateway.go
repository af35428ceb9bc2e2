package assume

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/scrub"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// Gateway reaches a distribution with sessions of a role of its account. Make it with New.
type Gateway struct {
	cloudfront *gateway.CloudFront
	sessions   *provider
	cache      *aws.CredentialsCache // of sessions
}

// Distribution reads the distribution's configuration.
func (g *Gateway) Distribution(ctx context.Context) (plan.Distribution, error) {
	return call(g, func() (plan.Distribution, error) { return g.cloudfront.Distribution(ctx) })
}

// Create asks for a batch.
func (g *Gateway) Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error) {
	return call(g, func() (invalidation.Invalidation, error) { return g.cloudfront.Create(ctx, batch) })
}

// Get reads one invalidation by its ID.
func (g *Gateway) Get(ctx context.Context, id string) (invalidation.Invalidation, error) {
	return call(g, func() (invalidation.Invalidation, error) { return g.cloudfront.Get(ctx, id) })
}

// InProgress lists the invalidations that are not completed, newest first.
func (g *Gateway) InProgress(ctx context.Context) ([]invalidation.Invalidation, error) {
	return call(g, func() ([]invalidation.Invalidation, error) { return g.cloudfront.InProgress(ctx) })
}

// Objects looks at what an origin of the distribution holds.
func (g *Gateway) Objects(ctx context.Context, origin plan.Origin, keys []string) ([]gateway.Stored, error) {
	return call(g, func() ([]gateway.Stored, error) { return g.cloudfront.Objects(ctx, origin, keys) })
}

// call does a call, and once more with a new session where AWS says that this one is over: by whose clock
// does not matter. Another invalidation is not made by it, since a batch's reference says that it is the same.
func call[T any](g *Gateway, do func() (T, error)) (T, error) {
	out, err := do()
	if gateway.SessionOver(err) && g.sessions.holds.Load() { // or STS means the session of whoever asks it
		g.cache.Invalidate()
		out, err = do()
	}
	return out, g.scrub(err)
}

// scrub takes the session's credentials out of what AWS says: a refused signature is answered with
// the request, token and all, and nobody else knows this session.
func (g *Gateway) scrub(err error) error {
	var e *gateway.Error
	c := g.sessions.last.Load()
	if c == nil || !errors.As(err, &e) {
		return err
	}
	clean := scrub.New(c.SessionToken, c.SecretAccessKey, c.AccessKeyID)
	if text := clean.Text(e.Message); text != e.Message {
		e.Message, e.Err = text, nil // the cause would say it all again
	}
	return err
}

// Recent lists the invalidations created since a time, newest first; see gateway.CloudFront.
func (g *Gateway) Recent(ctx context.Context, since time.Time, most int) (recent []invalidation.Invalidation, more bool, err error) {
	recent, err = call(g, func() (all []invalidation.Invalidation, err error) {
		all, more, err = g.cloudfront.Recent(ctx, since, most)
		return all, err
	})
	return recent, more, err
}
