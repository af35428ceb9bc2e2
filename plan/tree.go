package plan

// node is a place where a wildcard can end: where demands branch, or a single demand. Between two
// nodes no end is worth considering, since a longer wildcard that covers the same demands purges
// less. Nodes stand in post-order, each behind all that is below it.
type node struct {
	demand int32 // the first demand below, in the tree's order
	count  int32 // demands below, those inside cones too
	leaves int32 // leaves below: what has to be covered
	depth  int32 // length of the wildcard's prefix, in the first demand's path
	fresh  int32 // objects that a wildcard here purges besides
	kids   int32 // nodes right below; 0: a leaf, which is one demand
	size   int32 // nodes from here down
	cone   bool  // a leaf that only a wildcard covers
}

// tree is all nodes, and the demands' paths in bytewise order.
type tree struct {
	nodes []node
	order []int32 // demands by their place in the order: numbers of the survey
}

// frame is a place on the way from the root to the spot that is looked at.
type frame struct {
	depth  int32
	fresh  int32
	kids   int32 // nodes made right below
	count  int32
	demand int32 // the first below
	leaf   int32 // the node of the demand that ends here; -1: none
}

// grower makes a tree in one pass over sorted spots.
type grower struct {
	tree
	demands []demand
	open    []frame
	cones   int // frames of cones that are open
}

// grow makes the tree of all spots: one pass, with a stack of what is open. Only what holds demands
// becomes a node.
func grow(spots []spot, demands []demand) tree {
	g := &grower{demands: demands}
	last := ""
	for i, at := range spots {
		shared := 0
		if i > 0 {
			if at.path == last { // the first at a path covers the others
				g.again(at, &spots[i-1])
				continue
			}
			shared = ends(at.path, common(last, at.path))
		}
		for len(g.open) > 0 && int(g.open[len(g.open)-1].depth) > shared {
			g.close(int32(shared))
		}
		g.push(at)
		last = at.path
	}
	for len(g.open) > 0 {
		g.close(-1)
	}
	return g.tree
}

// again counts a fresh object whose own path a cone has, but no other demand.
func (g *grower) again(at spot, before *spot) {
	if at.demand == fresh && before.demand != fresh && g.demands[before.demand].cone {
		g.open[len(g.open)-1].fresh++
	}
}

// push opens the place of a spot below what is open.
func (g *grower) push(at spot) {
	f := frame{depth: int32(len(at.path)), leaf: -1, demand: int32(len(g.order))}
	switch {
	case at.demand == fresh:
		f.fresh = 1
	case g.cones == 0:
		f.leaf = int32(len(g.nodes))
		f.kids, f.count = 1, 1
		cone := g.demands[at.demand].cone
		g.nodes = append(g.nodes, node{demand: f.demand, count: 1, leaves: 1, depth: f.depth, size: 1, cone: cone})
		g.order = append(g.order, at.demand)
		if cone {
			g.cones++
		}
	default:
		f.count = 1 // inside a cone, whose wildcard covers it
	}
	g.open = append(g.open, f)
}

// close ends the innermost place, whose nodes then belong to the place at the given depth.
func (g *grower) close(depth int32) {
	f := g.open[len(g.open)-1]
	g.open = g.open[:len(g.open)-1]
	if f.leaf >= 0 {
		leaf := &g.nodes[f.leaf]
		if leaf.cone {
			g.cones--
		}
		if f.kids == 1 { // it alone: its wildcard is this place
			leaf.fresh, leaf.count = f.fresh, f.count
		} else {
			leaf.fresh = -1 // the wildcard at its path covers more, and is this place's node
		}
	}
	if f.kids > 1 {
		size, leaves := int32(1), int32(0)
		for range f.kids {
			kid := &g.nodes[int32(len(g.nodes))-size]
			size, leaves = size+kid.size, leaves+kid.leaves
		}
		g.nodes = append(g.nodes, node{
			demand: f.demand, count: f.count, leaves: leaves, depth: f.depth, fresh: f.fresh, kids: f.kids, size: size,
		})
		f.kids = 1
	}
	if depth < 0 && len(g.open) == 0 {
		return
	}
	if n := len(g.open); n == 0 || g.open[n-1].depth < depth {
		g.open = append(g.open, frame{depth: depth, leaf: -1, demand: f.demand})
	}
	above := &g.open[len(g.open)-1]
	above.fresh += f.fresh
	above.kids += f.kids
	above.count += f.count
}

// root is the node that all others are below.
func (t *tree) root() int { return len(t.nodes) - 1 }

// kids lists the nodes right below one, in bytewise order.
func (t *tree) kids(i int) []int {
	kids := make([]int, t.nodes[i].kids)
	at := i - 1
	for k := len(kids) - 1; k >= 0; k-- {
		kids[k] = at
		at -= int(t.nodes[at].size)
	}
	return kids
}

// common is the length of what two paths share.
func common(a, b string) int {
	n := min(len(a), len(b))
	i := 0
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}
