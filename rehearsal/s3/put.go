package s3

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// maxKey is the longest key in bytes (AWS-documented).
const maxKey = 1024

// PutObject stores an object. header holds what the HTTP request would: Content-Type, Cache-Control,
// X-Amz-Meta-*, X-Amz-Server-Side-Encryption*, X-Amz-Acl, If-None-Match; nil is empty. An x-amz-
// header that is not emulated is an error.
func (s *Service) PutObject(ctx context.Context, caller accounts.Caller, bucket, key string, body []byte, header http.Header) (Object, error) {
	b, err := s.writable(caller, bucket, key, header)
	if err != nil {
		return Object{}, err
	}
	sums, err := verifyChecksums(header, body)
	if err != nil {
		return Object{}, err
	}
	stored, err := storedHeaders(header)
	if err != nil {
		return Object{}, err
	}
	e, err := s.encryptionFor(caller, b, header)
	if err != nil {
		return Object{}, err
	}
	if err := s.useKey(ctx, caller, "kms:GenerateDataKey", b, key, e); err != nil {
		return Object{}, err
	}
	return s.store(b, &version{key: key, body: body, etag: etag(body, e), header: stored, sse: e, checksums: sums}, header)
}

// writable decides s3:PutObject and checks what the headers ask for.
func (s *Service) writable(caller accounts.Caller, bucket, key string, header http.Header) (*bucket, error) {
	b, err := s.bucket(bucket)
	if err != nil {
		return nil, err
	}
	if err := checkHeaders(header); err != nil {
		return nil, err
	}
	if len(key) > maxKey {
		return nil, wire.Errorf(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	}
	actions := []string{"PutObject"}
	if header.Get("X-Amz-Acl") != "" {
		actions = append(actions, "PutObjectAcl") // Source: S3 API Reference, PutObject, "Permissions"
	}
	if header.Get("If-Match") != "" {
		actions = append(actions, "GetObject") // Source: S3 User Guide, "Conditional writes"
	}
	for _, action := range actions {
		if err := s.allow(question{caller: caller, action: action, bucket: b, key: key, context: headerKeys(header)}); err != nil {
			return nil, err
		}
	}
	return b, checkACL(header)
}

// store makes v the latest state of its key, if the write's conditions hold at that moment.
func (s *Service) store(b *bucket, v *version, header http.Header) (Object, error) {
	s.mu.Lock()
	if err := writePreconditions(header, b.name, v.key, b.objects.latest(v.key)); err != nil {
		s.mu.Unlock()
		return Object{}, err
	}
	v.id = nullVersion
	if b.versioning == "Enabled" {
		v.id = random.ID("", 32)
	}
	v.modified = s.clock.Now()
	b.objects.put(v)
	s.mu.Unlock()
	out := s.describe(b, v)
	out.Status = http.StatusOK
	s.tell("ObjectCreated", ObjectCreated{
		Bucket: b.name, Key: v.key, VersionID: out.VersionID, ETag: v.etag, Account: b.account, Size: out.Size,
	})
	return out, nil
}

// CopyObject stores a copy of an object that the caller may read. The header names the source
// (X-Amz-Copy-Source: "bucket/key", URL-encoded) and whether metadata are copied or replaced.
func (s *Service) CopyObject(ctx context.Context, caller accounts.Caller, bucket, key string, header http.Header) (Object, error) {
	if _, err := s.writable(caller, bucket, key, header); err != nil {
		return Object{}, err
	}
	if header.Get("X-Amz-Copy-Source-Range") != "" {
		return Object{}, wire.Errorf(http.StatusBadRequest, "InvalidArgument", "a range is copied by UploadPartCopy only")
	}
	from, source, err := s.copied(ctx, caller, header)
	if err != nil {
		return Object{}, err
	}
	replace := header.Get("X-Amz-Metadata-Directive") == "REPLACE"
	if from.Bucket == bucket && from.Key == key && from.VersionID == "" && !replace && header.Get(headerSSE) == "" {
		return Object{}, wire.Errorf(http.StatusBadRequest, "InvalidRequest", "This copy request is illegal because it is trying to copy "+
			"an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	given := header.Clone()
	if !replace {
		for name := range given {
			if strings.HasPrefix(name, metaPrefix) {
				given.Del(name)
			}
		}
		for _, name := range kept {
			given.Del(name)
		}
		for name, values := range source.Header {
			if stored := strings.HasPrefix(name, metaPrefix) || isKept(name); stored {
				given[name] = values
			}
		}
	}
	return s.PutObject(ctx, caller, bucket, key, source.Body, given)
}

func isKept(name string) bool {
	for _, k := range kept {
		if k == name {
			return true
		}
	}
	return false
}

// copied reads the source of a copy, under the conditions that the header sets for it.
func (s *Service) copied(ctx context.Context, caller accounts.Caller, header http.Header) (Ask, Object, error) {
	from, err := copySource(header.Get("X-Amz-Copy-Source"))
	if err != nil {
		return Ask{}, Object{}, err
	}
	from.Header = http.Header{}
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if v := header.Get("X-Amz-Copy-Source-" + name); v != "" {
			from.Header.Set(name, v)
		}
	}
	if r := header.Get("X-Amz-Copy-Source-Range"); r != "" {
		from.Header.Set("Range", r)
	}
	o, err := s.Get(ctx, caller, from)
	if err != nil && wire.AsError(err).Status == http.StatusNotModified {
		err = preconditionFailed("x-amz-copy-source-if-*") // a copy never answers 304 (AWS-documented)
	}
	return from, o, err
}

// copySource reads "/bucket/key?versionId=id", URL-encoded.
func copySource(text string) (Ask, error) {
	path, query, _ := strings.Cut(text, "?")
	path, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
	bucket, key, ok := strings.Cut(path, "/")
	if err != nil || !ok || bucket == "" || key == "" {
		return Ask{}, wire.Errorf(http.StatusBadRequest, "InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return Ask{}, wire.Errorf(http.StatusBadRequest, "InvalidArgument", "Copy Source: %v", err)
	}
	return Ask{Bucket: bucket, Key: key, VersionID: values.Get("versionId")}, nil
}
