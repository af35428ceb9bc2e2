package matrix

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/unstale/unstale/test/stage"
)

// line is one of the job function's log.
type line struct {
	Msg, Class, Step, Error, Release string
}

// log reads what the job function wrote about a release.
func (w *world) log(t *testing.T, release string) []line {
	t.Helper()
	if w.route.function == "" {
		return nil // nothing that logs
	}
	var lines []line
	request := map[string]any{"logGroupName": "/aws/lambda/" + job, "filterPattern": `"` + release + `"`}
	for _, e := range stage.Log(t, w.Config(w.route.account), request) {
		var l line
		if json.Unmarshal([]byte(e.Message), &l) == nil && l.Release == release {
			lines = append(lines, l)
		}
	}
	return lines
}

// classes are those by which the job function retried during a release, sorted, each once.
func (w *world) classes(t *testing.T, release string) []string {
	t.Helper()
	classes := []string{}
	for _, l := range w.log(t, release) {
		switch l.Msg {
		case "retrying":
			classes = append(classes, l.Class)
		case "waiting for room":
			classes = append(classes, "slow")
		}
	}
	slices.Sort(classes)
	return slices.Compact(classes)
}
