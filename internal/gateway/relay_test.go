package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/invalidation"
)

func relay(t *testing.T, handler http.Handler) gateway.Gateway {
	return gateway.NewRelay(configuration(t, handler), function, distribution)
}

func failure(t *testing.T, err error) *gateway.Error {
	t.Helper()
	var e *gateway.Error
	if !errors.As(err, &e) {
		t.Fatalf("%#v is no *gateway.Error", err)
	}
	return e
}

// A function that fails answers 200 with a header: the reason why many relays lose errors.
func TestRelayReportsFunctionErrors(t *testing.T) {
	tests := []struct {
		payload   string
		want      string
		temporary bool
	}{
		{`{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r Error: Task timed out after 30.00 seconds"}`, "Sandbox.Timedout: RequestId: r Error: Task timed out after 30.00 seconds", true},
		{`{"errorType":"Runtime.ExitError","errorMessage":"RequestId: r Error: Runtime exited with error: exit status 1"}`, "Runtime.ExitError: RequestId: r", false},
		{`{"errorType":"Runtime.ExitError","errorMessage":"RequestId: r Error: Runtime exited with error: signal: killed"}`, "signal: killed", true},
		{`null`, `the invalidator failed with "null"`, false},
		{`not JSON`, `the invalidator failed with "not JSON"`, false},
	}
	for _, tt := range tests {
		gate := relay(t, lambdaOf(t, func(*http.Request, []byte) ([]byte, error) { return nil, errors.New(tt.payload) }))
		_, err := gate.Get(t.Context(), "I1")
		e := failure(t, err)
		if e.Code != gateway.FunctionError || e.Temporary != tt.temporary || !strings.Contains(e.Message, tt.want) ||
			e.Try != "read the log of "+function+" in account 222222222222" {
			t.Errorf("%s: %#v", tt.payload, e)
		}
	}
}

// Lambda's own refusals are told apart from CloudFront's by their action.
func TestRelayReportsLambdasErrors(t *testing.T) {
	const caller = "arn:aws:sts::111111111111:assumed-role/unstale-job/s"
	denied := "User: " + caller + " is not authorized to perform: lambda:InvokeFunction on resource: " + function +
		" because no resource-based policy allows the lambda:InvokeFunction action"
	tests := []struct {
		status               int
		code, message        string
		want, action, advice string
		temporary            bool
	}{
		{403, "AccessDeniedException", denied, gateway.AccessDenied, "lambda:InvokeFunction", "allow lambda:InvokeFunction to role unstale-job of account 111111111111 in the resource policy of " + function, false},
		{404, "ResourceNotFoundException", "Function not found", gateway.ResourceNotFoundException, "", "deploy the invalidator and its alias in account 222222222222", false},
		{429, "TooManyRequestsException", "Rate Exceeded.", gateway.TooManyRequestsException, "", "", true},
		{500, "ServiceException", "broken", "ServiceException", "", "", true},
		{400, "InvalidSignatureException", "expired", "InvalidSignatureException", "", "", false},
	}
	for _, tt := range tests {
		calls := 0
		gate := relay(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.Header().Set("X-Amzn-Errortype", tt.code)
			w.WriteHeader(tt.status)
			fmt.Fprintf(w, `{"Message":%q}`, tt.message)
		}))
		_, err := gate.Distribution(t.Context())
		e := failure(t, err)
		if e.Code != tt.want || e.Action != tt.action || e.Temporary != tt.temporary || e.Status != tt.status || !strings.HasPrefix(e.Try, tt.advice) || calls != 1 {
			t.Errorf("%s after %d calls: %#v", tt.code, calls, e)
		}
		want := fmt.Sprintf("read distribution on distribution %s in account 222222222222 through %s: %s: %s", distribution, function, tt.want, tt.message)
		if e.Error() != want {
			t.Errorf("%s:\n got %s\nwant %s", tt.code, e.Error(), want)
		}
	}
}

