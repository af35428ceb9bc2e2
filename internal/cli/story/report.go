package story

import (
	"time"

	"github.com/unstale/unstale/rehearsal/journal"
)

// Report is what `unstale rehearse --json` prints.
type Report struct {
	Route        string         `json:"route"`
	Pipeline     Pipeline       `json:"pipeline"`
	Invalidation Invalidation   `json:"invalidation"`
	Plan         []Plan         `json:"plan"` // one a release
	Viewer       Viewer         `json:"viewer"`
	Calls        []journal.Call `json:"calls"`
	Seconds      float64        `json:"seconds"` // from the first stack to the last look
}

// NewReport is the report of a story before it begins: its lists are empty.
func NewReport(route string) Report {
	return Report{
		Route: route, Pipeline: Pipeline{Stages: []PipelineStage{}}, Invalidation: Invalidation{Items: []string{}},
		Viewer: Viewer{[]View{}, []View{}, []View{}, []Object{}}, Plan: []Plan{}, Calls: []journal.Call{},
	}
}

// Pipeline is the execution that carried the release.
type Pipeline struct {
	ExecutionID string          `json:"executionId"`
	Status      string          `json:"status"`
	Stages      []PipelineStage `json:"stages"`
}

// Viewer is what viewers got of the entry page, one entry a point of presence: before the release, after
// it was deployed but not yet invalidated, and at the end. Objects tells of all the site, one entry
// for each URL at each point of presence.
type Viewer struct {
	Before []View `json:"before"`
	Stale  []View `json:"stale"`
	After  []View `json:"after"`

	Objects []Object `json:"objects"`
}

// Invalidation is the one that the release made.
type Invalidation struct {
	ID             string   `json:"id"`
	DistributionID string   `json:"distributionId"`
	Items          []string `json:"items"`
	Status         string   `json:"status"`
	Reference      string   `json:"reference"`
}

// PipelineStage is one stage of the execution.
type PipelineStage struct {
	Name    string   `json:"name"`
	Status  string   `json:"status"`
	Actions []Action `json:"actions"`
}

// Action is one action of a stage.
type Action struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message,omitempty"` // what the action said of itself, or why it failed
	// Log is the end of what a build printed that failed.
	Log []string `json:"log,omitempty"`
}

// elapsed is a duration as seconds, to the millisecond.
func elapsed(since time.Time) float64 {
	return float64(time.Since(since).Milliseconds()) / 1000
}
