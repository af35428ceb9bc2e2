package job

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/gateway"
	"pgregory.net/rapid"
)

// Whatever an answer is made of, CodePipeline can take it.
func TestAnswersFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		long := func(name string) string {
			return strings.Repeat(rapid.StringN(0, 40, 80).Draw(t, name), rapid.IntRange(0, 400).Draw(t, name+" times"))
		}
		a := Answer{
			Failure: rapid.SampledFrom([]FailureType{"", JobFailed}).Draw(t, "failure"), Message: long("message"), Summary: long("summary"),
			External: long("external"), Percent: rapid.Int().Draw(t, "percent"),
			Token:     rapid.SampledFrom([]string{"", "t"}).Draw(t, "token"),
			Variables: map[string]string{"Verdict": long("verdict"), "Items": ""},
		}.fit()
		for _, part := range []struct {
			text string
			most int
		}{{a.Message, 5000}, {a.Summary, 2048}, {a.External, 1500}, {a.Variables["Verdict"], maxVariable}} {
			if len(part.text) > part.most || !utf8.ValidString(part.text) {
				t.Fatalf("%d bytes of at most %d: %q", len(part.text), part.most, part.text)
			}
		}
		if a.Failure != "" && a.Message == "" || a.Percent < 0 || a.Percent > 100 {
			t.Fatalf("%+v", a)
		}
		if (a.Failure != "" || a.Token != "") != (a.Variables == nil) {
			t.Fatalf("variables %v", a.Variables)
		}
		for name, value := range a.Variables {
			if value == "" {
				t.Fatalf("variable %s is empty", name)
			}
		}
	})
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		text string
		most int
		want string
	}{
		{"short", 5, "short"},
		{"too long", 6, "too..."},
		{"ééé", 5, "é..."},
		{"a\xffb", 10, "a\uFFFDb"},
		{"", 5, ""},
	} {
		if got := cut(tt.text, tt.most); got != tt.want {
			t.Errorf("cut(%q, %d) = %q; want %q", tt.text, tt.most, got, tt.want)
		}
	}
}

// pipeline is CodePipeline's API as far as jobs go.
type pipeline struct {
	codes []string // answered one a call; "" is success
	got   []string // targets
	body  map[string]any

	role        string // that answers
	credentials error  // why there are none
}

func (p *pipeline) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.got = append(p.got, r.Header.Get("X-Amz-Target"))
	raw, _ := io.ReadAll(r.Body)
	p.body = nil
	_ = json.Unmarshal(raw, &p.body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if len(p.codes) == 0 {
		return
	}
	code := p.codes[0]
	p.codes = p.codes[1:]
	switch code {
	case "":
	default:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"`+code+`","message":"no, with `+r.Header.Get("X-Amz-Security-Token")+`"}`)
	}
}

func ask(t *testing.T, p *pipeline, a Answer) error {
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return NewAnswerer(aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s", SessionToken: secretTok}, p.credentials
		}),
	}, p.role).Answer(t.Context(), firstJob, a)
}

// A session that CodePipeline says is over is replaced once, and the answer given with the next.
func TestAnswerWithAnotherSession(t *testing.T) {
	for _, tt := range []struct {
		what            string
		over            int // sessions that are
		tries, sessions int
		ok              bool
	}{{"one is over", 1, 2, 2, true}, {"all are over", 9, 2, 2, false}} {
		var sessions, tries int
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if tries++; tries <= tt.over {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}`)
			}
		}))
		cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			sessions++
			return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s", SessionToken: secretTok}, nil
		}))
		err := NewAnswerer(aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: cache}, "").Answer(t.Context(), firstJob, Answer{Summary: "seen"})
		server.Close()
		// explain reads the credentials that it keeps out of the message: no further session.
		if (err == nil) != tt.ok || tries != tt.tries || sessions != tt.sessions {
			t.Errorf("%s: %d tries, %d sessions, %v", tt.what, tries, sessions, err)
		}
	}
}

