package ablation

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/test/stage"
)

// step is a line of a function's log.
type step struct {
	Message      string   `json:"msg"`
	Operation    string   `json:"operation"`
	Release      string   `json:"release"`
	Target       string   `json:"target"`
	Targets      []string `json:"targets"`
	Reference    string   `json:"reference"`
	References   []string `json:"references"`
	Invalidation string   `json:"invalidation"`

	Metrics json.RawMessage `json:"_aws"` // of a line in CloudWatch's embedded metric format, the only one without a message
}

// Both functions write one structured line for each step, which tells the release, the target and, as
// soon as there is one, the reference: so the logs of two accounts can be read side by side.
func TestLogsTellEachStep(t *testing.T) {
	t.Parallel()
	w, err := enter(t, "relay", cloudfront.ReuseDocumented, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, f := w.release(t)
	if f != nil {
		t.Fatal(f)
	}
	var pipeline, delivery []step
	w.until(t, "the functions' logs", func() bool {
		pipeline = steps(t, readLog(t, w, story.PipelineAccount, "/aws/lambda/"+job))
		delivery = steps(t, readLog(t, w, story.DeliveryAccount, "/aws/lambda/"+invalidator))
		return strings.Count(strings.Join(names(pipeline), " "), "answered") == 2
	})
	first := []string{"working", "distribution read", "announced", "answered"} // before the deploy
	if got := names(pipeline); len(got) < len(first) || !slices.Equal(got[:len(first)], first) {
		t.Fatalf("the job function's steps are %q, want %q first", got, first)
	}
	for _, s := range pipeline[:len(first)] {
		if s.Release != e.ID || s.Target != "site" && !slices.Equal(s.Targets, []string{"site"}) {
			t.Errorf("job function, %s: release %q, target %q %q", s.Message, s.Release, s.Target, s.Targets)
		}
	}
	pipeline = pipeline[len(first):]
	want := []string{
		"working", "distribution read", "origin serves the release", "admitted", "created", "completed", "seen", "", "answered",
	}
	if got := names(pipeline); !slices.Equal(got, want) {
		t.Errorf("the job function's steps are %q, want %q", got, want)
	}
	reference := w.Invalidation().Reference
	for i, s := range pipeline {
		if s.Message == "" && s.Metrics != nil { // which name what CloudWatch makes graphs of
			continue
		}
		if s.Release != e.ID || s.Target != "site" && !slices.Equal(s.Targets, []string{"site"}) {
			t.Errorf("job function, %s: release %q, target %q %q", s.Message, s.Release, s.Target, s.Targets)
		}
		if i >= slices.Index(want, "created") && s.Reference != reference && !slices.Equal(s.References, []string{reference}) {
			t.Errorf("job function, %s: reference %q %q, want %s", s.Message, s.Reference, s.References, reference)
		}
	}
	for _, s := range delivery {
		if s.Release != e.ID || s.Target != "site" {
			t.Errorf("invalidator, %s: release %q, target %q", s.Operation, s.Release, s.Target)
		}
		if s.Invalidation != "" && s.Reference != reference {
			t.Errorf("invalidator, %s: reference %q, want %s", s.Operation, s.Reference, reference)
		}
	}
	var operations []string
	for _, s := range delivery {
		operations = append(operations, s.Operation)
	}
	if got := slices.Compact(operations); !slices.Equal(got, []string{"distribution", "objects", "inProgress", "create", "get"}) {
		t.Errorf("the invalidator's operations are %q", got)
	}
}

// steps are a log's structured lines: all that is not Lambda's own.
func steps(t *testing.T, lines []stage.Logged) []step {
	t.Helper()
	var out []step
	for _, line := range lines {
		if strings.HasPrefix(line.Message, "START ") || strings.HasPrefix(line.Message, "END ") || strings.HasPrefix(line.Message, "REPORT ") {
			continue
		}
		var s step
		if err := json.Unmarshal([]byte(line.Message), &s); err != nil {
			t.Fatalf("a line is not structured: %s", line.Message)
		}
		out = append(out, s)
	}
	return out
}

func names(steps []step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, s.Message)
	}
	return out
}
