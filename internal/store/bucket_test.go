package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // S3's ETag
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// memory is a bucket with S3's conditional writes. Source: Amazon S3 user guide, "Conditional writes".
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	// left is how many requests are answered before the caller is cut off; less than 0: all. deaf cuts
	// it off once more has been done.
	left int
	deaf bool
	// met is called before each write, for who wants to be in its way.
	met func(key string)
	// answers are what writes get instead, by key, first one first.
	answers map[string][]answer
	denied  string // an action
}

type answer struct {
	status int
	code   string
}

func newMemory() *memory { return &memory{objects: map[string][]byte{}, left: -1} }

var errCut = errors.New("cut off")

// Do makes the bucket an HTTP client, which needs no connections.
func (m *memory) Do(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	if m.left == 0 && !m.deaf {
		m.mu.Unlock()
		return nil, errCut
	}
	last := m.left == 0
	if m.left > 0 {
		m.left--
	}
	met := m.met
	m.mu.Unlock()
	if met != nil && r.Method == http.MethodPut {
		met(strings.TrimPrefix(r.URL.Path, "/"))
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, r)
	if last {
		m.mu.Lock()
		m.deaf = false
		m.mu.Unlock()
		return nil, errCut
	}
	return w.Result(), nil
}

func (m *memory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := strings.TrimPrefix(r.URL.Path, "/")
	action := map[string]string{http.MethodGet: "s3:GetObject", http.MethodPut: "s3:PutObject"}[r.Method]
	if key == "" {
		action = "s3:ListBucket"
	}
	if action == m.denied {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::111111111111:assumed-role/unstale-job/unstale-job is not authorized to perform: %s on resource: "arn:aws:s3:::state/%s" because no identity-based policy allows the %[1]s action</Message></Error>`, action, key)
		return
	}
	switch {
	case key == "":
		m.list(w, r)
	case r.Method == http.MethodPut:
		m.put(w, r, key)
	case m.objects[key] == nil:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	default:
		w.Header().Set("ETag", tagOf(m.objects[key]))
		_, _ = w.Write(m.objects[key])
	}
}

func (m *memory) put(w http.ResponseWriter, r *http.Request, key string) {
	body, _ := io.ReadAll(r.Body)
	body = payload(r, body)
	if rest := m.answers[key]; len(rest) > 0 {
		m.answers[key] = rest[1:]
		refuse(w, rest[0].status, rest[0].code)
		return
	}
	there, found := m.objects[key]
	switch match := r.Header.Get("If-Match"); {
	case match != "" && !found:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	case match != "" && match != tagOf(there), r.Header.Get("If-None-Match") == "*" && found:
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	default:
		m.objects[key] = body
		w.Header().Set("ETag", tagOf(body))
	}
}

// payload takes a body out of the chunks that the SDK may send it in, with its checksum behind.
func payload(r *http.Request, body []byte) []byte {
	if !strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
		return body
	}
	var out []byte
	for {
		head, rest, _ := bytes.Cut(body, []byte("\r\n"))
		n := 0
		if _, err := fmt.Sscanf(string(head), "%x", &n); err != nil || n == 0 {
			return append([]byte{}, out...)
		}
		out, body = append(out, rest[:n]...), rest[n+2:]
	}
}

// list answers pages of two keys, so that there is always another one.
func (m *memory) list(w http.ResponseWriter, r *http.Request) {
	type contents struct{ Key string }
	var page struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []contents
	}
	q := r.URL.Query()
	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if !strings.HasPrefix(key, q.Get("prefix")) || key <= q.Get("continuation-token") {
			continue
		}
		if page.IsTruncated = len(page.Contents) == 2; page.IsTruncated {
			page.NextContinuationToken = page.Contents[1].Key
			break
		}
		page.Contents = append(page.Contents, contents{key})
	}
	_ = xml.NewEncoder(w).Encode(page)
}

func tagOf(body []byte) string {
	sum := md5.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// state opens the bucket as a run does.
func (m *memory) state(t interface {
	Helper()
	Fatal(...any)
}, location string,
) *State {
	t.Helper()
	s, err := NewState(aws.Config{
		Region: "us-east-1", HTTPClient: m,
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s"}, nil
		}),
	}, cmp.Or(location, "state"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
