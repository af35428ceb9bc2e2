package routes_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/gateway/assume"
	"github.com/unstale/unstale/internal/gateway/routes"
	"github.com/unstale/unstale/internal/target"
)

var (
	assumed = target.Target{Name: "a", Route: target.Assume, Role: "arn:aws:iam::222222222222:role/purge", ExternalID: "x1", Distribution: "E1"}
	relayed = target.Target{Name: "r", Route: target.Relay, Function: "arn:aws:lambda:us-east-1:222222222222:function:f:live"}
	direct  = target.Target{Name: "d", Route: target.Direct, Distribution: "E1"}
	own     = target.Target{Name: "o", Route: target.SameAccount, Distribution: "E1"}
)

func TestEachRouteHasItsGateway(t *testing.T) {
	r := routes.New(aws.Config{})
	kinds := map[target.Route]func(gateway.Gateway) bool{
		target.Assume:      is[*assume.Gateway],
		target.Relay:       is[*gateway.Relay],
		target.Direct:      is[*gateway.CloudFront],
		target.SameAccount: is[*gateway.CloudFront],
	}
	for _, tt := range []target.Target{assumed, relayed, direct, own} {
		if g, err := r.Gateway(tt, "1"); err != nil || !kinds[tt.Route](g) {
			t.Errorf("%s: %T, %v", tt.Route, g, err)
		}
	}
}

func is[T any](g gateway.Gateway) bool { _, ok := g.(T); return ok }

// Gateways are kept, and a session is never used for a release that it is not named after.
func TestGatewaysAreKept(t *testing.T) {
	r := routes.New(aws.Config{})
	for _, tt := range []struct {
		target   target.Target
		releases [2]string
		same     bool
	}{
		{assumed, [2]string{"1", "1"}, true},
		{assumed, [2]string{"1", "2"}, false},
		{relayed, [2]string{"1", "2"}, true},
		{own, [2]string{"1", "2"}, true},
	} {
		first, err1 := r.Gateway(tt.target, tt.releases[0])
		second, err2 := r.Gateway(tt.target, tt.releases[1])
		if err1 != nil || err2 != nil || (first == second) != tt.same {
			t.Errorf("%s for releases %v: same is %t, %v, %v", tt.target.Route, tt.releases, first == second, err1, err2)
		}
	}
	other := assumed
	other.Distribution = "E2"
	one, _ := r.Gateway(assumed, "1")
	if two, err := r.Gateway(other, "1"); err != nil || one == two {
		t.Errorf("one gateway for two distributions, %v", err)
	}
}

func TestWaysThatAreNone(t *testing.T) {
	r := routes.New(aws.Config{})
	for _, tt := range []struct {
		target target.Target
		says   string
	}{
		{target.Target{Name: "s", Route: target.States, StateMachine: "arn:m"}, `reach target "s": route states needs no function; let a StepFunctions action of the pipeline start arn:m`},
		{target.Target{Name: "n"}, `reach target "n": there is no route ""`},
		{target.Target{Name: "b", Route: target.Assume, Role: "purge"}, `reach target "b": parse role "purge"`},
	} {
		if _, err := r.Gateway(tt.target, ""); err == nil || !strings.HasPrefix(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.target.Name, err)
		}
	}
}
