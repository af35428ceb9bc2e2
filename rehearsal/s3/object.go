package s3

import (
	"context"
	"maps"
	"net/http"
	"strconv"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Object is an object, or what is told of it. Body must not be changed: readers share it.
type Object struct {
	Bucket, Key, VersionID string // VersionID is empty while the bucket was never versioned
	Body                   []byte // nil for HeadObject and ListObjects
	Size                   int64  // of the whole object
	ETag                   string // quoted
	// Header is what S3 answers with: Content-Type, ETag, Last-Modified, Content-Length (of Body),
	// Cache-Control, X-Amz-Meta-*, X-Amz-Server-Side-Encryption and so on.
	Header http.Header
	Status int // 200; 206 with a range
}

// Ask is a request for one object.
type Ask struct {
	Bucket, Key string
	VersionID   string      // empty: the latest
	Header      http.Header // Range, If-Match, X-Amz-Checksum-Mode and the like; may be nil
}

// GetObject reads the latest state of an object.
func (s *Service) GetObject(ctx context.Context, caller accounts.Caller, bucket, key string) (Object, error) {
	return s.Get(ctx, caller, Ask{Bucket: bucket, Key: key})
}

// Get reads an object, a version of it, or a range. An object that is not there is NoSuchKey only to
// callers who may list the bucket; to others it is AccessDenied, which is what a CloudFront
// distribution sees that was granted s3:GetObject alone. With the error NotModified the Object's
// Header is filled, as a cache needs it to renew its copy.
func (s *Service) Get(ctx context.Context, caller accounts.Caller, in Ask) (Object, error) {
	b, v, err := s.readable(caller, in)
	if err != nil {
		return Object{}, err
	}
	if err := preconditions(in.Header, v); err != nil {
		return s.refusedRead(b, v, err)
	}
	r, err := byteRange(in.Header.Get("Range"), int64(len(v.body)))
	if err != nil {
		return Object{}, err
	}
	if err := s.useKey(ctx, caller, "kms:Decrypt", b, in.Key, v.sse); err != nil {
		return Object{}, err
	}
	out := s.describe(b, v)
	out.Body, out.Status = v.body, http.StatusOK
	if r != nil {
		out.Body, out.Status = v.body[r.from:r.to], http.StatusPartialContent
		out.Header.Set("Content-Range", r.contentRange(out.Size))
		out.Header.Set("Content-Length", strconv.FormatInt(r.to-r.from, 10))
	} else if in.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		v.tellChecksums(out.Header)
	}
	return out, nil
}

// HeadObject is Get without the body; KMS is asked only when checksums are. Source: S3 API
// Reference, HeadObject, "Permissions" (AWS-documented).
func (s *Service) HeadObject(ctx context.Context, caller accounts.Caller, bucket, key string) (Object, error) {
	return s.Head(ctx, caller, Ask{Bucket: bucket, Key: key})
}

// Head is HeadObject of a version, or under conditions.
func (s *Service) Head(ctx context.Context, caller accounts.Caller, in Ask) (Object, error) {
	b, v, err := s.readable(caller, in)
	if err != nil {
		return Object{}, err
	}
	if err := preconditions(in.Header, v); err != nil {
		return s.refusedRead(b, v, err)
	}
	out := s.describe(b, v)
	out.Status = http.StatusOK
	if in.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		if err := s.useKey(ctx, caller, "kms:Decrypt", b, in.Key, v.sse); err != nil {
			return Object{}, err
		}
		v.tellChecksums(out.Header)
	}
	return out, nil
}

// refusedRead is a read whose preconditions failed.
func (s *Service) refusedRead(b *bucket, v *version, err error) (Object, error) {
	if wire.AsError(err).Status != http.StatusNotModified {
		return Object{}, err
	}
	out := s.describe(b, v)
	out.Header.Del("Content-Length")
	out.Status = http.StatusNotModified
	return out, err
}

