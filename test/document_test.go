package test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// A shape says what JSON looks like: members and elements are made of shapes, the others are values.
type (
	shape    any
	members  map[string]shape
	elements []shape // of one shape, which all elements have
)

const (
	text   = "a string"
	number = "a number"
	moment = "a time as RFC 3339 writes it"
)

var view = members{"pop": text, "release": text, "xCache": text}

// contract is what the document of `unstale rehearse --json` promises. There may be more.
var contract = members{
	"route": text,
	"pipeline": members{
		"executionId": text, "status": text,
		"stages": elements{members{"name": text, "status": text, "actions": elements{members{"name": text, "status": text}}}},
	},
	"invalidation": members{"id": text, "distributionId": text, "items": elements{text}, "status": text, "reference": text},
	"viewer":       members{"before": elements{view}, "stale": elements{view}, "after": elements{view}},
	"calls": elements{members{
		"time": moment, "account": text, "principal": text, "action": text, "resource": text, "decision": text, "statement": text,
	}},
	"seconds": number,
}

// differences are the places where v does not have a shape.
func differences(path string, v any, want shape) []string {
	var out []string
	switch want := want.(type) {
	case members:
		o, ok := v.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %T, not an object", path, v)}
		}
		for key, shape := range want {
			member, ok := o[key]
			if !ok {
				out = append(out, path+" has no "+key)
				continue
			}
			out = append(out, differences(path+"."+key, member, shape)...)
		}
		return out
	case elements:
		l, ok := v.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %T, not a list", path, v)}
		}
		for i, element := range l {
			out = append(out, differences(fmt.Sprintf("%s[%d]", path, i), element, want[0])...)
		}
		return out
	}
	if !isValue(v, want) {
		out = append(out, fmt.Sprintf("%s is %v, not %s", path, v, want))
	}
	return out
}

func isValue(v any, want shape) bool {
	s, isText := v.(string)
	switch want {
	case text:
		return isText
	case moment:
		_, err := time.Parse(time.RFC3339Nano, s)
		return isText && err == nil
	case number:
		_, ok := v.(float64)
		return ok
	}
	return false
}

// document is what the tests read of it.
type document struct {
	Route    string
	Pipeline struct {
		ExecutionID, Status string
		Stages              []struct {
			Name, Status string
			Actions      []struct{ Name, Status, Message string }
		}
	}
	Invalidation struct {
		ID, DistributionID, Status, Reference string
		Items                                 []string
	}
	Viewer struct{ Before, Stale, After []seen }
	Calls  []struct {
		Account, CallerAccount, Principal, Action, Resource, Decision, Statement, Remedy string
	}
	Seconds float64
}

type seen struct{ POP, Release, XCache string }

// parse reads stdout, which must be one document of the contract and nothing else.
func parse(t *testing.T, stdout string) document {
	t.Helper()
	var d document
	var all any
	for _, into := range []any{&all, &d} {
		dec := json.NewDecoder(strings.NewReader(stdout))
		if err := dec.Decode(into); err != nil {
			t.Fatalf("stdout is not JSON: %v\n%s", err, stdout)
		}
		if _, err := dec.Token(); err != io.EOF {
			t.Fatalf("something follows the document: %v", err)
		}
	}
	for _, difference := range differences("document", all, contract) {
		t.Error(difference)
	}
	return d
}

func TestDifferencesFindsWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		json string
		want shape
		says string
	}{
		{`{"a": 1}`, members{"a": text}, "document.a is 1, not a string"},
		{`{"a": 1}`, members{"b": number}, "document has no b"},
		{`{"a": null}`, members{"a": elements{text}}, "document.a is <nil>, not a list"},
		{`["a", 2]`, elements{text}, "document[1] is 2, not a string"},
		{`[]`, members{}, "document is []interface {}, not an object"},
		{`"soon"`, moment, "document is soon, not a time as RFC 3339 writes it"},
		{`{"a": ["2026-01-02T03:04:05.6Z"], "more": 1}`, members{"a": elements{moment}}, ""},
		{`{"a": []}`, members{"a": elements{text}}, ""},
	} {
		var v any
		if err := json.Unmarshal([]byte(tt.json), &v); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(differences("document", v, tt.want), "\n"); got != tt.says {
			t.Errorf("%s: %q, want %q", tt.json, got, tt.says)
		}
	}
}
