package s3_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestObjectKeepsWhatItWasPutWith(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountA, "site-a")
	c := w.client(w.Root(accountA))
	ctx := t.Context()
	for _, key := range []string{"index.html", "a b+c/ü&=?.js", "dir/", "x//y"} {
		put, err := c.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String("site-a"), Key: aws.String(key), Body: strings.NewReader("hello"),
			ContentType: aws.String("text/html"), CacheControl: aws.String("no-cache"), ContentEncoding: aws.String("gzip"),
			Metadata: map[string]string{"cache-tag": "a,b"},
		})
		if err != nil {
			t.Fatalf("put %q: %v", key, err)
		}
		got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("site-a"), Key: aws.String(key), ChecksumMode: types.ChecksumModeEnabled})
		if err != nil {
			t.Fatalf("get %q: %v", key, err)
		}
		if body := readAll(t, got.Body); body != "hello" {
			t.Errorf("%q: body %q", key, body)
		}
		if aws.ToString(got.ETag) != `"5d41402abc4b2a76b9719d911017c592"` || aws.ToString(put.ETag) != aws.ToString(got.ETag) {
			t.Errorf("%q: etags %q and %q, want the MD5", key, aws.ToString(put.ETag), aws.ToString(got.ETag))
		}
		if aws.ToString(got.ContentType) != "text/html" || aws.ToString(got.CacheControl) != "no-cache" ||
			aws.ToString(got.ContentEncoding) != "gzip" || got.Metadata["cache-tag"] != "a,b" {
			t.Errorf("%q: metadata %+v", key, got)
		}
		if got.ServerSideEncryption != types.ServerSideEncryptionAes256 {
			t.Errorf("%q: encryption %q", key, got.ServerSideEncryption)
		}
		if aws.ToString(got.ChecksumCRC32) == "" {
			t.Errorf("%q: no CRC32, though the client sent one", key)
		}
	}
}

func TestRangesAndConditions(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountA, "site-a")
	o := w.put(accountA, "site-a", "k", "0123456789")
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	tests := []struct {
		name            string
		in              s3.GetObjectInput
		body, code, rng string
	}{
		{name: "whole", body: "0123456789"},
		{name: "first two", in: s3.GetObjectInput{Range: aws.String("bytes=0-1")}, body: "01", rng: "bytes 0-1/10"},
		{name: "from 8", in: s3.GetObjectInput{Range: aws.String("bytes=8-")}, body: "89", rng: "bytes 8-9/10"},
		{name: "beyond the end", in: s3.GetObjectInput{Range: aws.String("bytes=8-99")}, body: "89", rng: "bytes 8-9/10"},
		{name: "last three", in: s3.GetObjectInput{Range: aws.String("bytes=-3")}, body: "789", rng: "bytes 7-9/10"},
		{name: "more than all", in: s3.GetObjectInput{Range: aws.String("bytes=-30")}, body: "0123456789", rng: "bytes 0-9/10"},
		{name: "not there", in: s3.GetObjectInput{Range: aws.String("bytes=10-")}, code: "InvalidRange"},
		{name: "several are ignored", in: s3.GetObjectInput{Range: aws.String("bytes=0-1,3-4")}, body: "0123456789"},
		{name: "backwards is ignored", in: s3.GetObjectInput{Range: aws.String("bytes=4-1")}, body: "0123456789"},
		{name: "if match", in: s3.GetObjectInput{IfMatch: aws.String(o.ETag)}, body: "0123456789"},
		{name: "if match other", in: s3.GetObjectInput{IfMatch: aws.String(`"x"`)}, code: "PreconditionFailed"},
		{name: "if none match", in: s3.GetObjectInput{IfNoneMatch: aws.String(o.ETag)}, code: "NotModified"},
		{name: "if none match other", in: s3.GetObjectInput{IfNoneMatch: aws.String(`"x"`)}, body: "0123456789"},
		{name: "modified since", in: s3.GetObjectInput{IfModifiedSince: aws.Time(past)}, body: "0123456789"},
		{name: "not modified since", in: s3.GetObjectInput{IfModifiedSince: aws.Time(future)}, code: "NotModified"},
		{name: "unmodified since", in: s3.GetObjectInput{IfUnmodifiedSince: aws.Time(past)}, code: "PreconditionFailed"},
		{name: "match beats unmodified", in: s3.GetObjectInput{IfMatch: aws.String(o.ETag), IfUnmodifiedSince: aws.Time(past)}, body: "0123456789"},
		{name: "none match beats modified", in: s3.GetObjectInput{IfNoneMatch: aws.String(o.ETag), IfModifiedSince: aws.Time(past)}, code: "NotModified"},
	}
	c := w.client(w.Root(accountA))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.Bucket, tt.in.Key = aws.String("site-a"), aws.String("k")
			got, err := c.GetObject(t.Context(), &tt.in)
			wantCode(t, err, tt.code)
			if err != nil {
				return
			}
			if body := readAll(t, got.Body); body != tt.body || aws.ToString(got.ContentRange) != tt.rng {
				t.Errorf("body %q, range %q", body, aws.ToString(got.ContentRange))
			}
		})
	}
}

