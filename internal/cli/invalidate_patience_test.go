package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/targetfile"
)

func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// Who gives credentials is waited for as long as the targets are, but a program that may ask a person.
func TestPatienceWithCredentials(t *testing.T) {
	w := answering(t, hangs)
	began := time.Now()
	_, err := connect(w, identity{"becomes", "us-east-1"}, 50*time.Millisecond)
	if err == nil || err.Error() != "get credentials of profile becomes: "+w.host+" gave no answer within 50ms" || !strings.Contains(tryOf(err), "check that "+w.host) {
		t.Errorf("%v\ntry: %s", err, tryOf(err))
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	shell(t, "", "[profile asks]\ncredential_process = sh -c 'sleep 0.2; echo \"{\\\"Version\\\": 1, \\\"AccessKeyId\\\": \\\"a\\\", \\\"SecretAccessKey\\\": \\\"s\\\"}\"'\n")
	if _, err := connect(t.Context(), identity{"asks", "us-east-1"}, time.Millisecond); err != nil {
		t.Error(err)
	}
}

// A history that is not answered for ends a target before anything is asked of CloudFront.
func TestPatienceWithHistory(t *testing.T) {
	w := answering(t, hangs)
	cfg, err := loadConfig(w, "", "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	state, err := store.NewState(cfg, "s3://some-bucket/here")
	if err != nil {
		t.Fatal(err)
	}
	one := targetfile.Target{Target: target.Target{Route: target.SameAccount, Distribution: "E1"}, State: targetfile.State{Bucket: "some-bucket", Prefix: "here"}}
	run := &work{used: map[string]months{}}
	err = run.count(w, one, state, 50*time.Millisecond)
	var e *gateway.Error
	if !errors.As(err, &e) || e.Code != gateway.RequestTimeout || !strings.HasPrefix(err.Error(), "read the history in s3://some-bucket/here") || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Error(err)
	}
}

// pages is S3 with a list of so many pages, each answered after a while, and none after the last that is answered.
type pages struct {
	all, answered int
	takes         time.Duration
	asked         int
}

func (p *pages) Do(r *http.Request) (*http.Response, error) {
	p.asked++
	takes := p.takes
	if p.asked > p.answered {
		takes = time.Hour
	}
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(takes):
	}
	httptrace.ContextClientTrace(r.Context()).GotFirstResponseByte()
	body := fmt.Sprintf(`<ListBucketResult><IsTruncated>%t</IsTruncated><NextContinuationToken>t%d</NextContinuationToken><Contents><Key>evidence/own/2026-11/E1/shop/a-2.json</Key></Contents></ListBucketResult>`, p.asked < p.all, p.asked)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// A long history has its time while S3 answers, however short the wait is; one that is not answered any more is told.
func TestPatienceWithALongHistory(t *testing.T) {
	for _, tt := range []struct {
		p    pages
		used int
		took time.Duration
		says string
	}{
		{pages{all: 20, answered: 20, takes: 9 * time.Second}, 40, 180 * time.Second, ""},
		{pages{all: 20, answered: 2, takes: 9 * time.Second}, 0, 28 * time.Second, "no answer within 10s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			cfg := aws.Config{Region: "us-east-1", HTTPClient: &tt.p, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "s"}, nil
			})}
			state, err := store.NewState(cfg, "s3://some-bucket")
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			run := &work{started: began, wait: time.Second, used: map[string]months{}}
			one := targetfile.Target{Target: target.Target{Name: "shop"}, State: targetfile.State{Bucket: "some-bucket"}}
			err = run.count(t.Context(), one, state, run.patience(one))
			if (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) || run.used["own"].paths != tt.used {
				t.Errorf("%d pages: %+v, %v", tt.p.asked, run.used, err)
			}
			if took := time.Since(began); took != tt.took {
				t.Errorf("it took %s, not %s", took, tt.took)
			}
		})
	}
}

func TestPatienceOfTargets(t *testing.T) {
	minute, none := time.Minute, time.Duration(0)
	own, patient, never := targetfile.Target{}, targetfile.Target{Wait: &minute}, targetfile.Target{Wait: &none}
	w := &work{wait: 20 * time.Second}
	for _, tt := range []struct {
		targets []targetfile.Target
		want    time.Duration
	}{
		{[]targetfile.Target{own}, 20 * time.Second},
		{[]targetfile.Target{patient, own}, time.Minute},
		{[]targetfile.Target{patient, never}, 0},
	} {
		if got := w.longest(tt.targets); got != tt.want {
			t.Errorf("%v: %s, not %s", tt.targets, got, tt.want)
		}
	}
}

// Where nobody answered a creation, the invalidation may have been made.
func TestUnansweredCreation(t *testing.T) {
	timeout := &gateway.Error{Code: gateway.RequestTimeout, Message: "no answer within 10s"}
	asked := purge.Progress{Reference: "r"}
	for _, tt := range []struct {
		r    fleet.Result
		want string
	}{
		{fleet.Result{Err: timeout, Try: "look", Verdict: purge.Verdict{Progress: asked}}, "look; then unstale invalidate --resume a-run, which finds the invalidation if it was made after all"},
		{fleet.Result{Err: timeout, Verdict: purge.Verdict{Progress: asked}}, "unstale invalidate --resume a-run, which finds the invalidation if it was made after all"},
		{fleet.Result{Err: timeout, Try: "look"}, "look"},
		{fleet.Result{Err: timeout, Try: "look", Verdict: purge.Verdict{Progress: purge.Progress{Reference: "r", ID: "I1"}}}, "look"},
		{fleet.Result{Err: &gateway.Error{Code: gateway.AccessDenied, Status: 403}, Try: "allow it", Verdict: purge.Verdict{Progress: asked}}, "allow it"},
	} {
		i := &invalidator{targets: []targetfile.Target{{}}}
		i.attempt = "a-run"
		if got := i.advised(&work{}, 0, tt.r); got != tt.want {
			t.Errorf("%v: %q, not %q", tt.r.Err, got, tt.want)
		}
	}
}
