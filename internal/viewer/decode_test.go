package viewer

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
)

func sumOf(b []byte) Sum { return Sum{crc32.ChecksumIEEE(b), int64(len(b))} }

func encoded(b []byte, encoder func(io.Writer) io.WriteCloser) []byte {
	var buf bytes.Buffer
	w := encoder(&buf)
	w.Write(b)
	w.Close()
	return buf.Bytes()
}

func gzipped(b []byte) []byte {
	return encoded(b, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

func deflated(b []byte) []byte {
	return encoded(b, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
}

func brotlied(b []byte) []byte {
	return encoded(b, func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) })
}

func TestCodings(t *testing.T) {
	plain := expectation("/", release)
	of := func(content []byte) Expectation { return expectation("/", content) }
	for _, tt := range []struct {
		what   string
		expect Expectation
		answer http.HandlerFunc
		why    string
		served string
	}{
		{"plain", plain, answer(200, release), "", "identity, identity, identity"},
		{"said to be plain", plain, answer(200, release, "Content-Encoding", "identity"), "", "identity, identity, identity"},
		{"negotiated", plain, negotiated(release), "", "br, gzip, identity"},
		{"stored in gzip, released plain", plain, answer(200, gzipped(release), "Content-Encoding", "gzip"), "", "gzip, gzip, gzip"},
		{"by its old name", plain, answer(200, gzipped(release), "Content-Encoding", "X-GZIP"), "", "x-gzip, x-gzip, x-gzip"},
		{"stored in gzip, released so", of(gzipped(release)), answer(200, gzipped(release), "Content-Encoding", "gzip"), "", "gzip, gzip, gzip"},
		{"stored in Brotli, released plain", plain, answer(200, brotlied(release), "Content-Encoding", "br"), "", "br, br, br"},
		{"stored in Brotli, released so", of(brotlied(release)), answer(200, brotlied(release), "Content-Encoding", "br"), "", "br, br, br"},
		{"stored deflated", plain, answer(200, deflated(release), "Content-Encoding", "deflate"), "", "deflate, deflate, deflate"},
		{"stored in what is not known, released so", of([]byte("?")), answer(200, []byte("?"), "Content-Encoding", "zstd"), "", "zstd, zstd, zstd"},
		{"in what is not known", plain, answer(200, []byte("?"), "Content-Encoding", "zstd"), `served 1 bytes (crc32 6464c2b0) encoded as "zstd"`, "zstd"},
		{"plain, said to be gzip", plain, answer(200, release, "Content-Encoding", "gzip"), "decode gzip", "gzip"},
		{"gzip, said to be Brotli", plain, answer(200, gzipped(release), "Content-Encoding", "br"), "decode br", "br"},
		{"Brotli, said to be deflate", plain, answer(200, brotlied(release), "Content-Encoding", "deflate"), "decode deflate", "deflate"},
		{"gzip, said to be plain", plain, answer(200, gzipped(release)), "instead of the release's", "identity"},
		{"half of the gzip", plain, answer(200, half(gzipped(release)), "Content-Encoding", "gzip"), "decode gzip: unexpected EOF", "gzip"},
		{"half of the Brotli", plain, answer(200, half(brotlied(release)), "Content-Encoding", "br"), "decode br: unexpected EOF", "br"},
		{"half of the deflate", plain, answer(200, half(deflated(release)), "Content-Encoding", "deflate"), "decode deflate: unexpected EOF", "deflate"},
		{"more behind the gzip", plain, answer(200, append(gzipped(release), 1, 2), "Content-Encoding", "gzip"), "decode gzip", "gzip"},
		{"more behind the Brotli", plain, answer(200, append(brotlied(release), 1, 2), "Content-Encoding", "br"), "decode br", "br"},
		{"nothing, in gzip", plain, answer(200, nil, "Content-Encoding", "gzip"), "decode gzip: EOF", "gzip"},
		{"less than announced", plain, cut(release), "could not be read: unexpected EOF", "identity"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			if page := judged(t, tt.expect, nil, tt.answer, tt.why); page.Served != tt.served {
				t.Errorf("served %q; want %q", page.Served, tt.served)
			}
		})
	}
}

func half(b []byte) []byte { return b[:len(b)/2] }

// negotiated is what CloudFront makes of an object that it compresses.
func negotiated(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body := content
		switch accepts := r.Header.Get("Accept-Encoding"); {
		case strings.Contains(accepts, "br"):
			w.Header().Set("Content-Encoding", "br")
			body = brotlied(content)
		case strings.Contains(accepts, "gzip"):
			w.Header().Set("Content-Encoding", "gzip")
			body = gzipped(content)
		}
		w.Write(body)
	}
}

