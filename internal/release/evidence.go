package release

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// EvidenceVersion is the version of the record; docs/schemas/evidence.schema.json describes it.
const EvidenceVersion = 1

// Evidence is the record of one run: who, what, why, when, and what viewers got.
type Evidence struct {
	Version      int                  `json:"version"`
	Outcome      string               `json:"outcome"` // "viewed", "restricted" or "failed"
	Target       string               `json:"target"`
	Route        string               `json:"route"`
	Release      string               `json:"release,omitempty"`
	Attempt      string               `json:"attempt"`
	Function     string               `json:"function,omitempty"` // who did it: a function's name
	Distribution EvidenceDistribution `json:"distribution"`
	Plan         EvidencePlan         `json:"plan"`
	Invalidation EvidenceInvalidation `json:"invalidation"`
	Viewer       viewer.Report        `json:"viewer"`
	Times        EvidenceTimes        `json:"times"`
	Notes        []string             `json:"notes"`
	Failure      *EvidenceFailure     `json:"failure,omitempty"`
	Summary      string               `json:"summary"` // the verdict in one line
}

// EvidenceDistribution is what was purged.
type EvidenceDistribution struct {
	ID      string `json:"id"`
	Domain  string `json:"domain,omitempty"`
	Account string `json:"account,omitempty"`
}

// EvidencePlan is why the items are what they are.
type EvidencePlan struct {
	Preset     plan.Preset    `json:"preset,omitempty"` // "": the items were given, or purge everything
	Items      []EvidenceItem `json:"items"`
	Stale      int            `json:"stale"`
	Collateral int            `json:"collateral"`
	Price      float64        `json:"price"` // US dollars
	Bound      int            `json:"bound"`
	Exact      bool           `json:"exact"`
	WaitOut    float64        `json:"waitOut"` // seconds
}

// EvidenceItem is one item with its reason, as a plan is printed.
type EvidenceItem struct {
	Item       invalidation.Item `json:"item"`
	Reason     string            `json:"reason"`
	Covers     int               `json:"covers"`
	Collateral int               `json:"collateral"`
}

// EvidenceInvalidation is what CloudFront was asked for; empty where nothing was.
type EvidenceInvalidation struct {
	ID        string              `json:"id,omitempty"`
	Reference string              `json:"reference,omitempty"`
	Items     []string            `json:"items"` // as CloudFront reports them
	Status    invalidation.Status `json:"status,omitempty"`
	Looks     int                 `json:"looks"` // how often the status was asked, in the last job of the action
}

// EvidenceTimes are moments in UTC, absent where they were not reached or not seen by the last job.
type EvidenceTimes struct {
	Started time.Time `json:"started"`
	Gated   time.Time `json:"gated,omitzero"` // the origin was seen to serve the release
	Created time.Time `json:"created,omitzero"`
	Ended   time.Time `json:"ended"`
	// Completion is how many seconds after the creation was noted it was found completed, by this machine's clock.
	Completion float64 `json:"completion,omitempty"`
}

// EvidenceFailure is why it failed.
type EvidenceFailure struct {
	Stage   string `json:"stage"`
	Message string `json:"message"`
	Try     string `json:"try,omitempty"`
}

// Conclude ends the work on a release when its verdict is final: a release that viewers were seen to
// get becomes the verified one, and the evidence is recorded. uri names the record, "" when there is
// no state. What cannot be recorded any more is noted in the verdict and takes nothing from it: the
// release stays pending, and the next plan covers it.
func (r *Run) Conclude(ctx context.Context, v *purge.Verdict) (uri string) {
	if r.State == nil || v.Outcome == purge.Unfinished || v.Progress.Distribution == "" {
		return ""
	}
	planned := v.Plan
	if planned.Items == nil && r.earlier != nil {
		planned = *r.earlier
	}
	if v.OK() && r.at != "" && r.everything(planned) {
		switch done, err := r.State.Finish(ctx, r.at, r.Attempt); {
		case err != nil:
			v.Notes = append(v.Notes, "the release stays pending: "+err.Error())
		case !done:
			v.Notes = append(v.Notes, "the history changed meanwhile, so this release is not recorded as verified; the next plan covers what caches may hold")
		}
	}
	r.doubt(ctx, v)
	record := r.evidence(v, planned)
	if err := r.State.Evidence(ctx, r.key(v.Progress), record); err != nil {
		v.Notes = append(v.Notes, "no evidence is kept: "+err.Error())
		return ""
	}
	return r.Record(v.Progress)
}

