package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/invalidation"
)

// paths draws encoded paths that share a lot.
func paths() *rapid.Generator[string] {
	token := rapid.SampledFrom([]string{"a", "b", "a", "/", "%C3%A9", "%C3%A8", "%20", "%E2%82%AC"})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(token, 0, 4).Draw(t, "tokens"), "")
	})
}

// puzzle is a small site: what has to be covered and what had better stay.
type puzzle struct {
	points, cones, fresh []string
	room                 room
}

func puzzles(maxDemands int) *rapid.Generator[puzzle] {
	return rapid.Custom(func(t *rapid.T) puzzle {
		p := puzzle{
			points: rapid.SliceOfNDistinct(paths(), 0, maxDemands, rapid.ID[string]).Draw(t, "points"),
			cones:  rapid.SliceOfNDistinct(paths(), 0, 2, rapid.ID[string]).Draw(t, "cones"),
			fresh:  rapid.SliceOfNDistinct(paths(), 0, 12, rapid.ID[string]).Draw(t, "fresh"),
			room:   room{wild: rapid.IntRange(0, 3).Draw(t, "W"), exact: rapid.IntRange(0, 8).Draw(t, "F")},
		}
		p.room.items = rapid.IntRange(0, p.room.wild+p.room.exact).Draw(t, "B")
		p.fresh = slices.DeleteFunc(p.fresh, func(f string) bool { return slices.Contains(p.points, f) })
		return p
	})
}

// grown makes the puzzle's tree.
func (p puzzle) grown() (*survey, *tree) {
	s := &survey{}
	for _, path := range p.points {
		s.ask(demand{path: path})
	}
	for _, path := range p.cones {
		s.ask(demand{path: path, cone: true})
	}
	for _, path := range p.fresh {
		s.mark(spot{path, fresh})
	}
	t := grow(s.spots(), s.demands)
	return s, &t
}

// score is a choice's worth: objects purged besides, then items.
type score struct{ collateral, items int }

func (a score) less(b score) bool {
	return a.collateral < b.collateral || a.collateral == b.collateral && a.items < b.items
}

// tokens splits a path where a wildcard may end.
func tokens(path string) (out []string) {
	for len(path) > 0 {
		n := 1
		if path[0] == '%' {
			n = 3
			for _, rune := range []string{"%C3%A9", "%C3%A8", "%E2%82%AC"} {
				if strings.HasPrefix(path, rune) {
					n = len(rune)
				}
			}
		}
		out = append(out, path[:n])
		path = path[n:]
	}
	return out
}

