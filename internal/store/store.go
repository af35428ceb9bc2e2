// Package store keeps what a purge reads and writes in S3: the release's artifact, of which only the end
// is fetched, because a zip keeps its directory there; and the state, which later runs need. It is the
// only place that calls S3 with the SDK's client.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

const (
	// tailSize is what the first read fetches. Zip's end record and the directory of some 700 files
	// fit, so a small site costs one request.
	tailSize = 64 << 10
	// chunkSize is the most that any later read fetches; it bounds the memory held.
	chunkSize = 16 << 20
)

// Store reads one account's buckets with the credentials it was made with.
type Store struct{ client *s3.Client }

// New makes a store. For a pipeline's artifacts cfg holds the job's artifactCredentials: giving
// access to the artifacts is what those are for.
func New(cfg aws.Config) *Store {
	return &Store{client: s3.NewFromConfig(cfg, func(o *s3.Options) {
		// S3 has no checksum for a range of an object, and the SDK would log that.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})}
}

// Error is why an object could not be read or written.
type Error struct {
	Bucket, Key string
	What        string // "read", "write" or "list"
	Code        string // S3's code, such as "AccessDenied" or "NoSuchKey"; "" when none was answered
	Err         error
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s s3://%s/%s: %v", e.What, e.Bucket, e.Key, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Artifact opens an object and gives its size in bytes. Its end has been fetched when this returns;
// reads before that fetch from where they begin towards the end, so that a directory read in order
// costs one or two requests more. The context bounds those reads too. The reader serves one
// goroutine. An object that changes meanwhile fails the read. Errors are *Error.
func (s *Store) Artifact(ctx context.Context, bucket, key string) (io.ReaderAt, int64, error) {
	o := &object{ctx: ctx, client: s.client, bucket: bucket, key: key}
	if err := o.open(); err != nil {
		return nil, 0, o.fail(err)
	}
	return o, o.size, nil
}

// object is one version of an S3 object, read in ranges.
type object struct {
	ctx         context.Context // of Artifact: io.ReaderAt has no place for one
	client      *s3.Client
	bucket, key string
	etag        string
	size        int64
	tail, chunk span
}

// span is a run of the object's bytes.
type span struct {
	from  int64
	bytes []byte
}

func (s span) end() int64 { return s.from + int64(len(s.bytes)) }

func (s span) has(off int64) bool { return off >= s.from && off < s.end() }

// open fetches the end of the object. No HEAD is needed: the answer to a range names the size.
func (o *object) open() error {
	out, err := o.get(fmt.Sprintf("bytes=-%d", tailSize))
	if code(err) == "InvalidRange" {
		// S3 answers a suffix longer than the object with the whole of it, and an empty object with
		// this error; some S3 implementations answer so for every object that is smaller.
		out, err = o.get("")
	}
	if err != nil {
		return err
	}
	defer out.Body.Close()
	from, size := int64(0), aws.ToInt64(out.ContentLength)
	if r := aws.ToString(out.ContentRange); r != "" {
		if from, size, err = contentRange(r); err != nil {
			return err
		}
	}
	if size-from > tailSize {
		return fmt.Errorf("the answer has %d bytes where the last %d were asked for", size-from, tailSize)
	}
	b := make([]byte, size-from)
	if _, err := io.ReadFull(out.Body, b); err != nil {
		return fmt.Errorf("read its last %d bytes: %w", len(b), err)
	}
	o.etag, o.size, o.tail = aws.ToString(out.ETag), size, span{from, b}
	return nil
}

// ReadAt implements io.ReaderAt.
func (o *object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, o.fail(fmt.Errorf("offset %d is before the beginning", off))
	}
	n := 0
	for n < len(p) {
		at := off + int64(n)
		if at >= o.size {
			return n, io.EOF
		}
		from, err := o.span(at)
		if err != nil {
			return n, o.fail(err)
		}
		n += copy(p[n:], from.bytes[at-from.from:])
	}
	return n, nil
}

// span gives the bytes that hold an offset, fetching them when they are not at hand.
func (o *object) span(at int64) (span, error) {
	switch {
	case o.tail.has(at):
		return o.tail, nil
	case o.chunk.has(at):
		return o.chunk, nil
	}
	n := min(chunkSize, o.tail.from-at)
	o.chunk = span{} // let go of the old one before the new one is made
	out, err := o.get(fmt.Sprintf("bytes=%d-%d", at, at+n-1))
	if err != nil {
		return span{}, err
	}
	defer out.Body.Close()
	from, size, err := contentRange(aws.ToString(out.ContentRange))
	if err != nil {
		return span{}, err
	}
	if from != at || size != o.size {
		return span{}, fmt.Errorf("asked for byte %d of %d, got byte %d of %d", at, o.size, from, size)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(out.Body, b); err != nil {
		return span{}, fmt.Errorf("read %d bytes from byte %d: %w", n, at, err)
	}
	o.chunk = span{at, b}
	return o.chunk, nil
}

// get asks for a range; "" asks for all. After the first answer only that version will do.
func (o *object) get(byteRange string) (*s3.GetObjectOutput, error) {
	in := &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key}
	if byteRange != "" {
		in.Range = &byteRange
	}
	if o.etag != "" {
		in.IfMatch = &o.etag
	}
	return o.client.GetObject(o.ctx, in)
}

func (o *object) fail(err error) error {
	return &Error{Bucket: o.bucket, Key: o.key, What: "read", Code: code(err), Err: err}
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// contentRange reads "bytes FROM-TO/SIZE". Source: RFC 9110, section 14.4.
func contentRange(s string) (from, size int64, err error) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	span, total, ok2 := strings.Cut(rest, "/")
	first, last, ok3 := strings.Cut(span, "-")
	if ok && ok2 && ok3 {
		from, err1 := strconv.ParseUint(first, 10, 63)
		to, err2 := strconv.ParseUint(last, 10, 63)
		size, err3 := strconv.ParseUint(total, 10, 63)
		if errors.Join(err1, err2, err3) == nil && from <= to && to < size {
			return int64(from), int64(size), nil
		}
	}
	return 0, 0, fmt.Errorf("understand the range %q that was answered", s)
}
