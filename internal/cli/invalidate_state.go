package cli

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/release"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// forgetful is a state whose history is left alone: items that somebody named belong to no release, and
// deploy nothing.
type forgetful struct{ release.State }

// Begin records nothing.
func (forgetful) Begin(context.Context, string, store.Deploy) (store.Known, error) {
	return store.Known{}, nil
}

// Finish records nothing.
func (forgetful) Finish(context.Context, string, string) (bool, error) { return true, nil }

// Doubt has no history to doubt.
func (forgetful) Doubt(context.Context, string, string, string) (bool, error) { return false, nil }

// Plan gives none: the items are said each time.
func (forgetful) Plan(context.Context, string, string) (plan.Plan, bool, error) {
	return plan.Plan{}, false, nil
}

// KeepPlan keeps none.
func (forgetful) KeepPlan(_ context.Context, _, _ string, _ store.Known, p plan.Plan) (plan.Plan, error) {
	return p, nil
}

// paper is the state of a dry run of a target that has none: what the flags say is all there is, and what was
// used is what this machine knows of.
type paper struct {
	previous []site.Snapshot
	used     func(now time.Time) int
}

// Begin gives what caches may hold.
func (p paper) Begin(context.Context, string, store.Deploy) (store.Known, error) {
	return store.Known{Snapshots: p.previous, Left: p.previous}, nil
}

// Finish does nothing.
func (paper) Finish(context.Context, string, string) (bool, error) { return true, nil }

// Doubt has no history to doubt.
func (paper) Doubt(context.Context, string, string, string) (bool, error) { return false, nil }

// Plan gives none: a dry run has no attempt.
func (paper) Plan(context.Context, string, string) (plan.Plan, bool, error) {
	return plan.Plan{}, false, nil
}

// KeepPlan keeps none.
func (paper) KeepPlan(_ context.Context, _, _ string, _ store.Known, p plan.Plan) (plan.Plan, error) {
	return p, nil
}

// Evidence keeps none.
func (paper) Evidence(context.Context, string, any) error { return nil }

// Used counts the month's paths that this machine knows of.
func (p paper) Used(_ context.Context, _ string, now time.Time) (int, error) { return p.used(now), nil }

// URI names nothing.
func (paper) URI(string) string { return "" }

// readOnly is a configuration whose writes to S3 go nowhere: a dry run reads the history with the same code
// as a real one, and leaves it as it is.
func readOnly(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	cfg.HTTPClient = reader{cfg.HTTPClient}
	return cfg
}

type reader struct{ aws.HTTPClient }

func (r reader) Do(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet || request.Method == http.MethodHead {
		return r.HTTPClient.Do(request)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: request, ProtoMajor: 1, ProtoMinor: 1}, nil
}
