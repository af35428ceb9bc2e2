package infra

import (
	"encoding/json"
	"os"
	"sync"
	"testing"

	"github.com/aws/jsii-runtime-go"
)

// TestMain ends jsii's Node process and removes its files. jsii waits for that process twice, once in Close: the race
// detector reports it, and it may print "exited abnormally"; neither is ours. So these tests run without -race.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

// synthesized is shared by the tests: a synthesis takes seconds.
var synthesized = sync.OnceValues(Synthesize)

// template is a CloudFormation template as far as the tests look into it.
type template struct {
	Description string
	Parameters  map[string]parameter
	Conditions  map[string]any
	Resources   map[string]resource
	Outputs     map[string]struct {
		Value     any
		Condition string
	}
}

type parameter struct {
	Type, AllowedPattern string
	Default              *string
	AllowedValues        []string
	MinLength, MaxLength int
}

type resource struct {
	Type, Condition                     string
	Properties                          map[string]any
	DependsOn                           []string
	DeletionPolicy, UpdateReplacePolicy string
}

var templateNames = []string{
	"delivery-assume", "delivery-direct", "delivery-relay", "delivery-states",
	"pipeline-assume", "pipeline-base", "pipeline-callback", "pipeline-direct", "pipeline-job", "pipeline-machine",
	"pipeline-relay", "pipeline-states", "same-account",
}

func load(t *testing.T, name string) template {
	t.Helper()
	files, err := synthesized()
	if err != nil {
		t.Fatal(err)
	}
	var parsed template
	if err := json.Unmarshal(files[name+templateSuffix], &parsed); err != nil {
		t.Fatalf("parse the template %s: %v", name, err)
	}
	return parsed
}

// at follows keys and list positions into a parsed JSON value.
func at(t *testing.T, value any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := value.(map[string]any)
			if !ok || m[step] == nil {
				t.Fatalf("no %q (of %v) in %v", step, path, value)
			}
			value = m[step]
		case int:
			list, ok := value.([]any)
			if !ok || step >= len(list) {
				t.Fatalf("no item %d (of %v) in %v", step, path, value)
			}
			value = list[step]
		}
	}
	return value
}
