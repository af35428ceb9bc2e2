package codepipeline

import (
	"context"
	"slices"
	"time"

	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/journal"
)

// The states of executions, stages and actions. Source: API Reference (H).
const (
	InProgress = "InProgress"
	Succeeded  = "Succeeded"
	Failed     = "Failed"
	Stopping   = "Stopping"
	Stopped    = "Stopped"
	Superseded = "Superseded" // executions only
	Cancelled  = "Cancelled"  // executions and stages: the pipeline was changed meanwhile
	Abandoned  = "Abandoned"  // actions only
)

// Trigger is what started an execution: its type as the API spells it, and a detail.
type Trigger struct{ Type, Detail string }

// Execution is one run of a pipeline, as of when it was asked for.
type Execution struct {
	ID, Pipeline   string
	Status         string
	Summary        string // why, when it was superseded, stopped or cancelled
	Trigger        Trigger
	Start, Updated time.Time // rehearsal time
	Stages         []StageState
}

// StageState is a stage of an execution. Status is empty while the execution has not entered it.
type StageState struct {
	Name, Status string
	Actions      []ActionState
}

// ActionState is the latest attempt at an action. Status is empty while there was none.
type ActionState struct {
	Name, Provider, Status string
	ExecutionID            string // of the action
	Role                   string // ARN of the role it acts with
	Summary                string
	ErrorCode, Message     string // why it failed
	ExternalExecutionID    string // e.g. the build's ID, or what a job's answer said
	Start, Updated         time.Time
}

// ExecutionStateChange, StageStateChange and ActionStateChange are told to the journal under these
// names, on the goroutine that runs the action: an observer that does not return holds the pipeline.
type (
	ExecutionStateChange struct {
		Pipeline, Account, Execution string
		Status, Summary              string
		Trigger                      Trigger
	}
	StageStateChange  struct{ Pipeline, Account, Execution, Stage, Status string }
	ActionStateChange struct {
		Pipeline, Account, Execution, Stage string
		Action                              ActionState
	}
)

type execution struct {
	id        string
	number    int // in order of start
	pipeline  *pipeline
	declared  Declaration // as it was when the execution started
	status    string
	summary   string
	trigger   Trigger
	token     string // of the request that started it
	start     time.Time
	updated   time.Time
	stages    []*stageRun
	variables map[string]map[string]string // by namespace
	artifacts map[string]produced          // by name
	sources   []revision
	waiting   *promise // of a stage; nil when it is not waiting
	stop      *stopRequest
	outdated  bool            // the pipeline was changed while it was under way
	ctx       context.Context // of its actions; ends with Close or when it is abandoned
	cancel    context.CancelFunc
}

type stopRequest struct {
	abandon bool
	reason  string
}

// produced is an artifact that exists.
type produced struct {
	at       artifact.Location
	revision string // of the source it came from
}

// revision is what a source action took.
type revision struct{ action, artifact, id, summary string }

type stageRun struct {
	name, status string
	latest       map[string]*actionRun // by action name
	history      []*actionRun          // all attempts, in order
}

type actionRun struct {
	ActionState
	action          Action
	resolved        map[string]string
	inputs, outputs map[string]artifact.Location
	variables       map[string]string
	percent         int
}

// Executions are all runs of a pipeline in order of start, for whoever tells the story: no decision,
// no call in the journal.
func (s *Service) Executions(arn string) []Execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Execution
	if p := s.pipelines[arn]; p != nil {
		for _, e := range p.executions {
			out = append(out, e.snapshot())
		}
	}
	return out
}

// snapshot copies what others may see. The caller holds mu.
func (e *execution) snapshot() Execution {
	out := Execution{
		ID: e.id, Pipeline: e.declared.Name, Status: e.status, Summary: e.summary, Trigger: e.trigger, Start: e.start, Updated: e.updated,
	}
	for i, st := range e.declared.Stages {
		state := StageState{Name: st.Name, Status: e.stages[i].status}
		for _, a := range st.Actions {
			act := ActionState{Name: a.Name, Provider: a.Type.Provider}
			if r := e.stages[i].latest[a.Name]; r != nil {
				act = r.ActionState
			}
			state.Actions = append(state.Actions, act)
		}
		out.Stages = append(out.Stages, state)
	}
	return out
}

// ended says that nothing more will happen to the execution by itself.
func (e *execution) ended() bool { return !slices.Contains([]string{InProgress, Stopping}, e.status) }

// early is how the execution ends before its last action, and why; "" while it goes on. The caller holds mu.
func (e *execution) early() (status, summary string) {
	switch {
	case e.stop != nil:
		return Stopped, e.stop.reason
	case e.ctx.Err() != nil:
		return Stopped, ""
	case e.outdated:
		return Cancelled, "The pipeline's definition was updated before the pipeline execution could be completed."
	}
	return "", ""
}

// outdate ends what is under way of a pipeline that changes: the actions that run are completed, and the
// stage and the execution cancelled then. It returns promises to keep without the lock, which the caller
// holds. Source: User Guide, "Edit a pipeline"; API Reference, PipelineExecution, status Cancelled (H; that
// the stage is called so too, and not Failed, is M).
func (p *pipeline) outdate() (waiting []*promise) {
	for _, e := range p.executions {
		if e.ended() {
			continue
		}
		e.outdated = true
		if w := p.withdraw(e); w != nil {
			waiting = append(waiting, w)
		}
	}
	return waiting
}

// withdraw takes an execution out of the line before a stage; nil when it stands in none. The caller
// holds mu, and keeps the promise without it.
func (p *pipeline) withdraw(e *execution) *promise {
	for _, g := range p.gates {
		g.forget(e)
	}
	w := e.waiting
	e.waiting = nil
	return w
}

// set changes an execution's state and tells it.
func (s *Service) set(e *execution, status, summary string) {
	s.mu.Lock()
	e.status, e.summary, e.updated = status, summary, s.Clock.Now()
	s.mu.Unlock()
	s.tell("ExecutionStateChange", e.change(status, summary))
}

func (e *execution) change(status, summary string) ExecutionStateChange {
	return ExecutionStateChange{
		Pipeline: e.declared.Name, Account: e.pipeline.account, Execution: e.id, Status: status, Summary: summary, Trigger: e.trigger,
	}
}

func (s *Service) setStage(e *execution, st *stageRun, status string) {
	s.mu.Lock()
	st.status, e.updated = status, s.Clock.Now()
	s.mu.Unlock()
	s.tell("StageStateChange", StageStateChange{
		Pipeline: e.declared.Name, Account: e.pipeline.account, Execution: e.id, Stage: st.name, Status: status,
	})
}

// setAction changes an action's state by change and tells it.
func (s *Service) setAction(e *execution, st *stageRun, a *actionRun, change func()) {
	s.mu.Lock()
	change()
	a.Updated = s.Clock.Now()
	e.updated = a.Updated
	state := a.ActionState
	s.mu.Unlock()
	s.tell("ActionStateChange", ActionStateChange{
		Pipeline: e.declared.Name, Account: e.pipeline.account, Execution: e.id, Stage: st.name, Action: state,
	})
}

func (s *Service) tell(name string, data any) {
	s.Journal.Tell(journal.Event{Time: s.Clock.Now(), Source: "codepipeline", Name: name, Data: data})
}
