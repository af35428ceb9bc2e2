package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/wire"
)

func TestHitAndMiss(t *testing.T) {
	w := newWorld(t, nil, Options{})
	w.bucket.put("index.html", "one", "Cache-Control", "max-age=60")
	first := w.get("/")
	w.expect("first", first, 200, "Miss", "one")
	if first.header.Get("Age") != "" || first.header.Get("X-Amz-Cf-Pop") != "FRA56-P1" || first.header.Get("X-Amz-Cf-Id") == "" ||
		!strings.HasSuffix(first.header.Get("Via"), "(CloudFront)") || first.header.Get("Cache-Control") != "max-age=60" {
		t.Errorf("%v", first.header)
	}
	w.bucket.put("index.html", "two", "Cache-Control", "max-age=60")
	w.clock.Advance(30 * time.Second)
	second := w.get("/")
	w.expect("second", second, 200, "Hit", "one")
	if age := second.header.Get("Age"); age != "30" {
		t.Errorf("age %s", age)
	}
	w.expect("the root object's own path is another entry", w.get("/index.html"), 200, "Miss", "two")
	w.expect("another point of presence", w.from(w.edge.POPs()[1], "GET", "https://"+domain+"/"), 200, "Miss", "two")
	w.clock.Advance(31 * time.Second)
	w.expect("expired and changed", w.get("/"), 200, "Miss", "two")
	w.clock.Advance(61 * time.Second)
	w.expect("expired and the same", w.get("/"), 200, "RefreshHit", "two")
	w.expect("fresh again", w.get("/"), 200, "Hit", "two")
	if s := w.edge.POPs()[0].Stats(); s.Hits != 2 || s.Misses != 3 || s.RefreshHits != 1 || s.Entries != 2 {
		t.Errorf("%+v", s)
	}
}

func TestOriginAccess(t *testing.T) {
	w := newWorld(t, func(c *cloudfront.Config) { c.Errors = nil }, Options{})
	w.bucket.put("index.html", "one")
	w.allow("arn:aws:cloudfront::222222222222:distribution/EOTHER")
	got := w.get("/")
	if got.status != 403 || got.cache != "Error" || !strings.Contains(got.body, "<Code>AccessDenied</Code>") {
		t.Errorf("%+v", got)
	}
	w.allow(source)
	w.expect("the error is cached for ten seconds", w.get("/"), 403, "Error", got.body)
	w.clock.Advance(10 * time.Second)
	w.expect("then not", w.get("/"), 200, "Miss", "one")
	w.dist.Config.Origins[0].AccessControl = nil
	if got := w.get("/index.html"); got.status != 403 || got.cache != "Error" {
		t.Errorf("without access control: %+v", got)
	}
	calls := w.journal.Calls()
	if calls[0].Decision != "deny" || calls[0].Principal != "cloudfront.amazonaws.com" || calls[1].Decision != "allow" {
		t.Errorf("%+v", calls[:2])
	}
	if last := calls[len(calls)-1]; last.Decision != "deny" || last.Principal != "anonymous" {
		t.Errorf("%+v", last)
	}
}

func TestFallbackUnderEachURL(t *testing.T) {
	w := newWorld(t, nil, Options{})
	w.bucket.put("index.html", "one")
	for _, path := range []string{"/", "/index.html", "/about", "/item/7"} {
		w.get(path)
	}
	w.bucket.put("index.html", "two")
	about := w.get("/about")
	w.expect("cached", about, 200, "Error", "one")
	if about.header.Get("Age") == "" {
		t.Error("a cached fallback has no age")
	}
	purge := func(items ...string) int { return w.edge.Purge("FRA56-P1", "E1", items) }
	if n := purge("/index.html"); n != 1 {
		t.Errorf("purged %d", n)
	}
	w.expect("the page's own path", w.get("/index.html"), 200, "Miss", "two")
	w.expect("a route is as stale as before", w.get("/about"), 200, "Error", "one")
	w.expect("so is /", w.get("/"), 200, "Hit", "one")
	purge("/about")
	w.expect("purged by its own URL", w.get("/about"), 200, "Error", "two")
	w.expect("another route", w.get("/item/7"), 200, "Error", "one")
	w.clock.Advance(time.Minute)
	w.expect("after the error's TTL", w.get("/item/7"), 200, "Error", "two")
	purge("/*")
	if s := w.edge.POPs()[0].Stats(); s.Entries != 0 {
		t.Errorf("%+v", s)
	}
	w.bucket.put("about", "a page of its own")
	w.expect("a key that came to be", w.get("/about"), 200, "Miss", "a page of its own")
}

