package codepipeline

import (
	"context"
	"slices"

	"github.com/unstale/unstale/rehearsal/awsjson"
	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

func (s *Service) apiState(_ context.Context, c front.Call, in struct {
	Name string `json:"name"`
},
) (any, error) {
	p, err := s.find(c.Caller, c.Region, in.Name, "GetPipelineState")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stages := []object{}
	for _, st := range p.Stages {
		stages = append(stages, p.stageState(st))
	}
	return object{
		"pipelineName": p.Name, "pipelineVersion": p.Version, "stageStates": stages,
		"created": awsjson.Time(p.created), "updated": awsjson.Time(p.updated),
	}, nil
}

// stageState is the console's box for a stage. The caller holds mu.
func (p *pipeline) stageState(st Stage) object {
	g := p.gate(st.Name)
	out := object{"stageName": st.Name, "inboundTransitionState": object{"enabled": true}}
	if g.waiting != nil {
		waiting := object{"pipelineExecutionId": g.waiting.id, "status": InProgress, "type": "STANDARD"}
		out["inboundExecution"], out["inboundExecutions"] = waiting, []object{waiting}
	}
	var run *stageRun
	if g.latest != nil {
		if i := slices.IndexFunc(g.latest.stages, func(r *stageRun) bool { return r.name == st.Name }); i >= 0 {
			run = g.latest.stages[i]
			out["latestExecution"] = object{"pipelineExecutionId": g.latest.id, "status": run.status, "type": "STANDARD"}
		}
	}
	actions := []object{}
	for _, a := range st.Actions {
		state := object{"actionName": a.Name}
		if run != nil && run.latest[a.Name] != nil {
			r := run.latest[a.Name]
			state["latestExecution"] = r.latestState()
			if a.Type.Category == "Source" && r.Status == Succeeded {
				state["currentRevision"] = object{
					"revisionId": r.ExternalExecutionID, "revisionChangeId": r.ExternalExecutionID, "created": awsjson.Time(r.Updated),
				}
			}
		}
		actions = append(actions, state)
	}
	out["actionStates"] = actions
	return out
}

func (r *actionRun) latestState() object {
	out := object{"actionExecutionId": r.ExecutionID, "status": r.Status, "lastStatusChange": awsjson.Time(r.Updated)}
	addText(out, "summary", r.Summary)
	addText(out, "externalExecutionId", r.ExternalExecutionID)
	if r.percent > 0 {
		out["percentComplete"] = r.percent
	}
	if r.ErrorCode != "" {
		out["errorDetails"] = object{"code": r.ErrorCode, "message": r.Message}
	}
	return out
}

func addText(o object, name, value string) {
	if value != "" {
		o[name] = value
	}
}

func (s *Service) apiExecution(_ context.Context, c front.Call, in struct {
	Name      string `json:"pipelineName"`
	Execution string `json:"pipelineExecutionId"`
},
) (any, error) {
	p, err := s.find(c.Caller, c.Region, in.Name, "GetPipelineExecution")
	if err != nil {
		return nil, err
	}
	e, err := s.execution(p, in.Execution)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	revisions := []object{}
	for _, r := range e.sources {
		revisions = append(revisions, object{"name": r.artifact, "revisionId": r.id, "revisionSummary": r.summary})
	}
	out := object{
		"pipelineName": p.Name, "pipelineVersion": e.declared.Version, "pipelineExecutionId": e.id, "status": e.status,
		"artifactRevisions": revisions, "trigger": e.trigger.view(), "executionMode": "SUPERSEDED", "executionType": "STANDARD",
	}
	addText(out, "statusSummary", e.summary)
	return object{"pipelineExecution": out}, nil
}

func (t Trigger) view() object { return object{"triggerType": t.Type, "triggerDetail": t.Detail} }

func (s *Service) apiExecutions(_ context.Context, c front.Call, in struct {
	Name string `json:"pipelineName"`
	page
},
) (any, error) {
	p, err := s.find(c.Caller, c.Region, in.Name, "ListPipelineExecutions")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []object{}
	for _, e := range slices.Backward(p.executions) {
		sources := []object{}
		for _, r := range e.sources {
			sources = append(sources, object{"actionName": r.action, "revisionId": r.id, "revisionSummary": r.summary})
		}
		o := object{
			"pipelineExecutionId": e.id, "status": e.status, "startTime": awsjson.Time(e.start), "lastUpdateTime": awsjson.Time(e.updated),
			"sourceRevisions": sources, "trigger": e.trigger.view(), "executionMode": "SUPERSEDED", "executionType": "STANDARD",
		}
		addText(o, "statusSummary", e.summary)
		if e.stop != nil {
			o["stopTrigger"] = object{"reason": e.stop.reason}
		}
		list = append(list, o)
	}
	return in.cut("pipelineExecutionSummaries", list, 100)
}

func (s *Service) apiActions(_ context.Context, c front.Call, in struct {
	Name   string `json:"pipelineName"`
	Filter *struct {
		Execution string `json:"pipelineExecutionId"`
	} `json:"filter"`
	page
},
) (any, error) {
	p, err := s.find(c.Caller, c.Region, in.Name, "ListActionExecutions")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list, found := []object{}, in.Filter == nil || in.Filter.Execution == ""
	for _, e := range slices.Backward(p.executions) {
		if in.Filter != nil && in.Filter.Execution != "" && in.Filter.Execution != e.id {
			continue
		}
		found = true
		for _, st := range slices.Backward(e.stages) {
			for _, a := range slices.Backward(st.history) {
				list = append(list, a.detail(e, st.name))
			}
		}
	}
	if !found {
		return nil, wire.Errorf(400, "PipelineExecutionNotFoundException", "Pipeline %s does not have an execution with id %s", p.Name, in.Filter.Execution)
	}
	return in.cut("actionExecutionDetails", list, 100)
}

// detail is one attempt at an action. The caller holds mu.
func (r *actionRun) detail(e *execution, stage string) object {
	result := object{"externalExecutionId": r.ExternalExecutionID, "externalExecutionSummary": r.Summary}
	if r.ErrorCode != "" {
		result["errorDetails"] = object{"code": r.ErrorCode, "message": r.Message}
	}
	input := object{
		"actionTypeId": r.action.Type, "configuration": r.action.Configuration, "resolvedConfiguration": r.resolved,
		"region": e.pipeline.region, "inputArtifacts": artifactDetails(r.inputs),
	}
	addText(input, "roleArn", r.action.RoleARN)
	addText(input, "namespace", r.action.Namespace)
	output := object{"outputArtifacts": artifactDetails(r.outputs), "executionResult": result}
	if len(r.variables) > 0 {
		output["outputVariables"] = r.variables
	}
	return object{
		"pipelineExecutionId": e.id, "actionExecutionId": r.ExecutionID, "pipelineVersion": e.declared.Version,
		"stageName": stage, "actionName": r.Name, "startTime": awsjson.Time(r.Start), "lastUpdateTime": awsjson.Time(r.Updated),
		"status": r.Status, "input": input, "output": output,
	}
}

func artifactDetails(of map[string]artifact.Location) []object {
	out := []object{}
	for name, at := range of {
		out = append(out, object{"name": name, "s3location": object{"bucket": at.Bucket, "key": at.Key}})
	}
	return out
}
