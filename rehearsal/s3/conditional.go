package s3

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/wire"
)

// preconditions checks a read's If-* headers in the order of RFC 9110, section 13.2.2.
func preconditions(h http.Header, v *version) error {
	if m := h.Get("If-Match"); m != "" {
		if !etagIn(m, v.etag) {
			return preconditionFailed("If-Match")
		}
	} else if since, ok := dateHeader(h, "If-Unmodified-Since"); ok && v.modified.Truncate(time.Second).After(since) {
		return preconditionFailed("If-Unmodified-Since")
	}
	if m := h.Get("If-None-Match"); m != "" {
		if etagIn(m, v.etag) {
			return notModified()
		}
	} else if since, ok := dateHeader(h, "If-Modified-Since"); ok && !v.modified.Truncate(time.Second).After(since) {
		return notModified()
	}
	return nil
}

// writePreconditions checks a write's: If-None-Match: * (there must be nothing) and If-Match (the
// latest must be this). Source: S3 User Guide, "Add preconditions to S3 operations" (AWS-documented).
func writePreconditions(h http.Header, bucket, key string, latest *version) error {
	exists := latest != nil && !latest.marker
	switch m := h.Get("If-None-Match"); {
	case m != "" && m != "*":
		return wire.Errorf(http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented: If-None-Match")
	case m == "*" && exists:
		return preconditionFailed("If-None-Match")
	}
	m := h.Get("If-Match")
	switch {
	case m == "":
		return nil
	case !exists:
		return noSuchKey(bucket, key)
	case !etagIn(m, latest.etag):
		return preconditionFailed("If-Match")
	}
	return nil
}

func preconditionFailed(condition string) error {
	return &wire.Error{
		Status: http.StatusPreconditionFailed, Code: "PreconditionFailed",
		Message: "At least one of the pre-conditions you specified did not hold", Cause: condition,
	}
}

func notModified() error {
	return wire.Errorf(http.StatusNotModified, "NotModified", "Not Modified")
}

func etagIn(list, etag string) bool {
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == "*" || strings.Trim(part, `"`) == strings.Trim(etag, `"`) {
			return true
		}
	}
	return false
}

func dateHeader(h http.Header, name string) (time.Time, bool) {
	t, err := http.ParseTime(h.Get(name))
	return t, err == nil
}

// span is a part of a body: bytes [from, to).
type span struct{ from, to int64 }

func (r span) contentRange(size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", r.from, r.to-1, size)
}

// byteRange reads a Range header. Without one, or with one S3 does not serve (several ranges,
// another unit), it is nil: the whole object. Source: S3 API Reference, GetObject (AWS-documented).
func byteRange(header string, size int64) (*span, error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return nil, nil
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return nil, nil
	}
	if first == "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return nil, nil
		}
		if n == 0 || size == 0 {
			return nil, invalidRange()
		}
		return &span{max(0, size-n), size}, nil
	}
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil || from < 0 {
		return nil, nil
	}
	to := size
	if last != "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < from {
			return nil, nil
		}
		to = min(n, size-1) + 1
	}
	if from >= size {
		return nil, invalidRange()
	}
	return &span{from, to}, nil
}

func invalidRange() error {
	return wire.Errorf(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
}
