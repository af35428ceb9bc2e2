// Package chromium starts a browser for tests that look at pages as people do.
package chromium

import (
	"context"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"
)

// Start starts a browser with a profile of its own, which reaches nothing but through a proxy. It ends with
// the test or with ctx, whichever is first.
func Start(ctx context.Context, t testing.TB, proxy string, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		t.Fatal("no chromium on PATH: make setup installs it on Debian; elsewhere install it and run the tests again")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true), chromedp.ProxyServer(proxy),
	)
	allocator, stop := chromedp.NewExecAllocator(ctx, append(options, more...)...)
	browser, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(browser) // closes the browser and waits for it; what is left is killed below
		stop()
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return browser
}