func TestErrorPageMissing(t *testing.T) {
	w := newWorld(t, func(c *cloudfront.Config) {
		c.Errors = []cloudfront.ErrorResponse{{Code: 403, ResponseCode: 404, PagePath: "/404.html", CachingMinTTL: time.Second}}
	}, Options{})
	if got := w.get("/x"); got.status != 403 || !strings.Contains(got.body, "AccessDenied") {
		t.Errorf("%+v", got)
	}
	w.bucket.put("404.html", "not here")
	w.clock.Advance(time.Second)
	w.expect("with a page", w.get("/x"), 404, "Error", "not here")
	w.expect("by HEAD", w.from(w.edge.POPs()[0], "HEAD", "https://"+domain+"/x"), 404, "Error", "")
}

func TestOriginDown(t *testing.T) {
	w := newWorld(t, nil, Options{})
	w.bucket.put("index.html", "one", "Cache-Control", "max-age=1")
	w.get("/")
	w.bucket.down = wire.Errorf(503, "SlowDown", "Please reduce your request rate.")
	w.clock.Advance(time.Hour)
	w.expect("expired, and served all the same", w.get("/"), 200, "Hit", "one")
	w.expect("what is not cached fails", w.get("/a"), 503, "Error", w.get("/a").body)
	w.bucket.down = nil
	w.clock.Advance(9 * time.Second)
	w.get("/")
	if n := w.bucket.count("index.html"); n != 2 {
		t.Errorf("the origin was asked %d times", n)
	}
	w.clock.Advance(time.Second)
	w.expect("asked again", w.get("/"), 200, "RefreshHit", "one")
}

func TestPurgeOvertakesFetch(t *testing.T) {
	w := newWorld(t, nil, Options{})
	w.bucket.put("index.html", "one")
	w.bucket.gate = make(chan struct{})
	got := make(chan page)
	go func() { got <- w.get("/") }()
	<-w.bucket.asked // the origin has read "one" for a first viewer
	go func() { got <- w.get("/") }()
	w.edge.Purge("FRA56-P1", "E1", []string{"/*"})
	gate := w.bucket.gate
	w.bucket.mu.Lock()
	w.bucket.gate = nil
	w.bucket.mu.Unlock()
	w.bucket.put("index.html", "two")
	close(gate)
	<-got
	<-got
	w.expect("what the purge overtook is not kept", w.get("/"), 200, w.get("/").cache, "two")
}

func TestOneRequestForMany(t *testing.T) {
	w := newWorld(t, nil, Options{})
	w.bucket.put("index.html", "one")
	w.bucket.gate = make(chan struct{})
	got := make(chan page)
	for range 5 {
		go func() { got <- w.get("/") }()
	}
	<-w.bucket.asked
	close(w.bucket.gate)
	for range 5 {
		if p := <-got; p.body != "one" {
			t.Errorf("%+v", p)
		}
	}
	if n := w.bucket.count("index.html"); n != 1 {
		t.Errorf("the origin was asked %d times", n)
	}
}

func TestStaleAfterCompletion(t *testing.T) {
	w := newWorld(t, nil, Options{StaleAfterCompletion: func(pop string) bool { return pop == "IAD89-C2" }})
	w.bucket.put("index.html", "one")
	for _, p := range w.edge.POPs() {
		w.from(p, "GET", "https://"+domain+"/")
	}
	w.bucket.put("index.html", "two")
	for i, p := range w.edge.POPs() {
		w.edge.Purge(p.Name(), "E1", []string{"/*"})
		got := w.from(p, "GET", "https://"+domain+"/")
		if want := []string{"two", "one", "two"}[i]; got.body != want {
			t.Errorf("%s serves %s", p.Name(), got.body)
		}
	}
}

func TestProtocolsAndMethods(t *testing.T) {
	w := newWorld(t, func(c *cloudfront.Config) {
		strict := c.Default
		strict.PathPattern, strict.ViewerProtocolPolicy = "/strict/*", "https-only"
		open := c.Default
		open.PathPattern, open.ViewerProtocolPolicy = "*.txt", "allow-all"
		c.Behaviors = []cloudfront.Behavior{strict, open}
	}, Options{})
	w.bucket.put("a.txt", "text")
	p := w.edge.POPs()[0]
	got := w.from(p, "GET", "http://"+domain+"/x?y=1")
	if got.status != 301 || got.cache != "Redirect" || got.header.Get("Location") != "https://"+domain+"/x?y=1" {
		t.Errorf("%+v", got)
	}
	if got := w.from(p, "POST", "http://"+domain+"/x"); got.status != 307 {
		t.Errorf("%+v", got)
	}
	if got := w.from(p, "GET", "http://"+domain+"/strict/x"); got.status != 403 {
		t.Errorf("%+v", got)
	}
	w.expect("allow-all", w.from(p, "GET", "http://"+domain+"/a.txt"), 200, "Miss", "text")
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		if got := w.from(p, method, "https://"+domain+"/a.txt"); got.status != 403 || !strings.Contains(got.body, "HTTP request method") {
			t.Errorf("%s: %+v", method, got)
		}
	}
	if got := w.from(p, "GET", "https://elsewhere.example/"); got.status != 403 || !strings.Contains(got.body, `no distribution at "elsewhere.example"`) {
		t.Errorf("%+v", got)
	}
	w.dist.Config.Enabled = false
	if got := w.get("/a.txt"); got.status != 403 || !strings.Contains(got.body, "disabled") {
		t.Errorf("%+v", got)
	}
}

