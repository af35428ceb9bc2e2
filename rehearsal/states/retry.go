package states

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// failure is an error as the language knows them: a name and a cause.
type failure struct{ name, cause string }

func (f *failure) Error() string { return f.name + ": " + f.cause }

func fail(name, format string, args ...any) error {
	return &failure{name, fmt.Sprintf(format, args...)}
}

// asFailure gives any error a name.
func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var m missing
	if errors.As(err, &m) {
		return &failure{"States.ParameterPathFailure", m.Error()}
	}
	return &failure{"States.Runtime", err.Error()}
}

// Names that stand for several errors, and those that nothing stands for. Source: Developer Guide,
// "Handling errors" (H).
const (
	allErrors   = "States.ALL"
	taskFailed  = "States.TaskFailed"
	timeout     = "States.Timeout"
	runtimeFail = "States.Runtime"
	tooLarge    = "States.DataLimitExceeded"
)

// matches says whether a list of names means the error.
func matches(names []string, f *failure) bool {
	if slices.Contains(names, f.name) {
		return f.name != runtimeFail
	}
	switch f.name {
	case runtimeFail, tooLarge:
		return false
	case timeout:
		return slices.Contains(names, allErrors)
	}
	return slices.Contains(names, allErrors) || slices.Contains(names, taskFailed)
}

// checkNames refuses lists that Step Functions refuses: States.ALL stands alone, in the last place (H).
func checkNames(names []string, last bool) error {
	switch {
	case len(names) == 0:
		return invalidDefinition("ErrorEquals is empty")
	case slices.Contains(names, allErrors) && (len(names) > 1 || !last):
		return invalidDefinition("States.ALL must appear alone and in the last retrier or catcher")
	}
	return nil
}

// retrier says how often and when a task is tried again. The defaults are AWS's (H).
type retrier struct {
	ErrorEquals     []string
	IntervalSeconds *int     // default 1
	BackoffRate     *float64 // default 2
	MaxDelaySeconds int      // 0: no limit
	MaxAttempts     *int     // default 3
	JitterStrategy  string   // NONE or FULL
}

func (r *retrier) check(last bool) error {
	if r.IntervalSeconds == nil {
		r.IntervalSeconds = new(1)
	}
	if r.BackoffRate == nil {
		r.BackoffRate = new(2.0)
	}
	if r.MaxAttempts == nil {
		r.MaxAttempts = new(3)
	}
	switch {
	case *r.IntervalSeconds < 1:
		return invalidDefinition("IntervalSeconds is %d", *r.IntervalSeconds)
	case *r.BackoffRate < 1:
		return invalidDefinition("BackoffRate is %v", *r.BackoffRate)
	case *r.MaxAttempts < 0:
		return invalidDefinition("MaxAttempts is %d", *r.MaxAttempts)
	case r.MaxDelaySeconds != 0 && r.MaxDelaySeconds <= *r.IntervalSeconds:
		return invalidDefinition("MaxDelaySeconds is %d, and IntervalSeconds %d", r.MaxDelaySeconds, *r.IntervalSeconds)
	case r.JitterStrategy != "" && r.JitterStrategy != "NONE" && r.JitterStrategy != "FULL":
		return invalidDefinition("JitterStrategy is %q", r.JitterStrategy)
	}
	return checkNames(r.ErrorEquals, last)
}

// delay is how long to wait before attempt n, 1 being the first retry. jitter is 0 to 1.
func (r retrier) delay(n int, jitter float64) time.Duration {
	wait := float64(*r.IntervalSeconds) * math.Pow(*r.BackoffRate, float64(n-1))
	if r.MaxDelaySeconds > 0 {
		wait = min(wait, float64(r.MaxDelaySeconds))
	}
	if r.JitterStrategy == "FULL" {
		wait *= jitter
	}
	return time.Duration(wait * float64(time.Second))
}

// catcher says where to go with an error.
type catcher struct {
	ErrorEquals []string
	ResultPath  resultPath
	Next        string
}