// doubt gives up what is known of the caches where viewers got what it cannot explain: somebody deployed past
// the pipeline, or a function serves something else. Otherwise every other try would plan the same and fail.
func (r *Run) doubt(ctx context.Context, v *purge.Verdict) {
	pages := v.Report.Unexplained(v.Items)
	if v.Failure == nil || len(pages) == 0 || r.at == "" || r.Items != nil {
		return
	}
	why := fmt.Sprintf("viewers got at %s what no release that is known explains", pages[0].URL)
	switch done, err := r.State.Doubt(ctx, r.at, r.Attempt, why); {
	case err != nil:
		v.Notes = append(v.Notes, "the next plan still relies on the history: "+err.Error())
	case done:
		v.Failure.Try = "retry the stage, or run the command anew, and everything is purged: " + why
	}
}

// Record names the evidence of a release that was concluded, maybe by an earlier process; "" without
// state.
func (r *Run) Record(p purge.Progress) (uri string) {
	if r.State == nil {
		return ""
	}
	return r.State.URI(r.key(p))
}

func (r *Run) key(p purge.Progress) string {
	return store.EvidenceKey(r.account(), p.Distribution, r.Target.Name, r.Attempt, p.Paths, r.Started)
}

// account is whose free paths a run uses up. Where the configuration does not say, it is the function's
// own account.
func (r *Run) account() string { return cmp.Or(r.Target.Account, "own") }

// everything reports whether a plan leaves nothing of the release stale: one that was made for it, or
// one that purges all there is.
func (r *Run) everything(p plan.Plan) bool {
	return r.Items == nil || slices.Contains(p.Paths(), "/*")
}

func (r *Run) evidence(v *purge.Verdict, p plan.Plan) Evidence {
	e := Evidence{
		Version: EvidenceVersion, Outcome: v.Outcome.String(), Target: r.Target.Name, Route: string(r.Target.Route),
		Release: r.Name, Attempt: r.Attempt, Function: r.Function,
		Distribution: EvidenceDistribution{v.Progress.Distribution, v.Distribution.Domain, v.Distribution.Account},
		Plan: EvidencePlan{
			Preset: p.Preset, Items: make([]EvidenceItem, len(p.Items)), Stale: p.Stale, Collateral: p.Collateral,
			Price: dollars(p.Price), Bound: p.Bound, Exact: p.Exact, WaitOut: p.WaitOut.Seconds(),
		},
		Invalidation: EvidenceInvalidation{
			ID: v.Progress.ID, Reference: v.Progress.Reference, Items: nonNil(v.Items), Status: v.Status, Looks: v.Looks,
		},
		Viewer: v.Report,
		Times: EvidenceTimes{
			Started: r.Started.UTC(), Gated: v.Gated.UTC(), Ended: r.Now().UTC(), Completion: v.Took.Seconds(),
		},
		Notes: nonNil(v.Notes), Summary: v.String(),
	}
	if v.Progress.Stage == purge.Restricted {
		e.Outcome = v.Progress.Stage.Name()
	}
	for i, c := range p.Items {
		e.Plan.Items[i] = EvidenceItem{c.Item, c.Reason, c.Covers, c.Collateral}
	}
	e.Viewer.Pages = nonNil(e.Viewer.Pages)
	if v.Gated.IsZero() {
		e.Times.Gated = time.Time{}
	}
	if v.Progress.ID != "" {
		e.Times.Created = v.Progress.Since()
	}
	if f := v.Failure; f != nil {
		e.Failure = &EvidenceFailure{Stage: f.Stage.Name(), Message: fmt.Sprint(f.Err), Try: f.Try}
	}
	return e
}

// dollars is an amount as documents have it.
func dollars(m invalidation.Money) float64 { return float64(m) / float64(invalidation.Dollar) }

// nonNil makes a list that JSON writes as one.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
