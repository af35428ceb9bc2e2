package codepipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/states"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Machines is what the Step Functions action needs of Step Functions.
type Machines interface {
	Start(ctx context.Context, caller accounts.Caller, machine, name, input string) (states.Execution, error)
	Describe(caller accounts.Caller, execution string) (states.Execution, error)
}

// look is how often the action looks at the execution. AWS does not say (L).
const look = 5 * time.Second

// machineLimit is how long an execution may take. Source: User Guide, "Quotas" (H).
const machineLimit = 7 * 24 * time.Hour

// machineAction starts an execution of a state machine and waits for its end. Source: User Guide,
// "AWS Step Functions action reference" (H).
type machineAction struct{ *Service }

// Check takes input that is written down: files of artifacts as input, and output artifacts, are not
// emulated.
func (machineAction) Check(a Action) error {
	if err := counts(a, 0, 1, 0, 1); err != nil {
		return err
	}
	if len(a.Inputs)+len(a.Outputs) > 0 {
		return wire.NotEmulated("artifacts of Step Functions actions (action %s)", a.Name)
	}
	if err := configKeys(a, []string{"StateMachineArn"}, "ExecutionNamePrefix", "InputType", "Input"); err != nil {
		return err
	}
	if t := a.Configuration["InputType"]; t != "" && t != "Literal" {
		return wire.NotEmulated("the InputType %s (action %s)", t, a.Name)
	}
	return nil
}

func (s machineAction) Run(ctx context.Context, run *Run) (Outcome, error) {
	name := run.state.ExecutionID
	if prefix := run.Configuration["ExecutionNamePrefix"]; prefix != "" {
		name = prefix + "-" + name
	}
	input := run.Configuration["Input"]
	if input != "" && !json.Valid([]byte(input)) {
		return Outcome{}, &Failure{Code: "ConfigurationError", Message: "The Input is not JSON: " + input}
	}
	e, err := s.Machines.Start(ctx, run.Caller, run.Configuration["StateMachineArn"], name, input)
	if err != nil {
		return Outcome{}, err
	}
	run.progress(e.ARN, "", 0)
	for begin := s.Clock.Now(); e.Status == states.Running; {
		if s.Clock.Now().Sub(begin) >= machineLimit {
			return Outcome{}, &Failure{Code: "JobFailed", ExternalExecutionID: e.ARN, Message: fmt.Sprintf("The execution %s did not end within %v", e.ARN, machineLimit)}
		}
		if run.sleep(look).what == cancelled {
			return Outcome{}, context.Canceled
		}
		if e, err = s.Machines.Describe(run.Caller, e.ARN); err != nil {
			return Outcome{}, err
		}
	}
	if e.Status != states.Succeeded {
		// That the message holds error and cause is L.
		return Outcome{}, &Failure{
			Code: "JobFailed", ExternalExecutionID: e.ARN,
			Message: fmt.Sprintf("The state machine execution %s ended with status %s. %s: %s", e.ARN, e.Status, e.Error, e.Cause),
		}
	}
	return Outcome{
		ExternalExecutionID: e.ARN,
		Variables:           map[string]string{"ExecutionArn": e.ARN, "StateMachineArn": e.Machine},
	}, nil
}
