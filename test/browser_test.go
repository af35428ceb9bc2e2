package test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/test/chromium"
)

// startChromium starts a browser with a profile of its own that reaches the site through the edge
// only. It trusts the rehearsal's certificate authority and, of what is not signed by it, nothing new.
func startChromium(t *testing.T, w *rehearsal.World) context.Context {
	t.Helper()
	return chromium.Start(deadline(t), t, w.POPs()[0].ProxyURL,
		chromedp.Flag("disable-quic", true), chromedp.Flag("ignore-certificate-errors-spki-list", w.CASPKI()))
}

// viewer is somebody at a point of presence with a browser profile of their own, whose cache lives
// as long as they do.
type viewer struct {
	pop string
	tab context.Context
}

func newViewer(t *testing.T, browser context.Context, at rehearsal.POP) viewer {
	t.Helper()
	tab, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(func(p *target.CreateBrowserContextParams) {
		p.ProxyServer = at.ProxyURL
	}))
	t.Cleanup(cancel)
	return viewer{at.Name, tab}
}

// page is what the single-page app shows.
type page struct {
	Path    string `json:"path"`    // as the address bar says
	Heading string `json:"heading"` // of the page that the app's router chose
	Release string `json:"release"` // of the document
	Badge   string `json:"badge"`   // of the script that drew the page
}

// readPage is false until the app has drawn its page.
const readPage = `document.querySelector(".badge") && document.querySelector("main h1") && {
	path: location.pathname,
	heading: document.querySelector("main h1").textContent,
	release: document.querySelector("#root").dataset.release,
	badge: document.querySelector(".badge").textContent,
}`

// open types an address and reads the page once the app has drawn it.
func (v viewer) open(address string) (page, error) {
	if err := chromedp.Do(v.tab, chromedp.Navigate(address)); err != nil {
		return page{}, err
	}
	return await[page](v, readPage)
}

// await is the value of a JavaScript expression once it is neither false nor null. Tabs in the
// background draw no frames, so frames are not what it waits for.
func await[T any](v viewer, expression string) (T, error) {
	return chromedp.Run(v.tab, chromedp.Poll[T](expression, chromedp.WithPollingInterval(10*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second)))
}

// show opens an address and wants the app's page of a release.
func (v viewer) show(t *testing.T, when, address string, want page) {
	t.Helper()
	v.showOne(t, when, address, want, want.Release)
}

// showOne wants the app's page of one of some releases, whole.
func (v viewer) showOne(t *testing.T, when, address string, want page, releases ...string) {
	t.Helper()
	got, err := v.open(address)
	if err != nil {
		t.Errorf("%s: %s opens %s: %v", when, v.pop, address, err)
		return
	}
	want.Release, want.Badge = got.Release, "Release "+got.Release
	if got != want || !slices.Contains(releases, got.Release) {
		t.Errorf("%s: %s sees %s, want %s of release %s", when, v.pop, got, want, strings.Join(releases, " or "))
	}
}

func (p page) String() string {
	return p.Path + " " + strconv.Quote(p.Heading) + ", release " + p.Release + ", badge " + strconv.Quote(p.Badge)
}
