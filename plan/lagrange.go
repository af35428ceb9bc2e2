package plan

// line is one choice of items: what it costs, and how many exact paths it has. As a function of an
// additional price of exact paths, the cost of a choice is a line, and the least cost is the lower
// hull of all lines.
type line struct {
	cost, exact int64
	picks       []pick
}

// lagrangian prices exact paths instead of limiting them. Every price gives a lower bound; the best
// one lies where the lower hull passes the limit, and the choice on its near side keeps the limit.
type lagrangian struct {
	*tree
	room
	unit  int64 // cost of one object purged besides; an item costs 1
	limit int64 // of exact paths, whatever else is chosen
	aim   int64 // of exact paths, when all wildcards are used
	table *table
	best  line  // the cheapest choice found that keeps all limits
	bound int64 // no choice that keeps the limits costs less
}

// maxPrices ends the search. It goes along the vertices of the hull, of which there are few in reach.
const maxPrices = 40

// search starts from a choice with too many exact paths and ends at the price where the hull passes
// the limit.
func (l *lagrangian) search(over line) {
	l.best, l.bound = l.measure([]pick{{l.root(), true}}), over.cost
	// At this price no exact path pays: it is more than all there is to purge.
	under, _ := l.at(int64(l.nodes[l.root()].fresh+1) * l.unit)
	l.consider(under)
	for range maxPrices {
		price := (under.cost - over.cost) / (over.exact - under.exact)
		now, value := l.at(price)
		l.bound = max(l.bound, value-price*l.limit)
		if now.cost+price*now.exact >= min(over.cost+price*over.exact, under.cost+price*under.exact) {
			return
		}
		if now.exact > l.aim {
			over = now
			continue
		}
		under = now
		l.consider(now)
	}
}

// consider keeps a choice if it is the cheapest that keeps all limits.
func (l *lagrangian) consider(c line) {
	if c.cost < l.best.cost && l.room.holds(l.tree, c.picks) {
		l.best = c
	}
}

// at is the cheapest choice at a price, and what it costs with the price.
func (l *lagrangian) at(price int64) (line, int64) {
	slots := min(l.wild, l.items)
	l.table = l.solve(slots, prices{fresh: l.unit, exact: 1 + price, wild: 1, single: true}, l.table)
	return l.measure(l.table.trace(nil, l.root(), slots)), l.table.cost(l.root(), slots)
}

// measure adds up a choice.
func (l *lagrangian) measure(picks []pick) line {
	out := line{picks: picks}
	for _, p := range picks {
		n := &l.nodes[p.node]
		if p.wildcard {
			out.cost += int64(n.fresh)*l.unit + 1
		} else {
			out.cost += int64(n.leaves)
			out.exact += int64(n.leaves)
		}
	}
	return out
}

// step is a way to spend exact paths: the wildcard of a pick goes down to a child of its node.
type step struct {
	at, kid    int   // the pick's place, and the child's node
	save, need int64 // objects no longer purged, exact paths more
}

// improve spends what the best choice leaves of the limit: a wildcard goes down to the child where
// it saves most per exact path that the other children then need.
func (l *lagrangian) improve() {
	for {
		left := min(l.limit, int64(l.items-wildcards(l.best.picks))) - l.best.exact
		best := l.bestStep(left)
		if best.need == 0 {
			return
		}
		var picks []pick
		for at, p := range l.best.picks {
			if at != best.at {
				picks = append(picks, p)
				continue
			}
			for _, kid := range l.kids(p.node) {
				picks = append(picks, pick{kid, kid == best.kid})
			}
		}
		l.best = l.measure(picks)
	}
}

// bestStep is the step that saves most for each exact path, of which so many are left; its need is 0
// when there is none.
func (l *lagrangian) bestStep(left int64) (best step) {
	for at, p := range l.best.picks {
		if !p.wildcard {
			continue
		}
		n := &l.nodes[p.node]
		cones := l.cones(p.node)
		for _, kid := range l.kids(p.node) {
			k := &l.nodes[kid]
			s := step{at, kid, int64(n.fresh - k.fresh), int64(n.leaves - k.leaves)}
			usable := k.fresh >= 0 && s.save > 0 && s.need <= left && cones == l.cones(kid)
			if usable && (best.need == 0 || s.save*best.need > best.save*s.need) {
				best = s
			}
		}
	}
	return best
}

func wildcards(picks []pick) (n int) {
	for _, p := range picks {
		if p.wildcard {
			n++
		}
	}
	return n
}

// cones counts the cones below a node.
func (t *tree) cones(i int) (n int) {
	for at := i - int(t.nodes[i].size) + 1; at <= i; at++ {
		if t.nodes[at].cone {
			n++
		}
	}
	return n
}
