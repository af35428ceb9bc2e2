package codepipeline

import (
	"context"
	"fmt"
	"slices"

	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/random"
)

// begin starts an execution and returns its ID; see Start for the token.
func (s *Service) begin(p *pipeline, t Trigger, token string) string {
	s.mu.Lock()
	for _, e := range p.executions {
		if token != "" && e.token == token {
			s.mu.Unlock()
			return e.id
		}
	}
	e := &execution{
		id: random.UUID(), number: len(p.executions), pipeline: p, declared: p.Declaration, status: InProgress, trigger: t, token: token, start: s.Clock.Now(),
		artifacts: map[string]produced{},
	}
	e.variables = map[string]map[string]string{reservedNamespace: {"PipelineExecutionId": e.id}}
	e.ctx, e.cancel = context.WithCancel(s.ctx)
	for _, st := range e.declared.Stages {
		e.stages = append(e.stages, &stageRun{name: st.Name, latest: map[string]*actionRun{}})
	}
	p.executions = append(p.executions, e)
	s.mu.Unlock()
	s.launch(e, 0, nil)
	return e.id
}

// launch takes e through the stages from the given one. keep names actions of that stage that are not
// run again.
func (s *Service) launch(e *execution, from int, keep []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	busy := s.Clock.Busy()
	s.work.Go(func() {
		r := &runner{service: s, execution: e, busy: busy}
		defer func() { r.busy() }()
		s.set(e, InProgress, "")
		r.advance(from, keep)
	})
}

// runner is an execution under way. It holds the clock busy except while it waits.
type runner struct {
	service   *Service
	execution *execution
	busy      func()
}

func (r *runner) await(p *promise) message {
	r.busy()
	defer context.AfterFunc(r.execution.ctx, func() { p.keep(message{what: cancelled}) })()
	m := <-p.got
	r.busy = m.busy
	return m
}

func (r *runner) advance(from int, keep []string) {
	s, e := r.service, r.execution
	for i := from; i < len(e.stages); i++ {
		if !r.enter(e.stages[i].name) {
			return
		}
		status := r.stage(i, keep)
		keep = nil
		s.setStage(e, e.stages[i], status)
		r.leave(e.stages[i].name)
		if status != Succeeded {
			early, why := r.early()
			if early != status { // it had failed before
				why = ""
			}
			s.set(e, status, why)
			return
		}
	}
	s.set(e, Succeeded, "")
}

func (r *runner) early() (status, summary string) {
	r.service.mu.Lock()
	defer r.service.mu.Unlock()
	return r.execution.early()
}

// enter returns once e is in the stage; false when it was superseded, stopped or cancelled before.
func (r *runner) enter(stage string) bool {
	s, e := r.service, r.execution
	wait := newPromise(s.Clock)
	s.mu.Lock()
	if status, why := e.early(); status != "" {
		s.mu.Unlock()
		s.set(e, status, why)
		return false
	}
	in, loser := e.pipeline.gate(stage).enter(e, wait)
	var losing *promise
	if loser != nil && loser != e {
		losing, loser.waiting = loser.waiting, nil
	}
	s.mu.Unlock()
	switch {
	case in:
		return true
	case loser == e:
		s.set(e, Superseded, "Superseded by a newer execution that waits for stage "+stage)
		return false
	case losing != nil:
		losing.keep(message{what: passed, answer: answer{summary: e.id}})
	}
	switch m := r.await(wait); m.what {
	case entered:
		return true
	case passed:
		s.set(e, Superseded, "Superseded by execution "+m.answer.summary)
	default:
		s.mu.Lock()
		e.pipeline.gate(stage).forget(e)
		status, why := e.early()
		s.mu.Unlock()
		s.set(e, status, why)
	}
	return false
}

// gate is the stage's. The caller holds mu.
func (p *pipeline) gate(stage string) *gate {
	if p.gates[stage] == nil {
		p.gates[stage] = &gate{}
	}
	return p.gates[stage]
}

func (r *runner) leave(stage string) {
	r.service.mu.Lock()
	next := r.execution.pipeline.gate(stage).leave()
	r.service.mu.Unlock()
	if next != nil {
		next.keep(message{what: entered})
	}
}

// stage runs the actions, one run order after another, and returns how the stage ended.
func (r *runner) stage(i int, keep []string) string {
	s, e := r.service, r.execution
	st := e.stages[i]
	s.setStage(e, st, InProgress)
	for _, group := range e.declared.Stages[i].groups() {
		group = slices.DeleteFunc(group, func(a Action) bool { return slices.Contains(keep, a.Name) })
		failed := len(group) > 0 && !r.group(st, group)
		if status, _ := r.early(); status != "" {
			return status
		}
		if failed {
			return Failed
		}
	}
	return Succeeded
}

// group runs actions in parallel; true when all succeeded.
func (r *runner) group(st *stageRun, actions []Action) bool {
	type result struct {
		ok   bool
		busy func()
	}
	results := make(chan result, len(actions))
	for _, a := range actions {
		run := &Run{runner: runner{service: r.service, execution: r.execution, busy: r.service.Clock.Busy()}, stage: st, Action: a}
		go func() { results <- result{run.perform(), run.busy} }()
	}
	r.busy()
	all := true
	for i := range actions {
		done := <-results
		all = all && done.ok
		if r.busy = done.busy; i < len(actions)-1 {
			r.busy() // the actions still under way keep the clock busy, or wait themselves
		}
	}
	return all
}

// location is where a new artifact goes: names cut to 20 and 10 characters, and a random part, as the
// console shows them (M).
func location(bucket, pipeline, name string) artifact.Location {
	return artifact.Location{Bucket: bucket, Key: fmt.Sprintf("%.20s/%.10s/%.7s", pipeline, name, random.UUID())}
}
