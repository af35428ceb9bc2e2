package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/site"
)

const (
	artifactFiles = 100_000
	artifactBytes = 512 // of each file: nobody reads them but who downloads it all
)

// bucket is an S3 with one object, that counts.
type bucket struct {
	object          []byte
	requests, bytes atomic.Int64
}

// ServeHTTP answers what S3 does to GetObject, with and without a range.
func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.requests.Add(1)
	w.Header().Set("ETag", `"v1"`)
	http.ServeContent(counted{w, &b.bytes}, r, "", time.Time{}, bytes.NewReader(b.object))
}

// taken is how much was asked for since it was last asked.
func (b *bucket) taken() (requests, bytes int64) { return b.requests.Swap(0), b.bytes.Swap(0) }

// counted is an answer whose bytes are counted.
type counted struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}

// artifact measures how a release of many files is read out of its zip in S3, beside downloading the
// zip and hashing every file in it, which is how S3's ETags are found.
func artifact(ctx context.Context, o options) ([]row, error) {
	object, err := manyFiles(artifactFiles, artifactBytes)
	if err != nil {
		return nil, err
	}
	b := &bucket{object: object}
	server := httptest.NewServer(b)
	defer server.Close()
	var ours, theirs reading
	for range o.plans {
		if err := ours.measure(b, func() error { return readDirectory(ctx, server.URL) }); err != nil {
			return nil, err
		}
		if err := theirs.measure(b, func() error { return downloadAll(ctx, server.URL) }); err != nil {
			return nil, err
		}
	}
	return []row{readingRow(ours, theirs)}, nil
}

// reading is what reading the artifact took: the least time, and the most of all else.
type reading struct {
	usage
	requests, bytes int64
}

func (r *reading) measure(b *bucket, read func() error) error {
	var err error
	b.taken()
	r.add(use(func() { err = read() }))
	requests, bytes := b.taken()
	r.requests, r.bytes = max(r.requests, requests), max(r.bytes, bytes)
	return err
}

func readingRow(ours, theirs reading) row {
	cell := func(r reading) string {
		return fmt.Sprintf("%.2f s, requests: %d, %.0f MiB", r.took.Seconds(), r.requests, mebibytes(r.bytes))
	}
	return row{
		what: fmt.Sprintf("reading a release of %s files from S3 (today: download and hash)", thousands(artifactFiles)),
		peer: cell(theirs), ours: cell(ours), ratio: ratio(theirs.took, ours.took),
		targets: []target{under("under 0.3 s", ours.took.Seconds(), 0.3), under("at most 3 ranged reads", float64(ours.requests), 3)},
	}
}

// manyFiles is a zip whose files do not compress.
func manyFiles(n, size int) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	content := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	for i := range n {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("docs/chapter-%03d/page-%06d.html", i/500, i), Method: zip.Store})
		if err != nil {
			return nil, err
		}
		_, _ = random.Read(content) // it never fails
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}

// readDirectory reads the artifact as the job function does.
func readDirectory(ctx context.Context, url string) error {
	s := store.New(aws.Config{
		Region: "us-east-1", BaseEndpoint: &url,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
	r, size, err := s.Artifact(ctx, "artifacts", "site/release.zip")
	if err != nil {
		return err
	}
	snapshot, err := site.FromZip(r, size)
	if err == nil && len(snapshot) != artifactFiles {
		err = fmt.Errorf("read %d files of %d", len(snapshot), artifactFiles)
	}
	return err
}

// downloadAll fetches the artifact and hashes every file in it.
func downloadAll(ctx context.Context, url string) error {
	in, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/artifacts/site/release.zip", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(in)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	z, err := zip.NewReader(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		return err
	}
	for _, f := range z.File {
		content, err := f.Open()
		if err != nil {
			return err
		}
		_, err = io.Copy(md5.New(), content)
		if err != nil {
			return fmt.Errorf("hash %s: %w", f.Name, err)
		}
	}
	return nil
}
