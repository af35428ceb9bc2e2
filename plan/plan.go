// Package plan decides what to invalidate: it turns what is known of a distribution and of a
// release into the items for one distribution, each with its reason. It is pure: a plan is a value,
// looked at or carried out by others.
package plan

import (
	"fmt"
	"time"

	"github.com/unstale/unstale/invalidation"
)

// Choice is one item and why it is in the plan.
type Choice struct {
	Item   invalidation.Item `json:"item"`
	Reason string            `json:"reason"`
	// Covers is how many of the stale URLs it purges, and Collateral how many objects that did not
	// change. Both are known of items that Build chose only.
	Covers     int `json:"covers,omitempty"`
	Collateral int `json:"collateral,omitempty"`
}

// Plan is the items for one distribution.
type Plan struct {
	Distribution Distribution `json:"distribution"`
	Items        []Choice     `json:"items"`           // sorted bytewise where Build chose them
	Notes        []string     `json:"notes,omitempty"` // what the reader should know besides

	// The rest is Build's.
	Preset Preset `json:"preset,omitempty"`
	// Stale is how many URLs, or families of URLs that begin alike, had to be covered.
	Stale int `json:"stale,omitempty"`
	// Collateral is how many objects did not change and are purged. What is cached behind behaviors
	// that the release does not serve is not known, and counts as one object each.
	Collateral int `json:"collateral,omitempty"`
	// Bound is what Collateral could be at the very least; Exact says that nothing better exists, by
	// what the preset prefers.
	Bound int                `json:"bound,omitempty"`
	Exact bool               `json:"exact,omitempty"`
	Price invalidation.Money `json:"price,omitempty"` // millionths of a US dollar, given what the month already used
	// WaitOut is how long what is not purged may still be served stale, counted from when the origin
	// serves the release; a purge is not over before that.
	WaitOut time.Duration `json:"waitOut,omitempty"`
}

// Paths are the plan's items without their reasons.
func (p Plan) Paths() []invalidation.Item {
	items := make([]invalidation.Item, len(p.Items))
	for i, choice := range p.Items {
		items[i] = choice.Item
	}
	return items
}

// Everything plans "/*": one path to pay, and nothing left stale.
func Everything(d Distribution, reason string) Plan {
	return Given(d, []invalidation.Item{"/*"}, reason)
}

// Given plans items that somebody chose. They are taken as they are; what is doubtful about them
// is said in the notes.
func Given(d Distribution, items []invalidation.Item, reason string) Plan {
	p := Plan{Distribution: d}
	tags := 0
	for _, item := range items {
		p.Items = append(p.Items, Choice{Item: item, Reason: reason})
		if item.Tag() {
			tags++
		}
	}
	if tags > 0 && d.CacheTagHeader == "" {
		p.Notes = append(p.Notes, fmt.Sprintf(
			"distribution %s has no cache tag header, so %d of the items (tags) match nothing", d.ID, tags))
	}
	p.Notes = append(p.Notes, d.doubts()...)
	return p
}

// doubts are notes about the distribution itself.
func (d *Distribution) doubts() (notes []string) {
	if !d.Enabled {
		notes = append(notes, fmt.Sprintf("distribution %s is disabled, so no viewer gets an answer from it", d.ID))
	}
	if d.Staging {
		notes = append(notes, fmt.Sprintf("distribution %s is a staging distribution: its caches are not those of the primary one", d.ID))
	}
	return notes
}
