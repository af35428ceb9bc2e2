package plan

// room is how many items there may be.
type room struct{ wild, exact, items int }

// holds reports whether a choice keeps to the room.
func (r room) holds(t *tree, picks []pick) bool {
	wild, exact := 0, 0
	for _, p := range picks {
		if p.wildcard {
			wild++
		} else {
			exact += int(t.nodes[p.node].leaves)
		}
	}
	return wild <= r.wild && exact <= r.exact && wild+exact <= r.items
}

// possible reports whether any choice keeps to the room: one wildcard covers everything.
func (r room) possible(t *tree) bool {
	if len(t.nodes) == 0 || r.wild > 0 && r.items > 0 {
		return true
	}
	leaves := int(t.nodes[t.root()].leaves)
	return t.cones(t.root()) == 0 && leaves <= min(r.exact, r.items)
}

// fewest is the least number of items that cover everything; the choice must be possible.
func (r room) fewest(t *tree) int {
	switch {
	case len(t.nodes) == 0:
		return 0
	case r.wild > 0:
		return 1
	}
	return int(t.nodes[t.root()].leaves)
}

// choice is what to invalidate.
type choice struct {
	picks []pick
	bound int  // no choice purges fewer objects besides
	exact bool // this one is the best there is
}

// choose covers all demands within the room, purging the fewest objects besides, and among those
// choices with the fewest items. Exact, unless both exact paths (or the items altogether) are scarce
// and the demands are many; then the bound says how much better another choice could be at most.
func (t *tree) choose(r room) choice {
	if len(t.nodes) == 0 {
		return choice{exact: true}
	}
	root := t.root()
	leaves := int(t.nodes[root].leaves)
	unit := int64(leaves) + 1 // one object weighs more than all items
	p := prices{fresh: unit, exact: 1, wild: 1}
	slots := min(r.wild, r.items)
	free := t.solve(slots, p, nil)
	optimal := func(picks []pick) choice {
		return choice{picks: picks, bound: t.collateral(picks), exact: true}
	}
	var over []pick
	if free.cost(root, slots) < impossible {
		if over = free.trace(nil, root, slots); r.holds(t, over) {
			return optimal(over)
		}
	}
	exact := min(r.exact, r.items)
	switch {
	case r.items <= min(r.wild, r.exact) && leaves*r.items <= gridWork:
		p.shared = true
		shared := t.solve(r.items, p, free)
		return optimal(shared.trace(nil, root, r.items))
	case t.fits(slots, exact):
		g := t.solveGrid(slots, exact, p)
		w, e := g.within(r.items)
		return optimal(g.trace(nil, root, w, e))
	}
	return t.scarce(r, over, unit, free)
}

// scarce chooses where an exact answer is too much work. over is the best choice were exact paths and
// items not scarce.
func (t *tree) scarce(r room, over []pick, unit int64, free *table) choice {
	l := &lagrangian{tree: t, room: r, unit: unit, table: free, limit: int64(min(r.exact, r.items))}
	l.aim = int64(min(r.exact, r.items-free.slots))
	l.search(l.measure(over))
	l.improve()
	c := choice{picks: l.best.picks, bound: int(l.bound / unit)}
	c.exact = c.bound >= t.collateral(c.picks)
	return c
}

// within finds the cheapest split of the items into wildcards and exact paths, with the fewest
// wildcards among equals.
func (g *grid) within(items int) (w, e int) {
	best := impossible
	all := g.of(g.root())
	for wild := 0; wild <= min(g.wild, items); wild++ {
		if cost := all.at(wild, min(g.exact, items-wild)); cost < best {
			best, w, e = cost, wild, min(g.exact, items-wild)
		}
	}
	return w, e
}

// collateral is how many fresh objects a choice purges.
func (t *tree) collateral(picks []pick) (n int) {
	for _, p := range picks {
		if p.wildcard {
			n += int(t.nodes[p.node].fresh)
		}
	}
	return n
}
