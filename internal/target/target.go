// Package target names what a purge acts on: a distribution, its account and the route to it.
// Targets are configuration of the function or of the operator, never input of a pipeline: whoever
// may edit a pipeline chooses among their names and gains nothing else.
package target

import (
	"fmt"
	"strings"
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
	Route        Route  `json:"route"`                  //
	Distribution string `json:"distribution,omitempty"` // "" with relay: the invalidator's own single one
	Account      string `json:"account,omitempty"`      // 12 digits; taken from Function where that names one
	Function     string `json:"function,omitempty"`     // relay: ARN of the invalidator's alias
}

// Routes lists all routes, the default first.
func Routes() []Route { return []Route{Assume, Relay, Direct, States, SameAccount} }

// Function is an AWS Lambda function ARN in its parts.
type Function struct {
	Region    string // e.g. "us-east-1"
	Account   string // 12 digits
	Name      string
	Qualifier string // alias or version; "" when there is none
}

// ParseFunction takes apart a function's ARN,
// arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]. Names alone are refused: a function in
// another account can only be called by its ARN (Lambda developer guide, "Granting Lambda function
// access to other accounts").
func ParseFunction(arn string) (Function, error) {
	parts := strings.Split(arn, ":")
	if len(parts) != 7 && len(parts) != 8 {
		return Function{}, fmt.Errorf("parse function %q: not an ARN such as "+
			"arn:aws:lambda:us-east-1:222222222222:function:invalidator:live", arn)
	}
	f := Function{Region: parts[3], Account: parts[4], Name: parts[6]}
	if len(parts) == 8 {
		f.Qualifier = parts[7]
	}
	switch {
	case parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "lambda" || parts[5] != "function":
		return Function{}, fmt.Errorf("parse function %q: not the ARN of a Lambda function", arn)
	case f.Region == "" || f.Name == "" || !validAccount(f.Account):
		return Function{}, fmt.Errorf("parse function %q: it lacks a region, a 12-digit account or a name", arn)
	case len(parts) == 8 && f.Qualifier == "":
		return Function{}, fmt.Errorf("parse function %q: nothing follows the last colon", arn)
	}
	return f, nil
}

// ValidDistribution reports whether s looks like a distribution's ID: 1 to 64 capital letters and
// digits. AWS states no grammar; all IDs it shows are like this.
func ValidDistribution(s string) bool {
	return within(s, 64, func(c byte) bool { return digit(c) || 'A' <= c && c <= 'Z' })
}

func validName(s string) bool {
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
