package states

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
)

const (
	machine      = "arn:aws:states:eu-west-1:111111111111:stateMachine:unstale-purge"
	executions   = "arn:aws:states:eu-west-1:111111111111:execution:unstale-purge:"
	distribution = "E2EXAMPLE"
)

var site = target.Target{Name: "site", Route: target.States, Account: "222222222222", StateMachine: machine, Distribution: distribution}

// stepFunctions is the API as far as the gateway uses it. It is an HTTP client, so that tests can
// wait in fake time. What an execution does is a script: an event each second after its start.
type stepFunctions struct {
	script func(items []string) []object // events of an execution
	refuse map[string]string             // by operation: the code to answer with

	mu    sync.Mutex
	runs  []*run
	calls []string
	scope string // of the last signature
	page  int    // events and executions in a page; 0: all
}

type run struct {
	name, input string
	began       time.Time
	events      []object
}

type object = map[string]any

// now are the events that have happened.
func (r *run) now() []object {
	n := min(len(r.events), 1+int(time.Since(r.began)/time.Second))
	return r.events[:n]
}

func (r *run) over() bool {
	last := r.now()[len(r.now())-1]
	return strings.HasPrefix(last["type"].(string), "Execution") && last["type"] != "ExecutionStarted"
}

// Do implements aws.HTTPClient.
func (s *stepFunctions) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AWSStepFunctions.")
	s.calls = append(s.calls, operation)
	_, s.scope, _ = strings.Cut(r.Header.Get("Authorization"), "Credential=")
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct {
		StateMachineArn, ExecutionArn, Name, Input, StatusFilter, NextToken string
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	status, body := http.StatusOK, object{}
	code := s.refuse[operation]
	if code == "" {
		switch operation {
		case "StartExecution":
			body, code = s.start(in.Name, in.Input)
		case "GetExecutionHistory":
			body, code = s.history(in.ExecutionArn, in.NextToken)
		case "ListExecutions":
			body = s.list(in.StatusFilter, in.NextToken)
		default:
			code = "UnknownOperationException"
		}
	}
	if code != "" {
		status, body = http.StatusBadRequest, object{"__type": code, "message": "no: " + code}
	}
	text, err := json.Marshal(body)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(bytes.NewReader(text)), Request: r,
	}, err
}

func (s *stepFunctions) start(name, input string) (object, string) {
	for _, r := range s.runs {
		if r.name == name {
			if r.over() || r.input != input {
				return nil, "ExecutionAlreadyExists"
			}
			return object{"executionArn": executions + name, "startDate": float64(r.began.Unix())}, ""
		}
	}
	var in request
	_ = json.Unmarshal([]byte(input), &in)
	began := object{"type": "ExecutionStarted", "executionStartedEventDetails": object{"input": input}}
	s.runs = append(s.runs, &run{name, input, time.Now(), append([]object{began}, s.script(in.Items)...)})
	return object{"executionArn": executions + name, "startDate": float64(time.Now().Unix())}, ""
}

func (s *stepFunctions) history(execution, token string) (object, string) {
	for _, r := range s.runs {
		if executions+r.name == execution {
			events, next := slice(s, r.now(), token)
			for i := range events {
				events[i]["id"], events[i]["timestamp"] = i+1, float64(r.began.Unix())
			}
			return object{"events": events, "nextToken": next}, ""
		}
	}
	return nil, "ExecutionDoesNotExist"
}

func (s *stepFunctions) list(status, token string) object {
	all := []object{}
	for _, r := range slices.Backward(s.runs) {
		if status == "" || status == "RUNNING" && !r.over() {
			all = append(all, object{"executionArn": executions + r.name, "name": r.name, "stateMachineArn": machine, "status": "RUNNING", "startDate": float64(r.began.Unix())})
		}
	}
	some, next := slice(s, all, token)
	return object{"executions": some, "nextToken": next}
}

// slice is a page; a token is as long as what came before.
func slice(s *stepFunctions, all []object, token string) (some []object, next any) {
	if s.page == 0 {
		return all, nil
	}
	end := min(len(token)+s.page, len(all))
	if end < len(all) {
		next = strings.Repeat("x", end)
	}
	return all[len(token):end], next
}

// What scripts are made of.

func succeeded(id, status string, items ...string) object {
	output, _ := json.Marshal(object{
		"Invalidation": object{
			"Id": id, "Status": status, "CreateTime": "2026-11-22T12:00:00Z",
			"InvalidationBatch": object{"CallerReference": "unstale-1-hash", "Paths": object{"Items": items, "Quantity": len(items)}},
		},
		"Location": "https://cloudfront.amazonaws.com/2020-05-31/distribution/E2EXAMPLE/invalidation/" + id,
	})
	return object{"type": "TaskSucceeded", "taskSucceededEventDetails": object{"resourceType": "aws-sdk:cloudfront", "resource": "createInvalidation", "output": string(output)}}
}

func failed(code, cause string) object {
	return object{"type": "TaskFailed", "taskFailedEventDetails": object{"resourceType": "aws-sdk:cloudfront", "resource": "createInvalidation", "error": code, "cause": cause}}
}

func timedOut() object {
	return object{"type": "TaskTimedOut", "taskTimedOutEventDetails": object{"resourceType": "aws-sdk:cloudfront", "resource": "createInvalidation", "error": "States.Timeout"}}
}

func passed() object { return object{"type": "PassStateEntered"} }

func done() object { return object{"type": "ExecutionSucceeded"} }

func ended(code, cause string) object {
	return object{"type": "ExecutionFailed", "executionFailedEventDetails": object{"error": code, "cause": cause}}
}

// completes is a machine on a good day: it creates after 2 s and sees the end after 5.
func completes(items []string) []object {
	return []object{passed(), succeeded("I1", "InProgress", items...), passed(), passed(), succeeded("I1", "Completed", items...), done()}
}

func dial(t testing.TB, s *stepFunctions) *Gateway {
	t.Helper()
	g, err := New(aws.Config{
		Region: "us-east-1", HTTPClient: s, RetryMaxAttempts: 5,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s"}, nil
		}),
	}, site)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func batch(t testing.TB, attempt string, items ...invalidation.Item) invalidation.Batch {
	t.Helper()
	b, err := invalidation.NewBatch(attempt, distribution, items)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
