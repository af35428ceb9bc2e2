package viewer

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

// object is one whose content is told by a number.
func object(key string, content uint32) site.Object {
	return site.Object{Key: key, CRC32: content, Size: int64(content) * 10}
}

// expects what the object has at a path.
func expects(path string, o site.Object) Expectation {
	return Expectation{Path: path, Key: o.Key, HasSum: true, CRC32: o.CRC32, Size: o.Size}
}

// since is an expectation with what was there before.
func since(e Expectation, before ...site.Object) Expectation {
	for _, o := range before {
		e.Before = append(e.Before, Sum{o.CRC32, o.Size})
	}
	return e
}

// behind is a distribution of one bucket, as FromConfig makes it.
func behind(change ...func(*plan.Distribution)) plan.Distribution {
	d := plan.Distribution{
		DefaultRootObject: "index.html", Origins: []plan.Origin{{ID: "site", Bucket: "site"}},
		Default: plan.Behavior{PathPattern: "*", Origins: []string{"site"}},
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func TestPromisedPaths(t *testing.T) {
	index, docs, app, blank := object("index.html", 1), object("docs/index.html", 2), object("assets/app.js", 3), object("a b.txt", 4)
	about := object("about.html", 5)
	release := site.Snapshot{blank, about, app, docs, index}
	spa, bare := plan.Distribution{DefaultRootObject: "index.html"}, plan.Distribution{}
	entries := []Expectation{expects("/", index), expects("/index.html", index)}
	with := func(more ...Expectation) []Expectation { return append(slices.Clone(entries), more...) }
	for _, tt := range []struct {
		what     string
		d        plan.Distribution
		verify   []string
		snapshot site.Snapshot
		want     []Expectation
	}{
		{"entry points", spa, nil, release, entries},
		{"no artifact", spa, []string{"/item"}, nil, []Expectation{{Path: "/"}, {Path: "/index.html"}, {Path: "/item"}}},
		{"a file, a route and a route's parameter", spa, []string{"/assets/app.js", "/item", "/item?id=7"}, release, with(
			expects("/assets/app.js", app), expects("/item", index), expects("/item?id=7", index),
		)},
		{"an encoded key", spa, []string{"/a%20b.txt"}, release, with(expects("/a%20b.txt", blank))},
		{"a directory that has its own index", spa, []string{"/docs/", "/docs"}, release, with(Expectation{Path: "/docs/"}, Expectation{Path: "/docs"})},
		{"a page by its short name", spa, []string{"/about"}, release, with(Expectation{Path: "/about"})},
		{"each once", spa, []string{"/", "/index.html", "/"}, release, entries},
		{"no root object", bare, []string{"/assets/app.js", "/item"}, release, []Expectation{
			{Path: "/", MayFail: true}, expects("/assets/app.js", app), {Path: "/item"},
		}},
		{"no root object, but / is wanted", bare, []string{"/"}, release, []Expectation{{Path: "/"}}},
		{"a release without the root object", spa, nil, release[:2], []Expectation{{Path: "/"}, {Path: "/index.html"}}},
		{"a listing's fingerprints", spa, nil, site.Snapshot{{Key: "index.html", ETag: "e", Size: 1}}, []Expectation{
			{Path: "/", Key: "index.html"}, {Path: "/index.html", Key: "index.html"},
		}},
		{"another page for errors", behind(func(d *plan.Distribution) {
			d.Errors = []plan.ErrorResponse{{Code: 403, PagePath: "/about.html", ResponseCode: 200}}
		}), []string{"/item"}, release, with(expects("/item", about))},
		{"two pages for errors", behind(func(d *plan.Distribution) {
			d.Errors = []plan.ErrorResponse{{Code: 403, PagePath: "/about.html", ResponseCode: 200}, {Code: 404, PagePath: "/index.html", ResponseCode: 200}}
		}), []string{"/item"}, release, with(Expectation{Path: "/item"})},
		{"a page for errors of another origin", behind(func(d *plan.Distribution) {
			d.Origins = append(d.Origins, plan.Origin{ID: "errors", Domain: "errors.example.com"})
			d.Behaviors = []plan.Behavior{{PathPattern: "/errors/*", Origins: []string{"errors"}}}
			d.Errors = []plan.ErrorResponse{{Code: 404, PagePath: "/errors/404.html", ResponseCode: 404}}
		}), []string{"/item"}, release, with(Expectation{Path: "/item"})},
		{"another origin", behind(func(d *plan.Distribution) {
			d.Origins = append(d.Origins, plan.Origin{ID: "api", Domain: "api.example.com"})
			d.Behaviors = []plan.Behavior{{PathPattern: "/api/*", Origins: []string{"api"}}}
		}), []string{"/api/health"}, release, with(Expectation{Path: "/api/health"})},
		{"an origin path", behind(func(d *plan.Distribution) { d.Origins[0].Path = "/docs" }), []string{"/assets/app.js"}, release, []Expectation{
			expects("/", docs), expects("/index.html", docs), expects("/assets/app.js", docs),
		}},
	} {
		if diff := cmp.Diff(tt.want, Expect(plan.Input{Distribution: tt.d, Release: tt.snapshot}, tt.verify, "r2")); diff != "" {
			t.Errorf("%s:\n%s", tt.what, diff)
		}
	}
}

func TestChangedURLs(t *testing.T) {
	index, old, new := object("index.html", 1), object("x.txt", 2), object("x.txt", 3)
	spa := func(d *plan.Distribution) {
		d.Errors = []plan.ErrorResponse{{Code: 403, PagePath: "/index.html", ResponseCode: 200}, {Code: 404}}
	}
	function := func(r plan.Rewrite) func(*plan.Distribution) {
		return func(d *plan.Distribution) {
			d.Default.Functions = []plan.Function{{ARN: "f", Event: "viewer-request", Rewrite: r}}
		}
	}
	below := func(d *plan.Distribution) { d.Origins[0].Path = "/site" }
	deep, docs, hashed := object("site/x.txt", 3), object("d/index.html", 3), object("app-3f9c2b7a.js", 9)
	gone := func(instead ...Answer) Expectation {
		return since(Expectation{Path: "/x.txt", Key: "x.txt", Gone: true, Instead: instead}, old)
	}
	denied, fallback := []Answer{{Status: 403}, {Status: 404}}, []Answer{{200, true, Sum{1, 10}}, {Status: 404}}
	// A removed copy of the fallback's page cannot be told from it.
	copied, same := object("x.txt", 1), gone(fallback...)
	same.Before = []Sum{}
	for _, tt := range []struct {
		what         string
		d            plan.Distribution
		was, release site.Snapshot
		want         []Expectation // besides the entry points
	}{
		{"nothing", behind(), site.Snapshot{index, old}, site.Snapshot{index, old}, nil},
		{"modified", behind(), site.Snapshot{index, old}, site.Snapshot{index, new}, []Expectation{since(expects("/x.txt", new), old)}},
		{"added", behind(), site.Snapshot{index}, site.Snapshot{index, new}, []Expectation{expects("/x.txt", new)}},
		{"removed", behind(), site.Snapshot{index, old}, site.Snapshot{index}, []Expectation{gone(denied...)}},
		{"removed, with a fallback", behind(spa), site.Snapshot{index, old}, site.Snapshot{index}, []Expectation{gone(fallback...)}},
		{"removed, and the fallback's page is not known", behind(spa), site.Snapshot{old}, site.Snapshot{}, []Expectation{gone()}},
		{"removed, and the fallback is just like it", behind(spa), site.Snapshot{index, copied}, site.Snapshot{index}, []Expectation{same}},
		{"removed, behind a function", behind(function(plan.Undeclared)), site.Snapshot{index, old}, site.Snapshot{index}, []Expectation{gone()}},
		{"removed, but left alone", behind(), site.Snapshot{hashed, index}, site.Snapshot{index}, nil},
		{"beside the origin path", behind(below), site.Snapshot{old}, site.Snapshot{new}, nil},
		{"below the origin path", behind(below), site.Snapshot{object("site/x.txt", 2)}, site.Snapshot{deep}, []Expectation{since(expects("/x.txt", deep), old)}},
		{"no name for a file", behind(function(plan.Undeclared)), site.Snapshot{object("x", 2)}, site.Snapshot{object("x", 3)}, []Expectation{
			since(Expectation{Path: "/x", Key: "x", MayFail: true}, old),
		}},
		{"an index document", behind(function(plan.RewriteIndex)), site.Snapshot{object("d/index.html", 2)}, site.Snapshot{docs}, []Expectation{
			since(expects("/d", docs), old), since(expects("/d/", docs), old), since(expects("/d/index.html", docs), old),
		}},
	} {
		in := plan.Input{Distribution: tt.d, Release: tt.release, Known: []site.Snapshot{tt.was}, Deletes: true}
		got := append([]Expectation(nil), Expect(in, nil, "r2")[2:]...)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s:\n%s", tt.what, diff)
		}
	}
	in := plan.Input{Distribution: behind(), Release: site.Snapshot{index}, Known: []site.Snapshot{{index, old}}}
	if got := Expect(in, nil, "r2")[2:]; len(got) > 0 {
		t.Errorf("what the deploy left in the bucket: %+v", got)
	}
	in = plan.Input{Distribution: behind(), Release: site.Snapshot{new}, Known: []site.Snapshot{{old}}, Prefix: "v/"}
	if diff := cmp.Diff([]Expectation{since(expects("/v/x.txt", new), old)}, Expect(in, nil, "r2")[2:]); diff != "" {
		t.Errorf("deployed to a prefix:\n%s", diff)
	}
}

// What a deploy left, or may have left, in the bucket is not promised: it may be there, or not, or be another
// release's. Nobody says that it is the last one's.
func TestWhatMayBeLeft(t *testing.T) {
	index, old, new := object("index.html", 1), object("x.txt", 2), object("x.txt", 3)
	for _, known := range [][]site.Snapshot{{{index}, {index, old}}, {{index, old}, {index}}, {{index, old}, {index, new}}} {
		in := plan.Input{Distribution: behind(), Release: site.Snapshot{index}, Known: known}
		for _, e := range Expect(in, nil, "r2")[2:] {
			if e.Path != "/x.txt" || !e.MayFail || e.HasSum || e.Gone || len(e.Before) == 0 {
				t.Errorf("%v: %+v", known, e)
			}
		}
		if got := Expect(in, nil, "r2"); len(got) != 3 {
			t.Errorf("%v: %v", known, paths(got))
		}
		if got := Expect(in, []string{"/x.txt"}, "r2")[2]; got.Path != "/x.txt" || !got.MayFail || got.HasSum {
			t.Errorf("%v, and somebody wants it: %+v", known, got)
		}
	}
	in := plan.Input{Distribution: behind(), Release: site.Snapshot{index}, Known: []site.Snapshot{{index, old}, {index, old}}}
	if diff := cmp.Diff(expects("/x.txt", old), Expect(in, []string{"/x.txt"}, "r2")[2]); diff != "" {
		t.Errorf("what all left: %s", diff)
	}
}

// An entry point that changed is looked at once, and what it served before is known.
func TestAChangedEntryPoint(t *testing.T) {
	in := plan.Input{
		Distribution: behind(), Release: site.Snapshot{object("index.html", 2)},
		Known: []site.Snapshot{{object("index.html", 1)}, {object("index.html", 3)}, {object("index.html", 1)}},
	}
	want := []Expectation{}
	for _, path := range []string{"/", "/index.html"} {
		want = append(want, since(expects(path, in.Release[0]), object("", 1), object("", 3)))
	}
	if diff := cmp.Diff(want, Expect(in, []string{"/"}, "r2")); diff != "" {
		t.Error(diff)
	}
}

func paths(all []Expectation) (paths []string) {
	for _, e := range all {
		paths = append(paths, e.Path)
	}
	return paths
}

// site of n keys, in directories, each with a content.
func siteOf(n int, content uint32) (s site.Snapshot) {
	for i := range n {
		s = append(s, object(fmt.Sprintf("d%d/%06d.html", i%7, i), content))
	}
	slices.SortFunc(s, func(a, b site.Object) int { return strings.Compare(a.Key, b.Key) })
	return s
}

// However many URLs changed: entry points and verified paths, and as many of the others as there may
// be; the same for the same release, others for another; and whatever is looked at did change.
func TestChosenURLs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 99, 100, 101, 399, 400, 401, 1500}).Draw(t, "keys")
		same := rapid.IntRange(0, n).Draw(t, "unchanged")
		in := plan.Input{Distribution: behind(), Release: siteOf(n, 2), Known: []site.Snapshot{siteOf(n, 1)}}
		copy(in.Known[0], in.Release[:same])
		if in.Release == nil {
			in.Release, in.Known[0] = site.Snapshot{}, site.Snapshot{}
		}
		verify := []string{"/item", "/d0/000000.html"}
		got := Expect(in, verify, "r2")
		promised := append(in.Distribution.EntryPoints(), verify...)
		if diff := cmp.Diff(promised, paths(got[:len(promised)])); diff != "" {
			t.Fatal(diff)
		}
		changed := map[string]bool{}
		for _, o := range in.Release[same:] {
			if path := "/" + o.Key; path != verify[1] {
				changed[path] = true
			}
		}
		chosen := paths(got[len(promised):])
		if len(chosen) != min(most, len(changed)) || !slices.IsSorted(chosen) {
			t.Fatalf("%d chosen of %d", len(chosen), len(changed))
		}
		for _, path := range chosen {
			if !changed[path] {
				t.Fatalf("%s did not change", path)
			}
		}
		if diff := cmp.Diff(got, Expect(in, verify, "r2")); diff != "" {
			t.Fatal(diff)
		}
		if other := paths(Expect(in, verify, "r3")[len(promised):]); len(changed) > 2*most && slices.Equal(chosen, other) {
			t.Fatal("two releases look at the same pages")
		}
	})
}

// The order in which URLs come does not matter, nor does one that comes twice.
func TestASampleDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.StringMatching(`/[a-f]{1,4}`), 0, 1000).Draw(t, "paths")
		draw := func(paths []string) []Expectation {
			s := sample{release: "r2"}
			for _, path := range paths {
				if s.wants(path) {
					s.add(Expectation{Path: path})
				}
			}
			return s.chosen()
		}
		got := draw(all)
		if diff := cmp.Diff(got, draw(rapid.Permutation(all).Draw(t, "order"))); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(got, draw(append(slices.Clone(all), all...))); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A sample is spread over the site: every directory of seven gets its part.
func TestASampleIsSpread(t *testing.T) {
	in := plan.Input{Distribution: behind(), Release: siteOf(20_000, 2), Known: []site.Snapshot{siteOf(20_000, 1)}}
	count := map[string]int{}
	for _, e := range Expect(in, nil, "r2")[2:] {
		count[e.Path[:3]]++
	}
	for dir, n := range count {
		if len(count) != 7 || n < 4 || n > 30 { // 14 is the mean
			t.Errorf("%d of %d chosen lie in %s: %v", n, most, dir, count)
		}
	}
}
