// Package target names what a purge acts on: a distribution, its account and the route to it.
// Targets are configuration of the function or of the operator, never input of a pipeline: whoever
// may edit a pipeline chooses among their names and gains nothing else.
package target

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
