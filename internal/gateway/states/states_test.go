package states

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

func TestCreateAndFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stepFunctions{script: completes, page: 2}
		g, asked := dial(t, s), batch(t, "run", "/b*", "/a")
		made, err := g.Create(t.Context(), asked)
		want := invalidation.Invalidation{
			ID: "I1", Distribution: distribution, Reference: asked.Reference, Items: []string{"/a", "/b*"}, Status: invalidation.InProgress,
			Created: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		}
		if diff := cmp.Diff(want, made); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
		if len(s.runs) != 1 || s.runs[0].name != asked.Reference || s.runs[0].input != `{"items":["/a","/b*"]}` {
			t.Errorf("%+v", s.runs)
		}
		if !strings.Contains(s.scope, "/eu-west-1/states/aws4_request") {
			t.Errorf("signed for %s, not for the machine's region", s.scope)
		}
		list, err := g.InProgress(t.Context())
		if diff := cmp.Diff([]invalidation.Invalidation{want}, list); diff != "" || err != nil {
			t.Error(diff, err)
		}
		time.Sleep(5 * time.Second)
		want.Status = invalidation.Completed
		// Another process has to search for it.
		for name, gate := range map[string]*Gateway{"its maker": g, "another process": dial(t, s)} {
			got, err := gate.Get(t.Context(), "I1")
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Error(name, diff, err)
			}
		}
		if list, err := g.InProgress(t.Context()); len(list) != 0 || err != nil {
			t.Error(list, err)
		}
	})
}

// One reference is one execution: while it runs, when it is over, and from another process.
func TestAReferenceIsUsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stepFunctions{script: completes}
		asked := batch(t, "run", "/a", "/b*")
		first, err := dial(t, s).Create(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range []invalidation.Status{invalidation.InProgress, invalidation.Completed} {
			again, err := dial(t, s).Create(t.Context(), asked)
			first.Status = status
			if diff := cmp.Diff(first, again); diff != "" || err != nil {
				t.Error(diff, err)
			}
			other := asked
			other.Items = []invalidation.Item{"/a"}
			if _, err := dial(t, s).Create(t.Context(), other); code(err) != gateway.ReferenceReused {
				t.Errorf("other items: %v", err)
			}
			time.Sleep(10 * time.Second)
		}
		if len(s.runs) != 1 {
			t.Errorf("%d executions", len(s.runs))
		}
	})
}

