package viewer

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// unknownAge says that an answer told no age: it came from the origin just now.
// Source: CloudFront adds "Age" to what it serves from its cache (RFC 9111, section 5.1).
const unknownAge = -1

// fetch looks at one page once, in a coding.
func (v *Viewer) fetch(ctx context.Context, r Request, expect Expectation, coding string) Page {
	page := Page{URL: "https://" + r.Domain + expect.Path, Key: expect.Key, Coding: coding, Age: unknownAge}
	ctx, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page.URL, nil)
	if err != nil || !strings.HasPrefix(expect.Path, "/") {
		page.Why = fmt.Sprintf("%q is not the path of a page", expect.Path)
		return page
	}
	req.Header.Set("Accept-Encoding", coding)
	req.Header.Set("User-Agent", "unstale-viewer")
	resp, err := v.client.Do(req)
	if err != nil {
		page.Why = "gave no answer: " + cause(err).Error()
		return page
	}
	defer resp.Body.Close()
	page.Status = resp.StatusCode
	page.XCache = resp.Header.Get("X-Cache")
	page.POP = resp.Header.Get("X-Amz-Cf-Pop")
	if seconds, err := strconv.Atoi(resp.Header.Get("Age")); err == nil && seconds >= 0 {
		page.Age = seconds
	}
	raw, decoded, err := v.sums(resp)
	if err != nil {
		page.Why = "gave an answer " + resp.Status + " that could not be read: " + err.Error()
		return page
	}
	page.judge(expect, raw, decoded, v.Now().Sub(r.Since)+v.Skew, resp.Header.Get("Location"))
	return page
}

// cause is a request's error without the URL, which the page names anyway.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// sum is the fingerprint of a body.
type sum struct {
	crc32 uint32
	size  int64
}

// sums reads a body once and fingerprints it as sent and as decoded. Objects may be stored
// compressed, and are then sent so to everybody; the release may hold either form.
func (v *Viewer) sums(resp *http.Response) (raw, decoded sum, err error) {
	sent := &summer{r: resp.Body, left: v.Limit}
	inner := sent
	switch coding := strings.ToLower(resp.Header.Get("Content-Encoding")); coding {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(sent)
		if err != nil {
			return sum{}, sum{}, fmt.Errorf("decode gzip: %w", err)
		}
		inner = &summer{r: z, left: v.Limit}
		if _, err := io.Copy(io.Discard, inner); err != nil {
			return sum{}, sum{}, fmt.Errorf("decode gzip: %w", err)
		}
	default:
		return sum{}, sum{}, fmt.Errorf("it is encoded as %q, which was not asked for", coding)
	}
	if _, err := io.Copy(io.Discard, sent); err != nil {
		return sum{}, sum{}, err
	}
	return sent.sum, inner.sum, nil
}

// errTooLong says that a body is longer than a viewer reads.
var errTooLong = errors.New("it is longer than is read")

// summer fingerprints what is read through it, up to a limit.
type summer struct {
	r    io.Reader
	left int64
	sum  sum
}

func (s *summer) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.sum.crc32 = crc32.Update(s.sum.crc32, crc32.IEEETable, p[:n])
	s.sum.size += int64(n)
	if s.left -= int64(n); s.left < 0 {
		return n, errTooLong
	}
	return n, err
}

// judge fills in whether the page is what it has to be, and says why not. oldest is the greatest
// age of an answer that was made after the invalidation.
func (p *Page) judge(expect Expectation, raw, decoded sum, oldest time.Duration, location string) {
	p.CRC32, p.Size = decoded.crc32, decoded.size
	p.Compared = expect.HasSum
	want := sum{expect.CRC32, expect.Size}
	p.Matches = expect.HasSum && (raw == want || decoded == want)
	p.Old = time.Duration(p.Age)*time.Second > oldest
	switch {
	case p.Status >= 500:
		p.Why = fmt.Sprintf("answered %d", p.Status)
	case p.Status >= 400 && !expect.MayFail:
		p.Why = fmt.Sprintf("answered %d", p.Status)
	case p.Status >= 300 && expect.HasSum:
		p.Why = fmt.Sprintf("answered %d, a redirect to %q, instead of %s", p.Status, location, expect.Key)
	case expect.HasSum && !p.Matches:
		p.Why = fmt.Sprintf("served %d bytes (crc32 %08x) instead of the release's %s, %d bytes (crc32 %08x)",
			p.Size, p.CRC32, expect.Key, expect.Size, expect.CRC32)
		if p.Old {
			p.Why += fmt.Sprintf(", an answer %d s old, from before the invalidation was created", p.Age)
		}
	case p.Old:
		p.Why = fmt.Sprintf("served an answer %d s old, from before the invalidation was created", p.Age)
	default:
		p.Fresh = true
	}
}
