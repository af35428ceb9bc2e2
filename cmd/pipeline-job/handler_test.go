package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
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
