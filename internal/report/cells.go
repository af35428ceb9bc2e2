package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// measure is what the treemap's areas stand for.
type measure func(Count) float64

func byObjects(c Count) float64 { return float64(c.Objects) }
func byBytes(c Count) float64   { return float64(c.Bytes) }

// What is drawn: how many boxes, how deep, and what part of the
// site a directory has to be to be opened, or a child to be named although nothing happens in it.
const (
	mostCells    = 200
	deepest      = 5
	worthOpening = 0.015
	worthNaming  = 0.008
)

// A box is at least this part of the whole, so that one changed file among a million is seen; the
// page says so. All that are drawn larger for what happens in them have mostRaised together.
const (
	leastEvent = 0.01
	leastOther = 0.0008
	mostRaised = 0.4
)

// cell is a box to be: a file, a directory, or what is left of one in one state.
type cell struct {
	name   string
	path   string // from the root; of what is left, its directory's
	tally  Tally
	node   *node // what can be opened; nil otherwise
	weight float64
	cells  []*cell // of an opened directory
	depth  int
}

// chooser chooses what is drawn of a tree, by size and by what happens in it.
type chooser struct {
	by    measure
	whole float64
	named int // the most in one directory
}

func (t *Tree) cells(by measure, named int) []*cell {
	c := chooser{by, max(1, by(t.root.tally.total())), named}
	root := &cell{node: t.root, tally: t.root.tally, weight: c.whole}
	count := c.open(root)
	if root.cells == nil { // nothing but small files, in one state
		root.cells = rests(root, t.root.tally)
	}
	frontier := slices.Clone(root.cells)
	for count < mostCells {
		best := -1
		for i, one := range frontier {
			if c.openable(one) && (best < 0 || one.weight > frontier[best].weight) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		opened := frontier[best]
		count += c.open(opened)
		frontier = append(slices.Delete(frontier, best, best+1), opened.cells...)
	}
	events := root.events()
	c.weigh(root, min(leastEvent, mostRaised/float64(max(1, events))))
	return root.cells
}

func (c chooser) openable(one *cell) bool {
	return one.node != nil && one.depth < deepest &&
		(one.weight >= worthOpening*c.whole || one.depth < 2 && one.tally.eventful())
}

// open makes the cells of a directory, if that shows more than the directory does: children that are
// large, or in which something changed unlike beside it, and all the others by their state. It returns how many.
func (c chooser) open(parent *cell) int {
	n := parent.node
	parent.node = nil
	left := n.rest
	uniform := len(rests(parent, parent.tally)) < 2
	var named []*cell
	for _, child := range n.children {
		one := newCell(child, parent)
		one.weight = c.by(one.tally.total())
		if one.weight < worthNaming*c.whole && (uniform || one.tally[Changed].Objects+one.tally[Purged].Objects == 0) {
			left.add(&one.tally)
			continue
		}
		named = append(named, one)
	}
	byWeight(named)
	for _, one := range named[min(len(named), c.named):] {
		left.add(&one.tally)
	}
	named = named[:min(len(named), c.named)]
	more := rests(parent, left)
	if len(named) == 0 && len(more) < 2 {
		return 0
	}
	parent.cells = append(named, more...)
	return len(parent.cells)
}

// rests makes the cells of what is not named in a directory.
func rests(parent *cell, left Tally) (cells []*cell) {
	for s, count := range left {
		if count.Objects == 0 {
			continue
		}
		one := &cell{name: thousands(count.Objects) + " more", path: parent.path, depth: parent.depth + 1}
		one.tally[s] = count
		cells = append(cells, one)
	}
	return cells
}

// newCell makes the cell of a child. Directories that hold nothing but one directory become one.
func newCell(n *node, parent *cell) *cell {
	c := &cell{name: n.name, path: parent.path + n.name, tally: n.tally, depth: parent.depth + 1}
	for n.folded == 0 && len(n.children) == 1 && strings.HasSuffix(n.children[0].name, "/") {
		n = n.children[0]
		c.name, c.path = c.name+n.name, c.path+n.name
	}
	if strings.HasSuffix(c.name, "/") {
		c.node = n
	}
	return c
}

// events counts the boxes in which something happens.
func (c *cell) events() (n int) {
	if len(c.cells) == 0 && c.tally.eventful() {
		return 1
	}
	for _, child := range c.cells {
		n += child.events()
	}
	return n
}

// weigh gives boxes their size, or the least that can be seen, and directories what is in them.
func (c chooser) weigh(one *cell, leastEvent float64) {
	if len(one.cells) == 0 {
		least := leastOther
		if one.tally.eventful() {
			least = leastEvent
		}
		one.weight = max(c.by(one.tally.total()), least*c.whole)
		return
	}
	one.weight = 0
	for _, child := range one.cells {
		c.weigh(child, leastEvent)
		one.weight += child.weight
	}
	byWeight(one.cells)
}

func byWeight(cells []*cell) {
	slices.SortStableFunc(cells, func(a, b *cell) int { return cmp.Compare(b.weight, a.weight) })
}

// thousands writes a number with commas.
func thousands[N int | int64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes bytes for people. Source of the units: IEC 80000-13.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB"} {
		if v /= 1024; v < 999.5 {
			return fmt.Sprintf("%.3g %s", v, unit)
		}
	}
	return fmt.Sprintf("%.4g TiB", v/1024)
}
