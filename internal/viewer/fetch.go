package viewer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/unstale/unstale/invalidation"
)

// unknownAge says that an answer told no age: it came from the origin just now.
// Source: CloudFront adds "Age" to what it serves from its cache (RFC 9111, section 5.1).
const unknownAge = -1

// fetch looks at one page once, in a coding.
func (v *Viewer) fetch(ctx context.Context, r Request, expect Expectation, coding string) Page {
	page := r.page(expect, coding)
	ctx, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page.URL, nil)
	if err != nil || !strings.HasPrefix(expect.Path, "/") {
		page.Why = fmt.Sprintf("%q is not the path of a page", clip(expect.Path))
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
	page.XCache = clip(resp.Header.Get("X-Cache"))
	page.POP = clip(resp.Header.Get("X-Amz-Cf-Pop"))
	page.Age = age(resp.Header.Get("Age"))
	body, err := v.read(resp)
	page.Served = body.coding
	if err != nil {
		page.Why = fmt.Sprintf("gave an answer %d that could not be read: %v", page.Status, err)
		return page
	}
	page.judge(expect, body, clip(resp.Header.Get("Location")))
	page.date(v.Now().Sub(r.Since)+v.Skew, r.purged(expect))
	page.Fresh = page.Why == ""
	return page
}

// page is a page that was not looked at yet.
func (r *Request) page(expect Expectation, coding string) Page {
	return Page{
		URL: "https://" + r.Domain + expect.Path, Key: expect.Key, Gone: expect.Gone, Coding: coding, Age: unknownAge,
	}
}

// purged reports whether an answer from before the invalidation speaks against a page: it ought to
// have been purged, or its age is all that there is to judge. A page that the plan left in the caches
// may be as old as it likes, if its content is the release's.
func (r *Request) purged(expect Expectation) bool {
	if r.Items == nil {
		return true
	}
	asked := invalidation.EncodePath(expect.Path)
	path, _, _ := strings.Cut(asked, "?")
	for _, item := range r.Items {
		if i := invalidation.Item(item); i.Covers(path) || i.Covers(asked) {
			return true
		}
	}
	return !expect.HasSum && !expect.Gone && !expect.MayFail
}

// age is the seconds that a header tells. What is too great for a number is very old. Source: RFC
// 9111, sections 1.2.2 and 5.1.
func age(header string) int {
	const greatest = 1<<31 - 1
	first, _, _ := strings.Cut(header, ",")
	seconds, err := strconv.ParseUint(strings.TrimSpace(first), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return greatest
	case err != nil:
		return unknownAge
	}
	return int(min(seconds, greatest))
}

// clip shortens what somebody else wrote: reports are kept.
func clip(s string) string {
	const longest = 200
	if len(s) > longest {
		return strings.ToValidUTF8(s[:longest], "") + "..."
	}
	return strings.ToValidUTF8(s, "")
}

// cause is a request's error without the URL, which the page names anyway.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
