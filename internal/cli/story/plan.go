package story

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// Plan is what was to be purged for a release, and why: from the evidence that the function left, or, on
// a route that keeps none, the items that the pipeline gives.
type Plan struct {
	Release    string   `json:"release"`
	Given      bool     `json:"given"` // the items were not planned: the pipeline or its template names them
	Items      []Item   `json:"items"`
	Stale      int      `json:"stale"`              // URLs whose cached copies are old
	Collateral int      `json:"collateral"`         // objects that did not change and are purged
	Price      float64  `json:"price"`              // US dollars
	Notes      []string `json:"notes"`              // what was left out, and what is doubtful
	Evidence   string   `json:"evidence,omitempty"` // s3://BUCKET/KEY
}

// Item is one item of a plan.
type Item struct {
	Item       string `json:"item"`
	Reason     string `json:"reason"`
	Covers     int    `json:"covers"`
	Collateral int    `json:"collateral"`
}

// purgeAction is the name of the action that purges, in all templates.
const purgeAction = "Purge"

// plan is that of an execution that has ended.
func (s *Stage) plan(ctx context.Context, release, execution string) (Plan, error) {
	variables, err := s.variables(ctx, execution, purgeAction)
	if err != nil {
		return Plan{}, err
	}
	uri := variables["Verdict"] // of one target: the evidence's, or the verdict itself where none is kept
	if !strings.HasPrefix(uri, "s3://") || strings.Contains(uri, " ") {
		return s.given(release), nil
	}
	// The state lies beside the function.
	account := PipelineAccount
	if s.options.Route == "direct" {
		account = DeliveryAccount
	}
	body, err := s.call(ctx, account, "s3", "", (&url.URL{Path: "/" + strings.TrimPrefix(uri, "s3://")}).EscapedPath(), nil)
	var record struct {
		Plan struct {
			Preset            string
			Items             []Item
			Stale, Collateral int
			Price             int64 // millionths of a dollar
		}
		Notes []string
	}
	if err == nil {
		err = json.Unmarshal(body, &record)
	}
	if err != nil {
		return Plan{}, fmt.Errorf("read the evidence %s: %w", uri, err)
	}
	p := Plan{
		Release: release, Items: record.Plan.Items, Stale: record.Plan.Stale,
		Collateral: record.Plan.Collateral, Price: float64(record.Plan.Price) / 1e6, Notes: record.Notes, Evidence: uri,
	}
	return p.whole(), nil
}

// given is the plan of a route that plans nothing.
func (s *Stage) given(release string) Plan {
	p := Plan{Release: release, Given: true}
	for _, item := range s.Invalidation().Items {
		p.Items = append(p.Items, Item{Item: item, Reason: "named by the pipeline's action"})
	}
	return p.whole()
}

// whole has lists where JSON would have null.
func (p Plan) whole() Plan {
	if p.Items == nil {
		p.Items = []Item{}
	}
	if p.Notes == nil {
		p.Notes = []string{}
	}
	return p
}