func TestFailuresOfTheMachine(t *testing.T) {
	const denied = "User: arn:aws:sts::222222222222:assumed-role/unstale-purge/s is not authorized to perform: cloudfront:CreateInvalidation " +
		"on resource: arn:aws:cloudfront::222222222222:distribution/E2EXAMPLE because no identity-based policy allows it (Service: CloudFront, Status Code: 403)"
	tests := []struct {
		name   string
		script []object
		want   string // code
		says   string
	}{
		{"denied", []object{failed("CloudFront.AccessDeniedException", denied), ended("Denied", "CloudFront denies role r")}, gateway.AccessDenied, "Denied: CloudFront denies role r"},
		{"no role", []object{failed("States.TaskFailed", "The role m is not authorized to assume the task state's role, r."), ended("Unexpected", "look at both sides")}, gateway.AccessDenied, "look at both sides"},
		{"no distribution", []object{failed("CloudFront.NoSuchDistributionException", "no"), ended("NoDistribution", "no")}, gateway.NoSuchDistribution, ""},
		{"bad item", []object{failed("CloudFront.InvalidArgumentException", "no"), ended("BatchRefused", "no")}, gateway.InvalidArgument, ""},
		{"without the suffix", []object{failed("CloudFront.InvalidArgument", "no"), ended("BatchRefused", "no")}, gateway.InvalidArgument, ""},
		{"no room", []object{failed("CloudFront.TooManyInvalidationsInProgressException", "no"), passed(), failed("CloudFront.TooManyInvalidationsInProgressException", "no"), ended("TooMany", "wait")}, gateway.TooManyInvalidationsInProgress, "TooMany: wait"},
		{"throttled", []object{failed("CloudFront.CloudFrontException", "Rate exceeded (Service: CloudFront, Status Code: 400)"), ended("Unexpected", "no")}, gateway.Throttling, ""},
		{"busy", []object{failed("CloudFront.CloudFrontException", "busy (Service: CloudFront, Status Code: 503)"), ended("Unexpected", "no")}, gateway.ServiceUnavailable, ""},
		{"some error", []object{failed("CloudFront.CloudFrontException", "?"), ended("Unexpected", "no")}, gateway.ExecutionFailed, ""},
		{"no answer", []object{timedOut(), ended("Unexpected", "no")}, gateway.RequestTimeout, ""},
		{"wrong input", []object{ended("ItemsWrong", "give some")}, gateway.ExecutionFailed, "ItemsWrong: give some"},
		{"stopped", []object{{"type": "ExecutionAborted", "executionAbortedEventDetails": object{}}}, gateway.ExecutionFailed, "was stopped and says nothing else"},
		{"ran too long", []object{{"type": "ExecutionTimedOut", "executionTimedOutEventDetails": object{}}}, gateway.ExecutionFailed, "timed out"},
		{"nothing done", []object{done()}, gateway.BadAnswer, "succeeded without an invalidation"},
		{"an answer that is none", []object{{"type": "TaskSucceeded", "taskSucceededEventDetails": object{"resourceType": "aws-sdk:cloudfront", "output": "<xml>"}}}, gateway.BadAnswer, "read history"},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			s := &stepFunctions{script: func([]string) []object { return tt.script }}
			for _, when := range []string{"first", "again"} {
				_, err := dial(t, s).Create(t.Context(), batch(t, "run", "/*"))
				var e *gateway.Error
				if !errors.As(err, &e) || e.Code != tt.want || e.Temporary || e.Function != machine || e.Route != target.States ||
					e.Operation != "create invalidation" || !strings.Contains(e.Message, tt.says) {
					t.Errorf("%s, %s: %#v", tt.name, when, err)
				}
				if tt.name == "denied" && (e.Action != "cloudfront:CreateInvalidation" || !strings.HasSuffix(e.Resource, distribution) || e.Caller == "") {
					t.Errorf("%#v", e)
				}
			}
			if len(s.runs) != 1 {
				t.Errorf("%s: %d executions", tt.name, len(s.runs))
			}
		})
	}
}

// A try that failed and was repeated by the machine is no failure.
func TestRetriesOfTheMachineAreItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stepFunctions{script: func(items []string) []object {
			return append([]object{failed("CloudFront.CloudFrontException", "Rate exceeded"), passed()}, completes(items)...)
		}}
		if inv, err := dial(t, s).Create(t.Context(), batch(t, "run", "/*")); err != nil || inv.ID != "I1" {
			t.Error(inv, err)
		}
	})
}

// The machine may wait for minutes; Create does not, and finds the same execution when asked again.
func TestCreateIsNotPatientForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stepFunctions{script: func(items []string) []object {
			return append(slices.Repeat([]object{passed()}, 60), completes(items)...)
		}}
		g, asked, began := dial(t, s), batch(t, "run", "/*"), time.Now()
		_, err := g.Create(t.Context(), asked)
		var e *gateway.Error
		if took := time.Since(began); !errors.As(err, &e) || e.Code != gateway.RequestTimeout || !e.Temporary || took != patience {
			t.Errorf("%v after %s", err, took)
		}
		if looks := len(s.calls); looks > 15 {
			t.Errorf("%d calls", looks)
		}
		time.Sleep(time.Minute)
		if inv, err := g.Create(t.Context(), asked); err != nil || inv.ID != "I1" || len(s.runs) != 1 {
			t.Error(inv, err)
		}
	})
}

func TestAnExecutionThatGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stepFunctions{script: func(items []string) []object {
			return []object{succeeded("I1", "InProgress", items...), ended("TooSlow", "it goes on")}
		}}
		g := dial(t, s)
		if _, err := g.Create(t.Context(), batch(t, "run", "/*")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for _, gate := range []*Gateway{g, dial(t, s)} {
			if _, err := gate.Get(t.Context(), "I1"); code(err) != gateway.ExecutionFailed || !strings.Contains(err.Error(), "TooSlow: it goes on") {
				t.Error(err)
			}
		}
	})
}

