package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/gateway/gatewaytest"
)

// The test's own binary is the function when this is set.
const asFunction = "INVALIDATOR_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asFunction) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// run starts the function as Lambda would, with nothing but these variables.
func run(t *testing.T, env ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append([]string{asFunction + "=yes", "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=ASIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret"}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The function takes one event from the Runtime API, calls CloudFront for it and answers; then the
// API ends the story, and the function with it.
func TestFunctionAnswersAnEvent(t *testing.T) {
	cloudfront := httptest.NewServer(&gatewaytest.CloudFront{Distribution: "E2EXAMPLE"})
	defer cloudfront.Close()
	answers := make(chan string, 1)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/invocation/next") && len(answers) == 0:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "r1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", "4102444800000")
			io.WriteString(w, `{"version":1,"operation":"create","items":["/*"],"reference":"unstale-1-abc"}`)
		case strings.HasSuffix(r.URL.Path, "/invocation/r1/response"):
			var body bytes.Buffer
			body.ReadFrom(r.Body)
			answers <- body.String()
			w.WriteHeader(http.StatusAccepted)
		default:
			w.WriteHeader(http.StatusGone)
		}
	}))
	defer api.Close()
	output, _ := run(t, "DISTRIBUTION_ID=E2EXAMPLE", "AWS_ENDPOINT_URL="+cloudfront.URL,
		"AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api.URL, "http://"))
	const want = `{"version":1,"invalidation":{"id":"I0000000000001","distribution":"E2EXAMPLE","reference":"unstale-1-abc","items":["/*"],"status":"InProgress",`
	select {
	case got := <-answers:
		if !strings.HasPrefix(got, want) {
			t.Errorf("answer %s", got)
		}
	default:
		t.Fatalf("no answer; output:\n%s", output)
	}
	if !strings.Contains(output, `"msg":"done","operation":"create","distribution":"E2EXAMPLE"`) {
		t.Errorf("log:\n%s", output)
	}
}

func TestFunctionDoesNotStartWithoutAList(t *testing.T) {
	output, err := run(t, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1")
	if err == nil || !strings.Contains(output, "neither DISTRIBUTION_ID nor DISTRIBUTION_IDS is set") {
		t.Errorf("%v: %s", err, output)
	}
	output, err = run(t, "AWS_REGION=", "DISTRIBUTION_ID=E1")
	if err == nil || !strings.Contains(output, "AWS_REGION not set") {
		t.Errorf("%v: %s", err, output)
	}
}