func TestRelayBelievesOnlyGoodAnswers(t *testing.T) {
	inv := invalidation.Invalidation{ID: "I1", Distribution: distribution, Reference: "r", Items: []string{"/*"}, Status: invalidation.InProgress}
	other := inv
	other.Distribution = "E9OTHER"
	good := toJSON(t, gateway.Response{Version: 1, Invalidation: &inv})
	if _, err := relay(t, lambdaOf(t, respond(good))).Get(t.Context(), "I1"); err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"the article's answer": `{"statusCode":200,"body":"ok"}`,
		"null":                 `null`,
		"nothing":              ``,
		"no version":           strings.Replace(good, `"version":1,`, ``, 1),
		"later version":        strings.Replace(good, `"version":1`, `"version":2`, 1),
		"version alone":        `{"version":1}`,
		"unknown member":       strings.Replace(good, `"version":1`, `"version":1,"more":true`, 1),
		"two members":          strings.Replace(good, `"version":1`, `"version":1,"invalidations":[]`, 1),
		"another member":       `{"version":1,"invalidations":[]}`,
		"no ID":                strings.Replace(good, `"I1"`, `""`, 1),
		"another ID":           strings.Replace(good, `"I1"`, `"I2"`, 1),
		"another distribution": toJSON(t, gateway.Response{Version: 1, Invalidation: &other}),
		"something after it":   good + `{}`,
		"torn":                 good[:len(good)-1],
	}
	for name, answer := range tests {
		_, err := relay(t, lambdaOf(t, respond(answer))).Get(t.Context(), "I1")
		if e := failure(t, err); e.Code != gateway.BadAnswer || e.Try != "deploy the same release of unstale in both accounts" {
			t.Errorf("%s: %#v", name, e)
		}
	}
}

func TestRelayBelievesOnlyItsOwnDistributionAndList(t *testing.T) {
	gate := relay(t, lambdaOf(t, respond(`{"version":1,"distribution":{"id":"E9OTHER","account":"","domain":"","enabled":true,"status":"","etag":""}}`)))
	if _, err := gate.Distribution(t.Context()); failure(t, err).Code != gateway.BadAnswer {
		t.Error(err)
	}
	if _, err := gate.InProgress(t.Context()); failure(t, err).Code != gateway.BadAnswer {
		t.Error(err)
	}
	invoked := relay(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	if _, err := invoked.Distribution(t.Context()); failure(t, err).Code != gateway.BadAnswer {
		t.Errorf("answer to an event: %v", err)
	}
}

// A batch that Lambda would refuse is not sent.
func TestRelayRefusesTooLargeABatch(t *testing.T) {
	items := make([]invalidation.Item, 3000)
	for i := range items {
		items[i] = invalidation.Item(fmt.Sprintf("/%04d%s", i, strings.Repeat("x", 3000)))
	}
	batch, err := invalidation.NewBatch("job", distribution, items)
	if err != nil {
		t.Fatal(err)
	}
	gate := relay(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	if _, err := gate.Create(t.Context(), batch); failure(t, err).Code != gateway.BatchTooLarge {
		t.Error(err)
	}
}

func TestFailuresBelowHTTP(t *testing.T) {
	closed := configuration(t, http.NotFoundHandler())
	closed.BaseEndpoint = aws.String("http://127.0.0.1:1")
	_, err := gateway.NewRelay(closed, function, distribution).Distribution(t.Context())
	if e := failure(t, err); e.Code != gateway.NetworkError || !e.Temporary || errors.Unwrap(e) == nil {
		t.Errorf("closed port: %#v", e)
	}
	keyless := configuration(t, http.NotFoundHandler())
	keyless.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("there are none")
	})
	_, err = gateway.NewCloudFront(keyless, distribution).Distribution(t.Context())
	if e := failure(t, err); e.Code != gateway.RequestNotSent || e.Temporary || e.Try == "" {
		t.Errorf("no credentials: %#v", e)
	}
	hangsUp := configuration(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	_, err = gateway.NewCloudFront(hangsUp, distribution).Distribution(t.Context())
	if e := failure(t, err); e.Code != gateway.NetworkError || !e.Temporary {
		t.Errorf("connection cut: %#v", e)
	}
	tears := configuration(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "<Distribution><Id>")
	}))
	_, err = gateway.NewCloudFront(tears, distribution).Distribution(t.Context())
	if e := failure(t, err); e.Code != gateway.NetworkError || !e.Temporary {
		t.Errorf("answer cut: %#v", e)
	}
}
