package release

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/target"
)

// units are CloudWatch's. Source: Amazon CloudWatch API reference, MetricDatum.
var units = regexp.MustCompile(`^(Seconds|Microseconds|Milliseconds|((Kilo|Mega|Giga|Tera)?(Bytes|bits|Bits)|Count)(/Second)?|Percent|None)$`)

// emf says what is wrong with a line in CloudWatch's embedded metric format. Source: Amazon CloudWatch
// user guide, "Specification: Embedded metric format".
func emf(line []byte) (wrong []string) {
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if bytes.ContainsAny(line, "\n\r") || len(line) > 256<<10 {
		bad("it is no line of a log event")
	}
	var members map[string]any
	if err := json.Unmarshal(line, &members); err != nil {
		return append(wrong, err.Error())
	}
	var meta struct {
		AWS struct {
			Timestamp         *int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct {
					Name, Unit        string
					StorageResolution *int
				}
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal(line, &meta); err != nil {
		return append(wrong, err.Error())
	}
	if meta.AWS.Timestamp == nil || *meta.AWS.Timestamp < 1e12 {
		bad("the timestamp is not in milliseconds since 1970")
	}
	if len(meta.AWS.CloudWatchMetrics) == 0 {
		bad("it directs nothing")
	}
	for _, d := range meta.AWS.CloudWatchMetrics {
		if n := len(d.Namespace); n < 1 || n > 1024 {
			bad("the namespace has %d characters", n)
		}
		if len(d.Dimensions) == 0 {
			bad("there is no set of dimensions")
		}
		for _, name := range slices.Concat(d.Dimensions...) {
			if text, is := members[name].(string); !is || text == "" || len(text) > 1024 {
				bad("dimension %s is %v", name, members[name])
			}
		}
		for _, set := range d.Dimensions {
			if len(set) > 30 {
				bad("%d dimensions", len(set))
			}
		}
		if len(d.Metrics) == 0 || len(d.Metrics) > 100 {
			bad("%d metrics", len(d.Metrics))
		}
		seen := map[string]bool{}
		for _, m := range d.Metrics {
			if _, is := members[m.Name].(float64); !is || seen[m.Name] {
				bad("metric %q is %v, or there twice", m.Name, members[m.Name])
			}
			seen[m.Name] = true
			if !units.MatchString(m.Unit) {
				bad("metric %s has the unit %q", m.Name, m.Unit)
			}
		}
	}
	return wrong
}

func TestMetrics(t *testing.T) {
	for _, tt := range []struct {
		what    string
		verdict func(*Run) purge.Verdict
		want    map[string]float64
		lacks   string
	}{
		{"viewed", viewed, map[string]float64{"Failed": 0, "Items": 1, "Stale": 1, "Collateral": 0, "PriceDollars": 0, "Seconds": 90, "CompletionSeconds": 3.5}, ""},
		{"failed", failed, map[string]float64{"Failed": 1, "Items": 1, "Seconds": 90}, "CompletionSeconds"},
	} {
		r := begun(&memory{known: known(files("a1", "b1"))}, &target.Planning{}, files("a2", "b1"))
		planned(t, r, distribution("b"))
		line, err := r.Metrics(tt.verdict(r)) // the plan is the attempt's, where the verdict has none
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range emf(line) {
			t.Errorf("%s: %s: %s", tt.what, wrong, line)
		}
		var members map[string]any
		if err := json.Unmarshal(line, &members); err != nil {
			t.Fatal(err)
		}
		for name, want := range tt.want {
			if !cmp.Equal(members[name], any(want)) {
				t.Errorf("%s: %s is %v; want %v", tt.what, name, members[name], want)
			}
		}
		if members["Target"] != "prod" || members["Release"] != "exec-1" || members["Distribution"] != "EDIST" || tt.lacks != "" && members[tt.lacks] != nil {
			t.Errorf("%s: %s", tt.what, line)
		}
	}
}

func TestTheCheckerOfMetricsChecks(t *testing.T) {
	for _, line := range []string{
		``, `{}`, "{}\n{}",
		`{"_aws":{"Timestamp":1700000000,"CloudWatchMetrics":[{"Namespace":"x","Dimensions":[["D"]],"Metrics":[{"Name":"M","Unit":"Count"}]}]},"D":"d","M":1}`,
		`{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"","Dimensions":[["D"]],"Metrics":[{"Name":"M","Unit":"Count"}]}]},"D":"d","M":1}`,
		`{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"x","Dimensions":[["D"]],"Metrics":[{"Name":"M","Unit":"Count"}]}]},"D":"","M":1}`,
		`{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"x","Dimensions":[["D"]],"Metrics":[{"Name":"M","Unit":"Dollars"}]}]},"D":"d","M":1}`,
		`{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"x","Dimensions":[["D"]],"Metrics":[{"Name":"M","Unit":"Count"}]}]},"D":"d"}`,
	} {
		if len(emf([]byte(line))) == 0 {
			t.Errorf("it passes: %s", line)
		}
	}
	good := `{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"x","Dimensions":[["D"]],"Metrics":[{"Name":"M","Unit":"Count"}]}]},"D":"d","M":1}`
	if wrong := emf([]byte(good)); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
}
