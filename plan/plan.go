// Package plan decides what to invalidate: it turns what is known of a distribution and of a
// release into the items for one distribution, each with its reason. It is pure: a plan is a value,
// looked at or carried out by others.
package plan

import (
	"fmt"

	"github.com/unstale/unstale/invalidation"
)

// Distribution is what a plan needs to know of a CloudFront distribution.
type Distribution struct {
	ID                string   `json:"id"`
	Account           string   `json:"account"` // 12 digits
	Domain            string   `json:"domain"`  // e.g. "d111111abcdef8.cloudfront.net"
	Aliases           []string `json:"aliases,omitempty"`
	DefaultRootObject string   `json:"defaultRootObject,omitempty"` // a key, without a leading "/"; "" when there is none
	Enabled           bool     `json:"enabled"`
	CacheTagHeader    string   `json:"cacheTagHeader,omitempty"` // the origin's header that carries tags; "" when tags are off
	Status            string   `json:"status"`                   // "Deployed" or "InProgress"
	ETag              string   `json:"etag"`                     // version of the configuration
}

// EntryPoints are the paths a viewer begins at: "/", and the root object's own path where one is set.
func (d Distribution) EntryPoints() []string {
	if d.DefaultRootObject == "" {
		return []string{"/"}
	}
	return []string{"/", invalidation.EncodeKey(d.DefaultRootObject)}
}

// Choice is one item and why it is in the plan.
type Choice struct {
	Item   invalidation.Item `json:"item"`
	Reason string            `json:"reason"`
}

// Plan is the items for one distribution.
type Plan struct {
	Distribution Distribution `json:"distribution"`
	Items        []Choice     `json:"items"`
	Notes        []string     `json:"notes,omitempty"` // what the reader should know besides
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
	if !d.Enabled {
		p.Notes = append(p.Notes, fmt.Sprintf("distribution %s is disabled, so no viewer gets an answer from it", d.ID))
	}
	return p
}
