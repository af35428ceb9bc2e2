// Package report shows a plan to people and to programs: the document that --json prints, and a page
// with a treemap of the site, which needs no network and stays small however large the site is.
package report

import (
	"time"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// Version is the version of the document's schema, docs/schemas/plan.schema.json.
const Version = 1

// Document is a plan as it is printed. Its JSON is a contract: see the schema.
type Document struct {
	Version      int         `json:"version"`
	Distribution string      `json:"distribution"` // its ID; "" when nobody told it
	Domain       string      `json:"domain"`       // "" when nobody told it
	Release      string      `json:"release"`      // "" when the site has no name
	Preset       plan.Preset `json:"preset"`
	Items        []Item      `json:"items"`
	// Everything says that too little is known, and that all is purged therefore.
	Everything bool     `json:"everything"`
	Stale      int      `json:"stale"`
	Collateral int      `json:"collateral"`
	Price      float64  `json:"price"` // US dollars
	Bound      int      `json:"bound"`
	Exact      bool     `json:"exact"`
	WaitOut    float64  `json:"waitOut"` // seconds
	Notes      []string `json:"notes"`
	Site       Site     `json:"site"`
	Seconds    float64  `json:"seconds"` // that making the plan took, reading included
}

// Item is one item with its reason.
type Item struct {
	Item       invalidation.Item `json:"item"`
	Reason     string            `json:"reason"`
	Covers     int               `json:"covers"`
	Collateral int               `json:"collateral"`
}

// Count is a number of objects and of their bytes.
type Count struct {
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// Site is what becomes of the site's objects; each is counted once below it, and those that the
// deploy deletes as Removed only.
type Site struct {
	Count
	Unchanged  Count `json:"unchanged"`  // and not purged
	Changed    Count `json:"changed"`    // and left alone: no viewer can see it stale
	Purged     Count `json:"purged"`     // changed, or it may have
	Collateral Count `json:"collateral"` // unchanged, and purged with others
	Removed    int   `json:"removed"`
}

// New makes the document of a plan. Warnings come before what the plan itself notes.
func New(in plan.Input, p plan.Plan, release string, warnings []string, took time.Duration) (Document, *Tree) {
	tree := Grow(in, p)
	d := Document{
		Version: Version, Distribution: p.Distribution.ID, Domain: p.Distribution.Domain, Release: release, Preset: p.Preset,
		Items: []Item{}, Everything: unknown(in), Stale: p.Stale, Collateral: p.Collateral,
		Price: float64(p.Price) / float64(invalidation.Dollar), Bound: p.Bound, Exact: p.Exact,
		WaitOut: p.WaitOut.Seconds(), Notes: append(append([]string{}, warnings...), p.Notes...),
		Site: tree.site(), Seconds: took.Seconds(),
	}
	for _, c := range p.Items {
		d.Items = append(d.Items, Item{c.Item, c.Reason, c.Covers, c.Collateral})
	}
	return d, tree
}

// Cost is what an item costs: the free ones come first.
func (d Document) Cost(item int) invalidation.Money {
	if paid := int(d.Money() / invalidation.PathPrice); item >= len(d.Items)-paid {
		return invalidation.PathPrice
	}
	return 0
}

// Money is the price as an amount.
func (d Document) Money() invalidation.Money {
	return invalidation.Money(d.Price*float64(invalidation.Dollar) + 0.5)
}
