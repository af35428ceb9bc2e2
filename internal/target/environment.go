package target

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// The environment variables that configure targets.
const (
	// TargetsVariable holds a JSON object that maps names to targets.
	TargetsVariable = "UNSTALE_TARGETS"
	// FunctionVariable holds the ARN of an invalidator. Alone it makes the one target
	// DefaultName, by route relay.
	FunctionVariable = "TARGET_LAMBDA_ARN"
	// DefaultName names the target that FunctionVariable makes.
	DefaultName = "default"
)

// FromEnvironment reads a function's targets, by name. getenv is os.Getenv in production.
func FromEnvironment(getenv func(string) string) (map[string]Target, error) {
	list, function := getenv(TargetsVariable), getenv(FunctionVariable)
	switch {
	case list != "" && function != "":
		return nil, fmt.Errorf("read targets: both %s and %s are set; keep %s", TargetsVariable, FunctionVariable, TargetsVariable)
	case list != "":
		targets, err := Parse([]byte(list))
		if err != nil {
			return nil, fmt.Errorf("read targets from %s: %w", TargetsVariable, err)
		}
		return targets, nil
	case function != "":
		t, err := check(Target{Name: DefaultName, Route: Relay, Function: function})
		if err != nil {
			return nil, fmt.Errorf("read target from %s: %w", FunctionVariable, err)
		}
		return map[string]Target{DefaultName: t}, nil
	}
	return nil, fmt.Errorf("read targets: neither %s nor %s is set; set %s to the ARN of the invalidator's alias",
		TargetsVariable, FunctionVariable, FunctionVariable)
}

// Parse reads a JSON object that maps names to targets and checks each target. Fields that are not
// known, names that occur twice and anything after the object are refused.
func Parse(text []byte) (map[string]Target, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("parse targets: not a JSON object of names to targets")
	}
	targets := map[string]Target{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("parse targets: %w", err)
		}
		name := key.(string) // Decoder gives nothing else where a key stands
		if _, twice := targets[name]; twice {
			return nil, fmt.Errorf("parse target %q: the name occurs twice", name)
		}
		var t Target
		if err := dec.Decode(&t); err != nil {
			return nil, fmt.Errorf("parse target %q: %w", name, err)
		}
		t.Name = name
		if targets[name], err = check(t); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("parse targets: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse targets: something follows the object")
	}
	if len(targets) == 0 {
		return nil, errors.New("parse targets: there are none")
	}
	return targets, nil
}

// Names lists the names of targets, sorted.
func Names(targets map[string]Target) []string { return slices.Sorted(maps.Keys(targets)) }

// check verifies a target and fills in what follows from the rest.
func check(t Target) (Target, error) {
	fail := func(format string, args ...any) (Target, error) {
		return Target{}, fmt.Errorf("check target %q: "+format, append([]any{t.Name}, args...)...)
	}
	if !validName(t.Name) {
		return fail("a name has 1 to 64 letters, digits, '.', '_' or '-'")
	}
	if t.Distribution != "" && !ValidDistribution(t.Distribution) {
		return fail("%q is not a distribution ID, such as E2EXAMPLE", t.Distribution)
	}
	if t.Account != "" && !validAccount(t.Account) {
		return fail("account %q does not have 12 digits", t.Account)
	}
	switch t.Route {
	case Relay:
		f, err := ParseFunction(t.Function)
		if err != nil {
			return Target{}, fmt.Errorf("check target %q: %w", t.Name, err)
		}
		if t.Account != "" && t.Account != f.Account {
			return fail("account is %s, but the function is in %s", t.Account, f.Account)
		}
		t.Account = f.Account
	case SameAccount, Assume, Direct, States:
		if t.Distribution == "" {
			return fail("route %s needs a distribution", t.Route)
		}
		if t.Function != "" {
			return fail("route %s takes no function", t.Route)
		}
	default:
		return fail("there is no route %q; routes are %s", t.Route, strings.Join(routeNames(), ", "))
	}
	return t, nil
}

func routeNames() []string {
	names := []string{}
	for _, r := range Routes() {
		names = append(names, string(r))
	}
	return names
}
