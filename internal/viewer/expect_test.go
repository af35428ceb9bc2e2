package viewer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

func TestExpect(t *testing.T) {
	spa := plan.Distribution{DefaultRootObject: "index.html"}
	bare := plan.Distribution{}
	release := site.Snapshot{
		{Key: "a b.txt", CRC32: 4, Size: 40},
		{Key: "assets/app.js", CRC32: 3, Size: 30},
		{Key: "docs/index.html", CRC32: 2, Size: 20},
		{Key: "index.html", CRC32: 1, Size: 10},
	}
	index := func(path string) Expectation {
		return Expectation{Path: path, Key: "index.html", HasSum: true, CRC32: 1, Size: 10}
	}
	app := Expectation{Path: "/assets/app.js", Key: "assets/app.js", HasSum: true, CRC32: 3, Size: 30}
	for _, tt := range []struct {
		what     string
		d        plan.Distribution
		verify   []string
		snapshot site.Snapshot
		want     []Expectation
	}{
		{"entry points", spa, nil, release, []Expectation{index("/"), index("/index.html")}},
		{"no artifact", spa, []string{"/about"}, nil, []Expectation{{Path: "/"}, {Path: "/index.html"}, {Path: "/about"}}},
		{"a file, a route and a route's parameter", spa, []string{"/assets/app.js", "/about", "/item?id=7"}, release, []Expectation{
			index("/"), index("/index.html"), app, index("/about"), index("/item?id=7"),
		}},
		{"an encoded key", spa, []string{"/a%20b.txt"}, release, []Expectation{
			index("/"), index("/index.html"), {Path: "/a%20b.txt", Key: "a b.txt", HasSum: true, CRC32: 4, Size: 40},
		}},
		{"a directory that has its own index", spa, []string{"/docs/", "/docs"}, release, []Expectation{
			index("/"), index("/index.html"), {Path: "/docs/"}, {Path: "/docs"},
		}},
		{"each once", spa, []string{"/", "/index.html", "/"}, release, []Expectation{index("/"), index("/index.html")}},
		{"no root object", bare, []string{"/assets/app.js", "/about"}, release, []Expectation{
			{Path: "/", MayFail: true}, app, {Path: "/about"},
		}},
		{"no root object, but / is wanted", bare, []string{"/"}, release, []Expectation{{Path: "/"}}},
		{"a release without the root object", spa, nil, release[:2], []Expectation{{Path: "/"}, {Path: "/index.html"}}},
	} {
		if diff := cmp.Diff(tt.want, Expect(tt.d, tt.verify, tt.snapshot)); diff != "" {
			t.Errorf("%s:\n%s", tt.what, diff)
		}
	}
}

func TestReport(t *testing.T) {
	good := Page{URL: "https://d/", POP: "IAD89-C1", Fresh: true, Compared: true}
	aged := Page{URL: "https://d/x", POP: "FRA56-P1", Fresh: true}
	stale := Page{URL: "https://d/y", POP: "FRA56-P1", XCache: "Hit from cloudfront", Compared: true, Why: "served the old one"}
	for _, tt := range []struct {
		what   string
		report Report
		fresh  bool
		says   string
	}{
		{"the zero value", Report{}, false, "looked at no page"},
		{"no pages", Report{Domain: "d"}, false, "looked at no page of d"},
		{"refused", Report{Domain: "d", Refused: "no host", Pages: []Page{good}}, false, `did not look at "d": no host`},
		{"all fresh", Report{Pages: []Page{good, aged}}, true, "2 pages seen from FRA56-P1, IAD89-C1, 1 equal to the release"},
		{"by age", Report{Pages: []Page{aged}}, true, "1 pages seen from FRA56-P1, by their age alone"},
		{"nobody said where", Report{Pages: []Page{{Fresh: true}}}, true, "an unnamed point of presence"},
		{
			"one stale",
			Report{Pages: []Page{good, stale}},
			false,
			"1 of 2 pages not fresh, seen from FRA56-P1, IAD89-C1: https://d/y (FRA56-P1, Hit from cloudfront) served the old one",
		},
	} {
		if got := tt.report; got.Fresh() != tt.fresh || !strings.Contains(got.String(), tt.says) {
			t.Errorf("%s: %v, %q; want %v, %q", tt.what, got.Fresh(), got, tt.fresh, tt.says)
		}
	}
	if aged.String() != "https://d/x (FRA56-P1) serves nothing older than the invalidation" {
		t.Error(aged)
	}
}
