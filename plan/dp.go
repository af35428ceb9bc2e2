package plan

// grid holds, for every node, the least cost with at most w wildcards and at most e exact paths: the
// knapsack over the tree with two constraints. Costs are of collateral first and items second, as
// with table.
type grid struct {
	*tree
	prices
	wild, exact int // the most of each
	cells       [][]int64
	width       []int // by node: how many numbers of exact paths a row has
}

// gridWork is how many steps, and gridCells how many values, a grid may take: a tenth of a second or
// so, and 64 MiB. Any 500 demands fit.
const (
	gridWork  = 40_000_000
	gridCells = 8 << 20
)

// fits reports whether a grid is small enough. The sizes follow from the tree alone.
func (t *tree) fits(wild, exact int) bool {
	work, cells := 0, 0
	for i := range t.nodes {
		n := &t.nodes[i]
		w, e := 0, 0
		kid := i - 1
		for range n.kids {
			kw, ke := t.reach(kid, wild, exact)
			work += (w + 1) * (e + 1) * (kw + 1) * (ke + 1)
			w, e = min(wild, w+kw), min(exact, e+ke)
			kid -= int(t.nodes[kid].size)
		}
		if w, e = t.reach(i, wild, exact); work > gridWork {
			return false
		}
		if cells += (w + 1) * (e + 1); cells > gridCells {
			return false
		}
	}
	return true
}

// reach is how many wildcards and exact paths can be of use below a node.
func (t *tree) reach(i, wild, exact int) (w, e int) {
	leaves := int(t.nodes[i].leaves)
	return min(wild, leaves), min(exact, leaves)
}

// solveGrid fills the grid.
func (t *tree) solveGrid(wild, exact int, p prices) *grid {
	g := &grid{tree: t, prices: p, wild: wild, exact: exact, cells: make([][]int64, len(t.nodes)), width: make([]int, len(t.nodes))}
	for i := range t.nodes {
		n := &t.nodes[i]
		sum := block{cells: []int64{0}, e: 1}
		if n.kids == 0 {
			sum = g.leaf(i)
		}
		kid := i - 1
		for range n.kids {
			sum = g.join(sum, g.of(kid))
			kid -= int(t.nodes[kid].size)
		}
		if n.fresh >= 0 && wild > 0 {
			whole := int64(n.fresh)*p.fresh + p.wild
			for at := sum.e; at < len(sum.cells); at++ { // all but the row without wildcards
				sum.cells[at] = min(sum.cells[at], whole)
			}
		}
		g.cells[i], g.width[i] = sum.cells, sum.e
	}
	return g
}

// block is one node's costs: rows by wildcards, in each e numbers of exact paths.
type block struct {
	cells []int64
	e     int
}

func (g *grid) of(i int) block { return block{g.cells[i], g.width[i]} }

// at is the cost with at most so many wildcards and exact paths.
func (b block) at(w, e int) int64 {
	return b.cells[min(w, len(b.cells)/b.e-1)*b.e+min(e, b.e-1)]
}

func (g *grid) leaf(i int) block {
	w, e := g.reach(i, g.wild, g.exact)
	b := block{cells: make([]int64, (w+1)*(e+1)), e: e + 1}
	for at := range b.cells {
		b.cells[at] = impossible
		if at%b.e == 1 && !g.nodes[i].cone {
			b.cells[at] = g.prices.exact
		}
	}
	return b
}

// join makes the costs of two neighbours together.
func (g *grid) join(a, b block) block {
	aw, bw := len(a.cells)/a.e, len(b.cells)/b.e
	w, e := min(g.wild, aw+bw-2)+1, min(g.exact, a.e+b.e-2)+1
	out := block{cells: make([]int64, w*e), e: e}
	for i := range out.cells {
		out.cells[i] = impossible
	}
	for i := range aw {
		for j := range min(bw, w-i) {
			row := out.cells[(i+j)*e : (i+j+1)*e]
			right := b.cells[j*b.e : (j+1)*b.e]
			for x, left := range a.cells[i*a.e : (i+1)*a.e] {
				for y, v := range right[:min(len(right), e-x)] {
					row[x+y] = min(row[x+y], left+v)
				}
			}
		}
	}
	return out
}

// trace tells how a node's cost comes about; see table.trace.
func (g *grid) trace(picks []pick, i, w, e int) []pick {
	n := &g.nodes[i]
	want := g.of(i).at(w, e)
	if n.kids == 0 {
		return append(picks, pick{i, n.cone || e == 0 || want != g.prices.exact})
	}
	if w > 0 && int64(n.fresh)*g.fresh+g.prices.wild == want {
		return append(picks, pick{i, true})
	}
	kids := g.kids(i)
	sums := []block{{cells: []int64{0}, e: 1}}
	for _, kid := range kids {
		sums = append(sums, g.join(sums[len(sums)-1], g.of(kid)))
	}
	last := sums[len(kids)]
	w, e = min(w, len(last.cells)/last.e-1), min(e, last.e-1)
	type share struct{ w, e int }
	shares := make([]share, len(kids))
	for at := len(kids) - 1; at >= 0; at-- {
		cw, ce := split(sums[at], g.of(kids[at]), w, e, want)
		shares[at] = share{cw, ce}
		want -= g.of(kids[at]).at(cw, ce)
		w, e = w-cw, e-ce
	}
	for at, kid := range kids {
		picks = g.trace(picks, kid, shares[at].w, shares[at].e)
	}
	return picks
}

// split finds how much of w and e the right neighbour gets, the least that gives the cost wanted.
func split(left, right block, w, e int, want int64) (rw, re int) {
	for rw = 0; rw < len(right.cells)/right.e && rw <= w; rw++ {
		for re = 0; re < right.e && re <= e; re++ {
			if left.at(w-rw, e-re)+right.at(rw, re) == want {
				return rw, re
			}
		}
	}
	return 0, 0
}