func TestConditionalWrites(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountA, "site-a")
	c := w.client(w.Root(accountA))
	put := func(body, ifMatch, ifNoneMatch string) (string, error) {
		in := &s3.PutObjectInput{Bucket: aws.String("site-a"), Key: aws.String("lock"), Body: strings.NewReader(body)}
		if ifMatch != "" {
			in.IfMatch = aws.String(ifMatch)
		}
		if ifNoneMatch != "" {
			in.IfNoneMatch = aws.String(ifNoneMatch)
		}
		out, err := c.PutObject(t.Context(), in)
		if err != nil {
			return "", err
		}
		return aws.ToString(out.ETag), nil
	}
	_, err := put("0", `"none"`, "")
	wantCode(t, err, "NoSuchKey")
	tag, err := put("1", "", "*")
	wantCode(t, err, "")
	_, err = put("2", "", "*")
	wantCode(t, err, "PreconditionFailed")
	_, err = put("3", tag, "")
	wantCode(t, err, "")
	_, err = put("4", tag, "")
	wantCode(t, err, "PreconditionFailed")
	_, err = put("5", "", tag)
	wantCode(t, err, "NotImplemented")
}

func TestVersions(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountA, "site-a")
	c, ctx := w.client(w.Root(accountA)), t.Context()
	w.put(accountA, "site-a", "k", "zero")
	_, err := c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: aws.String("site-a"), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	wantCode(t, err, "")
	one, two := w.put(accountA, "site-a", "k", "one"), w.put(accountA, "site-a", "k", "two")
	if one.VersionID == "" || one.VersionID == two.VersionID {
		t.Fatalf("version IDs %q and %q", one.VersionID, two.VersionID)
	}
	read := func(id string) (string, error) {
		in := &s3.GetObjectInput{Bucket: aws.String("site-a"), Key: aws.String("k")}
		if id != "" {
			in.VersionId = aws.String(id)
		}
		out, err := c.GetObject(ctx, in)
		if err != nil {
			return "", err
		}
		return readAll(t, out.Body), nil
	}
	for id, want := range map[string]string{"": "two", one.VersionID: "one", two.VersionID: "two", "null": "zero"} {
		if got, err := read(id); got != want || err != nil {
			t.Errorf("version %q: %q, %v; want %q", id, got, err, want)
		}
	}
	gone, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("site-a"), Key: aws.String("k")})
	wantCode(t, err, "")
	if !aws.ToBool(gone.DeleteMarker) {
		t.Error("deleting made no marker")
	}
	_, err = read("")
	wantCode(t, err, "NoSuchKey")
	_, err = read(aws.ToString(gone.VersionId))
	wantCode(t, err, "MethodNotAllowed")
	_, err = read("nonesuch")
	wantCode(t, err, "NoSuchVersion")
	all, err := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: aws.String("site-a")})
	wantCode(t, err, "")
	if len(all.Versions) != 3 || len(all.DeleteMarkers) != 1 || !aws.ToBool(all.DeleteMarkers[0].IsLatest) {
		t.Errorf("%d versions, %d markers", len(all.Versions), len(all.DeleteMarkers))
	}
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("site-a"), Key: aws.String("k"), VersionId: gone.VersionId})
	wantCode(t, err, "")
	if got, err := read(""); got != "two" {
		t.Errorf("after removing the marker: %q, %v", got, err)
	}
	_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("site-a")})
	wantCode(t, err, "BucketNotEmpty")
}

