package gateway_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/gateway/gatewaytest"
	"github.com/unstale/unstale/internal/invalidator"
	"github.com/unstale/unstale/internal/lambdaconfig"
	"github.com/unstale/unstale/internal/target"
)

const (
	function     = "arn:aws:lambda:eu-west-1:222222222222:function:invalidator:live"
	distribution = "E2EXAMPLE"
)

// configuration is a function's, with the handler as its AWS.
func configuration(t *testing.T, handler http.Handler) aws.Config {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	env := map[string]string{
		"AWS_REGION": "ap-south-1", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_ENDPOINT_URL": server.URL,
	}
	cfg, err := lambdaconfig.Load(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	// Where the SDK would retry by its own rules, a gateway must not.
	cfg.RetryMaxAttempts = 5
	return cfg
}

func TestSameAccount(t *testing.T) {
	gatewaytest.Run(t, target.SameAccount, func(t *testing.T, at *gatewaytest.CloudFront) gateway.Gateway {
		return gateway.NewCloudFront(configuration(t, at), at.Distribution)
	})
}

// lambdaOf is Lambda's Invoke API in front of a function, for the one function there is.
func lambdaOf(t *testing.T, run func(r *http.Request, event []byte) ([]byte, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/2015-03-31/functions/"+function+"/invocations" ||
			r.Header.Get("X-Amz-Invocation-Type") != "RequestResponse" ||
			!strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/lambda/aws4_request") {
			t.Errorf("unexpected call: %s %s %v", r.Method, r.URL, r.Header)
		}
		event, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		answer, err := run(r, event)
		if err != nil {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			answer = []byte(err.Error())
		}
		w.Write(answer)
	})
}

// The relay passes the same suite through the real invalidator.
func TestRelay(t *testing.T) {
	for name, named := range map[string]string{"named": distribution, "the single one": ""} {
		t.Run(name, func(t *testing.T) {
			gatewaytest.Run(t, target.Relay, func(t *testing.T, at *gatewaytest.CloudFront) gateway.Gateway {
				handler := &invalidator.Handler{
					Gateways: map[string]invalidator.Gateway{at.Distribution: gateway.NewCloudFront(configuration(t, at), at.Distribution)},
					Log:      slog.New(slog.DiscardHandler),
					Now:      time.Now,
				}
				cfg := configuration(t, lambdaOf(t, func(r *http.Request, event []byte) ([]byte, error) {
					return handler.Handle(r.Context(), event)
				}))
				return gateway.NewRelay(cfg, function, named)
			})
		})
	}
}

// respond is an invalidator that answers this whatever it is asked.
func respond(answer string) func(*http.Request, []byte) ([]byte, error) {
	return func(*http.Request, []byte) ([]byte, error) { return []byte(answer), nil }
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
