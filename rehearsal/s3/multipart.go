package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	minPart  = 5 << 20 // every part but the last (AWS-documented)
	maxParts = 10000
)

// upload is a multipart upload under way. Guarded by the service's lock.
type upload struct {
	id, key string
	header  http.Header // of CreateMultipartUpload
	sse     encryption
	started time.Time
	parts   map[int]part
}

type part struct {
	body     []byte
	etag     string
	modified time.Time
}

// PartRef names a part in a request to complete an upload.
type PartRef struct {
	Number int
	ETag   string
}

// Target names an upload under way.
type Target struct{ Bucket, Key, UploadID string }

// CreateMultipartUpload begins an upload whose object gets the metadata of header.
func (s *Service) CreateMultipartUpload(ctx context.Context, caller accounts.Caller, bucket, key string, header http.Header) (string, encryption, error) {
	b, err := s.writable(caller, bucket, key, header)
	if err != nil {
		return "", encryption{}, err
	}
	if _, err := storedHeaders(header); err != nil {
		return "", encryption{}, err
	}
	e, err := s.encryptionFor(caller, b, header)
	if err != nil {
		return "", encryption{}, err
	}
	if err := s.useKey(ctx, caller, "kms:GenerateDataKey", b, key, e); err != nil {
		return "", encryption{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &upload{id: random.ID("", 32), key: key, header: header.Clone(), sse: e, started: s.clock.Now(), parts: map[int]part{}}
	b.uploads[u.id] = u
	return u.id, e, nil
}

// upload decides an action on an upload's object and finds the upload.
func (s *Service) upload(caller accounts.Caller, action string, t Target) (*bucket, *upload, error) {
	b, err := s.bucket(t.Bucket)
	if err != nil {
		return nil, nil, err
	}
	if err := s.allow(question{caller: caller, action: action, bucket: b, key: t.Key}); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := b.uploads[t.UploadID]; u != nil && u.key == t.Key {
		return b, u, nil
	}
	return nil, nil, wire.Errorf(http.StatusNotFound, "NoSuchUpload",
		"The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
}

// UploadPart stores a part and returns its ETag. KMS is asked for kms:Decrypt, as the data key was
// made when the upload began. Source: S3 API Reference, UploadPart, "Permissions".
func (s *Service) UploadPart(ctx context.Context, caller accounts.Caller, t Target, number int, body []byte, header http.Header) (string, error) {
	if number < 1 || number > maxParts {
		return "", wire.Errorf(http.StatusBadRequest, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
	}
	b, u, err := s.upload(caller, "PutObject", t)
	if err != nil {
		return "", err
	}
	if err := checkHeaders(header); err != nil {
		return "", err
	}
	if _, err := verifyChecksums(header, body); err != nil {
		return "", err
	}
	if err := s.useKey(ctx, caller, "kms:Decrypt", b, t.Key, u.sse); err != nil {
		return "", err
	}
	p := part{body: body, etag: etag(body, u.sse), modified: s.clock.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	u.parts[number] = p
	return p.etag, nil
}

// UploadPartCopy stores a range of another object, which the caller may read, as a part.
func (s *Service) UploadPartCopy(ctx context.Context, caller accounts.Caller, t Target, number int, header http.Header) (string, error) {
	_, source, err := s.copied(ctx, caller, header)
	if err != nil {
		return "", err
	}
	return s.UploadPart(ctx, caller, t, number, source.Body, header)
}

// CompleteMultipartUpload joins the named parts into the object.
func (s *Service) CompleteMultipartUpload(ctx context.Context, caller accounts.Caller, t Target, refs []PartRef, header http.Header) (Object, error) {
	b, u, err := s.upload(caller, "PutObject", t)
	if err != nil {
		return Object{}, err
	}
	if err := checkHeaders(header); err != nil {
		return Object{}, err
	}
	if err := s.useKey(ctx, caller, "kms:Decrypt", b, t.Key, u.sse); err != nil {
		return Object{}, err
	}
	s.mu.Lock()
	body, tag, err := u.join(refs)
	s.mu.Unlock()
	if err != nil {
		return Object{}, err
	}
	stored, err := storedHeaders(u.header)
	if err != nil {
		return Object{}, err
	}
	sums, err := verifyChecksums(fullChecksums(header), body)
	if err != nil {
		return Object{}, err
	}
	out, err := s.store(b, &version{key: u.key, body: body, etag: tag, header: stored, sse: u.sse, checksums: sums}, header)
	if err != nil {
		return Object{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(b.uploads, u.id)
	return out, nil
}

// fullChecksums leaves out composite checksums ("...-3", made of the parts' own): each part was
// compared with its own on arrival.
func fullChecksums(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range checksumHeaders {
		if v := h.Get(name); v != "" && !strings.Contains(v, "-") {
			out.Set(name, v)
		}
	}
	return out
}

// join checks the list of parts and returns the body and its ETag: the MD5 of the parts' MD5s, and
// how many (observed, widely relied upon). The caller holds the service's lock.
func (u *upload) join(refs []PartRef) ([]byte, string, error) {
	if len(refs) == 0 {
		return nil, "", malformedXML()
	}
	// Repeated numbers are out of order, too: compacting by number must leave all.
	ascending := slices.IsSortedFunc(refs, func(a, b PartRef) int { return a.Number - b.Number })
	if !ascending || len(slices.CompactFunc(slices.Clone(refs), func(a, b PartRef) bool { return a.Number == b.Number })) < len(refs) {
		return nil, "", wire.Errorf(http.StatusBadRequest, "InvalidPartOrder",
			"The list of parts was not in ascending order. Parts must be ordered by part number.")
	}
	var body bytes.Buffer
	sums := md5.New()
	for i, ref := range refs {
		p, ok := u.parts[ref.Number]
		if !ok || !etagIn(ref.ETag, p.etag) {
			return nil, "", wire.Errorf(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found. "+
				"The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
		}
		if i < len(refs)-1 && len(p.body) < minPart {
			return nil, "", wire.Errorf(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		body.Write(p.body)
		sum, err := hex.DecodeString(strings.Trim(p.etag, `"`))
		if err != nil {
			return nil, "", fmt.Errorf("join the parts of %s: part %d: %w", u.key, ref.Number, err)
		}
		sums.Write(sum)
	}
	return body.Bytes(), fmt.Sprintf(`"%x-%d"`, sums.Sum(nil), len(refs)), nil
}

// AbortMultipartUpload forgets an upload and its parts.
func (s *Service) AbortMultipartUpload(_ context.Context, caller accounts.Caller, t Target) error {
	b, u, err := s.upload(caller, "AbortMultipartUpload", t)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(b.uploads, u.id)
	return nil
}

// Part is one part in a listing.
type Part struct {
	PartNumber   int
	ETag         string
	Size         int
	LastModified string
}

// ListParts lists an upload's parts by number.
func (s *Service) ListParts(_ context.Context, caller accounts.Caller, t Target) ([]Part, error) {
	_, u, err := s.upload(caller, "ListMultipartUploadParts", t)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Part
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		p := u.parts[n]
		out = append(out, Part{n, p.etag, len(p.body), stamp(p.modified)})
	}
	return out, nil
}

// Upload is an upload under way in a listing.
type Upload struct {
	Key       string
	UploadID  string `xml:"UploadId"`
	Initiated string
}

// ListMultipartUploads lists the uploads under way below a prefix, by key and start.
func (s *Service) ListMultipartUploads(_ context.Context, caller accounts.Caller, name, prefix string) ([]Upload, error) {
	var out []Upload
	err := s.setting(caller, "ListBucketMultipartUploads", name, func(b *bucket) error {
		for _, u := range b.uploads {
			if strings.HasPrefix(u.key, prefix) {
				out = append(out, Upload{u.key, u.id, stamp(u.started)})
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Upload) int { return strings.Compare(a.Key+"\x00"+a.Initiated, b.Key+"\x00"+b.Initiated) })
	return out, err
}
