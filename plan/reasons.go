package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unstale/unstale/invalidation"
)

// writer puts a choice into words.
type writer struct {
	*survey
	*tree
	unknown string // why everything is purged; "" when that is not so
}

// items makes the items of a choice.
func (w *writer) items(picks []pick) []Choice {
	items := []Choice{}
	for _, p := range picks {
		n := &w.nodes[p.node]
		if p.wildcard {
			items = append(items, w.wildcard(n))
			continue
		}
		for i := n.demand; i < n.demand+n.leaves; i++ {
			d := w.at(i)
			items = append(items, Choice{Item: invalidation.Item("/" + d.path), Reason: w.because(d), Covers: 1})
		}
	}
	return items
}

// at is a demand by its place in the tree's order.
func (w *writer) at(i int32) demand { return w.demands[w.order[i]] }

func (w *writer) because(d demand) string {
	text := d.text(w.d.missingTTL())
	if query, found := strings.CutSuffix(d.path, "?"); found && d.cone {
		return fmt.Sprintf("/%s is cached by query string, and %s", query, text)
	}
	return text
}

// wildcard makes the item of a wildcard, with what it covers.
func (w *writer) wildcard(n *node) Choice {
	first := w.at(n.demand)
	c := Choice{
		Item:   invalidation.Item("/" + first.path[:n.depth] + "*"),
		Covers: int(n.count), Collateral: int(n.fresh),
	}
	switch {
	case w.unknown != "":
		c.Reason = w.unknown
	case n.leaves == 1:
		c.Reason = w.because(first)
	default:
		var paths []string
		for i := n.demand; i < min(n.demand+maxExamples, n.demand+n.leaves); i++ {
			paths = append(paths, "/"+w.at(i).path)
		}
		c.Reason = fmt.Sprintf("it covers %d stale URLs (%s)%s", n.count, joinSome(paths, int(n.count)), w.mostly(n))
	}
	return c
}

// mostly names the first cause below a node that is worth more words than that something changed.
func (w *writer) mostly(n *node) string {
	for i := n.demand; i < n.demand+n.leaves; i++ {
		if d := w.at(i); d.cone && d.why >= spelledTwice {
			return ", of which /" + d.path + "* must go because " + w.because(d)
		}
	}
	return ""
}

// notes says what else there is to know of a plan.
func (w *writer) notes(p Plan) []string {
	notes := w.d.doubts()
	if w.unknown == "" && p.Stale == 0 {
		notes = append(notes, "no URL of this distribution can be served stale, so there is nothing to purge")
	}
	notes = append(notes, w.left.notes()...)
	notes = append(notes, w.reached(p.Paths())...)
	if p.WaitOut > 0 {
		notes = append(notes, fmt.Sprintf("what is left out may be cached for %s at most: it is waited out instead of purged", p.WaitOut))
	}
	if !p.Exact && p.Collateral > p.Bound {
		notes = append(notes, fmt.Sprintf("%d unchanged objects are purged besides; no choice within the limits purges fewer than %d", p.Collateral, p.Bound))
	}
	return append(notes, w.policies()...)
}

// policies notes the cache policies of which only the ID is known.
func (w *writer) policies() (notes []string) {
	if w.unknown != "" {
		return nil
	}
	var unknown []string
	for _, v := range w.views {
		if v.Policy.Unknown && slices.Contains(v.ours, true) && !slices.Contains(unknown, v.Policy.ID) {
			unknown = append(unknown, v.Policy.ID)
			notes = append(notes, fmt.Sprintf("what cache policy %s (behavior %s) says is not known, so everything there counts as cached for ever, and by any query string",
				v.Policy.ID, v.PathPattern))
		}
	}
	if len(w.mounts) > 1 {
		notes = append(notes, fmt.Sprintf("the release is served from %d origin paths of this distribution", len(w.mounts)))
	}
	return notes
}

// joinSome lists a few of many.
func joinSome[T ~string](list []T, count int) string {
	var b strings.Builder
	for i, s := range list[:min(len(list), maxExamples)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(s))
	}
	if count > maxExamples {
		b.WriteString(", ...")
	}
	return b.String()
}

// counted writes a number with the right noun.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
