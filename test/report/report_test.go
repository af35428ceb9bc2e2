// Package report opens the plan's report in a browser, as a person would.
package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/unstale/unstale/internal/cli"
	"github.com/unstale/unstale/test/chromium"
)

// shots is where screenshots are kept for people to look at; without it they are not.
const shots = "UNSTALE_SCREENSHOTS"

// startChromium starts a browser that may reach nothing: its proxy is a port where nobody listens.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return chromium.Start(ctx, t, "http://127.0.0.1:1", chromedp.Flag("hide-scrollbars", true))
}

// watch notes what a tab asks for, and what it complains about.
type watch struct {
	mu       sync.Mutex
	requests []string
	said     []string
}

func newTab(t *testing.T, browser context.Context) (context.Context, *watch) {
	t.Helper()
	tab, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	w := &watch{}
	if err := chromedp.Do(tab); err != nil {
		t.Fatal(err)
	}
	err := chromedp.Listen(tab, func(event any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			w.requests = append(w.requests, e.Request.URL)
		case *log.EventEntryAdded:
			w.said = append(w.said, e.Entry.Text)
		case *runtime.EventExceptionThrown:
			w.said = append(w.said, e.ExceptionDetails.Text)
		}
	})
	if err == nil {
		_, err = chromedp.Call(tab, network.Enable, network.EnableParams{})
	}
	if err == nil {
		_, err = chromedp.Call(tab, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return tab, w
}

// measured is what the page shows, in CSS pixels.
type measured struct {
	Values  map[string]float64 // by ID
	Items   []string
	Maps    int // that are shown
	Boxes   int // in what is shown
	States  map[string]int
	Labels  int
	Overlap string // two boxes beside each other that overlap
	Outside string // a box that leaves its directory, or a label that leaves its box
	Small   string // a label that is shown although nothing of it can be read
	Wide    bool   // the page is wider than the window
	Dim     string // a text that is hard to read
}

// measure runs in the page. Contrast is WCAG 2.2's, of texts on the colour behind them.
const measure = `(() => {
	const out = {Values: {}, Items: [], Maps: 0, Boxes: 0, States: {}, Labels: 0, Overlap: "", Outside: "", Small: "", Dim: ""};
	for (const d of document.querySelectorAll("data")) out.Values[d.id] = Number(d.value);
	for (const c of document.querySelectorAll("tbody code")) out.Items.push(c.textContent);
	const shown = e => e.getClientRects().length > 0;
	const inside = (a, b) => a.left >= b.left - 1 && a.top >= b.top - 1 && a.right <= b.right + 1 && a.bottom <= b.bottom + 1;
	const light = c => c.match(/[\d.]+/g).slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/^rgba\(.*, 0\)$/.test(c)) return c; } };
	const contrast = e => { const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x); return (a + 0.05) / (b + 0.05); };
	for (const map of document.querySelectorAll(".map")) {
		if (!shown(map)) continue;
		out.Maps++;
		for (const box of map.querySelectorAll(".box")) {
			const r = box.getBoundingClientRect();
			if (!inside(r, box.parentElement.getBoundingClientRect())) out.Outside = box.title;
			for (let next = box.nextElementSibling; next; next = next.nextElementSibling) {
				if (!next.matches(".box")) continue;
				const s = next.getBoundingClientRect();
				if (Math.min(r.right, s.right) - Math.max(r.left, s.left) > 1 && Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top) > 1)
					out.Overlap = box.title + " and " + next.title;
			}
			const leaf = box.querySelector(":scope > .leaf");
			if (!leaf) continue;
			out.Boxes++;
			out.States[leaf.classList[1]] = (out.States[leaf.classList[1]] || 0) + 1;
			for (const text of leaf.querySelectorAll("b, span")) {
				if (!shown(text)) continue;
				out.Labels++;
				const l = text.getBoundingClientRect();
				if (!inside(l, r)) out.Outside = text.textContent + " in " + box.title;
				if (l.width < 24 || l.height < 10) out.Small = text.textContent;
			}
		}
	}
	for (const e of document.querySelectorAll("h1, h2, p, dt, data, small, td, th, li, code, label, .leaf b, .leaf span"))
		if (shown(e) && e.textContent.trim() && contrast(e) < 4.5) out.Dim = e.textContent.trim() + " at " + contrast(e).toFixed(2);
	out.Wide = document.documentElement.scrollWidth > innerWidth;
	return out;
})()`

func TestReportInChromium(t *testing.T) {
	t.Parallel()
	file, document := release(t)
	tab, seen := newTab(t, startChromium(t))
	address := (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String()
	for _, width := range []int64{400, 700, 1000, 1600} {
		for _, scheme := range []string{"light", "dark"} {
			for _, by := range []string{"objects", "bytes"} {
				name := fmt.Sprintf("%d-%s-%s", width, scheme, by)
				if err := show(tab, address, width, scheme, by); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				page, err := chromedp.Run(tab, chromedp.Evaluate[measured](measure))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				page.check(t, name, document)
				keep(t, tab, name)
			}
		}
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for _, request := range seen.requests {
		if request != address {
			t.Errorf("the page asks for %s", request)
		}
	}
	if len(seen.requests) == 0 || len(seen.said) > 0 {
		t.Errorf("%d requests; the browser says %q", len(seen.requests), seen.said)
	}
}

// show opens the page in a window of some width and mode, and chooses what areas stand for.
func show(tab context.Context, address string, width int64, scheme, by string) error {
	_, err := chromedp.Call(tab, emulation.SetDeviceMetricsOverride,
		emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 1000, DeviceScaleFactor: 1})
	if err != nil {
		return err
	}
	mode := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: mode}); err != nil {
		return err
	}
	return chromedp.Do(tab, chromedp.Navigate(address), chromedp.Click(`label[for="`+by+`"]`))
}

