package edge

import (
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	owner  = "222222222222"
	domain = "d111.cloudfront.net"
	source = "arn:aws:cloudfront::222222222222:distribution/E1"
)

// bucket is an S3 of one bucket, whose policy iam decides by.
type bucket struct {
	directory *accounts.Directory
	policy    *iam.Policy

	mu      sync.Mutex
	objects map[string]stored
	reads   []string
	down    error         // what every read answers
	gate    chan struct{} // reads wait here when set
	asked   chan struct{} // and say so here
}

type stored struct {
	body   string
	header http.Header
}

func (b *bucket) GetObject(_ context.Context, caller accounts.Caller, name, key string) ([]byte, http.Header, error) {
	b.mu.Lock()
	o, ok := b.objects[key]
	b.reads = append(b.reads, key)
	down, gate := b.down, b.gate
	b.mu.Unlock()
	if gate != nil {
		b.asked <- struct{}{}
		<-gate
	}
	if down != nil {
		return nil, nil, down
	}
	err := b.directory.Authorize(accounts.Check{
		Caller: caller, Action: "s3:GetObject", Resource: "arn:aws:s3:::" + name + "/" + key, Account: owner,
		Policy: b.policy, Kind: iam.ResourcePolicy, Context: map[string][]string{"aws:SecureTransport": {"true"}},
	})
	if err != nil {
		return nil, nil, err
	}
	if !ok { // CloudFront has no s3:ListBucket here
		return nil, nil, wire.Denied("Access Denied")
	}
	sum := md5.Sum([]byte(o.body))
	h := o.header.Clone()
	h.Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	h.Set("Last-Modified", "Sun, 01 Nov 2026 10:00:00 GMT")
	return []byte(o.body), h, nil
}

// put stores an object with headers given in pairs.
func (b *bucket) put(key, body string, headers ...string) {
	h := http.Header{"Content-Type": {"text/html"}}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects[key] = stored{body, h}
}

func (b *bucket) count(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, k := range b.reads {
		if k == key {
			n++
		}
	}
	return n
}

// world is an edge before one bucket, on a clock that stands still.
type world struct {
	t       *testing.T
	edge    *Edge
	clock   *clock.Clock
	bucket  *bucket
	journal *journal.Journal
	dist    *cloudfront.Distribution
}

func (w *world) ByHost(host string) (*cloudfront.Distribution, bool) {
	if host == domain || host == "www.example.com" {
		return w.dist, true
	}
	return nil, false
}

// optimized and disabled are AWS's managed policies as this package needs them.
func optimized() *cloudfront.CachePolicy {
	return &cloudfront.CachePolicy{MinTTL: time.Second, DefaultTTL: 24 * time.Hour, MaxTTL: 365 * 24 * time.Hour, Gzip: true, Brotli: true}
}

func newWorld(t *testing.T, change func(*cloudfront.Config), o Options) *world {
	t.Helper()
	w := &world{t: t, clock: clock.New(false), journal: &journal.Journal{}}
	t.Cleanup(w.clock.Close)
	directory := accounts.New(w.clock, w.journal)
	if _, err := directory.Add(owner); err != nil {
		t.Fatal(err)
	}
	w.bucket = &bucket{directory: directory, objects: map[string]stored{}, asked: make(chan struct{}, 100)}
	w.allow(source)
	w.dist = &cloudfront.Distribution{ID: "E1", Account: owner, ARN: source, Domain: domain, Config: cloudfront.Config{
		Enabled: true, DefaultRootObject: "index.html",
		Origins: []cloudfront.Origin{{
			ID: "site", Domain: "site.s3.us-east-1.amazonaws.com",
			AccessControl: &cloudfront.AccessControl{ID: "E2", SigningBehavior: "always"},
		}},
		Default: cloudfront.Behavior{TargetOriginID: "site", ViewerProtocolPolicy: "redirect-to-https", Compress: true, CachePolicy: optimized()},
		Errors:  []cloudfront.ErrorResponse{{Code: 403, ResponseCode: 200, PagePath: "/index.html", CachingMinTTL: time.Minute}},
	}}
	if change != nil {
		change(&w.dist.Config)
	}
	w.edge = New(Deps{Distributions: w, Origin: w.bucket, Clock: w.clock, Options: o})
	return w
}

// allow makes a bucket policy that lets CloudFront read for one distribution.
func (w *world) allow(sourceARN string) {
	var doc iam.Document
	text := `{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::site/*","Condition":{"StringEquals":{"AWS:SourceArn":"` + sourceARN + `"}}}]}`
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		w.t.Fatal(err)
	}
	w.bucket.policy = &iam.Policy{Name: "bucket site", Document: doc}
}

// page is what a viewer got.
type page struct {
	status int
	cache  string // the first word of x-cache
	body   string // decoded
	header http.Header
}

// get fetches from the first point of presence, by https, with headers in pairs.
func (w *world) get(path string, headers ...string) page {
	w.t.Helper()
	return w.from(w.edge.POPs()[0], http.MethodGet, "https://"+domain+path, headers...)
}

func (w *world) from(p *POP, method, url string, headers ...string) page {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := p.Fetch(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(resp)
}

func (w *world) read(resp *http.Response) page {
	w.t.Helper()
	defer resp.Body.Close()
	var body io.Reader = resp.Body
	switch resp.Header.Get("Content-Encoding") {
	case "br":
		body = brotli.NewReader(body)
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			w.t.Fatal(err)
		}
		body = z
	}
	text, err := io.ReadAll(body)
	if err != nil {
		w.t.Fatal(err)
	}
	cache, _, _ := strings.Cut(resp.Header.Get("X-Cache"), " ")
	return page{resp.StatusCode, cache, string(text), resp.Header}
}

// expect checks status, x-cache and body.
func (w *world) expect(what string, got page, status int, cache, body string) {
	w.t.Helper()
	if got.status != status || got.cache != cache || got.body != body {
		w.t.Errorf("%s: %d %s %.60q, want %d %s %.60q", what, got.status, got.cache, got.body, status, cache, body)
	}
}