func TestCopyAndDeleteMany(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountA, "site-a")
	c, ctx := w.client(w.Root(accountA)), t.Context()
	if _, err := w.s3.PutObject(ctx, w.Root(accountA).Caller, "site-a", "from ü", []byte("x"), header("Content-Type", "text/css", "X-Amz-Meta-A", "1")); err != nil {
		t.Fatal(err)
	}
	copyTo := func(key string, change func(*s3.CopyObjectInput)) error {
		in := &s3.CopyObjectInput{Bucket: aws.String("site-a"), Key: aws.String(key), CopySource: aws.String("site-a/from%20%C3%BC")}
		change(in)
		_, err := c.CopyObject(ctx, in)
		return err
	}
	wantCode(t, copyTo("kept", func(*s3.CopyObjectInput) {}), "")
	wantCode(t, copyTo("replaced", func(in *s3.CopyObjectInput) {
		in.MetadataDirective, in.CacheControl = types.MetadataDirectiveReplace, aws.String("no-cache")
	}), "")
	wantCode(t, copyTo("from ü", func(*s3.CopyObjectInput) {}), "InvalidRequest")
	wantCode(t, copyTo("x", func(in *s3.CopyObjectInput) { in.CopySource = aws.String("site-a") }), "InvalidArgument")
	wantCode(t, copyTo("x", func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = aws.String("x") }), "PreconditionFailed")
	wantCode(t, copyTo("x", func(in *s3.CopyObjectInput) { in.CopySourceIfNoneMatch = aws.String("*") }), "PreconditionFailed")
	for key, want := range map[string]string{"kept": "text/css//1", "replaced": "binary/octet-stream/no-cache/"} {
		o, err := w.s3.HeadObject(ctx, w.Root(accountA).Caller, "site-a", key)
		if err != nil {
			t.Fatal(err)
		}
		got := o.Header.Get("Content-Type") + "/" + o.Header.Get("Cache-Control") + "/" + o.Header.Get("X-Amz-Meta-A")
		if got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("site-a"), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("kept")}, {Key: aws.String("replaced")}, {Key: aws.String("never there")}},
	}})
	wantCode(t, err, "")
	if len(out.Deleted) != 3 || len(out.Errors) != 0 {
		t.Errorf("deleted %+v, errors %+v", out.Deleted, out.Errors)
	}
	left, err := w.s3.ListObjects(ctx, w.Root(accountA).Caller, "site-a", "")
	if err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestMultipart(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountA, "site-a")
	c, ctx := w.client(w.Root(accountA)), t.Context()
	bucket, key := aws.String("site-a"), aws.String("big.zip")
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, ContentType: aws.String("application/zip")})
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.Repeat([]byte("a"), 5<<20)
	var done []types.CompletedPart
	for i, body := range [][]byte{first, []byte("end")} {
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(body),
		})
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, types.CompletedPart{ETag: p.ETag, PartNumber: aws.Int32(int32(i + 1)), ChecksumCRC32: p.ChecksumCRC32})
	}
	parts, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: up.UploadId})
	wantCode(t, err, "")
	if len(parts.Parts) != 2 || aws.ToInt64(parts.Parts[0].Size) != 5<<20 {
		t.Errorf("parts %+v", parts.Parts)
	}
	complete := func(parts ...types.CompletedPart) error {
		_, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: bucket, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
		return err
	}
	wantCode(t, complete(done[1], done[0]), "InvalidPartOrder")
	wantCode(t, complete(types.CompletedPart{ETag: aws.String("x"), PartNumber: aws.Int32(1)}), "InvalidPart")
	wantCode(t, complete(done...), "")
	wantCode(t, complete(done...), "NoSuchUpload")
	got, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToInt64(got.ContentLength) != 5<<20+3 || aws.ToString(got.ContentType) != "application/zip" || !strings.HasSuffix(aws.ToString(got.ETag), `-2"`) {
		t.Errorf("head %+v", got)
	}

	small, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	wantCode(t, err, "")
	list, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
	wantCode(t, err, "")
	if len(list.Uploads) != 1 {
		t.Errorf("uploads %+v", list.Uploads)
	}
	_, err = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: small.UploadId})
	wantCode(t, err, "")
	_, err = c.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: small.UploadId})
	wantCode(t, err, "NoSuchUpload")
}

func TestNotEmulatedIsAnError(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountA, "site-a")
	w.put(accountA, "site-a", "k", "v")
	c, ctx := w.client(w.Root(accountA)), t.Context()
	bucket, key := aws.String("site-a"), aws.String("k")
	for name, call := range map[string]func() error{
		"tagging": func() error {
			_, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: key})
			return err
		},
		"website": func() error { _, err := c.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: bucket}); return err },
		"storage class": func() error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, StorageClass: types.StorageClassGlacier})
			return err
		},
		"tags on put": func() error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Tagging: aws.String("a=b")})
			return err
		},
		"part": func() error {
			_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, PartNumber: aws.Int32(1)})
			return err
		},
		"aws/s3 key": func() error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, ServerSideEncryption: types.ServerSideEncryptionAwsKms})
			return err
		},
		"lifecycle": func() error {
			_, err := c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
			return err
		},
	} {
		if got := code(call()); got != "NotEmulated" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
