package target

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
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
