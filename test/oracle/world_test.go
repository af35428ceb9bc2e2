package oracle

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/andybalholm/brotli"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/edge"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

const owner = "222222222222"

// file is an object of a bucket.
type file struct {
	content string
	control string // Cache-Control; "": the header is not there
	tag     string // cache tag; "": none
}

// tagHeader carries the tags, where the distribution has them.
const tagHeader = "x-amz-meta-cache-tag"

// etag is S3's of an object that was put in one piece.
func (f file) etag() string {
	sum := md5.Sum([]byte(f.content))
	return hex.EncodeToString(sum[:])
}

// bucket is an S3 bucket that lets CloudFront read.
type bucket struct {
	objects map[string]file
	lists   bool // CloudFront may also list, so that a missing key is a 404 and not a 403
}

// buckets is the origin of all distributions.
type buckets map[string]*bucket

// GetObject answers as S3 does.
func (b buckets) GetObject(_ context.Context, _ accounts.Caller, name, key string) ([]byte, http.Header, error) {
	from := b[name]
	o, found := from.objects[key]
	switch {
	case !found && from.lists:
		return nil, nil, wire.Errorf(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	case !found:
		return nil, nil, wire.Denied("Access Denied")
	}
	h := http.Header{"Content-Type": {"text/html"}, "Etag": {`"` + o.etag() + `"`}}
	if o.control != "" {
		h.Set("Cache-Control", o.control)
	}
	if o.tag != "" {
		h.Set(tagHeader, o.tag)
	}
	return []byte(o.content), h, nil
}

// world is one distribution before two buckets: CloudFront's control plane and edge as the rehearsal
// has them, on a clock that only Advance moves noticeably. cold is an edge that is asked for what is
// true now; nothing stays in its caches.
type world struct {
	t            *rapid.T
	name         string // tells its policies apart from those of others in the account
	clock        *clock.Clock
	service      *cloudfront.Service
	edge, cold   *edge.Edge
	buckets      buckets
	caller       accounts.Caller
	distribution *cloudfront.Distribution
	delays       []time.Duration // of the next invalidation, by point of presence
	completed    chan cloudfront.Invalidation
}

// newWorld has no distribution yet.
func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, clock: clock.New(false), completed: make(chan cloudfront.Invalidation, 1),
		buckets: buckets{"site": {objects: map[string]file{}}, "api": {objects: map[string]file{}}},
	}
	t.Cleanup(w.clock.Close)
	told := &journal.Journal{}
	told.OnEvent(func(e journal.Event) {
		if done, ok := e.Data.(cloudfront.InvalidationCompleted); ok {
			w.completed <- done.Invalidation
		}
	})
	directory := accounts.New(w.clock, told)
	root, err := directory.Add(owner)
	if err != nil {
		t.Fatal(err)
	}
	w.caller = root.Caller
	w.service = cloudfront.New(cloudfront.Deps{
		Directory: directory, Clock: w.clock, Journal: told,
		Options: cloudfront.Options{Delays: func(int) []time.Duration { return w.delays }},
	})
	open := func(names ...string) *edge.Edge {
		return edge.New(edge.Deps{Distributions: w.service, Origin: w.buckets, Clock: w.clock, Options: edge.Options{Names: names}})
	}
	w.edge, w.cold = open("FRA56-P1", "IAD89-C2"), open("NRT57-P3")
	w.service.Attach(w.edge)
	return w
}

// request is what a viewer asks for.
type request struct {
	pop      int
	method   string
	url      string // path and query string
	encoding string // Accept-Encoding
	language string // Accept-Language
}

func (r request) String() string {
	return fmt.Sprintf("%s %s (%s; %s) at %d", r.method, r.url, r.encoding, r.language, r.pop)
}

// answer is what he gets.
type answer struct {
	status int
	body   string // decoded
	hit    bool
	err    bool // the origin answered an error
	age    string
	// Its Cache-Control and tags may be others than the origin's by now.
	control, tag string
}

// get asks the edge.
func (w *world) get(r request) answer { return w.ask(w.edge.POPs()[r.pop], r) }

// now asks the origin for a URL, by an edge that has nothing cached.
func (w *world) now(url string) answer {
	w.cold.Purge("NRT57-P3", w.distribution.ID, []string{"/*"})
	return w.ask(w.cold.POPs()[0], request{0, http.MethodGet, url, "identity", "en"})
}

func (w *world) ask(p *edge.POP, r request) answer {
	in, err := http.NewRequest(r.method, "https://"+w.distribution.Domain+r.url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	in.Header.Set("Accept-Encoding", r.encoding)
	in.Header.Set("Accept-Language", r.language)
	out, err := p.Fetch(in)
	if err != nil {
		w.t.Fatal(err)
	}
	cache := out.Header.Get("X-Cache")
	return answer{
		status: out.StatusCode, body: w.decode(out), hit: strings.HasPrefix(cache, "Hit"),
		err: strings.HasPrefix(cache, "Error"), age: out.Header.Get("Age"), control: out.Header.Get("Cache-Control"), tag: out.Header.Get(tagHeader),
	}
}

func (w *world) decode(out *http.Response) string {
	defer out.Body.Close()
	var body io.Reader = out.Body
	if out.Request.Method != http.MethodHead {
		switch out.Header.Get("Content-Encoding") {
		case "br":
			body = brotli.NewReader(body)
		case "gzip":
			z, err := gzip.NewReader(body)
			if err != nil {
				w.t.Fatal(err)
			}
			body = z
		}
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(body); err != nil {
		w.t.Fatal(err)
	}
	return text.String()
}

// invalidate has every point of presence purge the items, at its own moment.
func (w *world) invalidate(items []string, delays ...time.Duration) {
	w.t.Helper()
	w.begin("purge "+w.clock.Now().String(), items, delays...)
	w.clock.Advance(max(delays[0], delays[1]))
	<-w.completed
}

// begin starts an invalidation.
func (w *world) begin(reference string, items []string, delays ...time.Duration) {
	w.t.Helper()
	w.delays = delays
	if _, _, err := w.service.CreateInvalidation(context.Background(), w.caller, w.distribution.ID, items, reference); err != nil {
		w.t.Fatalf("%v: %v: %q", err, wire.AsError(err).Cause, items)
	}
}
