package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/internal/target"
)

const event = `{"CodePipeline.job": {"id": "11111111-1111-4111-8111-111111111111", "accountId": "111111111111", "data": {
	"actionConfiguration": {"configuration": {"FunctionName": "f", "UserParameters": "{\"nonsense\": 1}"}},
	"inputArtifacts": [], "outputArtifacts": [], "artifactCredentials": {}}}}`

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// A function that is configured wrongly still answers its jobs, as does one whose action is.
func TestMistakesAreAnswered(t *testing.T) {
	for _, tt := range []struct {
		what string
		env  []string
		says string
	}{
		{"the article's variable alone", []string{"TARGET_LAMBDA_ARN", "arn:aws:lambda:us-east-1:222222222222:function:invalidator:live"}, `no field \"nonsense\"`},
		{"no target", nil, "TARGET_LAMBDA_ARN"},
		{"a callback role that is none", []string{"TARGET_LAMBDA_ARN", "arn:aws:lambda:us-east-1:222222222222:function:invalidator:live", "UNSTALE_CALLBACK_ROLE", "unstale-callback"}, `read UNSTALE_CALLBACK_ROLE: parse role`},
		{"a region without a role", []string{"TARGET_LAMBDA_ARN", "arn:aws:lambda:us-east-1:222222222222:function:invalidator:live", "UNSTALE_CALLBACK_REGION", "eu-west-1"}, `read UNSTALE_CALLBACK_REGION: it is set without`},
		{"a state bucket that is none", []string{"TARGET_LAMBDA_ARN", "arn:aws:lambda:us-east-1:222222222222:function:invalidator:live", "UNSTALE_STATE", "s3://"}, "UNSTALE_STATE"},
		{"a median that is none", []string{"TARGET_LAMBDA_ARN", "arn:aws:lambda:us-east-1:222222222222:function:invalidator:live", "UNSTALE_MEDIAN", "soon"}, "UNSTALE_MEDIAN"},
	} {
		var action, body string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			action, body = r.Header.Get("X-Amz-Target"), string(raw)
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		}))
		handler, err := newHandler(environment(append(tt.env, "AWS_REGION", "us-east-1", "AWS_ACCESS_KEY_ID", "AKIA",
			"AWS_SECRET_ACCESS_KEY", "s", "AWS_ENDPOINT_URL", server.URL)...), slog.New(slog.NewJSONHandler(io.Discard, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := handler.Handle(t.Context(), json.RawMessage(event)); err != nil {
			t.Errorf("%s: %v", tt.what, err)
		}
		server.Close()
		if action != "CodePipeline_20150709.PutJobFailureResult" || !strings.Contains(body, tt.says) || !strings.Contains(body, "ConfigurationError") {
			t.Errorf("%s: %s %s", tt.what, action, body)
		}
	}
}

func TestWithoutCredentialsNothingStarts(t *testing.T) {
	if _, err := newHandler(environment("AWS_REGION", "us-east-1"), slog.Default()); err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Error(err)
	}
}

func TestMedianFrom(t *testing.T) {
	for _, tt := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"", 10 * time.Second, true},
		{"200ms", 200 * time.Millisecond, true},
		{"10", 10 * time.Second, false},
		{"-1s", 10 * time.Second, false},
		{"0s", 10 * time.Second, false},
	} {
		if got, err := medianFrom(tt.text); got != tt.want || (err == nil) != tt.ok {
			t.Errorf("medianFrom(%q) = %v, %v", tt.text, got, err)
		}
	}
}

// A function in the delivery account answers by the callback role, in the pipeline's region.
func TestTheCallbackRoleAnswers(t *testing.T) {
	var calls []string
	trusted := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/")
		calls = append(calls, strings.Join([]string{key[0], key[2], key[3]}, " "))
		switch {
		case key[3] != "sts":
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		case !trusted:
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::222222222222:assumed-role/unstale-job/unstale-job `+
				`is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111111111111:role/unstale-callback</Message></Error></ErrorResponse>`)
		default:
			io.WriteString(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIACALLBACK</AccessKeyId><SecretAccessKey>s</SecretAccessKey>`+
				`<SessionToken>t</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
		}
	}))
	defer server.Close()
	start := func() *bytes.Buffer {
		log := &bytes.Buffer{}
		calls = nil
		handler, err := newHandler(environment("AWS_REGION", "us-east-1", "AWS_ACCESS_KEY_ID", "ASIAOWN", "AWS_SECRET_ACCESS_KEY", "s",
			"AWS_ENDPOINT_URL", server.URL, "AWS_LAMBDA_FUNCTION_NAME", "unstale-job",
			"UNSTALE_TARGETS", `{"site":{"route":"same-account","distribution":"E1"}}`,
			"UNSTALE_CALLBACK_ROLE", "arn:aws:iam::111111111111:role/unstale-callback", "UNSTALE_CALLBACK_REGION", "eu-west-1",
		), slog.New(slog.NewJSONHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := handler.Handle(t.Context(), json.RawMessage(event)); (err == nil) != trusted {
			t.Error(err)
		}
		return log
	}
	start()
	if want := []string{"ASIAOWN us-east-1 sts", "ASIACALLBACK eu-west-1 codepipeline"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q; want %q", calls, want)
	}
	trusted = false
	log := start().String()
	for _, says := range []string{
		"answer not accepted", "assume role arn:aws:iam::111111111111:role/unstale-callback",
		"in account 222222222222, allow sts:AssumeRole on arn:aws:iam::111111111111:role/unstale-callback",
		"in account 111111111111, let the trust policy of the role allow it",
	} {
		if !strings.Contains(log, says) {
			t.Errorf("the log lacks %q:\n%s", says, log)
		}
	}
}

func TestHosts(t *testing.T) {
	targets, err := target.Parse([]byte(`{
		"a": {"role":"arn:aws:iam::222222222222:role/purge","externalId":"x1","distribution":"E1"},
		"r": {"route":"relay","function":"arn:aws:lambda:eu-west-1:222222222222:function:f:live"}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := hosts(environment("AWS_REGION", "us-east-1"), targets)
	slices.Sort(got)
	want := []string{"cloudfront.amazonaws.com", "codepipeline.us-east-1.amazonaws.com", "lambda.eu-west-1.amazonaws.com", "sts.us-east-1.amazonaws.com"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	got = hosts(environment("AWS_REGION", "us-east-1", "UNSTALE_CALLBACK_ROLE", "r", "UNSTALE_CALLBACK_REGION", "eu-west-1"), nil)
	if want := []string{"codepipeline.eu-west-1.amazonaws.com", "sts.us-east-1.amazonaws.com"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
