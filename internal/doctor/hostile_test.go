package doctor

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/target"
)

const identity = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>` +
	`<Arn>arn:aws:sts::111111111111:assumed-role/me/s</Arn><UserId>AROAME:s</UserId><Account>111111111111</Account>` +
	`</GetCallerIdentityResult></GetCallerIdentityResponse>`

// A server that knows who calls and otherwise answers the same to everything is met without a panic, and
// nothing that it says makes anything well.
func TestAnswersThatSayNothing(t *testing.T) {
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"nothing":       {200, ""},
		"empty objects": {200, "{}"},
		"empty element": {200, "<a></a>"},
		"a page":        {200, "<!DOCTYPE html><p>Log in"},
		"denied":        {403, `{"__type":"AccessDeniedException","Message":"no"}`},
		"denied in XML": {403, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`},
		"gone":          {404, `{"__type":"ResourceNotFoundException"}`},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil && strings.Contains(string(body), "Action=GetCallerIdentity") {
				_, _ = io.WriteString(w, identity) // the client tells when it fails
				return
			}
			w.WriteHeader(answer.status)
			_, _ = io.WriteString(w, answer.body) // as above
		}))
		cfg := aws.Config{
			Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}, nil
			}),
		}
		for _, q := range questions() {
			report, err := New(cfg, aws.Config{}).Check(t.Context(), q)
			if err != nil || report.Broken+report.Unknown == 0 {
				t.Errorf("%s: %+v, %v", name, report, err)
			}
			for _, r := range report.Rungs[1:] {
				if r.State == OK {
					t.Errorf("%s: %+v", name, r)
				}
			}
		}
		server.Close()
	}
}

func questions() []Question {
	out := []Question{{Name: "unstale"}, {Pipeline: "p"}}
	for _, route := range target.Routes() {
		out = append(out, Question{Name: "unstale", Route: route}, Question{Target: &target.Target{
			Name: "t", Route: route, Distribution: "E2EXAMPLE", Account: "111111111111", Role: "arn:aws:iam::111111111111:role/purge",
			Function: "arn:aws:lambda:us-east-1:111111111111:function:f:live", StateMachine: "arn:aws:states:us-east-1:111111111111:stateMachine:m",
		}})
	}
	return out
}

func TestNobodyCalls(t *testing.T) {
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), RetryMaxAttempts: 1,
		Credentials: aws.AnonymousCredentials{},
	}
	if _, err := New(cfg, aws.Config{}).Check(t.Context(), Question{Name: "unstale"}); err == nil || !strings.Contains(err.Error(), "first profile") {
		t.Error(err)
	}
}