func TestConditionsAndRanges(t *testing.T) {
	w := newWorld(t, nil, Options{})
	w.bucket.put("a.bin", "0123456789", "Content-Type", "application/octet-stream", "x-amz-meta-a", "b")
	first := w.get("/a.bin")
	etag := first.header.Get("Etag")
	if first.header.Get("X-Amz-Meta-A") != "b" || first.header.Get("Content-Length") != "10" {
		t.Errorf("%v", first.header)
	}
	w.expect("the same", w.get("/a.bin", "If-None-Match", etag), 304, "Hit", "")
	w.expect("another", w.get("/a.bin", "If-None-Match", `"x"`), 200, "Hit", "0123456789")
	w.expect("a range", w.get("/a.bin", "Range", "bytes=2-4"), 206, "Hit", "234")
	if got := w.get("/a.bin", "Range", "bytes=20-"); got.status != 416 {
		t.Errorf("%+v", got)
	}
	head := w.from(w.edge.POPs()[0], http.MethodHead, "https://"+domain+"/a.bin")
	w.expect("HEAD", head, 200, "Hit", "")
	if head.header.Get("Content-Length") != "10" {
		t.Errorf("%v", head.header)
	}
	if got := w.get("/a.bin", "If-Modified-Since", "Sun, 01 Nov 2026 10:00:00 GMT"); got.status != 304 {
		t.Errorf("%+v", got)
	}
}

func TestCompressionVariants(t *testing.T) {
	w := newWorld(t, nil, Options{})
	long := strings.Repeat("<p>hello</p>", 200)
	w.bucket.put("index.html", long)
	w.bucket.put("short.html", "short")
	w.bucket.put("a.png", long, "Content-Type", "image/png")
	w.bucket.put("z.html", long, "Content-Encoding", "zstd")
	for _, tt := range []struct{ path, accept, encoding, cache string }{
		{"/", "gzip, deflate, br", "br", "Miss"},
		{"/", "br;q=1.0, gzip", "br", "Hit"},
		{"/", "gzip", "gzip", "Miss"},
		{"/", "gzip, br;q=0", "gzip", "Hit"},
		{"/", "identity", "", "Miss"},
		{"/", "", "", "Hit"},
		{"/short.html", "br", "", "Miss"},
		{"/a.png", "br", "", "Miss"},
		{"/no/such/route", "br", "br", "Error"},
	} {
		got := w.get(tt.path, "Accept-Encoding", tt.accept)
		weak := strings.HasPrefix(got.header.Get("Etag"), `W/"`)
		if got.header.Get("Content-Encoding") != tt.encoding || got.cache != tt.cache || weak != (tt.encoding != "") {
			t.Errorf("%s accepting %q: %q %s %s", tt.path, tt.accept, got.header.Get("Content-Encoding"), got.cache, got.header.Get("Etag"))
		}
		if vary := got.header.Get("Vary"); (vary != "") != (tt.path != "/short.html" && tt.path != "/a.png") {
			t.Errorf("%s: vary %q", tt.path, vary)
		}
	}
	if got := w.get("/z.html", "Accept-Encoding", "br"); got.header.Get("Content-Encoding") != "zstd" {
		t.Errorf("what the origin encoded was encoded again: %v", got.header)
	}
	etag := w.get("/", "Accept-Encoding", "br").header.Get("Etag")
	if got := w.get("/", "Accept-Encoding", "br", "If-None-Match", etag); got.status != 304 {
		t.Errorf("%+v", got)
	}
	w.clock.Advance(25 * time.Hour)
	w.expect("a compressed entry is revalidated", w.get("/", "Accept-Encoding", "br"), 200, "RefreshHit", long)
	if n := w.edge.Purge("FRA56-P1", "E1", []string{"/"}); n != 4 { // br,gzip, br, gzip and none
		t.Errorf("purged %d variants", n)
	}
}

func TestUnknownDirective(t *testing.T) {
	w := newWorld(t, nil, Options{})
	w.bucket.put("index.html", "one", "Cache-Control", "max-age=1, stale-while-revalidate=60")
	if got := w.get("/"); got.status != 501 || !strings.Contains(got.body, "stale-while-revalidate") {
		t.Errorf("%+v", got)
	}
}
