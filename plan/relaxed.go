package plan

// impossible is the cost of what cannot be done; sums of two stay below overflow.
const impossible = int64(1) << 60

// prices is what a choice of items is charged for.
type prices struct {
	fresh       int64 // per object purged besides
	exact, wild int64 // per item
	// single also considers a wildcard for a single path, which only pays where exact paths are
	// scarce.
	single bool
	// shared makes exact paths take slots too, of which otherwise only wildcards take one each.
	shared bool
}

// table holds, for every node, the least cost of covering what is below it with at most k slots, for
// k from 0. Where more slots change nothing, the rest is left out.
type table struct {
	*tree
	prices
	slots  int
	values []int64
	at     []int32 // where a node's values begin
	a, b   []int64
}

// solve fills the table for up to the given number of slots: a knapsack over the tree, so that the
// work is at most the number of leaves times the slots.
func (t *tree) solve(slots int, p prices, reuse *table) *table {
	if reuse == nil {
		reuse = &table{at: make([]int32, len(t.nodes)+1)}
	}
	reuse.tree, reuse.prices, reuse.slots, reuse.values = t, p, slots, reuse.values[:0]
	for i := range t.nodes {
		reuse.at[i] = int32(len(reuse.values))
		reuse.node(i)
		reuse.at[i+1] = int32(len(reuse.values))
	}
	return reuse
}

// of is a node's costs by slots.
func (t *table) of(i int) []int64 { return t.values[t.at[i]:t.at[i+1]] }

// cost is a node's cost with at most k slots.
func (t *table) cost(i, k int) int64 {
	values := t.of(i)
	return values[min(k, len(values)-1)]
}

// wildcard is what one at a node costs.
func (t *table) wildcard(i int) int64 { return int64(t.nodes[i].fresh)*t.fresh + t.wild }

func (t *table) node(i int) {
	n := &t.nodes[i]
	if n.kids == 0 {
		t.leaf(i)
		return
	}
	sum := append(t.a[:0], 0)
	kid := i - 1
	for range n.kids {
		sum, t.b = t.join(t.b[:0], sum, t.of(kid)), sum
		kid -= int(t.nodes[kid].size)
	}
	t.a = sum
	if t.slots > 0 {
		whole := t.wildcard(i)
		if len(sum) == 1 && whole < sum[0] {
			sum = append(sum, whole)
		}
		for k := 1; k < len(sum); k++ {
			sum[k] = min(sum[k], whole)
		}
		t.a = sum
	}
	t.values = append(t.values, trim(sum)...)
}

func (t *table) leaf(i int) {
	n := &t.nodes[i]
	exact := t.exact
	if n.cone {
		exact = impossible
	}
	first, second := exact, exact
	if t.shared {
		first = impossible
	}
	if n.fresh >= 0 && (n.cone || t.single) {
		second = min(second, t.wildcard(i))
	}
	t.values = append(t.values, first)
	if second < first && t.slots > 0 {
		t.values = append(t.values, second)
	}
}

// join makes the costs of two neighbours together.
func (t *table) join(out, a, b []int64) []int64 {
	if len(b) == 1 {
		for _, v := range a {
			out = append(out, min(v+b[0], impossible))
		}
		return out
	}
	n := min(t.slots, len(a)+len(b)-2)
	for k := range n + 1 {
		best := impossible
		for j := max(0, k-len(a)+1); j <= min(k, len(b)-1); j++ {
			best = min(best, a[k-j]+b[j])
		}
		out = append(out, best)
	}
	return out
}

// trim leaves out the slots that change nothing.
func trim(values []int64) []int64 {
	n := len(values)
	for n > 1 && values[n-1] == values[n-2] {
		n--
	}
	return values[:n]
}

// pick is what was chosen: a wildcard at a node, or exact paths for all leaves below it.
type pick struct {
	node     int
	wildcard bool
}

// trace tells how a node's cost with at most k slots comes about. Among equals it takes the shorter
// wildcard, and gives slots to the bytewise first.
func (t *table) trace(picks []pick, i, k int) []pick {
	n := &t.nodes[i]
	want := t.cost(i, k)
	wildcard := k > 0 && n.fresh >= 0 && (n.kids > 0 || n.cone || t.single) && t.wildcard(i) == want
	switch {
	case n.kids == 0 && wildcard && !n.cone && want == t.exact: // an exact path is as good
		wildcard = false
	case !wildcard && !t.shared && want == t.cost(i, 0): // no cone below, and no wildcard needed
		return append(picks, pick{i, false})
	}
	if wildcard || n.kids == 0 {
		return append(picks, pick{i, wildcard})
	}
	kids := t.kids(i)
	sums := [][]int64{{0}}
	for _, kid := range kids {
		sums = append(sums, t.join(nil, sums[len(sums)-1], t.of(kid)))
	}
	share := make([]int, len(kids))
	k = min(k, len(sums[len(kids)])-1)
	for at := len(kids) - 1; at >= 0; at-- {
		before, own := sums[at], t.of(kids[at])
		for j := range own {
			if rest := k - j; rest >= 0 && before[min(rest, len(before)-1)]+own[j] == want {
				share[at], k, want = j, rest, want-own[j]
				break
			}
		}
	}
	for at, kid := range kids {
		picks = t.trace(picks, kid, share[at])
	}
	return picks
}
