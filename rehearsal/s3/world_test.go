package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/kms"
	rs3 "github.com/unstale/unstale/rehearsal/s3"
)

const (
	accountA = "111111111111"
	accountB = "222222222222"
	region   = "us-east-1"
)

// world is two accounts behind one door, with S3 and KMS.
type world struct {
	t         *testing.T
	directory *accounts.Directory
	clock     *clock.Clock
	journal   *journal.Journal
	kms       *kms.Service
	s3        *rs3.Service
	url       string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clock.New(false), journal: &journal.Journal{}}
	t.Cleanup(w.clock.Close)
	w.directory = accounts.New(w.clock, w.journal)
	for _, id := range []string{accountA, accountB} {
		if _, err := w.directory.Add(id); err != nil {
			t.Fatal(err)
		}
	}
	w.kms = kms.New(w.directory, w.clock)
	w.s3 = rs3.New(rs3.Deps{Directory: w.directory, Clock: w.clock, Journal: w.journal, Keys: w.kms})
	door, err := front.Listen("", w.directory, w.clock, w.journal)
	if err != nil {
		t.Fatal(err)
	}
	door.Handle(rs3.SigningName, w.s3, rs3.WriteError)
	served := make(chan error, 1)
	go func() { served <- door.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(door.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	w.url = door.URL()
	return w
}

func (w *world) root(account string) accounts.Credentials {
	w.t.Helper()
	c, ok := w.directory.Root(account)
	if !ok {
		w.t.Fatalf("no account %s", account)
	}
	return c
}

// role makes a role with one policy, given as JSON ("" for none), and a session of it.
func (w *world) role(account, name, policy string) accounts.Credentials {
	w.t.Helper()
	r := accounts.Role{Account: account, Name: name, Inline: map[string]iam.Document{}}
	r.Trust = mustParse(w.t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"`+account+`"},"Action":"sts:AssumeRole"}}`)
	if policy != "" {
		r.Inline["test"] = mustParse(w.t, policy)
	}
	made, err := w.directory.CreateRole(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.directory.Session(made, "test", nil, nil, 3600e9)
}

func mustParse(t *testing.T, text string) iam.Document {
	t.Helper()
	doc, err := iam.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func (w *world) client(c accounts.Credentials, options ...func(*s3.Options)) *s3.Client {
	return s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(w.url), UsePathStyle: true, RetryMaxAttempts: 1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
		}),
	}, options...)
}

// bucket makes a bucket as the account's root.
func (w *world) bucket(account, name string) {
	w.t.Helper()
	if err := w.s3.CreateBucket(w.t.Context(), w.root(account).Caller, region, name); err != nil {
		w.t.Fatal(err)
	}
}

// put stores an object as the root of an account.
func (w *world) put(account, bucket, key, body string) rs3.Object {
	w.t.Helper()
	o, err := w.s3.PutObject(w.t.Context(), w.root(account).Caller, bucket, key, []byte(body), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func readAll(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// code is the AWS error code of err, "" for nil.
func code(err error) string {
	var e smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.ErrorCode()
	}
	return err.Error()
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("error %q (%v), want %q", got, err, want)
	}
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}
