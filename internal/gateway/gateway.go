// Package gateway talks to a distribution on behalf of a purge: one gateway per route, all with the
// same methods. It is the only place that calls the CloudFront and Lambda services, and it turns
// what they answer into values of this project and errors that say what to do next. It never
// retries: the purge does, because what may be retried depends on the class of the failure and on
// what the purge has done before.
package gateway

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// Gateway is what every route's gateway can do. Errors are *Error.
type Gateway interface {
	// Distribution reads the distribution's configuration.
	Distribution(ctx context.Context) (plan.Distribution, error)
	// Create asks for a batch. A batch whose reference was used before gives the invalidation
	// that exists, provided its items are the same.
	Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error)
	// Get reads one invalidation by its ID.
	Get(ctx context.Context, id string) (invalidation.Invalidation, error)
	// InProgress lists the invalidations of the distribution that are not completed, newest
	// first, with their items.
	InProgress(ctx context.Context) ([]invalidation.Invalidation, error)
}

// ForTarget makes the gateway of a target's route. cfg holds the credentials and region of the
// account this process runs in.
func ForTarget(cfg aws.Config, t target.Target) (Gateway, error) {
	switch t.Route {
	case target.Relay:
		return NewRelay(cfg, t.Function, t.Distribution), nil
	case target.SameAccount:
		return NewCloudFront(cfg, t.Distribution), nil
	case target.Assume, target.Direct, target.States:
		return nil, fmt.Errorf("reach target %q: route %s is not built yet; use %s or %s",
			t.Name, t.Route, target.Relay, target.SameAccount)
	}
	return nil, fmt.Errorf("reach target %q: there is no route %q", t.Name, t.Route)
}
