package states

import (
	"context"
	"errors"
	"regexp"
	"time"
)

// taskState calls CloudFront.
type taskState struct {
	head
	Resource       string
	Credentials    *credentials
	Parameters     payload
	ResultSelector payload
	ResultPath     resultPath
	TimeoutSeconds int
	Retry          []retrier
	Catch          []catcher
	Next           string

	operation string
}

// credentials name the role that a task takes on. Source: Developer Guide, "Accessing resources in
// other AWS accounts" (H). A role that comes from the input is not known.
type credentials struct{ RoleArn string }

var (
	cloudfrontTask = regexp.MustCompile(`^arn:aws(?:-cn|-us-gov)?:states:::aws-sdk:cloudfront:([A-Za-z]+)$`)
	roleARN        = regexp.MustCompile(`^arn:aws(?:-cn|-us-gov)?:iam::[0-9]{12}:role/.+$`)
)

func (s *taskState) compile() error {
	m := cloudfrontTask.FindStringSubmatch(s.Resource)
	if m == nil || operations[m[1]] == nil {
		return notEmulatedTask(s.Resource)
	}
	s.operation = m[1]
	switch {
	case s.Credentials != nil && !roleARN.MatchString(s.Credentials.RoleArn):
		return invalidDefinition("the RoleArn %q of Credentials is not the ARN of a role", s.Credentials.RoleArn)
	case !s.Parameters.written:
		return invalidDefinition("the task has no Parameters")
	case s.TimeoutSeconds < 0:
		return invalidDefinition("TimeoutSeconds is %d", s.TimeoutSeconds)
	}
	for i := range s.Retry {
		if err := s.Retry[i].check(i == len(s.Retry)-1); err != nil {
			return err
		}
	}
	for i, c := range s.Catch {
		if err := checkNames(c.ErrorEquals, i == len(s.Catch)-1); err != nil {
			return err
		}
	}
	return nil
}

func (s *taskState) targets() map[string]string {
	out := map[string]string{s.Next: "Next"}
	for _, c := range s.Catch {
		out[c.Next] = "Next"
	}
	return out
}

// do tries until the task succeeds, no retrier wants the error, or the execution is over.
func (s *taskState) do(r *run, input any) (any, string, error) {
	tries := make([]int, len(s.Retry))
	for {
		output, err := s.try(r, input)
		if err == nil {
			return output, s.Next, nil
		}
		if r.ctx.Err() != nil {
			return nil, "", err
		}
		f := asFailure(err)
		again, delay := s.again(r, f, tries)
		if !again {
			return s.caught(r, input, f)
		}
		r.change(StateChange{What: "Retrying", Error: f.name, Cause: f.cause, Delay: delay})
		if err := r.pause(delay); err != nil {
			return nil, "", err
		}
	}
}

// again asks the first retrier that means the error. Each counts its own retries.
func (s *taskState) again(r *run, f *failure, tries []int) (bool, time.Duration) {
	for i, retry := range s.Retry {
		if matches(retry.ErrorEquals, f) {
			tries[i]++
			return tries[i] <= *retry.MaxAttempts, retry.delay(tries[i], r.service.Random())
		}
	}
	return false, 0
}

func (s *taskState) caught(r *run, input any, f *failure) (any, string, error) {
	for _, c := range s.Catch {
		if matches(c.ErrorEquals, f) {
			r.change(StateChange{What: "Caught", Error: f.name, Cause: f.cause})
			output, err := c.ResultPath.put(input, map[string]any{"Error": f.name, "Cause": f.cause})
			return output, c.Next, err
		}
	}
	return nil, "", f
}

// try is one attempt.
func (s *taskState) try(r *run, input any) (any, error) {
	parameters, err := s.Parameters.eval(r.scope(input), "Parameters")
	if err != nil {
		return nil, err
	}
	r.scheduled(s, parameters)
	result, err := s.within(r, func(ctx context.Context) (any, error) {
		caller, err := r.caller(ctx, s.Credentials)
		if err != nil {
			return nil, err
		}
		return operations[s.operation](ctx, r.service.Distributions, caller, parameters)
	})
	if r.ctx.Err() != nil {
		return nil, r.ctx.Err()
	}
	r.tried(s, result, err)
	if err != nil {
		return nil, err
	}
	if s.ResultSelector.written {
		if result, err = s.ResultSelector.eval(r.scope(result), "ResultSelector"); err != nil {
			return nil, err
		}
	}
	return s.ResultPath.put(input, result)
}

// errTimeout ends an attempt's context.
var errTimeout = errors.New("the task's time is over")

// within gives call the task's time. The clock stays busy meanwhile: what is under way is real.
func (s *taskState) within(r *run, call func(context.Context) (any, error)) (any, error) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	if s.TimeoutSeconds > 0 {
		defer r.service.Clock.After(seconds(s.TimeoutSeconds), func() { cancel(errTimeout) })()
	}
	type answer struct {
		result any
		err    error
	}
	got := make(chan answer, 1)
	go func() {
		result, err := call(ctx)
		got <- answer{result, err}
	}()
	select {
	case a := <-got:
		return a.result, a.err
	case <-ctx.Done():
		if context.Cause(ctx) == errTimeout {
			return nil, fail(timeout, "The task did not end within %d seconds", s.TimeoutSeconds)
		}
		return nil, ctx.Err()
	}
}
