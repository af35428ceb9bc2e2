package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"pgregory.net/rapid"
)

// bucket serves one object as S3 does, in ranges, and notes what was asked.
type bucket struct {
	content []byte
	etag    string
	strict  bool // answers InvalidRange to a suffix longer than the object
	asked   []string
	fail    string // S3's code to answer instead
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.asked = append(b.asked, r.Header.Get("Range"))
	switch {
	case b.fail != "":
		refuse(w, http.StatusForbidden, b.fail)
	case r.URL.Path != "/artifacts/site/Build/abc.zip":
		refuse(w, http.StatusNotFound, "NoSuchKey")
	case r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != b.etag:
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case b.strict && strings.HasPrefix(r.Header.Get("Range"), "bytes=-") && len(b.content) < tailSize,
		r.Header.Get("Range") != "" && len(b.content) == 0:
		refuse(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
	default:
		w.Header().Set("ETag", b.etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.content))
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>no</Message></Error>`, code)
}

func open(t interface{ Helper() }, b *bucket) (*Store, func()) {
	t.Helper()
	if b.etag == "" {
		b.etag = `"v1"`
	}
	server := httptest.NewServer(b)
	return New(aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &server.URL,
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s", SessionToken: "t"}, nil
		}),
	}), server.Close
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

func TestArtifactIsReadInFewRanges(t *testing.T) {
	const size = 3 << 20
	for _, tt := range []struct {
		what   string
		size   int
		from   int64 // where the sequential read begins
		strict bool
		asked  []string
	}{
		{"the tail holds it all", 1000, 0, false, []string{"bytes=-65536"}},
		{"a server strict about suffixes", 1000, 0, true, []string{"bytes=-65536", ""}},
		{"the tail suffices", size, size - 60000, false, []string{"bytes=-65536"}},
		{"a directory longer than the tail", size, size - 1<<20, false, []string{
			"bytes=-65536", fmt.Sprintf("bytes=%d-%d", size-1<<20, size-tailSize-1),
		}},
		{"an empty object", 0, 0, false, []string{"bytes=-65536", ""}},
		{"more than one chunk", 17 << 20, 0, false, []string{
			"bytes=-65536", "bytes=0-16777215", fmt.Sprintf("bytes=16777216-%d", 17<<20-tailSize-1),
		}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			b := &bucket{content: random(tt.size), strict: tt.strict}
			store, stop := open(t, b)
			defer stop()
			r, n, err := store.Artifact(t.Context(), "artifacts", "site/Build/abc.zip")
			if err != nil || n != int64(tt.size) {
				t.Fatalf("size %d, %v; want %d", n, err, tt.size)
			}
			got, err := io.ReadAll(io.NewSectionReader(r, tt.from, n-tt.from))
			if err != nil || !bytes.Equal(got, b.content[tt.from:]) {
				t.Errorf("%d bytes, %v; not those of the object", len(got), err)
			}
			if fmt.Sprint(b.asked) != fmt.Sprint(tt.asked) {
				t.Errorf("asked for %q; want %q", b.asked, tt.asked)
			}
		})
	}
}

// ReadAt keeps the contract of io.ReaderAt wherever it is asked to read.
func TestReadAt(t *testing.T) {
	b := &bucket{content: random(300_000)}
	store, stop := open(t, b)
	defer stop()
	r, _, err := store.Artifact(t.Context(), "artifacts", "site/Build/abc.zip")
	if err != nil {
		t.Fatal(err)
	}
	whole := bytes.NewReader(b.content)
	rapid.Check(t, func(t *rapid.T) {
		off := rapid.Int64Range(0, 310_000).Draw(t, "off")
		p := make([]byte, rapid.IntRange(0, 100_000).Draw(t, "len"))
		q := make([]byte, len(p))
		n, err := r.ReadAt(p, off)
		m, want := whole.ReadAt(q, off)
		if len(p) == 0 {
			want = nil
		}
		if n != m || err != want || !bytes.Equal(p, q) {
			t.Fatalf("ReadAt(%d, %d) = %d, %v; want %d, %v", len(p), off, n, err, m, want)
		}
	})
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset is read")
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		what, key, fail, code string
	}{
		{"denied", "site/Build/abc.zip", "AccessDenied", "AccessDenied"},
		{"gone", "site/Build/other.zip", "", "NoSuchKey"},
	} {
		store, stop := open(t, &bucket{content: []byte("x"), fail: tt.fail})
		_, _, err := store.Artifact(t.Context(), "artifacts", tt.key)
		stop()
		var failed *Error
		if !errors.As(err, &failed) || failed.Code != tt.code ||
			!strings.HasPrefix(err.Error(), "read s3://artifacts/"+tt.key+": ") {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
}

func TestAnObjectThatChangesIsNotMixed(t *testing.T) {
	b := &bucket{content: random(200_000)}
	store, stop := open(t, b)
	defer stop()
	r, _, err := store.Artifact(t.Context(), "artifacts", "site/Build/abc.zip")
	if err != nil {
		t.Fatal(err)
	}
	b.etag = `"v2"`
	var failed *Error
	if _, err := r.ReadAt(make([]byte, 10), 0); !errors.As(err, &failed) || failed.Code != "PreconditionFailed" {
		t.Errorf("read of a changed object: %v", err)
	}
}

func TestContentRange(t *testing.T) {
	for _, tt := range []struct {
		text       string
		from, size int64
		ok         bool
	}{
		{"bytes 0-9/10", 0, 10, true},
		{"bytes 5-9/10", 5, 10, true},
		{"bytes 5-10/10", 0, 0, false},
		{"bytes 9-5/10", 0, 0, false},
		{"bytes */10", 0, 0, false},
		{"bytes 0-9/*", 0, 0, false},
		{"0-9/10", 0, 0, false},
		{"", 0, 0, false},
		{"bytes -1-9/10", 0, 0, false},
		{"bytes 0-9/99999999999999999999", 0, 0, false},
	} {
		from, size, err := contentRange(tt.text)
		if from != tt.from || size != tt.size || (err == nil) != tt.ok {
			t.Errorf("contentRange(%q) = %d, %d, %v", tt.text, from, size, err)
		}
	}
}
