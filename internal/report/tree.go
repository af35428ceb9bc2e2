package report

import (
	"strings"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// Tally counts objects by what becomes of them.
type Tally [states]Count

func (t *Tally) add(other *Tally) {
	for s := range t {
		t[s].Objects += other[s].Objects
		t[s].Bytes += other[s].Bytes
	}
}

// total is all of it.
func (t *Tally) total() (c Count) {
	for _, one := range t {
		c.Objects += one.Objects
		c.Bytes += one.Bytes
	}
	return c
}

// eventful reports whether something changed or is purged in it.
func (t *Tally) eventful() bool {
	return t[Changed].Objects+t[Purged].Objects+t[Collateral].Objects > 0
}

// node is a directory, whose name ends with "/", or a file. Small children are not kept, only counted.
type node struct {
	name     string
	tally    Tally
	children []*node
	rest     Tally // of the children that are not kept
	folded   int   // how many these are
	eventful int   // how many of the kept ones are kept only because something happens in them
}

// Tree is a site by directories.
type Tree struct {
	root    *node
	removed int
}

// What is kept of a directory: children that are at least this part of the site by objects or bytes,
// and of the others so many in which something changes. So a tree has a few thousand nodes at most,
// whatever the site.
const (
	smallestPart = 1.0 / 1000
	mostEventful = 48
)

// Grow makes the tree of the site that a plan is for.
func Grow(in plan.Input, p plan.Plan) *Tree {
	g := &grower{open: []*node{{}}, prefixes: []int{0}}
	for i := range in.Release {
		g.whole.Objects++
		g.whole.Bytes += in.Release[i].Size
	}
	t := &Tree{}
	j := newJudge(in, p)
	for row := range site.Join(in.Release, in.Known...) {
		state, o := j.state(row)
		if o == nil {
			t.removed++
			continue
		}
		g.add(row.Key, state, o.Size)
	}
	for len(g.open) > 1 {
		g.close()
	}
	t.root = g.open[0]
	return t
}

// site is the tree in numbers.
func (t *Tree) site() Site {
	all := &t.root.tally
	return Site{all.total(), all[Unchanged], all[Changed], all[Purged], all[Collateral], t.removed}
}

// grower makes a tree of keys that come in order, so that each directory is closed once all of it is
// known, and forgotten when it is small.
type grower struct {
	whole    Count   // of the site
	open     []*node // the directory of the last key, from the root
	prefixes []int   // by open directory: how much of the last key it is
	last     string
}

func (g *grower) add(key string, s State, size int64) {
	for len(g.open) > 1 && !strings.HasPrefix(key, g.last[:g.prefixes[len(g.prefixes)-1]]) {
		g.close()
	}
	at := g.prefixes[len(g.prefixes)-1]
	for {
		slash := strings.IndexByte(key[at:], '/')
		if slash < 0 || at+slash+1 == len(key) {
			break // what ends with a slash is an object, too
		}
		g.open = append(g.open, &node{name: key[at : at+slash+1]})
		at += slash + 1
		g.prefixes = append(g.prefixes, at)
	}
	g.last = key
	var t Tally
	t[s] = Count{1, size}
	g.settle(key[at:], t, nil)
}

// close ends the innermost directory.
func (g *grower) close() {
	last := len(g.open) - 1
	n := g.open[last]
	g.open, g.prefixes = g.open[:last], g.prefixes[:last]
	g.settle(n.name, n.tally, n)
}

// settle puts a child into the innermost directory: a directory, or a file where n is nil.
func (g *grower) settle(name string, t Tally, n *node) {
	parent := g.open[len(g.open)-1]
	parent.tally.add(&t)
	c := t.total()
	switch large := g.large(c); {
	case !large && (!t.eventful() || parent.eventful == mostEventful):
		parent.rest.add(&t)
		parent.folded++
		return
	case !large:
		parent.eventful++
	}
	if n == nil {
		n = &node{name: name, tally: t}
	}
	parent.children = append(parent.children, n)
}

func (g *grower) large(c Count) bool {
	return float64(c.Objects) >= smallestPart*float64(g.whole.Objects) ||
		float64(c.Bytes) >= smallestPart*float64(g.whole.Bytes) && c.Bytes > 0
}