func TestAnswerer(t *testing.T) {
	type object = map[string]any
	for _, tt := range []struct {
		what   string
		answer Answer
		target string
		body   object
	}{
		{
			"success",
			Answer{Summary: "seen", External: "I1", Percent: 100, Variables: map[string]string{"Verdict": "seen"}},
			"CodePipeline_20150709.PutJobSuccessResult",
			object{
				"jobId":            firstJob,
				"executionDetails": object{"summary": "seen", "externalExecutionId": "I1", "percentComplete": 100.0},
				"outputVariables":  object{"Verdict": "seen"},
			},
		},
		{
			"continuation",
			Answer{Token: "t", Summary: "waiting", Percent: 40, Variables: map[string]string{"Verdict": "no"}},
			"CodePipeline_20150709.PutJobSuccessResult",
			object{
				"jobId": firstJob, "continuationToken": "t", "executionDetails": object{"summary": "waiting", "percentComplete": 40.0},
			},
		},
		{
			"failure",
			Answer{Failure: PermissionError, Message: "no", External: "I1"},
			"CodePipeline_20150709.PutJobFailureResult",
			object{"jobId": firstJob, "failureDetails": object{"type": "PermissionError", "message": "no", "externalExecutionId": "I1"}},
		},
	} {
		p := &pipeline{}
		if err := ask(t, p, tt.answer); err != nil || len(p.got) != 1 || p.got[0] != tt.target {
			t.Errorf("%s: asked %q, %v", tt.what, p.got, err)
		}
		if diff := cmp.Diff(tt.body, p.body); diff != "" {
			t.Errorf("%s:\n%s", tt.what, diff)
		}
	}
}

func TestAnswererErrors(t *testing.T) {
	for _, tt := range []struct {
		codes []string
		calls int
		code  string
		says  string
	}{
		{[]string{"ThrottlingException", ""}, 2, "", ""},
		{[]string{"InvalidJobStateException"}, 1, "InvalidJobStateException", ""},
		{[]string{"JobNotFoundException"}, 1, "JobNotFoundException", "try: check that the function runs in the pipeline's account"},
		{[]string{"AccessDeniedException"}, 1, "AccessDeniedException", "try: allow codepipeline:PutJobSuccessResult"},
		{[]string{"ValidationException"}, 1, "ValidationException", ""},
	} {
		p := &pipeline{codes: tt.codes}
		err := ask(t, p, Answer{Summary: "seen"})
		var failed *AnswerError
		if errors.As(err, &failed) != (tt.code != "") || (failed != nil && failed.Code != tt.code) || len(p.got) != tt.calls {
			t.Errorf("%v: %d calls, %v", tt.codes, len(p.got), err)
		}
		if failed != nil && strings.Contains(err.Error(), secretTok) {
			t.Errorf("it tells the session's token: %v", err)
		}
		if failed != nil && (!strings.HasPrefix(err.Error(), "answer job "+firstJob) || !strings.Contains(err.Error(), tt.says)) {
			t.Error(err)
		}
	}
}

// A function of another account answers by a role of the pipeline's account.
func TestAnswererByARole(t *testing.T) {
	const role = "arn:aws:iam::111111111111:role/unstale-callback"
	for code, says := range map[string]string{
		"JobNotFoundException":  "try: check that the role belongs to the pipeline's account",
		"AccessDeniedException": `try: allow codepipeline:PutJobSuccessResult and codepipeline:PutJobFailureResult on "*" in ` + role,
	} {
		if err := ask(t, &pipeline{role: role, codes: []string{code}}, Answer{Summary: "seen"}); err == nil || !strings.HasSuffix(strings.ReplaceAll(err.Error(), ", and that the answer goes to the pipeline's region", ""), says) {
			t.Errorf("%s: %v", code, err)
		}
	}
	p := &pipeline{role: role, credentials: &gateway.Error{Code: gateway.AccessDenied, Message: "assume role " + role + ": no", Try: "check both sides"}}
	err := ask(t, p, Answer{Summary: "seen"})
	var failed *AnswerError
	if !errors.As(err, &failed) || failed.Code != gateway.AccessDenied || len(p.got) != 0 ||
		err.Error() != "answer job "+firstJob+": AccessDenied: assume role "+role+": no; try: check both sides" {
		t.Errorf("%d calls, %v", len(p.got), err)
	}
}
