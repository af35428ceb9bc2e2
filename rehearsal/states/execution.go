package states

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// The states of an execution. Source: API Reference (H).
const (
	Running   = "RUNNING"
	Succeeded = "SUCCEEDED"
	Failed    = "FAILED"
	TimedOut  = "TIMED_OUT"
	Aborted   = "ABORTED"
)

// Execution is one run of a machine, as of when it was asked for.
type Execution struct {
	ARN, Machine, Name string // Machine is its ARN
	Status             string
	Start, Stop        time.Time // rehearsal time; Stop is zero while it runs
	Input, Output      string    // JSON; Output with SUCCEEDED
	Error, Cause       string    // with FAILED, or as StopExecution gave them
}

// execution is one with what only the service needs. What changes is under its lock.
type execution struct {
	Execution
	machine    *machine
	role       string // as it was when the execution began, like the definition
	definition *definition
	history    []event
	ctx        context.Context
	cancel     context.CancelCauseFunc
}

// Limits of inputs and names. Source: API Reference, StartExecution; Developer Guide, "Quotas" (H).
const (
	maxInput = 256 << 10
	maxName  = 80
)

// badName are the characters that names must not have. Source: API Reference, StartExecution (H).
var badName = regexp.MustCompile("[\\s<>{}\\[\\]?*\"#%\\\\^|~`$&,;:/\\x00-\\x1f\\x7f-\\x9f]")

func checkName(name string) error {
	if name == "" || len(name) > maxName || badName.MatchString(name) {
		return wire.Errorf(400, "InvalidName", "Invalid Name: '%s'", name)
	}
	return nil
}

// Start starts an execution of a machine as the caller. An empty name is a random one, an empty input
// "{}". A name that a running execution has with the same input answers that one; otherwise a used
// name is refused (H: API Reference, StartExecution).
func (s *Service) Start(_ context.Context, c accounts.Caller, machineARN, name, input string) (Execution, error) {
	if err := checkARN(machineARN, machineKind); err != nil {
		return Execution{}, err
	}
	if err := s.authorize(c, "StartExecution", machineARN); err != nil {
		return Execution{}, err
	}
	name, input = cmp.Or(name, random.UUID()), cmp.Or(input, "{}")
	if err := checkName(name); err != nil {
		return Execution{}, err
	}
	data, err := decode(input)
	if err != nil || len(input) > maxInput {
		return Execution{}, wire.Errorf(400, "InvalidExecutionInput", "Invalid State Machine Execution Input: '%.200s' is not JSON of up to %d bytes", input, maxInput)
	}
	e, created, err := s.admit(machineARN, name, input)
	if err != nil || !created {
		return e, err
	}
	s.launch(e.ARN, data)
	return e, nil
}

// admit makes the execution unless its name is taken.
func (s *Service) admit(machineARN, name, input string) (Execution, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.machines[machineARN]
	if m == nil {
		return Execution{}, false, noMachine(machineARN)
	}
	arn := executionARN(machineARN, name)
	if old := s.executions[arn]; old != nil {
		if old.Status == Running && old.Input == input {
			return old.Execution, false, nil
		}
		return Execution{}, false, wire.Errorf(400, "ExecutionAlreadyExists", "Execution Already Exists: '%s'", arn)
	}
	e := &execution{
		Execution: Execution{ARN: arn, Machine: machineARN, Name: name, Status: Running, Start: s.Clock.Now().Truncate(time.Millisecond), Input: input},
		machine:   m, role: m.role, definition: m.definition,
	}
	e.ctx, e.cancel = context.WithCancelCause(s.ctx)
	s.executions[arn] = e
	s.order = append(s.order, e)
	return e.Execution, true, nil
}

// launch lets an admitted execution run.
func (s *Service) launch(arn string, input any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	e := s.executions[arn]
	r := &run{service: s, execution: e, ctx: e.ctx, busy: s.Clock.Busy()}
	s.work.Go(func() {
		defer func() { r.busy() }()
		defer e.cancel(nil)
		if t := e.definition.TimeoutSeconds; t > 0 {
			defer s.Clock.After(seconds(t), func() { e.cancel(errTimedOut) })()
		}
		s.record(e, "ExecutionStarted", "executionStartedEventDetails", fields{"input": e.Input, "inputDetails": whole, "roleArn": e.role})
		s.tell("ExecutionChange", ExecutionChange{Machine: e.machine.arn, Execution: e.ARN, Status: Running})
		r.carry(input)
	})
}

// finish ends an execution, if it has a status to end with, and tells it.
func (s *Service) finish(e *execution, status, output string, f *failure) {
	if status == "" {
		return
	}
	s.mu.Lock()
	if e.Status == Running {
		e.Status, e.Output, e.Stop = status, output, s.Clock.Now().Truncate(time.Millisecond)
		e.Error, e.Cause = f.name, f.cause
	}
	now := e.Execution // stopped meanwhile, it stays stopped
	status = now.Status
	s.mu.Unlock()
	kind := map[string]string{Succeeded: "Succeeded", Failed: "Failed", Aborted: "Aborted", TimedOut: "TimedOut"}[status]
	details := fields{}
	switch {
	case status == Succeeded:
		details["output"], details["outputDetails"] = now.Output, whole
	case now.Error != "" || now.Cause != "":
		details["error"], details["cause"] = now.Error, now.Cause
	}
	s.record(e, "Execution"+kind, "execution"+kind+"EventDetails", details)
	s.tell("ExecutionChange", ExecutionChange{Machine: now.Machine, Execution: now.ARN, Status: status, Error: now.Error, Cause: now.Cause})
}

// Describe reads an execution.
func (s *Service) Describe(c accounts.Caller, arn string) (Execution, error) {
	e, err := s.execution(c, "DescribeExecution", arn)
	if err != nil {
		return Execution{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.Execution, nil
}

// execution finds one, once the action on it is allowed.
func (s *Service) execution(c accounts.Caller, action, arn string) (*execution, error) {
	if err := checkARN(arn, executionKind); err != nil {
		return nil, err
	}
	if err := s.authorize(c, action, arn); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.executions[arn]; e != nil {
		return e, nil
	}
	return nil, wire.Errorf(400, "ExecutionDoesNotExist", "Execution Does Not Exist: '%s'", arn)
}

// Stop ends a running execution; of one that is over it answers when that was.
func (s *Service) Stop(c accounts.Caller, arn, errorName, cause string) (time.Time, error) {
	e, err := s.execution(c, "StopExecution", arn)
	if err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Status == Running {
		// The run takes the status over when it notices; until then this is what Describe shows.
		e.Status, e.Stop, e.Error, e.Cause = Aborted, s.Clock.Now().Truncate(time.Millisecond), errorName, cause
		e.cancel(errStopped)
	}
	return e.Stop, nil
}

// List is a machine's executions, the latest first; an empty status means all.
func (s *Service) List(c accounts.Caller, machineARN, status string) ([]Execution, error) {
	if err := checkARN(machineARN, machineKind); err != nil {
		return nil, err
	}
	if err := s.authorize(c, "ListExecutions", machineARN); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.machines[machineARN] == nil {
		return nil, noMachine(machineARN)
	}
	var out []Execution
	for _, e := range slices.Backward(s.order) {
		if e.Machine == machineARN && (status == "" || e.Status == status) {
			out = append(out, e.Execution)
		}
	}
	return out, nil
}
