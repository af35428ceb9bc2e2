package codepipeline

import (
	"context"
	"slices"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// RetryStage runs a failed stage of an execution again: its failed actions, or all of them.
func (s *Service) RetryStage(caller accounts.Caller, region, name, stage, executionID, mode string) error {
	arn := pipelineARN(region, caller.Account, name)
	// Retrying is granted per stage. Source: Service Authorization Reference (H).
	if err := s.authorize(caller, "RetryStageExecution", arn+"/"+stage); err != nil {
		return err
	}
	if mode != "FAILED_ACTIONS" && mode != "ALL_ACTIONS" {
		return constraint("retryMode", mode, "Member must satisfy enum value set: [FAILED_ACTIONS, ALL_ACTIONS]")
	}
	p, err := s.lookup(arn)
	if err != nil {
		return err
	}
	e, err := s.execution(p, executionID)
	if err != nil {
		return err
	}
	i, keep, err := s.retry(p, e, stage, mode)
	if err != nil {
		return err
	}
	s.launch(e, i, keep)
	return nil
}

// retry checks that the stage may be retried and claims the execution.
func (s *Service) retry(p *pipeline, e *execution, stage, mode string) (from int, keep []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(e.stages, func(st *stageRun) bool { return st.name == stage })
	if i < 0 {
		return 0, nil, wire.Errorf(400, "StageNotFoundException", "Pipeline %s does not have a stage with name %s", p.Name, stage)
	}
	if !e.ended() || e.stages[i].status != Failed && e.stages[i].status != Stopped {
		return 0, nil, wire.Errorf(400, "StageNotRetryableException", "The stage %s of execution %s has not failed", stage, e.id)
	}
	if p.gate(stage).latest != e || e.declared.Version != p.Version {
		return 0, nil, wire.Errorf(400, "NotLatestPipelineExecutionException",
			"The stage %s has been entered by a later execution than %s, or the pipeline has changed since", stage, e.id)
	}
	if mode == "FAILED_ACTIONS" {
		for name, a := range e.stages[i].latest {
			if a.Status == Succeeded {
				keep = append(keep, name)
			}
		}
	}
	e.stop = nil
	e.cancel()
	e.ctx, e.cancel = context.WithCancel(s.ctx)
	e.status = InProgress
	return i, keep, nil
}

// StopExecution ends an execution: now, abandoning its actions, or after those under way.
func (s *Service) StopExecution(caller accounts.Caller, region, name, executionID, reason string, abandon bool) error {
	p, err := s.find(caller, region, name, "StopPipelineExecution")
	if err != nil {
		return err
	}
	if len(reason) > 200 {
		return constraint("reason", reason, "Member must have length less than or equal to 200")
	}
	e, err := s.execution(p, executionID)
	if err != nil {
		return err
	}
	s.mu.Lock()
	switch {
	case e.ended():
		s.mu.Unlock()
		return wire.Errorf(400, "PipelineExecutionNotStoppableException", "Execution %s has the status %s", e.id, e.status)
	case e.stop != nil && (e.stop.abandon || !abandon):
		s.mu.Unlock()
		return wire.Errorf(400, "DuplicatedStopRequestException", "Execution %s is being stopped already", e.id)
	}
	e.stop = &stopRequest{abandon, reason}
	e.status, e.summary, e.updated = Stopping, reason, s.Clock.Now()
	waiting, cancel := p.withdraw(e), e.cancel
	s.mu.Unlock()
	s.tell("ExecutionStateChange", e.change(Stopping, reason))
	if waiting != nil {
		waiting.keep(message{what: cancelled})
	}
	if abandon {
		cancel()
	}
	return nil
}

func (s *Service) execution(p *pipeline, id string) (*execution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range p.executions {
		if e.id == id {
			return e, nil
		}
	}
	return nil, wire.Errorf(400, "PipelineExecutionNotFoundException", "Pipeline %s does not have an execution with id %s", p.Name, id)
}