// brute tries every set of wildcards.
func (p puzzle) brute() (best score, found bool) {
	var ends []string
	for _, path := range append(slices.Clone(p.points), p.cones...) {
		parts := tokens(path)
		for i := range len(parts) + 1 {
			ends = append(ends, strings.Join(parts[:i], ""))
		}
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	var try func(from int, chosen []string)
	try = func(from int, chosen []string) {
		if s, ok := p.judge(chosen); ok && (!found || s.less(best)) {
			best, found = s, true
		}
		if len(chosen) == p.room.wild {
			return
		}
		for i := from; i < len(ends); i++ {
			try(i+1, append(chosen, ends[i]))
		}
	}
	try(0, nil)
	return best, found
}

// judge completes wildcards with exact paths.
func (p puzzle) judge(wild []string) (score, bool) {
	covered := func(path string) bool {
		return slices.ContainsFunc(wild, func(w string) bool { return strings.HasPrefix(path, w) })
	}
	for _, cone := range p.cones {
		if !covered(cone) {
			return score{}, false
		}
	}
	exact, collateral := 0, 0
	for _, point := range p.points {
		if !covered(point) {
			exact++
		}
	}
	for _, f := range p.fresh {
		if covered(f) {
			collateral++
		}
	}
	return score{collateral, len(wild) + exact}, exact <= p.room.exact && len(wild)+exact <= p.room.items
}

// check makes the items of a choice and makes sure that they cover everything, break no rule and keep
// to the room.
func (p puzzle) check(t *rapid.T, s *survey, tr *tree, c choice) score {
	in := Input{}
	s.in, s.d = &in, &in.Distribution
	w := writer{survey: s, tree: tr}
	collateral, covers, wild, exact := 0, 0, []string{}, map[string]bool{}
	for _, item := range w.items(c.picks) {
		if _, err := invalidation.ParseItem(string(item.Item)); err != nil {
			t.Fatal(err)
		}
		if item.Item.Wildcard() {
			end := strings.TrimSuffix(string(item.Item[1:]), "*")
			if !slices.Contains(tokenEnds(p, end), end) {
				t.Fatalf("%s ends inside a character", item.Item)
			}
			wild = append(wild, end)
		} else {
			exact[string(item.Item[1:])] = true
		}
		collateral += item.Collateral
		covers += item.Covers
	}
	got, ok := p.judge(wild)
	if !ok || len(wild) > p.room.wild || got.collateral != collateral || got.items != len(wild)+len(exact) {
		t.Fatalf("wildcards %q and paths %v are %v (%v), said to purge %d besides", wild, exact, got, ok, collateral)
	}
	if n := len(tr.nodes); n > 0 && covers != int(tr.nodes[n-1].count) {
		t.Fatalf("items cover %d of %d", covers, tr.nodes[n-1].count)
	}
	if len(exact) > p.room.exact || got.items > p.room.items {
		t.Fatalf("%d paths and %d wildcards in %v", len(exact), len(wild), p.room)
	}
	return got
}

func tokenEnds(p puzzle, end string) []string {
	for _, path := range append(slices.Clone(p.points), p.cones...) {
		if strings.HasPrefix(path, end) {
			out := []string{""}
			for _, token := range tokens(path) {
				out = append(out, out[len(out)-1]+token)
			}
			return out
		}
	}
	return nil
}

func TestChooseIsOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := puzzles(7).Draw(t, "puzzle")
		best, found := p.brute()
		s, tr := p.grown()
		if p.room.possible(tr) != found {
			t.Fatalf("possible: %v, by brute force: %v", !found, found)
		}
		if !found {
			return
		}
		c := tr.choose(p.room)
		if got := p.check(t, s, tr, c); got != best || !c.exact || c.bound != best.collateral {
			t.Fatalf("got %+v, bound %d, exact %v; best is %+v", got, c.bound, c.exact, best)
		}
		if n := p.room.fewest(tr); n > best.items {
			t.Fatalf("%d items at least, but %d do", n, best.items)
		}
	})
}

// Where the exact way is too much work, the bound is a bound and the plan keeps to the room.
func TestLagrangianBounds(t *testing.T) {
	better := 0
	rapid.Check(t, func(t *rapid.T) {
		p := puzzles(12).Draw(t, "puzzle")
		p.room.wild = max(1, p.room.wild)
		p.room.items = max(1, p.room.items)
		s, tr := p.grown()
		if len(tr.nodes) == 0 {
			return
		}
		unit := int64(tr.nodes[tr.root()].leaves) + 1
		slots := min(p.room.wild, p.room.items)
		free := tr.solve(slots, prices{fresh: unit, exact: 1, wild: 1}, nil)
		over := free.trace(nil, tr.root(), slots)
		if p.room.holds(tr, over) || tr.nodes[tr.root()].fresh < 0 {
			return
		}
		c := tr.scarce(p.room, over, unit, free)
		got := p.check(t, s, tr, c)
		best, _ := p.brute()
		if c.bound > best.collateral || got.less(best) || c.exact && got.collateral != best.collateral {
			t.Fatalf("bound %d, best %+v, got %+v, exact %v", c.bound, best, got, c.exact)
		}
		better++
	})
	if better == 0 {
		t.Error("no puzzle needed it")
	}
}

func TestSolversAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := puzzles(12).Draw(t, "puzzle")
		_, tr := p.grown()
		if !p.room.possible(tr) || len(tr.nodes) == 0 {
			return
		}
		pr := prices{fresh: int64(tr.nodes[tr.root()].leaves) + 1, exact: 1, wild: 1}
		wild, exact := min(p.room.wild, p.room.items), min(p.room.exact, p.room.items)
		g := tr.solveGrid(wild, exact, pr)
		w, e := g.within(p.room.items)
		picks := g.trace(nil, tr.root(), w, e)
		if !p.room.holds(tr, picks) {
			t.Fatalf("the grid's choice %v does not fit %v", picks, p.room)
		}
		c := tr.choose(p.room)
		if a, b := tr.collateral(picks), tr.collateral(c.picks); a != b {
			t.Fatalf("the grid purges %d, choose %d", a, b)
		}
	})
}

func TestFits(t *testing.T) {
	for _, n := range []int{500, 20_000} {
		var p puzzle
		for i := range n {
			p.points = append(p.points, fmt.Sprintf("%05d", i*7919%100_000))
		}
		if _, tr := p.grown(); tr.fits(15, 400) != (n == 500) {
			t.Errorf("%d demands: %v", n, tr.fits(15, 400))
		}
	}
}

func TestEnds(t *testing.T) {
	for _, tt := range []struct {
		path string
		n    int
		want int
	}{
		{"abc", 2, 2},
		{"", 0, 0},
		{"a%20b", 1, 1},
		{"a%20b", 2, 1},
		{"a%20b", 3, 1},
		{"a%20b", 4, 4},
		{"a%C3%A9b", 4, 1},
		{"a%C3%A9b", 6, 1},
		{"a%C3%A9b", 7, 7},
		{"%E2%82%ACx", 6, 0},
		{"%E2%82%ACx", 9, 9},
		{"%F0%9F%98%80", 9, 0},
		{"%F0%9F%98%80", 12, 12},
		{"%C3%A9%C3%A8", 10, 6},
	} {
		if got := ends(tt.path, tt.n); got != tt.want {
			t.Errorf("ends(%q, %d) = %d; want %d", tt.path, tt.n, got, tt.want)
		}
	}
}

// 151,872 changed pages in 12 locales, beside 453,480 others.
func TestTwelveLocales(t *testing.T) {
	s := &survey{in: &Input{}, d: &Distribution{}}
	var got, want []string
	for locale := range strings.FieldsSeq("ar de en es fr it ja ko nl pl pt zh") {
		for i := range 12_656 {
			s.ask(demand{path: fmt.Sprintf("%s/c%05d.html", locale, i*7)})
		}
		for i := range 37_790 {
			s.mark(spot{fmt.Sprintf("%s/%c%05d.html", locale, 'd'+i%20, i), fresh})
		}
		want = append(want, "/"+locale+"/c*")
	}
	tr := grow(s.spots(), s.demands)
	r, err := s.in.room(&tr, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := tr.choose(r)
	w := writer{survey: s, tree: &tr}
	for _, item := range w.items(c.picks) {
		got = append(got, string(item.Item))
	}
	if diff := cmp.Diff(want, got); diff != "" || tr.collateral(c.picks) != 0 || !c.exact {
		t.Errorf("%d purged besides: %s", tr.collateral(c.picks), diff)
	}
}

// The choice is a function of the set of demands, not of their order.
func TestChooseHeedsNoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := puzzles(10).Draw(t, "puzzle")
		choices := func() []string {
			s, tr := p.grown()
			if !p.room.possible(tr) {
				return nil
			}
			s.in, s.d = &Input{}, &Distribution{}
			w := writer{survey: s, tree: tr}
			var items []string
			for _, item := range w.items(tr.choose(p.room).picks) {
				items = append(items, string(item.Item))
			}
			slices.Sort(items)
			return items
		}
		before := choices()
		p.points = rapid.Permutation(p.points).Draw(t, "points in another order")
		p.cones = rapid.Permutation(p.cones).Draw(t, "cones in another order")
		p.fresh = rapid.Permutation(p.fresh).Draw(t, "fresh ones in another order")
		if after := choices(); !slices.Equal(before, after) {
			t.Fatalf("%q, then %q", before, after)
		}
	})
}