// readable decides the read and finds the version.
func (s *Service) readable(caller accounts.Caller, in Ask) (*bucket, *version, error) {
	b, err := s.bucket(in.Bucket)
	if err != nil {
		return nil, nil, err
	}
	q := question{caller: caller, action: "GetObject", bucket: b, key: in.Key}
	if in.VersionID != "" {
		q.action, q.context = "GetObjectVersion", map[string][]string{"s3:VersionId": {in.VersionID}}
	}
	if err := s.allow(q); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	v := b.objects.find(in.Key, in.VersionID)
	s.mu.Unlock()
	switch {
	case v == nil:
		// Source: S3 API Reference, GetObject, "Permissions": without s3:ListBucket the answer is 403.
		if err := s.allow(question{caller: caller, action: "ListBucket", bucket: b}); err != nil {
			return nil, nil, err
		}
		if in.VersionID != "" {
			return nil, nil, wire.Errorf(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.")
		}
		return nil, nil, noSuchKey(in.Bucket, in.Key)
	case v.marker && in.VersionID != "":
		return nil, nil, wire.Errorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	case v.marker:
		if err := s.allow(question{caller: caller, action: "ListBucket", bucket: b}); err != nil {
			return nil, nil, err
		}
		return nil, nil, noSuchKey(in.Bucket, in.Key)
	}
	return b, v, nil
}

func (s *Service) describe(b *bucket, v *version) Object {
	s.mu.Lock()
	versioned := b.versioning != ""
	s.mu.Unlock()
	h := maps.Clone(v.header)
	h.Set("ETag", v.etag)
	h.Set("Last-Modified", v.modified.UTC().Format(http.TimeFormat))
	h.Set("Content-Length", strconv.Itoa(len(v.body)))
	h.Set("Accept-Ranges", "bytes")
	v.sse.write(h)
	out := Object{Bucket: b.name, Key: v.key, Size: int64(len(v.body)), ETag: v.etag, Header: h}
	if versioned {
		out.VersionID = v.id
		h.Set("X-Amz-Version-Id", v.id)
	}
	return out
}

func (v *version) tellChecksums(h http.Header) {
	maps.Copy(h, v.checksums)
}

// Removed is what a deletion did.
type Removed struct {
	VersionID string // of the version removed or the marker made; empty in an unversioned bucket
	Marker    bool   // a delete marker was made or removed
}

// DeleteObject deletes the latest state of an object; one that is not there is no error.
func (s *Service) DeleteObject(ctx context.Context, caller accounts.Caller, bucket, key string) error {
	_, err := s.Delete(ctx, caller, Ask{Bucket: bucket, Key: key})
	return err
}

// Delete removes a version for good, or hides the object behind a delete marker when the bucket is
// versioned and no version is named.
func (s *Service) Delete(_ context.Context, caller accounts.Caller, in Ask) (Removed, error) {
	b, err := s.bucket(in.Bucket)
	if err != nil {
		return Removed{}, err
	}
	q := question{caller: caller, action: "DeleteObject", bucket: b, key: in.Key}
	if in.VersionID != "" {
		q.action, q.context = "DeleteObjectVersion", map[string][]string{"s3:VersionId": {in.VersionID}}
	}
	if err := s.allow(q); err != nil {
		return Removed{}, err
	}
	s.mu.Lock()
	if m := in.Header.Get("If-Match"); m != "" {
		if v := b.objects.find(in.Key, in.VersionID); v != nil && !etagIn(m, v.etag) {
			s.mu.Unlock()
			return Removed{}, preconditionFailed("If-Match")
		}
	}
	out, changed := s.remove(b, in)
	s.mu.Unlock()
	if changed {
		s.tell("ObjectRemoved", ObjectRemoved{Bucket: b.name, Key: in.Key, VersionID: out.VersionID, Account: b.account, Marker: out.Marker})
	}
	return out, nil
}

// remove does it. The caller holds mu.
func (s *Service) remove(b *bucket, in Ask) (Removed, bool) {
	switch {
	case in.VersionID != "":
		v := b.objects.drop(in.Key, in.VersionID)
		return Removed{VersionID: in.VersionID, Marker: v != nil && v.marker}, v != nil
	case b.versioning == "":
		return Removed{}, b.objects.drop(in.Key, nullVersion) != nil
	}
	id := nullVersion
	if b.versioning == "Enabled" {
		id = random.ID("", 32)
	}
	b.objects.put(&version{key: in.Key, id: id, marker: true, modified: s.clock.Now()})
	return Removed{VersionID: id, Marker: true}, true
}
