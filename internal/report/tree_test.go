package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

func TestEachObjectHasOneState(t *testing.T) {
	in := mixed(t)
	p := build(t, in)
	var items []string
	for _, i := range p.Paths() {
		items = append(items, string(i))
	}
	if diff := cmp.Diff([]string{"/about.html", "/d/*"}, items); diff != "" {
		t.Fatal(diff)
	}
	got := Grow(in, p).site()
	want := Site{
		Count: Count{8, 84}, Unchanged: Count{2, 20}, Changed: Count{1, 10}, Purged: Count{4, 44}, Collateral: Count{1, 10},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the deploy does not delete, so gone.html stays: %s", diff)
	}
	if got.Collateral.Objects != p.Collateral {
		t.Errorf("the site has %d objects in collateral, the plan %d", got.Collateral.Objects, p.Collateral)
	}
	in.Deletes = true
	in.Budget = plan.Budget{}
	got = Grow(in, build(t, in)).site()
	want = Site{Count: Count{7, 74}, Unchanged: Count{2, 20}, Changed: Count{1, 10}, Purged: Count{4, 44}, Removed: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with deletes: %s", diff)
	}
}

func TestStateWhereLittleIsKnown(t *testing.T) {
	release := snapshot("a", "b")
	for name, in := range map[string]plan.Input{
		"no history":       {Distribution: distribution(t, ""), Release: release},
		"damaged history":  {Distribution: distribution(t, ""), Release: release, Known: []site.Snapshot{release, nil}},
		"no configuration": {Release: release, Known: []site.Snapshot{release}},
	} {
		d, _ := New(in, build(t, in), "", nil, 0)
		if !d.Everything || d.Site.Purged.Objects != 2 || d.Collateral != 0 {
			t.Errorf("%s: %+v, want both purged", name, d.Site)
		}
	}
}

func TestStateBehindAnOriginPath(t *testing.T) {
	in := plan.Input{
		Distribution: distribution(t, "/live"), Bucket: "b",
		Known:   []site.Snapshot{snapshot("beside", "live/a", "live/b")},
		Release: snapshot("beside=2", "live/a=2", "live/b"),
	}
	want := Site{Count: Count{3, 32}, Unchanged: Count{1, 10}, Changed: Count{1, 11}, Purged: Count{1, 11}}
	if diff := cmp.Diff(want, Grow(in, build(t, in)).site()); diff != "" {
		t.Error(diff)
	}
	in.Prefix = "live/"
	in.Known, in.Release = []site.Snapshot{snapshot("a", "b")}, snapshot("a=2", "b")
	want = Site{Count: Count{2, 21}, Unchanged: Count{1, 10}, Purged: Count{1, 11}}
	if diff := cmp.Diff(want, Grow(in, build(t, in)).site()); diff != "" {
		t.Errorf("with a prefix: %s", diff)
	}
	in.Prefix = "elsewhere/"
	want = Site{Count: Count{2, 21}, Unchanged: Count{1, 10}, Changed: Count{1, 11}}
	if diff := cmp.Diff(want, Grow(in, build(t, in)).site()); diff != "" {
		t.Errorf("beside the origin path: %s", diff)
	}
}

// sum adds up what is drawn.
func sum(cells []*cell) (all Tally) {
	for _, c := range cells {
		if len(c.cells) > 0 {
			inner := sum(c.cells)
			all.add(&inner)
		} else {
			all.add(&c.tally)
		}
	}
	return all
}

func TestWhatIsDrawnAddsUp(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.StringMatching(`([ab.-]{1,3}/){0,4}[a-d]{1,2}/?`), 1, 60, rapid.ID).Draw(r, "keys")
		slices.Sort(keys)
		g := &grower{open: []*node{{}}, prefixes: []int{0}, whole: Count{len(keys), int64(len(keys))}}
		var want Tally
		for _, key := range keys {
			s := State(rapid.IntRange(0, int(states)-1).Draw(r, "state"))
			size := int64(rapid.IntRange(0, 1000).Draw(r, "size"))
			want[s].Objects++
			want[s].Bytes += size
			g.add(key, s, size)
		}
		for len(g.open) > 1 {
			g.close()
		}
		tree := &Tree{root: g.open[0]}
		for name, by := range map[string]measure{"objects": byObjects, "bytes": byBytes} {
			cells := tree.cells(by, tallNames)
			if got := sum(cells); got != want {
				r.Fatalf("by %s the boxes hold %v, the site %v", name, got, want)
			}
			for _, b := range boxes(cells, wide, by) {
				if strings.Contains(string(b.Place), "NaN") {
					r.Fatalf("box %s lies at %s", b.Name, b.Place)
				}
			}
		}
	})
}

func TestMillionKeysStayFew(t *testing.T) {
	old, release := million()
	in := plan.Input{Distribution: distribution(t, ""), Known: []site.Snapshot{old}, Release: release}
	d, tree := New(in, build(t, in), "2", nil, 0)
	if got := count(tree.root); got > 5000 {
		t.Errorf("the tree keeps %d nodes", got)
	}
	page, err := HTML(d, tree)
	if err != nil || len(page) > 200<<10 {
		t.Errorf("the page has %d bytes, %v", len(page), err)
	}
	for i := range release {
		if release[i].CRC32 != old[i].CRC32 {
			directory := strings.TrimSuffix(release[i].Key, "page.html")
			if !strings.Contains(string(page), `title="/`+directory+`: 1 object, 1000 B; purged"`) {
				t.Errorf("the page does not draw %s, which changed", directory)
			}
		}
	}
}

func count(n *node) int {
	total := 1
	for _, child := range n.children {
		total += count(child)
	}
	return total
}

func TestBoxesAreBounded(t *testing.T) {
	for name, makeKey := range map[string]func(i int) string{
		"one directory": func(i int) string { return fmt.Sprintf("%05d", i) },
		"wide":          func(i int) string { return fmt.Sprintf("%02d/%02d/%02d", i/900, i/30%30, i%30) },
		"deep": func(i int) string {
			return fmt.Sprintf("%05d", i)[:1] + strings.Repeat("/x", i%400) + fmt.Sprintf("/%05d", i)
		},
	} {
		var old, release site.Snapshot
		for i := range 27000 {
			old = append(old, site.Object{Key: makeKey(i), Size: int64(i)})
			release = append(release, site.Object{Key: makeKey(i), Size: int64(i + i%2)})
		}
		byKey := func(a, b site.Object) int { return strings.Compare(a.Key, b.Key) }
		slices.SortFunc(old, byKey)
		slices.SortFunc(release, byKey)
		in := plan.Input{Distribution: distribution(t, ""), Known: []site.Snapshot{old}, Release: release}
		d, tree := New(in, build(t, in), "", nil, 0)
		page, err := HTML(d, tree)
		if err != nil || len(page) > 400<<10 {
			t.Errorf("%s: the page has %d bytes, %v", name, len(page), err)
		}
		if n := strings.Count(string(page), `class="leaf`); n < 4 || n > 4*2*mostCells {
			t.Errorf("%s: %d boxes", name, n)
		}
	}
}
