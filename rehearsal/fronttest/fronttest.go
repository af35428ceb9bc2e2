// Package fronttest is what the tests of the rehearsal's services share: accounts, a front door that
// serves one service, and clients of it.
package fronttest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/journal"
)

// Region is where Call's requests go.
const Region = "us-east-1"

// World is accounts on a clock that stands still, for one test.
type World struct {
	T         *testing.T
	Directory *accounts.Directory
	Clock     *clock.Clock
	Journal   *journal.Journal
	URL       string // of the front door, after Serve
}

// New is a world with these accounts.
func New(t *testing.T, ids ...string) *World {
	t.Helper()
	w := &World{T: t, Clock: clock.New(false), Journal: &journal.Journal{}}
	t.Cleanup(w.Clock.Close)
	w.Directory = accounts.New(w.Clock, w.Journal)
	for _, id := range ids {
		if _, err := w.Directory.Add(id); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// Serve opens the world's front door for one service.
func (w *World) Serve(name string, service http.Handler, fail front.ErrorWriter) {
	w.T.Helper()
	w.URL = Serve(w.T, w.Directory, w.Clock, w.Journal, name, service, fail)
}

// Serve opens a front door for one service until the test ends, and answers its URL.
func Serve(t *testing.T, d *accounts.Directory, c *clock.Clock, j *journal.Journal, name string, service http.Handler, fail front.ErrorWriter) string {
	t.Helper()
	door, err := front.Listen("", d, c, j)
	if err != nil {
		t.Fatal(err)
	}
	door.Handle(name, service, fail)
	Run(t, door)
	return door.URL()
}

// Run serves a front door until the test ends.
func Run(t *testing.T, door *front.Server) {
	served := make(chan error, 1)
	go func() { served <- door.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(door.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
}

// Root is the root user of an account.
func (w *World) Root(account string) accounts.Credentials {
	w.T.Helper()
	c, ok := w.Directory.Root(account)
	if !ok {
		w.T.Fatalf("no account %s", account)
	}
	return c
}

// Role makes a role that its own account trusts, with one policy as JSON ("" for none), and answers
// a session of it named "test".
func (w *World) Role(account, name, policy string) accounts.Credentials {
	w.T.Helper()
	r := accounts.Role{
		Account: account, Name: name, Inline: map[string]iam.Document{},
		Trust: w.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}}`),
	}
	if policy != "" {
		r.Inline["test"] = w.Parse(policy)
	}
	made, err := w.Directory.CreateRole(r)
	if err != nil {
		w.T.Fatal(err)
	}
	return w.Directory.Session(made, "test", nil, nil, time.Hour)
}

// Parse reads a policy document.
func (w *World) Parse(text string) iam.Document {
	w.T.Helper()
	doc, err := iam.Parse([]byte(text))
	if err != nil {
		w.T.Fatal(err)
	}
	return doc
}

// Keys gives credentials to an SDK client.
func Keys(c accounts.Credentials) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
	})
}

// HTTPClient is for SDK clients that do not retry. A front door on the same machine may answer before
// net/http has looked for the end of the request's body; the SDK closes the body as soon as it has
// the answer's head, and from then on smithy-go's WriteTo says io.EOF where net/http's copy expects
// nil. net/http takes that for a failed write and closes the connection under an answer that is still
// being read. Without WriteTo the copy reads, and io.EOF is what it should be.
func HTTPClient(t *testing.T) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: plainBodies{transport}}
}

type plainBodies struct{ http.RoundTripper }

func (p plainBodies) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.RoundTripper.RoundTrip(r)
}

// Sign signs a request with AWS's own signer.
func Sign(t *testing.T, r *http.Request, c accounts.Credentials, service, region, body string) {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	cred := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	if err := v4.NewSigner().SignHTTP(t.Context(), cred, r, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// Call makes one signed call in AWS JSON 1.1, for the services that this module has no SDK client
// of. target is such as "TrentService.Encrypt". It answers the status and the body.
func Call(t *testing.T, url string, c accounts.Credentials, service, target, body string) (status int, out []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	Sign(t, r, c, service, Region, body)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if out, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, out
}
