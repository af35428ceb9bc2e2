package states

import (
	"context"
	"errors"
	"time"
)

// run is an execution under way. It holds the clock busy except while it waits.
type run struct {
	service   *Service
	execution *execution
	ctx       context.Context // ends when the execution is stopped, times out, or with the service
	busy      func()
	name      string // of the current state
	kind      string // its type
}

// Why an execution's context ended.
var (
	errStopped  = errors.New("the execution was stopped")
	errTimedOut = errors.New("the execution's time is over")
)

func (r *run) scope(data any) scope { return scope{data, r.execution.ARN} }

// carry takes the execution from its first state to its end.
func (r *run) carry(input any) {
	d := r.execution.definition
	data := input
	for name := d.StartAt; ; {
		st := d.steps[name]
		r.name, r.kind = name, st.kind()
		r.entered(data)
		output, next, err := st.do(r, data)
		if err == nil && len(encode(output)) > maxInput {
			err = fail(tooLarge, "The state '%s' returned a result with a size exceeding the maximum number of bytes service limit.", name)
		}
		switch {
		case r.ctx.Err() != nil:
			r.service.finish(r.execution, statusOf(context.Cause(r.ctx)), "", &failure{})
			return
		case err != nil:
			f := asFailure(err)
			r.service.finish(r.execution, Failed, "", f)
			return
		}
		r.exited(output)
		if next == "" {
			r.service.finish(r.execution, Succeeded, encode(output), &failure{})
			return
		}
		name, data = next, output
	}
}

// statusOf is how an execution ends whose context ended; empty with the service, which ends nothing.
func statusOf(cause error) string {
	switch cause {
	case errStopped:
		return Aborted
	case errTimedOut:
		return TimedOut
	}
	return ""
}

// pause waits d of the rehearsal's time.
func (r *run) pause(d time.Duration) error {
	woken := make(chan func(), 1)
	cancel := r.service.Clock.After(d, func() { woken <- r.service.Clock.Busy() })
	r.busy()
	select {
	case r.busy = <-woken:
		return nil
	case <-r.ctx.Done():
		if cancel() {
			r.busy = r.service.Clock.Busy()
		} else {
			r.busy = <-woken
		}
		return r.ctx.Err()
	}
}

// change tells what the execution does in its current state.
func (r *run) change(c StateChange) {
	c.Machine, c.Execution, c.State, c.Type = r.execution.machine.arn, r.execution.ARN, r.name, r.kind
	r.service.tell("StateChange", c)
}

func (r *run) entered(input any) {
	r.record(r.kind+"StateEntered", "stateEnteredEventDetails", fields{"name": r.name, "input": encode(input), "inputDetails": whole})
	r.change(StateChange{What: "Entered"})
}

func (r *run) exited(output any) {
	r.record(r.kind+"StateExited", "stateExitedEventDetails", fields{"name": r.name, "output": encode(output), "outputDetails": whole})
	r.change(StateChange{What: "Exited"})
}

// scheduled notes that a task is about to be tried.
func (r *run) scheduled(s *taskState, parameters any) {
	details := fields{"resourceType": "aws-sdk:cloudfront", "resource": s.operation, "region": r.execution.machine.region, "parameters": encode(parameters)}
	if s.TimeoutSeconds > 0 {
		details["timeoutInSeconds"] = s.TimeoutSeconds
	}
	if s.Credentials != nil {
		details["taskCredentials"] = fields{"roleArn": s.Credentials.RoleArn}
	}
	r.record("TaskScheduled", "taskScheduledEventDetails", details)
	r.record("TaskStarted", "taskStartedEventDetails", fields{"resourceType": "aws-sdk:cloudfront", "resource": s.operation})
}

// tried notes what became of it.
func (r *run) tried(s *taskState, result any, err error) {
	details := fields{"resourceType": "aws-sdk:cloudfront", "resource": s.operation}
	if err == nil {
		details["output"], details["outputDetails"] = encode(result), whole
		r.record("TaskSucceeded", "taskSucceededEventDetails", details)
		return
	}
	f := asFailure(err)
	details["error"], details["cause"] = f.name, f.cause
	if f.name == timeout {
		r.record("TaskTimedOut", "taskTimedOutEventDetails", details)
		return
	}
	r.record("TaskFailed", "taskFailedEventDetails", details)
}

func (r *run) record(kind, key string, details fields) {
	r.service.record(r.execution, kind, key, details)
}
