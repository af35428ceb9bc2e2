package story

import (
	"fmt"
	"slices"
	"strings"
)

// DefaultRoute is the one that a story takes when none is named.
const DefaultRoute = "assume"

// sameAccount is the route that crosses no border.
const sameAccount = "same-account"

// stack is one step of a deployment.
type stack struct {
	account  string
	template string
	code     string // the Lambda zip that the template names; empty: none
}

// Routes lists the routes that stories can take, the default first.
func Routes() []string { return []string{DefaultRoute, "relay", "direct", "states", sameAccount} }

// stacksOf are what a route deploys, in the order that AWS needs: policies may only name principals
// that exist.
func stacksOf(route string) ([]stack, error) {
	base := stack{PipelineAccount, "pipeline-base", ""}
	delivery := stack{DeliveryAccount, "delivery-" + route, ""}
	pipeline := stack{PipelineAccount, "pipeline-" + route, ""}
	switch route {
	case "assume":
		pipeline.code = "pipeline-job"
	case "relay":
		delivery.code, pipeline.code = "invalidator", "pipeline-job"
	case "direct":
		delivery.code = "pipeline-job"
	case "states":
	case sameAccount:
		return []stack{{PipelineAccount, sameAccount, "pipeline-job"}}, nil
	default:
		return nil, fmt.Errorf("stage the route %q: there are %s", route, strings.Join(Routes(), ", "))
	}
	return []stack{base, delivery, pipeline}, nil
}

// AccountsOf are the accounts of a route's story: the pipeline's, and the one that has the site, which
// is the same where no border is crossed.
func AccountsOf(route string) (pipeline, delivery string) {
	if route == sameAccount {
		return PipelineAccount, PipelineAccount
	}
	return PipelineAccount, DeliveryAccount
}

// accounts lists the accounts of a route without repetition.
func accounts(route string) []string {
	a, b := AccountsOf(route)
	return slices.Compact([]string{a, b})
}
