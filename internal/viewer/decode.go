package viewer

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
)

// codings are what a page is asked for in: as browsers do, as clients without Brotli do, and plainly. A
// cache keeps a variant for each that it compresses into, and a viewer with another coding than a
// browser's would see another one than browsers do. Source: developer guide, "Serving compressed files".
var codings = [...]string{"gzip, deflate, br", "gzip", "identity"}

// body is what was read of an answer's body. Objects may be stored compressed, and are then sent so to
// everybody; the release may hold either form.
type body struct {
	coding       string // its Content-Encoding; "identity" without one
	raw, decoded Sum
	long         bool  // it is longer than is read, as sent or as decoded: the sums are of its beginning
	length       int64 // as the header says; -1 when it does not
	limit        int64 // how much is read
}

// is reports whether the body is a content. Of one that is longer than is read, the length decides.
func (b *body) is(want Sum) bool {
	if want.Size > b.limit {
		return b.coding == "identity" && b.length == want.Size
	}
	return !b.long && (b.raw == want || b.decoded == want)
}

// read reads a body once and fingerprints it as sent and as decoded, holding none of it. What is
// known to be too long is not read at all.
func (v *Viewer) read(resp *http.Response) (body, error) {
	b := body{coding: "identity", length: resp.ContentLength, limit: v.Limit}
	if named := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))); named != "" {
		b.coding = clip(named)
	}
	if b.length > v.Limit {
		b.long = true
		return b, nil
	}
	sent := &summer{r: resp.Body, left: v.Limit}
	inner := sent
	if b.coding == "br" { // its window is held in memory, up to 16 MiB for a body as long
		ctx := resp.Request.Context()
		select {
		case v.brotli <- struct{}{}:
			defer func() { <-v.brotli }()
		case <-ctx.Done():
			return b, ctx.Err()
		}
	}
	decoder, err := decoder(b.coding, sent)
	if decoder != nil {
		inner = &summer{r: decoder, left: v.Limit}
		_, err = io.Copy(io.Discard, inner)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, sent)
	} else if !errors.Is(err, errTooLong) {
		err = fmt.Errorf("decode %s: %w", b.coding, err)
	}
	if b.long = errors.Is(err, errTooLong); b.long {
		err = nil
	}
	b.raw, b.decoded = sent.sum, inner.sum
	return b, err
}

// decoder decodes a coding; nil when there is nothing to decode. An object may be stored in any coding,
// but only with these can what is in it be judged.
func decoder(coding string, r io.Reader) (io.Reader, error) {
	switch coding {
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err // not z: a nil *gzip.Reader is no nil io.Reader
		}
		return z, nil
	case "deflate": // the zlib format. Source: RFC 9110, section 8.4.1.2
		return zlib.NewReader(r)
	case "br":
		return brotli.NewReader(r), nil
	}
	return nil, nil
}

// errTooLong says that a body is longer than a viewer reads.
var errTooLong = errors.New("it is longer than is read")

// summer fingerprints what is read through it, up to a limit.
type summer struct {
	r    io.Reader
	left int64
	sum  Sum
}

func (s *summer) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.sum.CRC32 = crc32.Update(s.sum.CRC32, crc32.IEEETable, p[:n])
	s.sum.Size += int64(n)
	if s.left -= int64(n); s.left < 0 {
		return n, errTooLong
	}
	return n, err
}
