package gateway

import "context"

// Cause is for what a call is made. It travels with a request so that the log of the other account
// can be read beside the pipeline's; it decides nothing.
type Cause struct {
	Release string `json:"release,omitempty"`
	Target  string `json:"target,omitempty"` // its name
}

type causeKey struct{}

// In makes the calls of a context tell their cause.
func (c Cause) In(ctx context.Context) context.Context { return context.WithValue(ctx, causeKey{}, c) }

// causeOf is the cause of a context; nil when it has none.
func causeOf(ctx context.Context) *Cause {
	if c, ok := ctx.Value(causeKey{}).(Cause); ok && c != (Cause{}) {
		return &c
	}
	return nil
}