func TestRefusalsOfStepFunctions(t *testing.T) {
	tests := []struct {
		code, want, advice string
		temporary          bool
	}{
		{"AccessDeniedException", gateway.AccessDenied, "give the caller the permission", false},
		{"StateMachineDoesNotExist", "StateMachineDoesNotExist", "deploy the state machine in account 111111111111", false},
		{"ExecutionLimitExceeded", "ExecutionLimitExceeded", "", true},
		{"ThrottlingException", gateway.ThrottlingException, "", true},
	}
	for _, tt := range tests {
		s := &stepFunctions{refuse: map[string]string{"StartExecution": tt.code, "ListExecutions": tt.code}}
		g := dial(t, s)
		_, created := g.Create(t.Context(), batch(t, "run", "/*"))
		_, listed := g.InProgress(t.Context())
		_, got := g.Get(t.Context(), "I1")
		for _, err := range []error{created, listed, got} {
			var e *gateway.Error
			if !errors.As(err, &e) || e.Code != tt.want || e.Temporary != tt.temporary || !strings.HasPrefix(e.Try, tt.advice) || e.Account != "222222222222" {
				t.Errorf("%s: %#v", tt.code, err)
			}
		}
		if len(s.calls) != 3 {
			t.Errorf("%s: calls %v", tt.code, s.calls)
		}
	}
}

func TestWhatTheRouteCannotDo(t *testing.T) {
	g := dial(t, &stepFunctions{script: completes})
	d, err := g.Distribution(t.Context())
	if diff := cmp.Diff(plan.Distribution{ID: distribution, Account: "222222222222"}, d); diff != "" || code(err) != gateway.Unsupported {
		t.Error(diff, err)
	}
	if _, err := g.Get(t.Context(), "INONE"); code(err) != gateway.NoSuchInvalidation {
		t.Error(err)
	}
	other := batch(t, "run", "/*")
	other.Distribution = "E9OTHER"
	long := batch(t, "run", "/*")
	long.Reference = strings.Repeat("r", maxName+1)
	colon := batch(t, "run", "/*")
	colon.Reference = "run:1"
	var items []invalidation.Item
	for i := range 200 {
		items = append(items, invalidation.Item(fmt.Sprintf("/%d%s", i, strings.Repeat("x", 2000))))
	}
	for want, b := range map[string][]invalidation.Batch{
		gateway.DistributionNotAllowed: {other}, gateway.InvalidArgument: {long, colon}, gateway.BatchTooLarge: {batch(t, "run", items...)},
	} {
		for _, one := range b {
			if _, err := g.Create(t.Context(), one); code(err) != want {
				t.Errorf("%s: %v", want, err)
			}
		}
	}
	if _, err := New(aws.Config{}, target.Target{Name: "site", StateMachine: "m"}); err == nil || !strings.HasPrefix(err.Error(), `reach target "site": parse state machine "m"`) {
		t.Error(err)
	}
}

// A target that is configured wrongly is not taken for purged.
func TestAMachineOfAnotherDistribution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stepFunctions{script: func(items []string) []object {
			made := succeeded("I1", "InProgress", items...)
			details := made["taskSucceededEventDetails"].(object)
			details["output"] = strings.ReplaceAll(details["output"].(string), distribution, "E9OTHER")
			return []object{made, passed(), passed(), passed()}
		}}
		g := dial(t, s)
		_, created := g.Create(t.Context(), batch(t, "run", "/*"))
		_, listed := g.InProgress(t.Context())
		_, got := g.Get(t.Context(), "I1")
		for _, err := range []error{created, listed, got} {
			if code(err) != gateway.BadAnswer || !strings.Contains(err.Error(), "purges distribution E9OTHER") {
				t.Error(err)
			}
		}
	})
}

func TestItEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := dial(t, &stepFunctions{script: func([]string) []object { return nil }})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := g.Create(ctx, batch(t, "run", "/*")); code(err) != gateway.RequestTimeout || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if _, err := g.InProgress(ctx); code(err) != gateway.Canceled || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func code(err error) string {
	var e *gateway.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
