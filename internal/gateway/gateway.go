// Package gateway talks to a distribution on behalf of a purge: one gateway per route, all with the
// same methods. It is the only place that calls the CloudFront and Lambda services, and it turns
// what they answer into values of this project and errors that say what to do next. It never
// retries: the purge does, because what may be retried depends on the class of the failure and on
// what the purge has done before.
//
// Routes that need another service's client are packages below this one (assume, states), so that a
// function links only what it calls. What any gateway must do stands in gatewaytest.
package gateway

import (
	"context"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// Gateway is what every route's gateway can do. Errors are *Error.
type Gateway interface {
	// Distribution reads the distribution's configuration. A route that cannot answers what it
	// knows and an error with the code Unsupported.
	Distribution(ctx context.Context) (plan.Distribution, error)
	// Create asks for a batch. A batch whose reference was used before gives the invalidation
	// that exists, provided its items are the same.
	Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error)
	// Get reads one invalidation by its ID.
	Get(ctx context.Context, id string) (invalidation.Invalidation, error)
	// InProgress lists the invalidations of the distribution that are not completed, newest
	// first, with their items.
	InProgress(ctx context.Context) ([]invalidation.Invalidation, error)
	// Objects looks at what one of the distribution's origins holds under keys, at most MaxKeys, in
	// their order. An origin that cannot be looked at is an error with the code Unsupported.
	Objects(ctx context.Context, origin plan.Origin, keys []string) ([]Stored, error)
}
