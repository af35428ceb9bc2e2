package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A call that takes too long may be tried again; the end of the caller's own time is told apart.
func TestWithin(t *testing.T) {
	hang := func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := Within(t.Context(), 10*time.Second, hang)
		e := place{}.wrap("read", err)
		if e.Code != RequestTimeout || !e.Temporary || errors.Is(e, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
			t.Errorf("after %s: %#v", time.Since(began), e)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := Within(ctx, 10*time.Second, hang)
		e := place{}.wrap("read", err)
		if e.Code != RequestTimeout || !errors.Is(e, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %s: %#v", time.Since(began), e)
		}
	})
}

// Who gave no answer is named, whoever ended the waiting, and what to look at.
func TestUnanswered(t *testing.T) {
	leave := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-leave }))
	t.Cleanup(func() {
		close(leave)
		server.Close()
	})
	host := strings.TrimPrefix(server.URL, "http://")
	c := NewCloudFront(aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "s"}, nil
		}),
	}, "E1")
	_, err := Within(t.Context(), 50*time.Millisecond, c.Distribution)
	var e *Error
	if !errors.As(err, &e) || e.Code != RequestTimeout || e.Operation != "read distribution" || e.Distribution != "E1" || !e.Temporary ||
		e.Message != host+" gave no answer within 50ms" || !strings.Contains(e.Try, "check that "+host+" is right and answers") {
		t.Errorf("%#v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = c.Distribution(ctx)
	if !errors.As(err, &e) || e.Code != Canceled || !errors.Is(err, context.Canceled) {
		t.Fatalf("%#v", err)
	}
	e = Unanswered(err, time.Minute)
	if e.Code != RequestTimeout || e.Operation != "read distribution" || e.Message != host+" gave no answer within 1m0s" || !strings.Contains(e.Try, host) || errors.Is(e, context.Canceled) {
		t.Errorf("%#v", e)
	}
	if e := Unanswered(errors.New("ended"), time.Second); e.Message != "no answer within 1s" || e.Try != "" {
		t.Errorf("%#v", e)
	}
}
