package releases

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/invalidation"
)

func TestReleases(t *testing.T) {
	before := Site()
	if len(before) != Keys {
		t.Fatalf("%d keys", len(before))
	}
	for i := 1; i < len(before); i++ {
		if before[i-1].Key >= before[i].Key {
			t.Fatalf("%q and %q are not in order", before[i-1].Key, before[i].Key)
		}
	}
	var counts []int
	for _, r := range All() {
		after, changed := r.Of(before)
		counts = append(counts, len(changed))
		i := 0
		for n, o := range after {
			if o == before[n] {
				continue
			}
			if o.Same(before[n]) || i == len(changed) || o.Key != before[n].Key || o.Key != changed[i] {
				t.Fatalf("%s: %+v became %+v", r.Name, before[n], o)
			}
			i++
		}
		if i != len(changed) {
			t.Errorf("%s: %d changes of %d", r.Name, i, len(changed))
		}
	}
	if diff := cmp.Diff([]int{10, 13, 1000, 100_000, 50_446, 151_872, 5000, 523, 765_354}, counts); diff != "" {
		t.Error(diff)
	}
}

func TestCollapse(t *testing.T) {
	for _, tt := range []struct {
		paths, want string
		most        int
	}{
		{"/a /b", "/a /b", 2},
		{"/a /b /c", "/*", 2},
		{"/d/a /d/b /d/c", "/d/*", 2},
		{"/d/e/a /d/e/b /d/f", "/d/e/* /d/f", 2},
		{"/d/e/a /d/e/b /d/f/a /d/g/a", "/d/*", 2},
		{"/d/e/a /d/e/b /d/f/a /d/g/a /h", "/d/* /h", 2},
		{"/d/e/f/a /d/e/b /d/e/f/c", "/d/e/b /d/e/f/*", 2},
		{"/a/x /b/x /c/x", "/*", 2},
		{"", "", 2},
	} {
		got := Collapse(strings.Fields(tt.paths), tt.most)
		if fmt.Sprint(got) != "["+tt.want+"]" {
			t.Errorf("%s: %v; want %s", tt.paths, got, tt.want)
		}
	}
}

// Whatever changed is covered, by as few items as were asked for.
func TestCollapseCovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		paths := rapid.SliceOfDistinct(rapid.StringMatching(`(/[ab]{1,2}){1,4}`), rapid.ID).Draw(t, "paths")
		most := rapid.IntRange(1, 5).Draw(t, "most")
		items := Collapse(paths, most)
		if len(items) > most {
			t.Fatalf("%v: %v", paths, items)
		}
		for _, path := range paths {
			if !slices.ContainsFunc(items, func(i invalidation.Item) bool { return i.Covers(path) }) {
				t.Fatalf("%v: %v lack %s", paths, items, path)
			}
		}
	})
}
