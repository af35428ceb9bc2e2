// Package target names what a purge acts on: a distribution, its account and the route to it.
// Targets are configuration of the function or of the operator, never input of a pipeline: whoever
// may edit a pipeline chooses among their names and gains nothing else.
package target

import (
	"fmt"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// Route is how the border between the accounts is crossed.
type Route string

// The routes.
const (
	Relay       Route = "relay"        // a Lambda here invokes the invalidator Lambda there
	Assume      Route = "assume"       // a role there is assumed
	Direct      Route = "direct"       // the pipeline's action role there invokes a Lambda there
	States      Route = "states"       // Step Functions calls CloudFront with a role there
	SameAccount Route = "same-account" // there is no border
)

// Target is one distribution and how to reach it.
type Target struct {
	Name         string `json:"-"`                      // the name it is chosen by
	Route        Route  `json:"route"`                  // may be left out where a role is given: assume
	Distribution string `json:"distribution,omitempty"` // ID; "" with relay: the invalidator's own single one
	Account      string `json:"account,omitempty"`      // 12 digits; taken from Function or Role where there is one
	Function     string `json:"function,omitempty"`     // relay: ARN of the invalidator's alias
	Role         string `json:"role,omitempty"`         // assume: ARN of the role to assume
	ExternalID   string `json:"externalId,omitempty"`   // assume: what the role's trust policy asks for
	StateMachine string `json:"stateMachine,omitempty"` // states: ARN of the state machine

	// Planning is what only the owner knows of the site; nil where nothing is to be said.
	Planning *Planning `json:"planning,omitempty"`
}

// Planning is how a target's releases are planned. The zero value is the default.
type Planning struct {
	Preset  plan.Preset `json:"preset,omitempty"`
	Budget  string      `json:"budget,omitempty"`  // see plan.ParseBudget
	Deletes bool        `json:"deletes,omitempty"` // the deploy removes what the release lacks
	Bucket  string      `json:"bucket,omitempty"`  // where the release lies, if the distribution reads several buckets
	Prefix  string      `json:"prefix,omitempty"`  // stands before each of its keys there
	Routes  []string    `json:"routes,omitzero"`   // of a single-page app, such as "/users/*"; nil: any path may be one
	// Rewrites says what the distribution's functions do to URIs, by name or ARN; "*" is every other one.
	Rewrites map[string]plan.Rewrite `json:"rewrites,omitempty"`
}

// Plans is the target's planning, zero where it says nothing.
func (t Target) Plans() Planning {
	if t.Planning == nil {
		return Planning{}
	}
	return *t.Planning
}

// check verifies what can be verified without the distribution.
func (p Planning) check() error {
	if _, err := plan.ParsePreset(string(p.Preset)); err != nil {
		return err
	}
	if _, err := plan.ParseBudget(p.Budget); err != nil {
		return err
	}
	for _, route := range p.Routes {
		if _, err := invalidation.ParseItem(route); err != nil || route[0] != '/' {
			return fmt.Errorf("route %q is not a path, such as /users/*", route)
		}
	}
	for name, r := range p.Rewrites {
		switch r {
		case plan.RewriteNothing, plan.RewriteIndex, plan.RewriteHTML, plan.RewriteFallback:
		default:
			return fmt.Errorf("rewrite %q of function %s is none of none, index, html and spa", r, name)
		}
	}
	return nil
}

// Routes lists all routes, the default first.
func Routes() []Route { return []Route{Assume, Relay, Direct, States, SameAccount} }

// ValidDistribution reports whether s looks like a distribution's ID: 1 to 64 capital letters and
// digits. AWS states no grammar; all IDs it shows are like this.
func ValidDistribution(s string) bool {
	return within(s, 64, func(c byte) bool { return digit(c) || 'A' <= c && c <= 'Z' })
}

// ValidName reports whether s can name a target or a group: 1 to 64 letters, digits, '.', '_' or '-'.
func ValidName(s string) bool {
	return within(s, 64, func(c byte) bool {
		return digit(c) || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '.' || c == '_' || c == '-'
	})
}

func validAccount(s string) bool { return len(s) == 12 && within(s, 12, digit) }

func digit(c byte) bool { return '0' <= c && c <= '9' }

// within reports whether s has 1 to most bytes, all of them allowed.
func within(s string, most int, allowed func(byte) bool) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}
