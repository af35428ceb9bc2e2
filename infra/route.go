package infra

import (
	"fmt"
	"strings"
)

// Route is the way the border between the accounts is crossed. The zero value stands for [Assume].
type Route string

// The routes. Each says who holds the power to invalidate, and what the other account can make of it.
const (
	// Assume: the job function assumes a role of the delivery account. That role lists the distribution, trusts one role
	// of the pipeline account and asks for an external ID. Nothing of ours runs in the delivery account.
	Assume Route = "assume"
	// Relay: the job function invokes the invalidator, a function of the delivery account, which checks what it is asked.
	// The pipeline account never holds credentials of the delivery account.
	Relay Route = "relay"
	// Direct: the job function itself runs in the delivery account. CodePipeline invokes it with a role of that account;
	// it answers the job through a callback role of the pipeline account.
	Direct Route = "direct"
	// States: a state machine of the pipeline account calls CloudFront with a role of the delivery account. There is no
	// function; it purges the items it is given, and neither plans nor looks at the site.
	States Route = "states"
	// SameAccount: there is no border.
	SameAccount Route = "same-account"
)

// Routes lists all routes, the default first.
func Routes() []Route { return []Route{Assume, Relay, Direct, States, SameAccount} }

// crossing lists the routes that have a side in each of two accounts.
func crossing() []Route { return []Route{Assume, Relay, Direct, States} }

// orDefault is the route that the zero value stands for.
func (r Route) orDefault() Route {
	if r == "" {
		return Assume
	}
	return r
}

// refuseRoute panics, as CDK's own constructs do, for a route that what cannot take.
func refuseRoute(what string, route Route, able []Route) {
	names := make([]string, 0, len(able))
	for _, r := range able {
		names = append(names, string(r))
	}
	panic(fmt.Sprintf("make %s: route %q is not one of: %s", what, route, strings.Join(names, ", ")))
}

// need is a property that a route cannot do without.
type need struct{ property, value string }

// demand panics when a property that the route needs is empty: synthesis is the last moment at which it costs nothing.
func demand(what string, route Route, needs ...need) {
	var missing []string
	for _, n := range needs {
		if n.value == "" {
			missing = append(missing, n.property)
		}
	}
	if len(missing) > 0 {
		panic(fmt.Sprintf("make %s: route %s needs %s", what, route, strings.Join(missing, ", ")))
	}
}

// firstOf is the first value that is not empty, or empty.
func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
