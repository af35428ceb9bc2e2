package gateway

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

func TestParseDenial(t *testing.T) {
	const user = "arn:aws:sts::111111111111:assumed-role/R/S"
	tests := []struct{ text, caller, action, resource string }{
		{"User: " + user + " is not authorized to perform: cloudfront:CreateInvalidation on resource: arn:aws:cloudfront::2:distribution/E1 with an explicit deny in a service control policy", user, "cloudfront:CreateInvalidation", "arn:aws:cloudfront::2:distribution/E1"},
		{"User: " + user + " is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::2:role/R", user, "sts:AssumeRole", "arn:aws:iam::2:role/R"},
		{"User: " + user + " is not authorized to perform: lambda:InvokeFunction", user, "lambda:InvokeFunction", ""},
		{"User: " + user + " is not authorized to perform: lambda:InvokeFunction.", user, "lambda:InvokeFunction", ""},
		{"Access Denied", "", "", ""},
		{"", "", "", ""},
	}
	for _, tt := range tests {
		if caller, action, resource := parseDenial(tt.text); caller != tt.caller || action != tt.action || resource != tt.resource {
			t.Errorf("%q: %q, %q, %q", tt.text, caller, action, resource)
		}
	}
}

// Each of AWS's reasons leads to the policy that has to change.
func TestAdviseDenied(t *testing.T) {
	const action, resource = "cloudfront:CreateInvalidation", "arn:aws:cloudfront::111111111111:distribution/E1"
	tests := []struct{ reason, want string }{
		{"because no identity-based policy allows the action", "allow cloudfront:CreateInvalidation on " + resource + " in a policy of role R of account 111111111111"},
		{"", "in a policy of role R of account 111111111111"},
		{"because no resource-based policy allows the action", "allow cloudfront:CreateInvalidation on " + resource + " in a policy of role R"}, // CloudFront has none
		{"because no session policy allows the action", "in the session policy that role R of account 111111111111 was assumed with"},
		{"because no permissions boundary allows the action", "in the permissions boundary of role R"},
		{"because no service control policy allows the action", "ask who keeps the organization's policies"},
		{"with an explicit deny in a service control policy", "find the statement that denies " + action},
	}
	for _, tt := range tests {
		e := &Error{
			Code: AccessDenied, Message: tt.reason, Action: action, Resource: resource,
			Caller: "arn:aws:sts::111111111111:assumed-role/R/S",
		}
		if got := advise(e); !strings.Contains(got, tt.want) {
			t.Errorf("%q: %s", tt.reason, got)
		}
	}
	if got := advise(&Error{Code: AccessDenied, Message: "Access Denied"}); !strings.Contains(got, "AWS did not name it") {
		t.Error(got)
	}
	other := &Error{
		Code: AccessDenied, Message: "because no resource-based policy allows the action", Action: action,
		Caller: "arn:aws:iam::111111111111:user/ada", Resource: "arn:aws:cloudfront::222222222222:distribution/E1",
	}
	if got := advise(other); !strings.Contains(got, "credentials of account 222222222222") || !strings.Contains(got, "not of account 111111111111") || strings.Contains(got, "policy") {
		t.Error(got)
	}
	other.Action, other.Resource = "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:222222222222:function:f:live"
	if got := advise(other); !strings.Contains(got, "in the resource policy of "+other.Resource) {
		t.Error(got)
	}
	for code, want := range map[string]string{
		"InvalidClientTokenId": "aws sso login", "UnrecognizedClientException": "aws sso login", "ExpiredToken": "aws sso login",
		"SignatureDoesNotMatch": "aws sso login", "NoSuchBucket": "make the bucket",
	} {
		if got := advise(&Error{Code: code}); !strings.Contains(got, want) {
			t.Errorf("%s: %s", code, got)
		}
	}
	user := &Error{Code: AccessDenied, Action: action, Caller: "arn:aws:iam::111111111111:user/ada"}
	if got := advise(user); got != "allow cloudfront:CreateInvalidation on the resource in a policy of arn:aws:iam::111111111111:user/ada" {
		t.Error(got)
	}
}

func TestSessionOver(t *testing.T) {
	for _, tt := range []struct {
		err  error
		over bool
	}{
		{nil, false},
		{errors.New("ExpiredToken"), false},
		{&Error{Code: "ExpiredToken"}, true},
		{fmt.Errorf("look: %w", &Error{Code: "ExpiredToken"}), true},
		{&Error{Code: AccessDenied}, false},
		{&smithy.GenericAPIError{Code: "ExpiredTokenException"}, true},
		{&smithy.GenericAPIError{Code: "AccessDeniedException"}, false},
	} {
		if SessionOver(tt.err) != tt.over {
			t.Errorf("%v: want %t", tt.err, tt.over)
		}
	}
}

// An endpoint that does not answer is named, without what the SDK says of its layers.
func TestUnreached(t *testing.T) {
	dial := &url.Error{Op: "Get", URL: "https://127.0.0.1:1/2020-05-31/distribution/E1", Err: errors.New("connection refused")}
	err := fmt.Errorf("operation error CloudFront: GetDistribution, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , %w",
		&smithyhttp.RequestSendError{Err: dial})
	e := Explain(err)
	if e.Code != NetworkError || e.Message != "https://127.0.0.1:1 does not answer: connection refused" || !strings.Contains(e.Try, "https://127.0.0.1:1 is right and answers") {
		t.Errorf("%+v", e)
	}
}
