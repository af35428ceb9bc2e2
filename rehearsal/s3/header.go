package s3

import (
	"net/http"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

const metaPrefix = "X-Amz-Meta-"

// kept are the headers of a write that S3 stores and answers with.
var kept = []string{
	"Content-Type", "Cache-Control", "Content-Encoding", "Content-Disposition", "Content-Language", "Expires",
	"X-Amz-Website-Redirect-Location",
}

// known are the x-amz- headers that some operation here reads, or that only say how the request
// travelled. Every other one asks for something that is not emulated.
var known = []string{
	// How it travelled: read by the front door or meant for S3's own logs.
	"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "X-Amz-User-Agent", "X-Amz-Decoded-Content-Length",
	"X-Amz-Trailer", "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Type", "X-Amz-Mp-Object-Size",
	// Read here.
	"X-Amz-Acl", "X-Amz-Storage-Class", "X-Amz-Expected-Bucket-Owner", "X-Amz-Source-Expected-Bucket-Owner",
	"X-Amz-Checksum-Mode", "X-Amz-Object-Ownership", "X-Amz-Bucket-Object-Lock-Enabled", "X-Amz-Website-Redirect-Location",
	headerSSE, headerKey, headerBucketKey,
	"X-Amz-Copy-Source", "X-Amz-Copy-Source-Range", "X-Amz-Copy-Source-If-Match", "X-Amz-Copy-Source-If-None-Match",
	"X-Amz-Copy-Source-If-Modified-Since", "X-Amz-Copy-Source-If-Unmodified-Since",
	"X-Amz-Metadata-Directive", "X-Amz-Optional-Object-Attributes",
}

// checkHeaders refuses what a request asks for beyond what is emulated, and ACLs as a bucket with
// BucketOwnerEnforced does. Source: S3 User Guide, "Controlling ownership of objects" (AWS-documented).
func checkHeaders(h http.Header) error {
	for name := range h {
		name = http.CanonicalHeaderKey(name)
		if !strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, metaPrefix) ||
			slices.Contains(known, name) || slices.Contains(checksumHeaders, name) {
			continue
		}
		if strings.HasPrefix(name, "X-Amz-Grant-") {
			return noACLs()
		}
		return wire.NotEmulated("the header %s of S3", strings.ToLower(name))
	}
	if v := h.Get("X-Amz-Storage-Class"); v != "" && v != "STANDARD" {
		return wire.NotEmulated("the storage class %s", v)
	}
	if v := h.Get("X-Amz-Checksum-Type"); v != "" && v != "FULL_OBJECT" && v != "COMPOSITE" {
		return wire.Errorf(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
	}
	return nil
}

// checkACL accepts the one ACL that an object in a bucket without ACLs may be given.
func checkACL(h http.Header) error {
	if v := h.Get("X-Amz-Acl"); v != "" && v != "bucket-owner-full-control" {
		return noACLs()
	}
	return nil
}

func noACLs() error {
	return wire.Errorf(http.StatusBadRequest, "AccessControlListNotSupported", "The bucket does not allow ACLs")
}

// storedHeaders picks what S3 keeps of a write's headers.
func storedHeaders(h http.Header) (http.Header, error) {
	out := http.Header{}
	size := 0
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		if meta, ok := strings.CutPrefix(name, metaPrefix); ok {
			value := strings.Join(values, ",")
			size += len(meta) + len(value)
			out.Set(name, value)
		} else if slices.Contains(kept, name) {
			out.Set(name, strings.Join(values, ","))
		}
	}
	if size > 2048 {
		return nil, wire.Errorf(http.StatusBadRequest, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
	}
	// The chunked transfer encoding is not the object's. Source: S3 API Reference, "Signature
	// calculations: transferring payload in multiple chunks" (AWS-documented).
	encodings := slices.DeleteFunc(strings.Split(out.Get("Content-Encoding"), ","), func(e string) bool {
		return strings.TrimSpace(e) == "aws-chunked" || strings.TrimSpace(e) == ""
	})
	out.Del("Content-Encoding")
	if len(encodings) > 0 {
		out.Set("Content-Encoding", strings.TrimSpace(strings.Join(encodings, ",")))
	}
	if out.Get("Content-Type") == "" {
		out.Set("Content-Type", "binary/octet-stream")
	}
	return out, nil
}
