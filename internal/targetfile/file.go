// Package targetfile reads unstale.yaml, in which an operator names targets: what the command line may
// purge, and how it gets there. It is apart from package target because the Lambda functions share the
// targets, but must not carry a YAML library.
package targetfile

import (
	"fmt"
	"time"

	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/plan"
)

// Name is what the file is called.
const Name = "unstale.yaml"

// Version is the one version of the file's format.
const Version = 1

// File is a targets file that was read. Defaults are part of each target already.
type File struct {
	Path    string
	Targets []Target // in the order of the file
}

// Target is a target with what the command line knows of it besides.
type Target struct {
	target.Target
	Line int // where its name stands

	Domain          string   // what viewers ask for, such as "www.example.com"; "": the distribution's own
	Profile, Region string   // of the AWS shared configuration; "": as the environment has it
	Groups          []string // sorted
	Verify          []string // URL paths to look at besides the entry points

	Wait    *time.Duration // how long to wait for completion; nil: not said; 0: not at all
	Preset  plan.Preset    // "": not said
	Budget  plan.Budget
	Deletes bool // the deploy removes what a release lacks

	Bucket, Prefix string                  // where the release lies; "": wherever the distribution reads
	AppRoutes      []string                // of a single-page app; nil: any path may be one; empty: none is
	Rewrites       map[string]plan.Rewrite // by the name or ARN of the distribution's function
	State          State
}

// State is where manifests and evidence are kept.
type State struct{ Bucket, Prefix string }

// String is the s3:// URL, "" for none.
func (s State) String() string {
	switch {
	case s.Bucket == "":
		return ""
	case s.Prefix == "":
		return "s3://" + s.Bucket
	}
	return "s3://" + s.Bucket + "/" + s.Prefix
}

// Routes are those that the command line can take.
func Routes() []target.Route {
	return []target.Route{target.Assume, target.Relay, target.SameAccount}
}

// Unreachable is a target whose route only a pipeline can take.
type Unreachable struct {
	Target string
	Route  target.Route
}

func (e *Unreachable) Error() string {
	why := "it begins with an action of a pipeline, which hands the job to a function of the delivery account"
	if e.Route == target.States {
		why = "the state machine belongs to the pipeline, which hands it the items and records its executions"
	}
	return fmt.Sprintf("reach target %q: only a pipeline can take route %s: %s; the command line takes assume, relay and same-account",
		e.Target, e.Route, why)
}

// Try says what to do about it.
func (e *Unreachable) Try() string {
	return "name the distribution in a second target, with route same-account and a profile of the delivery account, or with route assume"
}

// Reachable says whether the command line itself can purge the target: nil, or an *Unreachable. A
// target that only a pipeline reaches may stand in the file nevertheless, so that one file lists all
// there are and every link of every route can be checked.
func (t Target) Reachable() error {
	for _, r := range Routes() {
		if r == t.Route {
			return nil
		}
	}
	return &Unreachable{t.Name, t.Route}
}
