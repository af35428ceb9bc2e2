package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/gateway"
)

// doer is an HTTP client that answers itself.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func answer(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

// calling is a configuration without an endpoint of its own.
func calling(d doer) aws.Config {
	return aws.Config{
		Region: "ap-south-1", HTTPClient: d,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}, nil
		}),
	}
}

// A function is invoked where its ARN says it is, whatever the region of the caller.
func TestInvokeGoesWhereTheFunctionIs(t *testing.T) {
	for _, tt := range []struct{ function, url, scope string }{
		{
			"arn:aws:lambda:eu-west-1:222222222222:function:invalidator:live",
			"https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A222222222222%3Afunction%3Ainvalidator%3Alive/invocations",
			"/eu-west-1/lambda/aws4_request",
		},
		{
			"arn:aws-cn:lambda:cn-north-1:222222222222:function:invalidator",
			"https://lambda.cn-north-1.amazonaws.com.cn/2015-03-31/functions/arn%3Aaws-cn%3Alambda%3Acn-north-1%3A222222222222%3Afunction%3Ainvalidator/invocations",
			"/cn-north-1/lambda/aws4_request",
		},
		{"invalidator", "https://lambda.ap-south-1.amazonaws.com/2015-03-31/functions/invalidator/invocations", "/ap-south-1/lambda/aws4_request"},
	} {
		var got *http.Request
		var body []byte
		cfg := calling(func(r *http.Request) (*http.Response, error) {
			got = r
			body, _ = io.ReadAll(r.Body)
			return answer(http.StatusOK, nil, `{"version":1,"invalidations":[]}`), nil
		})
		//lint:ignore SA1029 the Lambda runtime keeps it under this text
		ctx := context.WithValue(t.Context(), "x-amzn-trace-id", "Root=1-2-3") //nolint:revive,staticcheck // as above
		if _, err := gateway.NewRelay(cfg, tt.function, "").InProgress(ctx); err != nil {
			t.Errorf("%s: %v", tt.function, err)
			continue
		}
		if got.URL.String() != tt.url || got.Method != http.MethodPost || !strings.Contains(got.Header.Get("Authorization"), tt.scope) {
			t.Errorf("%s: %s %s %s", tt.function, got.Method, got.URL, got.Header.Get("Authorization"))
		}
		for name, want := range map[string]string{
			"X-Amz-Invocation-Type": "RequestResponse", "X-Amz-Log-Type": "None", "Content-Type": "application/json",
			"X-Amz-Security-Token": "token", "X-Amzn-Trace-Id": "Root=1-2-3",
		} {
			if got.Header.Get(name) != want {
				t.Errorf("%s: %s is %q", tt.function, name, got.Header.Get(name))
			}
		}
		if string(body) != `{"version":1,"operation":"inProgress"}` || got.ContentLength != int64(len(body)) {
			t.Errorf("%s: body %s of length %d", tt.function, body, got.ContentLength)
		}
	}
}

// The functions connect ahead to this host (cmd); another would make the connection useless.
func TestCloudFrontIsCalledAtItsHost(t *testing.T) {
	var host string
	cfg := calling(func(r *http.Request) (*http.Response, error) {
		host = r.URL.Host
		return answer(http.StatusNotFound, nil, ""), nil
	})
	if _, err := gateway.NewCloudFront(cfg, distribution).Get(t.Context(), "I1"); err == nil || host != "cloudfront.amazonaws.com" {
		t.Errorf("%s, %v", host, err)
	}
}

// Where Lambda, or what stands before it, puts the code of an error. Source: Smithy, "AWS restJson1
// protocol", operation error serialization.
func TestInvokeFindsTheCode(t *testing.T) {
	for _, tt := range []struct{ header, body, code, message string }{
		{"TooManyRequestsException", `{"Message":"Rate Exceeded."}`, "TooManyRequestsException", "Rate Exceeded."},
		{"ServiceException:http://internal.amazon.com/coral/", `{"message":"m"}`, "ServiceException", "m"},
		{"", `{"__type":"com.amazonaws.lambda#ServiceException","message":"m"}`, "ServiceException", "m"},
		{"", `{"code":"aws.lambda#ServiceException:http://x/","message":"m"}`, "ServiceException", "m"},
		{"", `{"Type":"User","Message":"m"}`, gateway.ServiceUnavailable, ""},
		{"", `<html>Bad gateway</html>`, gateway.ServiceUnavailable, ""},
		{"", ``, gateway.ServiceUnavailable, ""},
	} {
		cfg := calling(func(*http.Request) (*http.Response, error) {
			header := http.Header{}
			if tt.header != "" {
				header.Set("X-Amzn-Errortype", tt.header)
			}
			return answer(http.StatusBadGateway, header, tt.body), nil
		})
		_, err := gateway.NewRelay(cfg, function, distribution).Distribution(t.Context())
		e := failure(t, err)
		if e.Code != tt.code || e.Status != http.StatusBadGateway || !e.Temporary || tt.message != "" && e.Message != tt.message {
			t.Errorf("%q %s: %#v", tt.header, tt.body, e)
		}
	}
}

// broken is a body that ends before its end.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
func (broken) Close() error             { return nil }

func TestInvokeThatGetsNowhere(t *testing.T) {
	cut := calling(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: broken{}}, nil
	})
	unreachable := calling(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })
	keyless, without, astray := calling(nil), calling(nil), calling(nil)
	keyless.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("there are none")
	})
	without.Credentials = nil
	astray.BaseEndpoint = aws.String("http://%")
	for name, tt := range map[string]struct {
		cfg  aws.Config
		code string
	}{
		"answer cut": {cut, gateway.NetworkError}, "unreachable": {unreachable, gateway.NetworkError},
		"no keys": {keyless, gateway.RequestNotSent}, "no provider": {without, gateway.RequestNotSent},
		"endpoint that is none": {astray, gateway.RequestNotSent},
	} {
		_, err := gateway.NewRelay(tt.cfg, function, distribution).Distribution(t.Context())
		if e := failure(t, err); e.Code != tt.code || e.Temporary != (tt.code == gateway.NetworkError) {
			t.Errorf("%s: %#v", name, e)
		}
	}
}