// keep writes a screenshot, if somebody wants to see it.
func keep(t *testing.T, tab context.Context, name string) {
	t.Helper()
	dir := os.Getenv(shots)
	if dir == "" {
		return
	}
	shot, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o666)
	}
	if err != nil {
		t.Error(err)
	}
}

// document is what the test reads of --json.
type document struct {
	Items []struct {
		Item       string
		Collateral int
	}
	Stale, Collateral int
	Price, WaitOut    float64
	Site              struct{ Unchanged, Changed, Purged, Collateral struct{ Objects int } }
}

// check compares the page with the document, and says what does not look right.
func (m measured) check(t *testing.T, name string, d document) {
	t.Helper()
	for id, want := range map[string]float64{
		"items": float64(len(d.Items)), "stale": float64(d.Stale), "collateral": float64(d.Collateral), "price": d.Price, "waitOut": d.WaitOut,
		"site-unchanged": float64(d.Site.Unchanged.Objects), "site-changed": float64(d.Site.Changed.Objects),
		"site-purged": float64(d.Site.Purged.Objects), "site-collateral": float64(d.Site.Collateral.Objects),
	} {
		if got, shown := m.Values[id]; !shown || got != want {
			t.Errorf("%s: the page says that %s is %g, the document %g", name, id, got, want)
		}
	}
	for i, item := range d.Items {
		if len(m.Items) != len(d.Items) || m.Items[i] != item.Item {
			t.Errorf("%s: the page lists %q, the document %v", name, m.Items, d.Items)
			break
		}
	}
	if m.Maps != 1 || m.Boxes < 20 || m.Labels < 10 {
		t.Errorf("%s: %d treemaps with %d boxes and %d labels", name, m.Maps, m.Boxes, m.Labels)
	}
	for _, state := range []string{"unchanged", "changed", "purged", "collateral"} {
		if m.States[state] == 0 {
			t.Errorf("%s: nothing is drawn as %s", name, state)
		}
	}
	for what, which := range map[string]string{"overlapping": m.Overlap, "out of its bounds": m.Outside, "too small to read": m.Small, "hard to read": m.Dim} {
		if which != "" {
			t.Errorf("%s: %s: %s", name, what, which)
		}
	}
	if m.Wide {
		t.Errorf("%s: the page is wider than the window", name)
	}
}

// release makes a site and its next release, and the report and the document of the plan between.
func release(t *testing.T) (report string, d document) {
	t.Helper()
	dir := t.TempDir()
	write := func(release, key string, size int) {
		name := filepath.Join(dir, release, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, bytes.Repeat([]byte("x"), size), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// both has a file in both releases; changes tells those that the second one has otherwise.
	both := func(pattern string, count, size int, changes func(i int) bool) {
		for i := range count {
			key := strings.Replace(pattern, "#", fmt.Sprintf("%03d", i), 1)
			bytes := size + size*(i*7919%13)/6
			write("1", key, bytes)
			if changes != nil && changes(i) {
				bytes++
			}
			write("2", key, bytes)
		}
	}
	always := func(int) bool { return true }
	both("index.html", 1, 3000, always)
	both("404.html", 1, 900, nil)
	both("feed.xml", 1, 20000, always)
	both("assets/chunk-#.0a1b2c3d.js", 60, 30000, nil)
	both("assets/img/photo-#.jpg", 24, 60000, nil)
	both("docs/guide/topic-#.html", 120, 4000, func(i int) bool { return i >= 20 && i < 64 })
	both("docs/api/v2/call-#.html", 60, 4000, nil)
	for year := 2019; year < 2027; year++ {
		both(fmt.Sprintf("blog/%d/post-#/index.html", year), 20, 5000, func(i int) bool { return year == 2026 && i%5 == 2 })
	}
	write("2", "assets/added-0a1b2c3d.js", 50000)
	write("2", "robots.txt", 60)

	config := filepath.Join(dir, "config.json")
	if err := os.WriteFile(config, []byte(`{"Distribution": {"Id": "E2EXAMPLE", "DomainName": "d111111abcdef8.cloudfront.net", "DistributionConfig": {
		"Enabled": true, "DefaultRootObject": "index.html",
		"Origins": {"Quantity": 1, "Items": [{"Id": "site", "DomainName": "b.s3.us-east-1.amazonaws.com"}]},
		"DefaultCacheBehavior": {"TargetOriginId": "site", "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"}}}}`), 0o666); err != nil {
		t.Fatal(err)
	}
	report = filepath.Join(dir, "plan.html")
	var stdout, stderr bytes.Buffer
	code := cli.Main(t.Context(), []string{
		"plan", "--site", filepath.Join(dir, "2"), "--previous", filepath.Join(dir, "1"), "--distribution-config", config,
		"--budget", "9", "--used", "995", "--json", "--html", report,
	}, strings.NewReader(""), &stdout, &stderr)
	if err := json.Unmarshal(stdout.Bytes(), &d); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v: %s", code, err, &stderr)
	}
	if len(d.Items) == 0 || d.Collateral == 0 || d.Price == 0 || d.WaitOut == 0 {
		t.Fatalf("the plan has not all there is to show: %+v", d)
	}
	return report, d
}