// cut announces a body and closes the connection in its middle.
func cut(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Write(content)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// A cache keeps a variant for each coding. One that only some viewers get is stale for them.
func TestEveryVariantIsLookedAt(t *testing.T) {
	for _, stale := range codings {
		v := New(Config{Within: time.Millisecond, Transport: edge(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Amz-Cf-Pop", "FRA56-P1")
			if r.Header.Get("Accept-Encoding") == stale {
				negotiated([]byte("old"))(w, r)
				return
			}
			negotiated(release)(w, r)
		}))})
		report := v.Check(t.Context(), Request{Domain: domain, Expect: []Expectation{expectation("/", release)}, Since: time.Now()})
		if page := report.Pages[0]; report.Fresh() || page.Coding != stale || page.Matches || page.Size != 3 {
			t.Errorf("a stale variant %s: %+v", stale, page)
		}
		if says := report.String(); !strings.Contains(says, `https://`+domain+`/ (FRA56-P1, asked for "`+stale+`") served 3 bytes`) {
			t.Error(says)
		}
	}
}

func TestABodyIsNotReadForever(t *testing.T) {
	const limit = 1 << 16
	long := make([]byte, 4<<20)
	for what, tt := range map[string]struct {
		answer http.HandlerFunc
		most   int64 // that may be read of it
	}{
		"announced":  {answer(200, long, "Content-Length", "4194304"), limit},
		"chunked":    {answer(200, long), 2 * limit},
		"in gzip":    {answer(200, gzipped(long), "Content-Encoding", "gzip"), 2 * limit},
		"deflated":   {answer(200, deflated(long), "Content-Encoding", "deflate"), 2 * limit},
		"in Brotli":  {answer(200, brotlied(long), "Content-Encoding", "br"), 2 * limit},
		"in itself":  {answer(200, gzipped(gzipped(long)), "Content-Encoding", "gzip"), limit},
		"not packed": {answer(200, long, "Content-Encoding", "zstd"), 2 * limit},
	} {
		v := New(Config{Transport: edge(t, tt.answer), Limit: limit, Within: time.Nanosecond})
		expect := []Expectation{expectation("/", release), {Path: "/"}, {Path: "/", Gone: true, Before: []Sum{sumOf(long)}}}
		pages := v.Check(t.Context(), Request{Domain: domain, Expect: expect, Since: time.Now()}).Pages
		if p := pages[0]; p.Fresh || p.Size > tt.most || what != "in itself" && !strings.Contains(p.Why, "served more than 65536 bytes") {
			t.Errorf("%s: %+v", what, p)
		}
		if p := pages[1]; !p.Fresh || p.Compared {
			t.Errorf("%s, with nothing to compare: %+v", what, p)
		}
		if p := pages[2]; p.Fresh != (what != "announced") {
			t.Errorf("%s, when it should be gone: %+v", what, p)
		}
	}
}

// What the release has longer than is read is judged by its length.
func TestLongObjects(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 10_000)
	for what, tt := range map[string]struct {
		answer http.HandlerFunc
		fresh  bool
	}{
		"the same":       {answer(200, long, "Content-Length", "100000"), true},
		"another":        {answer(200, long[:99_999], "Content-Length", "99999"), false},
		"short":          {answer(200, release), false},
		"nobody knows":   {answer(200, long), false},
		"in some coding": {answer(200, gzipped(long), "Content-Encoding", "gzip"), false},
	} {
		v := New(Config{Transport: edge(t, tt.answer), Limit: 1 << 12, Within: time.Nanosecond})
		page := v.Check(t.Context(), Request{Domain: domain, Expect: []Expectation{expectation("/", long)}, Since: time.Now()}).Pages[0]
		if page.Fresh != tt.fresh || page.Compared || page.Matches != tt.fresh {
			t.Errorf("%s: %+v", what, page)
		}
	}
}

// meter notes how much memory is in use when a body was read.
type meter struct {
	io.Reader
	most *atomic.Uint64
}

func (m meter) Close() error {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	for most := m.most.Load(); now.HeapInuse > most && !m.most.CompareAndSwap(most, now.HeapInuse); {
		most = m.most.Load()
	}
	return nil
}

// Looking at 72 MiB takes no more memory than a few decoders need.
func TestMemoryStaysFlat(t *testing.T) {
	noise := make([]byte, 2<<20)
	for i := range noise {
		noise[i] = "0123456789abcdef"[rand.IntN(16)]
	}
	brotlied := encoded(noise, func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 1) })
	gzipped := encoded(noise, func(w io.Writer) io.WriteCloser { z, _ := gzip.NewWriterLevel(w, 1); return z })
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	v := New(Config{Total: time.Hour, Transport: fake(func(r *http.Request) (*http.Response, error) {
		resp, body := response(r, nil), noise
		switch r.Header.Get("Accept-Encoding") {
		case codings[0]:
			resp.Header.Set("Content-Encoding", "br")
			body = brotlied
		case "gzip":
			resp.Header.Set("Content-Encoding", "gzip")
			body = gzipped
		}
		resp.ContentLength = -1
		resp.Body = meter{bytes.NewReader(body), &most}
		return resp, nil
	})})
	expect := slices.Repeat([]Expectation{expectation("/", noise)}, 12)
	report := v.Check(t.Context(), Request{Domain: domain, Expect: expect, Since: time.Now()})
	if grown := int64(most.Load()) - int64(before.HeapInuse); !report.Fresh() || most.Load() == 0 || grown > 32<<20 {
		t.Errorf("%v with %d MiB", report, grown>>20)
	}
}
