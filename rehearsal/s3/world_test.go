package s3_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/fronttest"
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
	*fronttest.World
	kms *kms.Service
	s3  *rs3.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: fronttest.New(t, accountA, accountB)}
	w.kms = kms.New(w.Directory, w.Clock)
	w.s3 = rs3.New(rs3.Deps{Directory: w.Directory, Clock: w.Clock, Journal: w.Journal, Keys: w.kms})
	w.Serve(rs3.SigningName, w.s3, rs3.WriteError)
	return w
}

func (w *world) client(c accounts.Credentials, options ...func(*s3.Options)) *s3.Client {
	return s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(w.URL), UsePathStyle: true, RetryMaxAttempts: 1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		Credentials: fronttest.Keys(c),
	}, options...)
}

// bucket makes a bucket as the account's root.
func (w *world) bucket(account, name string) {
	w.T.Helper()
	if err := w.s3.CreateBucket(w.T.Context(), w.Root(account).Caller, region, name); err != nil {
		w.T.Fatal(err)
	}
}

// put stores an object as the root of an account.
func (w *world) put(account, bucket, key, body string) rs3.Object {
	w.T.Helper()
	o, err := w.s3.PutObject(w.T.Context(), w.Root(account).Caller, bucket, key, []byte(body), nil)
	if err != nil {
		w.T.Fatal(err)
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
