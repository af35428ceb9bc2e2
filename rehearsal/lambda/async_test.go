package lambda

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/unstale/unstale/rehearsal/wire"
)

// send queues an event through the SDK and returns its request ID.
func (w *world) send(function, payload string) {
	w.t.Helper()
	out, err := w.client(w.root[accountB]).Invoke(w.t.Context(), &api.InvokeInput{
		FunctionName: aws.String(function), Payload: []byte(payload), InvocationType: types.InvocationTypeEvent,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if out.StatusCode != 202 || len(out.Payload) != 0 {
		w.t.Fatalf("status %d, payload %s", out.StatusCode, out.Payload)
	}
}

// attempts awaits so many starts and gives when each was, by the rehearsal's clock.
func (w *world) attempts(n int) (when []time.Time, ids []string) {
	w.t.Helper()
	for range n {
		e := w.await("InvocationStart")
		when, ids = append(when, w.clock.Now()), append(ids, e.RequestID)
		w.await("InvocationEnd")
	}
	return when, ids
}

func TestEventIsTriedAgain(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker")
	file := filepath.Join(t.TempDir(), "attempts")
	w.send("worker", `{"do":"count","fail":2,"text":"`+file+`"}`)
	when, ids := w.attempts(3)
	if ids[0] != ids[1] || ids[0] != ids[2] {
		t.Errorf("request IDs differ: %v", ids)
	}
	for i, want := range []time.Duration{time.Minute, 2 * time.Minute} {
		if got := when[i+1].Sub(when[i]); got < want-time.Second || got > want+20*time.Second {
			t.Errorf("attempt %d came after %v, want %v", i+2, got, want)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil || strings.Count(string(data), "\n") != 3 {
		t.Errorf("the function ran %d times (%v)", strings.Count(string(data), "\n"), err)
	}
}

func TestEventIsDropped(t *testing.T) {
	fail := `{"do":"error","text":"always"}`
	tests := map[string]struct {
		config    *EventConfig
		runs      int
		condition string
	}{
		"by default after three attempts": {nil, 3, "RetriesExhausted"},
		"without retries":                 {&EventConfig{MaximumRetryAttempts: ptrTo(0)}, 1, "RetriesExhausted"},
		"with one retry":                  {&EventConfig{MaximumRetryAttempts: ptrTo(1)}, 2, "RetriesExhausted"},
		"by age":                          {&EventConfig{MaximumEventAgeInSeconds: ptrTo(90)}, 2, "EventAgeExceeded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.function(accountB, "worker")
			if test.config != nil {
				if _, _, err := w.lambda.PutEventConfig(w.root[accountB].Caller, region, "worker", "", *test.config, false); err != nil {
					t.Fatal(err)
				}
			}
			w.send("worker", fail)
			last := Invocation{}
			for range test.runs {
				last = w.await("InvocationEnd")
				if last.Error != "errorString" || last.Message != "always" || last.Type != Event {
					t.Errorf("told of %+v", last)
				}
			}
			if dropped := w.await("EventDropped"); dropped.Error != test.condition || dropped.RequestID != last.RequestID {
				t.Errorf("dropped: %+v", dropped)
			}
			if last.Attempt != test.runs {
				t.Errorf("%d attempts, want %d", last.Attempt, test.runs)
			}
		})
	}
}

// script is a Hooks made of two functions.
type script struct {
	mu         sync.Mutex
	fail       []error // of the next invocations
	deliveries []time.Duration
}

func (s *script) BeforeInvoke(Invocation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fail) == 0 {
		return nil
	}
	err := s.fail[0]
	s.fail = s.fail[1:]
	return err
}

func (s *script) Deliveries(Invocation) []time.Duration { return s.deliveries }

func TestDuplicateEvent(t *testing.T) {
	w := newWorld(t, Options{Hooks: &script{deliveries: []time.Duration{0, 0}}})
	w.function(accountB, "worker")
	w.send("worker", `{}`)
	first, second := w.await("InvocationEnd"), w.await("InvocationEnd")
	if first.RequestID != second.RequestID {
		t.Errorf("a duplicate has the same request ID, not %s and %s", first.RequestID, second.RequestID)
	}
}

func TestAWSFails(t *testing.T) {
	broken := wire.Errorf(500, "ServiceException", "it broke")
	w := newWorld(t, Options{Hooks: &script{deliveries: []time.Duration{0}, fail: []error{broken, broken, broken, errors.New("and again")}}})
	w.function(accountB, "worker")
	_, err := w.client(w.root[accountB]).Invoke(t.Context(), &api.InvokeInput{FunctionName: aws.String("worker")})
	wantAPIError(t, err, "ServiceException")
	w.await("InvocationEnd")
	// An event outlives AWS's failures without using up the function's retries.
	w.send("worker", `{}`)
	when, _ := w.attempts(4)
	for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		if got := when[i+1].Sub(when[i]); got < want-time.Second/2 {
			t.Errorf("attempt %d came after %v, want %v", i+2, got, want)
		}
	}
}

func TestEventOfDeletedFunction(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker")
	w.send("worker", `{"do":"error"}`)
	w.await("InvocationEnd")
	if err := w.lambda.Delete(w.root[accountB].Caller, region, "worker", ""); err != nil {
		t.Fatal(err)
	}
	if got := w.await("EventDropped"); got.Error != "ResourceNotFoundException" {
		t.Errorf("%+v", got)
	}
}

func TestEventConfig(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker")
	client := w.client(w.root[accountB])
	name := aws.String("worker")
	_, err := client.GetFunctionEventInvokeConfig(t.Context(), &api.GetFunctionEventInvokeConfigInput{FunctionName: name})
	wantAPIError(t, err, "ResourceNotFoundException")
	put, err := client.PutFunctionEventInvokeConfig(t.Context(), &api.PutFunctionEventInvokeConfigInput{
		FunctionName: name, MaximumRetryAttempts: aws.Int32(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(put.FunctionArn) != "arn:aws:lambda:us-east-1:222222222222:function:worker:$LATEST" || put.LastModified == nil {
		t.Errorf("%+v", put)
	}
	_, err = client.UpdateFunctionEventInvokeConfig(t.Context(), &api.UpdateFunctionEventInvokeConfigInput{
		FunctionName: name, Qualifier: aws.String("$LATEST"), MaximumEventAgeInSeconds: aws.Int32(60),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetFunctionEventInvokeConfig(t.Context(), &api.GetFunctionEventInvokeConfigInput{FunctionName: name})
	if err != nil || aws.ToInt32(got.MaximumRetryAttempts) != 1 || aws.ToInt32(got.MaximumEventAgeInSeconds) != 60 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := client.DeleteFunctionEventInvokeConfig(t.Context(), &api.DeleteFunctionEventInvokeConfigInput{FunctionName: name}); err != nil {
		t.Fatal(err)
	}
	_, err = client.DeleteFunctionEventInvokeConfig(t.Context(), &api.DeleteFunctionEventInvokeConfigInput{FunctionName: name})
	wantAPIError(t, err, "ResourceNotFoundException")
	bad := map[string]*api.PutFunctionEventInvokeConfigInput{
		"ValidationException":            {FunctionName: name, MaximumRetryAttempts: aws.Int32(3)},
		"InvalidParameterValueException": {FunctionName: name},
		"ResourceNotFoundException":      {FunctionName: name, Qualifier: aws.String("live"), MaximumRetryAttempts: aws.Int32(1)},
		"NotEmulated": {FunctionName: name, DestinationConfig: &types.DestinationConfig{
			OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:sqs:us-east-1:222222222222:q")},
		}},
	}
	for code, in := range bad {
		_, err := client.PutFunctionEventInvokeConfig(t.Context(), in)
		wantAPIError(t, err, code)
	}
}

// A duplicate may come long after its first delivery was done with.
func TestDuplicateEventComesLate(t *testing.T) {
	w := newWorld(t, Options{Hooks: &script{deliveries: []time.Duration{0, 20 * time.Second}}})
	w.function(accountB, "worker")
	w.send("worker", `{}`)
	when, ids := w.attempts(2)
	if late := when[1].Sub(when[0]); ids[0] != ids[1] || late < 19*time.Second || late > 30*time.Second {
		t.Errorf("%v came %v apart", ids, late)
	}
}

// A busy STS is AWS's trouble, which passes; a role that cannot be assumed is the function's.
func TestRoleIsNotToBeHad(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker")
	for _, tt := range []struct {
		sts    error
		status int
		code   string
	}{
		{wire.Errorf(400, "Throttling", "Rate exceeded"), 500, "ServiceException"},
		{wire.Denied("not you"), 403, "AccessDenied"},
	} {
		w.assume = []error{tt.sts}
		_, err := w.lambda.Invoke(t.Context(), w.root[accountB].Caller, InvokeInput{Function: "worker"})
		if e := wire.AsError(err); err == nil || e.Status != tt.status || e.Code != tt.code {
			t.Errorf("%v: got %v", tt.sts, err)
		}
	}
}
