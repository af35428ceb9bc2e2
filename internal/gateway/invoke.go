package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/httpbinding"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// invoker is Lambda's Invoke, synchronous, and nothing else of Lambda. The SDK's client for it builds
// the schemas of all that Lambda can do whenever a process starts: a millisecond or two and two thirds
// of a mebibyte, which both functions would pay in every cold start, the invalidator without ever
// invoking anything. Signing and the shapes of errors are the SDK's own. Source: Lambda API reference,
// Invoke.
type invoker struct {
	cfg              aws.Config
	region, endpoint string
	signer           *v4.Signer
}

// invocation is what Lambda answered.
type invocation struct {
	status  int
	failed  bool // the function failed, and the payload says how
	payload []byte
}

// newInvoker makes an invoker for the region that a function's ARN names, or else for cfg's.
func newInvoker(cfg aws.Config, function string) *invoker {
	region, suffix := cfg.Region, "amazonaws.com"
	if f, err := arn.Parse(function); err == nil {
		region = f.Region
		if f.Partition == "aws-cn" {
			suffix = "amazonaws.com.cn"
		}
	}
	endpoint := fmt.Sprintf("https://lambda.%s.%s", region, suffix)
	if cfg.BaseEndpoint != nil {
		endpoint = strings.TrimSuffix(*cfg.BaseEndpoint, "/")
	}
	return &invoker{cfg, region, endpoint, v4.NewSigner()}
}

// traceKey is where the Lambda runtime keeps the trace an event belongs to. Passing it on is what
// Lambda's detection of loops lives by. Source: Lambda developer guide, "Recursive loop detection".
const traceKey = "x-amzn-trace-id"

// invoke calls a function, by its ARN, and waits for what it answers. Errors are the SDK's: a
// *smithyhttp.ResponseError around a smithy.APIError for what Lambda refused, a
// *smithyhttp.RequestSendError for what did not get there.
func (i *invoker) invoke(ctx context.Context, function string, payload []byte) (invocation, error) {
	request, err := i.request(ctx, function, payload)
	if err != nil {
		return invocation{}, err
	}
	response, err := i.cfg.HTTPClient.Do(request)
	if err != nil {
		return invocation{}, &smithyhttp.RequestSendError{Err: err}
	}
	defer response.Body.Close()
	// One byte more than is believed, so that the relay can tell a long answer from a cut one.
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxMessage+1))
	if err != nil {
		return invocation{}, &smithyhttp.RequestSendError{Err: fmt.Errorf("read answer: %w", err)}
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return invocation{}, &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: response}, Err: refusal(response.Header, body),
		}
	}
	return invocation{response.StatusCode, response.Header.Get("X-Amz-Function-Error") != "", body}, nil
}

// request makes the signed request of an invocation.
func (i *invoker) request(ctx context.Context, function string, payload []byte) (*http.Request, error) {
	u, err := url.Parse(i.endpoint)
	if err != nil {
		return nil, fmt.Errorf("read endpoint %q: it is not a URL", i.endpoint)
	}
	const before, after = "/2015-03-31/functions/", "/invocations"
	// An ARN's colons are escaped, as the SDKs do: the signature covers how the path is written.
	escaped := httpbinding.EscapePath(function, true)
	u.Path, u.RawPath = u.Path+before+function+after, u.Path+before+escaped+after
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "unstale")
	request.Header.Set("X-Amz-Invocation-Type", "RequestResponse")
	request.Header.Set("X-Amz-Log-Type", "None")
	if trace, ok := ctx.Value(traceKey).(string); ok && trace != "" {
		request.Header.Set("X-Amzn-Trace-Id", trace)
	}
	if i.cfg.Credentials == nil {
		return nil, errors.New("sign request: there are no credentials")
	}
	credentials, err := i.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("sign request: %w", err)
	}
	sum := sha256.Sum256(payload)
	err = i.signer.SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), "lambda", i.region, time.Now())
	if err != nil {
		return nil, fmt.Errorf("sign request: %w", err)
	}
	return request, nil
}

// refusal reads Lambda's error: the code is in a header, or in the body as some proxies leave it, and
// may carry a namespace or an address. Source: Smithy, "AWS restJson1 protocol", operation errors.
func refusal(header http.Header, body []byte) *smithy.GenericAPIError {
	var document struct {
		Code    string `json:"code"`
		Type    string `json:"__type"`
		Message string `json:"message"` // "Message" too: encoding/json minds no case
	}
	_ = json.Unmarshal(body, &document) // a page that is not AWS's has no code, and is told by its status
	code := header.Get("X-Amzn-Errortype")
	for _, other := range []string{document.Code, document.Type, "UnknownError"} {
		if code == "" {
			code = other
		}
	}
	code, _, _ = strings.Cut(code, ":")
	if at := strings.LastIndexByte(code, '#'); at >= 0 {
		code = code[at+1:]
	}
	return &smithy.GenericAPIError{Code: code, Message: document.Message}
}
