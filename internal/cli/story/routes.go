package story

import (
	"slices"

	"github.com/unstale/unstale/templates"
)

// DefaultRoute is the one that a story takes when none is named.
const DefaultRoute = "assume"

// Routes lists the routes that stories can take, the default first.
func Routes() []string { return templates.Routes() }

// AccountsOf are the accounts of a route's story: the pipeline's, and the one that has the site, which
// is the same where no border is crossed.
func AccountsOf(route string) (pipeline, delivery string) {
	if route == "same-account" {
		return PipelineAccount, PipelineAccount
	}
	return PipelineAccount, DeliveryAccount
}

// accounts lists the accounts of a route without repetition.
func accounts(route string) []string {
	a, b := AccountsOf(route)
	return slices.Compact([]string{a, b})
}

// account is where a step of the deployment is made.
func account(s templates.Step) string {
	if s.Side == templates.Delivery {
		return DeliveryAccount
	}
	return PipelineAccount
}
