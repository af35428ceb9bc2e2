package states_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/rehearsal/fronttest"
	"github.com/unstale/unstale/rehearsal/states"
	"github.com/unstale/unstale/rehearsal/wire"
)

// open puts the service behind a front door, whose URL it returns.
func (w *world) open() string {
	w.t.Helper()
	return fronttest.Serve(w.t, w.directory, w.clock, w.journal, states.SigningName, w.service, wire.WriteJSONError)
}

func (w *world) client(url string) *sfn.Client {
	root, _ := w.directory.Root(accountA)
	return sfn.NewFromConfig(awssdk.Config{
		Region: region, BaseEndpoint: &url,
		Credentials: fronttest.Keys(root),
	})
}

// until moves the clock on until the execution is over.
func (w *world) until(c *sfn.Client, arn *string) *sfn.DescribeExecutionOutput {
	w.t.Helper()
	for {
		out, err := c.DescribeExecution(w.t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: arn})
		if err != nil {
			w.t.Fatal(err)
		}
		if out.Status != types.ExecutionStatusRunning {
			return out
		}
		w.clock.Advance(time.Second)
	}
}

// An AWS client makes a machine, runs it, and reads all there is about it.
func TestAPI(t *testing.T) {
	w := newWorld(t)
	c := w.client(w.open())
	ctx := t.Context()
	made, err := c.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
		Name: awssdk.String("purge"), RoleArn: awssdk.String(machineRole), Definition: awssdk.String(committed(t, purgeRole)), Type: types.StateMachineTypeStandard,
	})
	if err != nil || *made.StateMachineArn != machineARN || made.CreationDate.IsZero() {
		t.Fatalf("made %+v, %v", made, err)
	}
	machine, err := c.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: made.StateMachineArn})
	if err != nil || *machine.RoleArn != machineRole || *machine.Definition != committed(t, purgeRole) || machine.Status != types.StateMachineStatusActive {
		t.Errorf("described %+v, %v", machine, err)
	}
	started, err := c.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: made.StateMachineArn, Name: awssdk.String("one"), Input: awssdk.String(`{"items":["/a"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	done := w.until(c, started.ExecutionArn)
	if done.Status != types.ExecutionStatusSucceeded || *done.Input != `{"items":["/a"]}` || !strings.Contains(*done.Output, `"id":"I1"`) ||
		!done.StopDate.After(*done.StartDate) || *done.StateMachineArn != machineARN || *done.Name != "one" {
		t.Errorf("ended %+v", done)
	}
	w.cdn.mu.Lock()
	w.cdn.create = []error{wire.Denied("no")}
	w.cdn.mu.Unlock()
	second, err := c.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: made.StateMachineArn})
	if err != nil {
		t.Fatal(err)
	}
	if failed := w.until(c, second.ExecutionArn); *failed.Error != "Denied" || !strings.Contains(*failed.Cause, "CloudFront denies role") || failed.Output != nil {
		t.Errorf("ended %+v", failed)
	}
	w.lists(c)
	w.histories(c, started.ExecutionArn, second.ExecutionArn)
	if _, err := c.UpdateStateMachine(ctx, &sfn.UpdateStateMachineInput{StateMachineArn: made.StateMachineArn, Definition: awssdk.String(`{"StartAt":"E","States":{"E":{"Type":"Succeed"}}}`)}); err != nil {
		t.Error(err)
	}
	if _, err := c.DeleteStateMachine(ctx, &sfn.DeleteStateMachineInput{StateMachineArn: made.StateMachineArn}); err != nil {
		t.Error(err)
	}
	_, err = c.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: made.StateMachineArn})
	var missing *types.StateMachineDoesNotExist
	if !errors.As(err, &missing) {
		t.Errorf("after it was deleted: %v", err)
	}
}

func (w *world) lists(c *sfn.Client) {
	w.t.Helper()
	var names []string
	pages := sfn.NewListExecutionsPaginator(c, &sfn.ListExecutionsInput{StateMachineArn: awssdk.String(machineARN), MaxResults: 1})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range page.Executions {
			names = append(names, string(e.Status))
		}
	}
	if !slices.Equal(names, []string{"FAILED", "SUCCEEDED"}) {
		w.t.Errorf("listed %v: the latest comes first", names)
	}
	out, err := c.ListExecutions(w.t.Context(), &sfn.ListExecutionsInput{StateMachineArn: awssdk.String(machineARN), StatusFilter: types.ExecutionStatusSucceeded})
	if err != nil || len(out.Executions) != 1 || *out.Executions[0].Name != "one" {
		w.t.Errorf("listed %+v, %v", out, err)
	}
}

func (w *world) histories(c *sfn.Client, good, bad *string) {
	w.t.Helper()
	read := func(arn *string, most int32) []types.HistoryEvent {
		var all []types.HistoryEvent
		pages := sfn.NewGetExecutionHistoryPaginator(c, &sfn.GetExecutionHistoryInput{ExecutionArn: arn, MaxResults: most})
		for pages.HasMorePages() {
			page, err := pages.NextPage(w.t.Context())
			if err != nil {
				w.t.Fatal(err)
			}
			all = append(all, page.Events...)
		}
		return all
	}
	var kinds []string
	for i, e := range read(good, 3) {
		if e.Id != int64(i+1) || e.PreviousEventId != int64(i) || e.Timestamp.IsZero() {
			w.t.Errorf("event %d: %+v", i, e)
		}
		kinds = append(kinds, string(e.Type))
		if e.Type == types.HistoryEventTypeTaskSucceeded && *e.TaskSucceededEventDetails.Resource == "createInvalidation" {
			var out struct{ Invalidation struct{ ID string } }
			if err := json.Unmarshal([]byte(*e.TaskSucceededEventDetails.Output), &out); err != nil || out.Invalidation.ID != "I1" {
				w.t.Errorf("the task's output: %s, %v", *e.TaskSucceededEventDetails.Output, err)
			}
		}
	}
	want := "ExecutionStarted ChoiceStateEntered ChoiceStateExited PassStateEntered PassStateExited TaskStateEntered TaskScheduled TaskStarted TaskSucceeded TaskStateExited WaitStateEntered"
	if got := strings.Join(kinds, " "); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "SucceedStateEntered SucceedStateExited ExecutionSucceeded") {
		w.t.Errorf("history %s", got)
	}
	events := read(bad, 0)
	last := events[len(events)-1]
	if last.Type != types.HistoryEventTypeExecutionFailed || *last.ExecutionFailedEventDetails.Error != "Denied" {
		w.t.Errorf("ended with %+v", last)
	}
	failed := slices.IndexFunc(events, func(e types.HistoryEvent) bool { return e.Type == types.HistoryEventTypeTaskFailed })
	if failed < 0 || *events[failed].TaskFailedEventDetails.Error != "CloudFront.AccessDeniedException" {
		w.t.Errorf("no failed task in %+v", events)
	}
	out, err := c.GetExecutionHistory(w.t.Context(), &sfn.GetExecutionHistoryInput{ExecutionArn: bad, ReverseOrder: true, MaxResults: 1, IncludeExecutionData: awssdk.Bool(false)})
	if err != nil || out.Events[0].Id != last.Id || out.NextToken == nil {
		w.t.Errorf("backwards: %+v, %v", out, err)
	}
}

// What a client cannot have is refused by name.
func TestRefusedCalls(t *testing.T) {
	w := newWorld(t)
	w.create(committed(t, purgeRole))
	c := w.client(w.open())
	ctx := t.Context()
	arn := awssdk.String(machineARN)
	_, sync := c.ListStateMachines(ctx, &sfn.ListStateMachinesInput{})
	_, parameter := c.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: awssdk.String("x"), RoleArn: awssdk.String(machineRole), Definition: arn, Publish: true})
	_, express := c.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: awssdk.String("x"), RoleArn: awssdk.String(machineRole), Definition: arn, Type: types.StateMachineTypeExpress})
	_, data := c.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: arn, IncludedData: types.IncludedDataMetadataOnly})
	_, token := c.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: arn, NextToken: awssdk.String("x")})
	_, most := c.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: arn, MaxResults: 1001})
	_, filter := c.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: arn, StatusFilter: types.ExecutionStatusPendingRedrive})
	_, name := c.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: arn, Name: awssdk.String("a b")})
	_, definition := c.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: awssdk.String("x"), RoleArn: awssdk.String(machineRole), Definition: awssdk.String("{}")})
	for i, tt := range []struct {
		err  error
		code string
	}{
		{sync, "NotEmulated"},
		{parameter, "NotEmulated"},
		{express, "NotEmulated"},
		{data, "NotEmulated"},
		{filter, "NotEmulated"},
		{token, "InvalidToken"},
		{most, "ValidationException"},
		{name, "InvalidName"},
		{definition, "InvalidDefinition"},
	} {
		var e smithy.APIError
		if !errors.As(tt.err, &e) || e.ErrorCode() != tt.code {
			t.Errorf("call %d: %v, want %s", i, tt.err, tt.code)
		}
	}
}

// The answer says which protocol it is in, and the AWS CLI reads it.
func TestProtocol(t *testing.T) {
	w := newWorld(t)
	w.create(committed(t, purgeRole))
	url := w.open()
	resp, err := http.Post(url, "application/x-amz-json-1.0", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode < 400 {
		t.Errorf("unsigned: %s, %v", resp.Status, err)
	}
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	root, _ := w.directory.Root(accountA)
	cmd := exec.CommandContext(t.Context(), cli, "stepfunctions", "start-execution", "--state-machine-arn", machineARN, "--name", "by-cli", "--query", "executionArn", "--output", "text")
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "AWS_ENDPOINT_URL=" + url, "AWS_ACCESS_KEY_ID=" + root.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + root.SecretAccessKey,
		"AWS_DEFAULT_REGION=" + region, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
	}
	out, err := cmd.CombinedOutput()
	if want := strings.Replace(machineARN, "stateMachine", "execution", 1) + ":by-cli"; err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("the AWS CLI: %v: %s", err, out)
	}
}
