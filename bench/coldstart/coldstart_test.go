package coldstart

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// The test's own binary is the function when this is set; its value says how well it behaves.
const asFunction = "COLDSTART_TEST_FUNCTION"

func TestMain(m *testing.M) {
	if manners := os.Getenv(asFunction); manners != "" {
		if err := function(manners); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// function takes one event, creates an invalidation and answers.
func function(manners string) error {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	next, err := http.Get(api + "next")
	if err != nil {
		return err
	}
	event, err := io.ReadAll(next.Body)
	if err != nil || manners == "ends" {
		return fmt.Errorf("ending with event %s: %w", event, err)
	}
	authority, err := os.ReadFile(os.Getenv("NODE_EXTRA_CA_CERTS"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	body := `<InvalidationBatch><Paths><Items><Path>/*</Path></Items></Paths><CallerReference>r</CallerReference></InvalidationBatch>`
	if manners != "calls nobody" {
		made, err := client.Post(os.Getenv("AWS_ENDPOINT_URL")+"/2020-05-31/distribution/"+Distribution+"/invalidation", "text/xml", strings.NewReader(body))
		if err != nil || made.StatusCode != http.StatusCreated {
			return fmt.Errorf("%v: %w", made, err)
		}
	}
	how := "/response"
	if manners == "fails" {
		how = "/error"
	}
	if _, err := http.Post(api+next.Header.Get("Lambda-Runtime-Aws-Request-Id")+how, "application/json", bytes.NewReader(event)); err != nil {
		return err
	}
	_, err = http.Get(api + "next") // until it is killed
	return err
}

func measured(manners string) Function {
	return Function{
		Name: manners, Command: []string{os.Args[0]}, Env: []string{asFunction + "=" + manners}, Event: `{"n":1}`,
		Calls: []string{CreateInvalidation},
	}
}

func TestMeasure(t *testing.T) {
	samples, err := Measure(t.Context(), []Function{measured("one"), measured("two")}, nil, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(samples) != 2 || len(samples[0]) != 2 || len(samples[1]) != 2 {
		t.Fatalf("%v", samples)
	}
	for _, s := range slices.Concat(samples...) {
		if s.First <= 0 || s.Answered < s.First || s.Event <= 0 || s.Event > s.Answered || s.CPU <= 0 {
			t.Errorf("%+v", s)
		}
		if runtime.GOOS == "linux" && (s.Peak < 1<<20 || s.Peak > 1<<30) {
			t.Errorf("peak %d", s.Peak)
		}
	}
}

// A run that does not do what is measured is an error, not a good figure.
func TestMeasureRefusesOtherRuns(t *testing.T) {
	for manners, want := range map[string]string{
		"ends":         "ended before its answer was measured; its output: ending with event {\"n\":1}",
		"fails":        "it answered",
		"calls nobody": `after the calls [] instead of ["CreateInvalidation"]`,
	} {
		if _, err := Measure(t.Context(), []Function{measured(manners)}, nil, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", manners, err)
		}
	}
	missing := measured("missing")
	missing.Command = []string{"/nothing/here"}
	if _, err := Measure(t.Context(), []Function{missing}, nil, 1); err == nil || !strings.Contains(err.Error(), "start missing") {
		t.Errorf("%v", err)
	}
}

func TestStandIn(t *testing.T) {
	const batch = `<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Paths><Quantity>1</Quantity><Items><Path>/*</Path></Items></Paths><CallerReference>r1</CallerReference></InvalidationBatch>`
	const invoke = "/2015-03-31/functions/f/invocations"
	for _, tt := range []struct{ path, target, body, call, says string }{
		{"/2020-05-31/distribution/" + Distribution + "/invalidation", "", batch, CreateInvalidation, "<CallerReference>r1</CallerReference>"},
		{"/2020-05-31/distribution/" + Distribution + "/invalidation", "", "<x/>", "CreateInvalidation of something else", ""},
		{"/2020-05-31/distribution/E9OTHER/invalidation", "", batch, "POST /2020-05-31/distribution/E9OTHER/invalidation ", "{}"},
		{invoke, "", `{"operation":"distribution"}`, InvokeDistribution, `"id":"` + Distribution + `"`},
		{invoke, "", `{"operation":"inProgress"}`, InvokeInProgress, `"invalidations":[]`},
		{invoke, "", `{"operation":"create","reference":"r2","items":["/a","/b"]}`, InvokeCreate, `"reference":"r2","items":["/a","/b"]`},
		{invoke, "", `{"operation":"get"}`, "Invoke get", "{}"},
		{invoke, "", `{`, "Invoke with something else", ""},
		{"/", "CodePipeline_20150709.PutJobSuccessResult", `{}`, PutJobSuccessResult, "{}"},
		{"/", "CodePipeline_20150709.PutJobFailureResult", `{}`, "POST / CodePipeline_20150709.PutJobFailureResult", "{}"},
	} {
		r, err := http.NewRequest(http.MethodPost, "https://localhost"+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", tt.target)
		call, status, answer := respond(r, []byte(tt.body))
		expected := slices.Contains([]string{CreateInvalidation, InvokeDistribution, InvokeInProgress, InvokeCreate, PutJobSuccessResult}, call)
		if call != tt.call || !strings.Contains(answer, tt.says) || expected != (status < 300) {
			t.Errorf("%s %s: %q, %d, %s", tt.path, tt.body, call, status, answer)
		}
	}
}

func TestMedian(t *testing.T) {
	took := func(s Sample) time.Duration { return s.First }
	for _, tt := range []struct {
		first []time.Duration
		want  time.Duration
	}{{nil, 0}, {[]time.Duration{5}, 5}, {[]time.Duration{9, 1, 5}, 5}, {[]time.Duration{4, 1}, 4}} {
		samples := make([]Sample, len(tt.first))
		for i, first := range tt.first {
			samples[i].First = first
		}
		if got := Median(samples, took); got != tt.want {
			t.Errorf("%v: %v", tt.first, got)
		}
	}
}
