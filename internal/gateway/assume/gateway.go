package assume

import (
	"context"
	"errors"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/scrub"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// Gateway reaches a distribution with sessions of a role of its account. Make it with New.
type Gateway struct {
	cloudfront *gateway.CloudFront
	sessions   *provider
}

// Distribution reads the distribution's configuration.
func (g *Gateway) Distribution(ctx context.Context) (plan.Distribution, error) {
	d, err := g.cloudfront.Distribution(ctx)
	return d, g.scrub(err)
}

// Create asks for a batch.
func (g *Gateway) Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error) {
	inv, err := g.cloudfront.Create(ctx, batch)
	return inv, g.scrub(err)
}

// Get reads one invalidation by its ID.
func (g *Gateway) Get(ctx context.Context, id string) (invalidation.Invalidation, error) {
	inv, err := g.cloudfront.Get(ctx, id)
	return inv, g.scrub(err)
}

// InProgress lists the invalidations that are not completed, newest first.
func (g *Gateway) InProgress(ctx context.Context) ([]invalidation.Invalidation, error) {
	list, err := g.cloudfront.InProgress(ctx)
	return list, g.scrub(err)
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
