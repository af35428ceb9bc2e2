// Package routes opens the way to each target of a function, and keeps what it opened: a function
// serves one job after the other, and a session that was assumed for a release is good for all jobs
// of it.
package routes

import (
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/gateway/assume"
	"github.com/unstale/unstale/internal/target"
)

// Routes holds the open gateways of one process. Make it with New; it may be used concurrently.
type Routes struct {
	cfg aws.Config

	mu   sync.Mutex
	open map[target.Target]opened
}

// opened is a gateway and the release that its sessions are named after, "" where there are none.
type opened struct {
	release string
	gateway gateway.Gateway
}

// New takes the credentials and the region that this process runs with.
func New(cfg aws.Config) *Routes {
	return &Routes{cfg: cfg, open: map[target.Target]opened{}}
}

// Gateway gives the gateway of a target for the work on one release. Nothing is called yet.
func (r *Routes) Gateway(t target.Target, release string) (gateway.Gateway, error) {
	if t.Route != target.Assume {
		release = "" // nothing is named after it
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if o, ok := r.open[t]; ok && o.release == release {
		return o.gateway, nil
	}
	g, err := dial(r.cfg, t, release)
	if err != nil {
		return nil, err
	}
	r.open[t] = opened{release, g} // the earlier release's session is not needed any more
	return g, nil
}

func dial(cfg aws.Config, t target.Target, release string) (gateway.Gateway, error) {
	switch t.Route {
	case target.Assume:
		return assume.New(cfg, t, release)
	case target.Relay:
		return gateway.NewRelay(cfg, t.Function, t.Distribution), nil
	case target.Direct, target.SameAccount:
		// With direct the pipeline crossed the border already: this function runs where the
		// distribution is.
		return gateway.CloudFrontOf(cfg, t), nil
	case target.States:
		return nil, fmt.Errorf("reach target %q: route %s needs no function; let a StepFunctions action of the pipeline start %s",
			t.Name, t.Route, t.StateMachine)
	}
	return nil, fmt.Errorf("reach target %q: there is no route %q", t.Name, t.Route)
}
