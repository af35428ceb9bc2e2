package plan

import (
	"fmt"
	"strings"

	"github.com/unstale/unstale/invalidation"
)

// Explain tells people the plan: per item why it is there, what it covers, what it costs and what
// else it purges; then what was left out.
func (p Plan) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p.Distribution.ID, counted(len(p.Items), "item", "items"))
	if p.Preset != "" {
		fmt.Fprintf(&b, " (%s) for %s, %s, %s purged besides", p.Preset, counted(p.Stale, "stale URL", "stale URLs"), p.Price,
			counted(p.Collateral, "unchanged object", "unchanged objects"))
	}
	b.WriteByte('\n')
	free := len(p.Items) - int(p.Price/invalidation.PathPrice)
	for i, c := range p.Items {
		fmt.Fprintf(&b, "  %s\n    why: %s\n", c.Item, c.Reason)
		if p.Preset == "" {
			continue
		}
		cost := "free this month"
		if i >= free {
			cost = invalidation.PathPrice.String()
		}
		fmt.Fprintf(&b, "    covers %s; %s; ", counted(c.Covers, "stale URL", "stale URLs"), cost)
		if c.Collateral == 0 {
			b.WriteString("purges nothing else\n")
		} else {
			fmt.Fprintf(&b, "also purges %s\n", counted(c.Collateral, "object that did not change", "objects that did not change"))
		}
	}
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "  note: %s\n", note)
	}
	return b.String()
}

// Covering returns what finds the plan's item that purges a path, encoded as
// invalidation.EncodePath writes it; "" when none does. It is quick enough for every key of a site.
func (p Plan) Covering() func(path string) invalidation.Item {
	exact := map[string]invalidation.Item{}
	var wild []invalidation.Item
	for _, c := range p.Items {
		if c.Item.Wildcard() {
			wild = append(wild, c.Item)
		} else if !c.Item.Tag() {
			exact[string(c.Item)] = c.Item
		}
	}
	return func(path string) invalidation.Item {
		if item, found := exact[path]; found {
			return item
		}
		for _, item := range wild {
			if item.Covers(path) {
				return item
			}
		}
		return ""
	}
}
