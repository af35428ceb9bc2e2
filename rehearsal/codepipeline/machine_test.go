package codepipeline_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/states"
	"github.com/unstale/unstale/rehearsal/wire"
)

const purgeMachine = "arn:aws:states:us-east-1:111111111111:stateMachine:purge"

// machines answers with one execution that ends after a number of looks.
type machines struct {
	mu        sync.Mutex
	now       states.Execution
	end       states.Execution // status, error and cause at the end
	after     int              // looks
	callers   []accounts.Caller
	start     error
	described error
}

func (m *machines) Start(_ context.Context, c accounts.Caller, machine, name, input string) (states.Execution, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.callers = append(m.callers, c)
	m.now = states.Execution{ARN: strings.Replace(machine, "stateMachine", "execution", 1) + ":" + name, Machine: machine, Name: name, Input: input, Status: states.Running}
	return m.now, m.start
}

func (m *machines) Describe(c accounts.Caller, arn string) (states.Execution, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.callers = append(m.callers, c)
	if arn != m.now.ARN || m.described != nil {
		return states.Execution{}, m.described
	}
	if m.after--; m.after <= 0 {
		m.now.Status, m.now.Error, m.now.Cause = m.end.Status, m.end.Error, m.end.Cause
	}
	return m.now, nil
}

// byMachine makes the Purge action one of Step Functions.
func byMachine(pairs ...string) func(*codepipeline.Declaration) {
	return func(d *codepipeline.Declaration) {
		a := &d.Stages[2].Actions[1]
		a.Type, a.Inputs, a.Configuration = kind("Invoke", "StepFunctions"), nil, config(append([]string{"StateMachineArn", purgeMachine}, pairs...)...)
	}
}

func inWith(t *testing.T, m codepipeline.Machines, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newWorldWith(t, codepipeline.Options{}, m)) })
}

// TestMachineSucceeds: the execution is named after the action's, gets the input with variables put in,
// and its ARN is an output variable.
func TestMachineSucceeds(t *testing.T) {
	m := &machines{after: 3, end: states.Execution{Status: states.Succeeded}}
	inWith(t, m, func(w *world) {
		w.declare(byMachine("InputType", "Literal", "Input", `{"items":["/*"],"release":"#{codepipeline.PipelineExecutionId}"}`))
		id := w.start()
		pass(14 * time.Second)
		w.want(id, codepipeline.InProgress)
		if a := w.action(id, "Purge"); a.ExternalExecutionID != m.now.ARN || m.now.Name != a.ExecutionID {
			t.Errorf("action %+v, execution %+v", a, m.now)
		}
		pass(time.Second)
		w.want(id, codepipeline.Succeeded)
		if want := `{"items":["/*"],"release":"` + id + `"}`; m.now.Input != want {
			t.Errorf("input %s, want %s", m.now.Input, want)
		}
		if c := m.callers[3]; len(m.callers) != 4 || c.RoleARN != pipelineRole {
			t.Errorf("called by %+v", m.callers)
		}
	})
}

// TestMachineName: a prefix goes before the action's execution ID; without an input there is none.
func TestMachineName(t *testing.T) {
	m := &machines{after: 1, end: states.Execution{Status: states.Succeeded}}
	inWith(t, m, func(w *world) {
		w.declare(byMachine("ExecutionNamePrefix", "release"))
		id := w.start()
		if want := "release-" + w.action(id, "Purge").ExecutionID; m.now.Name != want || m.now.Input != "" {
			t.Errorf("execution %+v, want the name %s", m.now, want)
		}
	})
}

// TestMachineFails: the failure says how the execution ended and why.
func TestMachineFails(t *testing.T) {
	tests := []struct {
		name        string
		m           *machines
		input       string
		code, parts string // parts of the message, separated by |
	}{
		{"failed", &machines{end: states.Execution{Status: states.Failed, Error: "Denied", Cause: "because"}}, "{}", "JobFailed", ":execution:purge:|ended with status FAILED. Denied: because"},
		{"timed out", &machines{end: states.Execution{Status: states.TimedOut}}, "{}", "JobFailed", "TIMED_OUT"},
		{"not started", &machines{start: wire.Denied("no start")}, "{}", "PermissionError", "no start"},
		{"not watched", &machines{described: wire.Denied("no look")}, "{}", "PermissionError", "no look"},
		{"input", &machines{}, "{", "ConfigurationError", "not JSON"},
		{"too long", &machines{after: 1 << 30}, "{}", "JobFailed", "did not end within 168h"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWith(t, tt.m, func(w *world) {
				w.declare(byMachine("Input", tt.input))
				id := w.start()
				if tt.name == "too long" {
					w.clock.Advance(7 * 24 * time.Hour)
				}
				pass(6 * time.Second)
				w.want(id, codepipeline.Failed)
				for _, part := range strings.Split(tt.parts, "|") {
					if a := w.action(id, "Purge"); a.ErrorCode != tt.code || !strings.Contains(a.Message, part) {
						t.Errorf("action %s: %s, want %s with %q", a.ErrorCode, a.Message, tt.code, part)
					}
				}
			})
		})
	}
}

// TestMachineAbandoned: stopping the pipeline ends the wait; AWS lets the machine run on.
func TestMachineAbandoned(t *testing.T) {
	m := &machines{after: 1 << 30}
	inWith(t, m, func(w *world) {
		w.declare(byMachine())
		id := w.start()
		pass(time.Minute)
		if err := w.service.StopExecution(w.root, region, "site", id, "enough", true); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		w.want(id, codepipeline.Stopped)
		if a := w.action(id, "Purge"); a.Status != codepipeline.Abandoned || m.now.Status != states.Running {
			t.Errorf("action %s, execution %s", a.Status, m.now.Status)
		}
	})
}

// TestMachineDeclarations: what the action type does not take, and what is not emulated.
func TestMachineDeclarations(t *testing.T) {
	tests := []struct {
		name   string
		change func(*codepipeline.Action)
		code   string
	}{
		{"an input artifact", func(a *codepipeline.Action) { a.Inputs = named("Site") }, "NotEmulated"},
		{"an output artifact", func(a *codepipeline.Action) { a.Outputs = named("Out") }, "NotEmulated"},
		{"two inputs", func(a *codepipeline.Action) { a.Inputs = named("Site", "Source") }, "InvalidActionDeclarationException"},
		{"a file", func(a *codepipeline.Action) { a.Configuration["InputType"] = "FilePath" }, "NotEmulated"},
		{"no machine", func(a *codepipeline.Action) { delete(a.Configuration, "StateMachineArn") }, "InvalidActionDeclarationException"},
		{"another key", func(a *codepipeline.Action) { a.Configuration["Wait"] = "1" }, "NotEmulated"},
	}
	for _, tt := range tests {
		w := newWorldWith(t, codepipeline.Options{}, &machines{})
		d := site()
		byMachine()(&d)
		tt.change(&d.Stages[2].Actions[1])
		if err := w.service.Check(d, region); code(err) != tt.code {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
		}
	}
	d := site()
	byMachine()(&d)
	if err := newWorld(t, codepipeline.Options{}).service.Check(d, region); code(err) != "NotEmulated" {
		t.Errorf("without Step Functions: %v", err)
	}
}
