package report

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

func render(t *testing.T, in plan.Input) (Document, string) {
	t.Helper()
	d, tree := New(in, build(t, in), "7", nil, 0)
	page, err := HTML(d, tree)
	if err != nil {
		t.Fatal(err)
	}
	return d, string(page)
}

func TestPageHasTheNumbers(t *testing.T) {
	d, page := render(t, mixed(t))
	for id, want := range map[string]string{
		"items": fmt.Sprint(len(d.Items)), "stale": fmt.Sprint(d.Stale), "collateral": fmt.Sprint(d.Collateral), "price": "0", "waitOut": "10",
		"site-unchanged": "2", "site-changed": "1", "site-purged": "4", "site-collateral": "1",
	} {
		if !strings.Contains(page, fmt.Sprintf(`<data id="%s" value="%s">`, id, want)) {
			t.Errorf("the page does not say that %s is %s", id, want)
		}
	}
	for _, item := range d.Items {
		if !strings.Contains(page, ">"+string(item.Item)+"</code>") {
			t.Errorf("the page does not list %s", item.Item)
		}
	}
	for _, text := range append(d.Notes, "E1", "d1.cloudfront.net", "release 7", d.Headline()) {
		if !strings.Contains(page, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
}

func TestPageRunsAndLoadsNothing(t *testing.T) {
	_, page := render(t, mixed(t))
	for _, pattern := range []string{`(?i)<script`, `(?i)\son\w+\s*=`, `(?i)(src|href)\s*=`, `(?i)url\(`, `(?i)@import`, `(?i)https?:`} {
		if found := regexp.MustCompile(pattern).FindString(page); found != "" {
			t.Errorf("the page has %q", found)
		}
	}
	if !strings.Contains(page, `content="default-src 'none'; style-src 'unsafe-inline'`) {
		t.Error("the page has no policy")
	}
}

func TestPageEscapesNames(t *testing.T) {
	hostile := []string{`"onmouseover="x`, `</style><script>x</script>`, `<img src=x>`, `&amp;`, `{{.}}`, "two\nlines", `a;left:0`}
	in := plan.Input{Distribution: distribution(t, ""), Known: []site.Snapshot{{}}, Release: site.Snapshot{}}
	in.Distribution.Domain = `<b>"&`
	for _, name := range hostile {
		in.Release = append(in.Release, site.Object{Key: name})
	}
	_, page := render(t, in)
	for _, raw := range []string{"<script", "<img", `<b>"&`, `title="/"on`} {
		if strings.Contains(page, raw) {
			t.Errorf("the page has %s as it is", raw)
		}
	}
}

func TestPageIsWellFormed(t *testing.T) {
	_, page := render(t, mixed(t))
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := decoder.Token()
		if err != nil {
			if err.Error() != "EOF" {
				t.Fatal(err)
			}
			return
		}
		_ = token
	}
}

func TestFillNeverHidesTheName(t *testing.T) {
	var all Tally
	for s := range all {
		all[s] = Count{1 + s, 100}
	}
	class, bands := fill(&all, byObjects)
	if class != "collateral" {
		t.Errorf("most of it is collateral, not %s", class)
	}
	for _, text := range []string{"--unchanged", "--changed", "--purged", "transparent 0"} {
		if !strings.Contains(string(bands), text) {
			t.Errorf("%s lacks %s", bands, text)
		}
	}
	last := 0.0
	for _, m := range regexp.MustCompile(`(\d+)% (\d+)%`).FindAllStringSubmatch(string(bands), -1) {
		_, _ = fmt.Sscan(m[2], &last)
	}
	if last > 80 {
		t.Errorf("%s leaves no room", bands)
	}
	if class, bands := fill(&Tally{Purged: {3, 0}}, byBytes); class != "purged" || bands != "" {
		t.Errorf("empty files: %s %q", class, bands)
	}
}

func TestShorten(t *testing.T) {
	newOne := func(name string) *cell { return &cell{name: name, path: "d/" + name} }
	for _, tt := range []struct {
		names []string
		width float64
		want  string // of the first
	}{
		{[]string{"topic-020.html", "topic-021.html"}, 300, "topic-020.html"},
		{[]string{"topic-020.html", "topic-021.html"}, 90, "…020.html"},
		{[]string{"topic-020.html", "topic-021.html"}, 50, "…020"},
		{[]string{"post-03/", "post-14/"}, 40, "…03/"},
		{[]string{"alpha.html", "beta.html"}, 20, "alpha.html"},
		{[]string{"größe-1-ß", "größe-1-ü"}, 20, "…ß"},
		{[]string{"lonely-file.txt"}, 20, "lonely-file.txt"},
	} {
		var cells []*cell
		for _, name := range tt.names {
			cells = append(cells, newOne(name))
		}
		if got := shorten(tt.names[0], sharedStart(cells), tt.width); got != tt.want {
			t.Errorf("%v in %g: %q, want %q", tt.names, tt.width, got, tt.want)
		}
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1 << 20: "1 MiB", 1023 << 10: "0.999 MiB", 3 << 40: "3 TiB", 5 << 50: "5120 TiB"} {
		if got := size(n); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestHeadlineAndCost(t *testing.T) {
	items := make([]Item, 3)
	for want, d := range map[string]Document{
		"Nothing to purge: no viewer can be served anything stale.":                    {},
		"3 items purge 1,200 stale URLs for $0.005, and 1 unchanged object with them.": {Items: items, Stale: 1200, Collateral: 1, Price: 0.005},
		"1 item purges 1 stale URL for $0.00, and nothing else.":                       {Items: items[:1], Stale: 1},
		"1 item for $0.005: too little is known to purge less than everything.":        {Items: items[:1], Everything: true, Price: 0.005},
	} {
		if got := d.Headline(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	d := Document{Items: items, Price: 0.01}
	if d.Cost(0) != 0 || d.Cost(1) != invalidation.PathPrice || d.Cost(2) != invalidation.PathPrice {
		t.Error("the first item is free, the others are not")
	}
}
