package templates

import (
	"fmt"
	"strings"
)

// Side says in whose account a template is deployed.
type Side string

// The sides. A route within one account has one side, the pipeline's.
const (
	Pipeline Side = "pipeline"
	Delivery Side = "delivery"
)

// Step is one stack of a route.
type Step struct {
	Template string // a name for [Get]
	Side     Side
	Function string // the function whose zip CodeBucket and CodeKey name: "pipeline-job" or "invalidator"; "" if it has none
}

// Deployment lists the stacks of a route with a pipeline of its own, in the order in which AWS accepts them: a Lambda
// permission may only name a role that exists, and creating a pipeline checks that its actions' roles can be assumed. Each
// stack takes the outputs of those before it as parameters of the same name; pipeline-base takes the route as Route.
func Deployment(route string) ([]Step, error) {
	base := Step{Template: "pipeline-base", Side: Pipeline}
	delivery, pipeline := Step{Template: "delivery-" + route, Side: Delivery}, Step{Template: "pipeline-" + route, Side: Pipeline}
	switch route {
	case "assume":
		pipeline.Function = "pipeline-job"
	case "relay":
		delivery.Function, pipeline.Function = "invalidator", "pipeline-job"
	case "direct":
		delivery.Function = "pipeline-job" // it runs beside the distribution
	case "states":
	case "same-account":
		return []Step{{Template: "same-account", Side: Pipeline, Function: "pipeline-job"}}, nil
	default:
		return nil, fmt.Errorf("list the stacks of route %q: routes are %s", route, strings.Join(Routes(), ", "))
	}
	return []Step{base, delivery, pipeline}, nil
}

// Routes lists the routes that there are templates for, the default first.
func Routes() []string { return []string{"assume", "relay", "direct", "states", "same-account"} }
