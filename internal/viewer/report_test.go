package viewer

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	good := Page{URL: "https://d/", Key: "index.html", POP: "IAD89-C1", Status: 200, Fresh: true, Compared: true}
	aged := Page{URL: "https://d/x", POP: "FRA56-P1", Status: 200, Fresh: true}
	kept := Page{URL: "https://d/k", Status: 404, Old: true, Fresh: true}
	asks := Page{URL: "https://d/s", Status: 401, XCache: "FunctionGeneratedResponse from cloudfront", Fresh: true}
	gone := Page{URL: "https://d/g", Key: "g", Gone: true, Status: 403, Fresh: true, Compared: true}
	stale := Page{URL: "https://d/y", POP: "FRA56-P1", Status: 200, XCache: "Hit from cloudfront", Coding: "gzip", Compared: true, Why: "served the old one"}
	silent := Page{URL: "https://d/z", Coding: "gzip", Why: "gave no answer: refused"}
	for _, tt := range []struct {
		what   string
		report Report
		fresh  bool
		says   string
	}{
		{"the zero value", Report{}, false, "looked at no page"},
		{"no pages", Report{Domain: "d"}, false, "looked at no page of d"},
		{"refused", Report{Domain: "d", Refused: "no host", Pages: []Page{good}}, false, `did not look at "d": no host`},
		{"all fresh", Report{Pages: []Page{good, aged, gone}}, true, "3 pages seen from FRA56-P1, IAD89-C1 in 3 codings, 2 equal to the release"},
		{"by age", Report{Pages: []Page{aged}}, true, "1 page seen from FRA56-P1, by their age alone"},
		{"nobody said where", Report{Pages: []Page{{Fresh: true}}}, true, "an unnamed point of presence"},
		{
			"one stale",
			Report{Pages: []Page{good, silent, stale}},
			false,
			`2 of 3 pages not fresh, seen from FRA56-P1, IAD89-C1: https://d/y (FRA56-P1, Hit from cloudfront, asked for "gzip") served the old one`,
		},
		{"nothing came", Report{Pages: []Page{silent, silent}}, false, "none of 2 pages gave an answer: https://d/z gave no answer: refused"},
	} {
		if got := tt.report; got.Fresh() != tt.fresh || !strings.Contains(got.String(), tt.says) {
			t.Errorf("%s: %v, %q; want %v, %q", tt.what, got.Fresh(), got, tt.fresh, tt.says)
		}
	}
	for page, says := range map[Page]string{
		good: "https://d/ (IAD89-C1) serves the release's index.html",
		aged: "https://d/x (FRA56-P1) serves nothing older than the invalidation",
		kept: "https://d/k serves what the invalidation left in the caches",
		asks: "https://d/s (FunctionGeneratedResponse from cloudfront) asks for a password, so what it serves to those who have one was not seen",
		gone: "https://d/g does not serve g any more, which the release removed",
	} {
		if page.String() != says {
			t.Errorf("says %q; want %q", page, says)
		}
	}
}

// A run's record holds the pages: 110 of them, however much the other side writes, stay small.
func TestTheRecordOfAReportIsCompact(t *testing.T) {
	long := strings.Repeat("x", 5000)
	v := New(Config{Within: 1, Transport: edge(t, answer(302, nil, "Location", long, "X-Cache", long, "X-Amz-Cf-Pop", long, "Content-Encoding", long))})
	r := Request{Domain: domain}
	for i := range 110 {
		r.Expect = append(r.Expect, expectation(fmt.Sprintf("/page%d", i), release))
	}
	data, err := json.Marshal(v.Check(t.Context(), r))
	if err != nil || len(data) > 110*1500 {
		t.Errorf("%d bytes, %v: %s", len(data), err, data[:2000])
	}
}

// What an item covers was to be purged: that it is still there is the edge's matter. What no item covers, and yet
// came from a cache with something else than the release, nobody knew of.
func TestUnexplained(t *testing.T) {
	hit := Page{URL: "https://d/a%20b?x=1", Status: 200, XCache: "Hit from cloudfront", Compared: true}
	but := func(change func(*Page)) Page {
		p := hit
		change(&p)
		return p
	}
	for _, tt := range []struct {
		what  string
		page  Page
		items []string
		want  bool
	}{
		{"nothing was purged", hit, []string{}, true},
		{"something else was purged", hit, []string{"/a", "/b*"}, true},
		{"a miss that is old", but(func(p *Page) { p.XCache, p.Old = "", true }), []string{}, true},
		{"it was purged", hit, []string{"/a%20b*"}, false},
		{"everything was purged", hit, nil, false},
		{"a tag was purged", hit, []string{"#news"}, false},
		{"it came from the origin", but(func(p *Page) { p.XCache = "Miss from cloudfront" }), []string{}, false},
		{"it is the release's", but(func(p *Page) { p.Matches = true }), []string{}, false},
		{"there was nothing to compare with", but(func(p *Page) { p.Compared = false }), []string{}, false},
		{"an error page", but(func(p *Page) { p.Status = 503 }), []string{}, false},
		{"fresh", but(func(p *Page) { p.Fresh = true }), []string{}, false},
	} {
		if got := (Report{Pages: []Page{tt.page}}).Unexplained(tt.items); (len(got) == 1) != tt.want {
			t.Errorf("%s: %v", tt.what, got)
		}
	}
}
