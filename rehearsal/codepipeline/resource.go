package codepipeline

import (
	"cmp"
	"context"
	"strconv"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const pipelineType = "AWS::CodePipeline::Pipeline"

// properties are those of the resource type that the rehearsal knows: Declaration less its version.
type properties struct {
	Name, PipelineType, ExecutionMode string
	RoleARN                           string `json:"RoleArn"`
	ArtifactStore                     ArtifactStore
	Stages                            []Stage
}

// ResourceTypes is AWS::CodePipeline::Pipeline.
func (s *Service) ResourceTypes() []templates.Type {
	return []templates.Type{{
		Name: pipelineType, Attributes: []string{"Version"}, Fixed: []string{"Name"}, Named: "Name",
		Create: func(ctx context.Context, r templates.Request) (templates.Resource, error) {
			return s.put(ctx, r, "CreatePipeline", "")
		},
		Update: func(ctx context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
			return s.put(ctx, r, "UpdatePipeline", e.Resource.Ref)
		},
		Delete: func(_ context.Context, e templates.Existing) error {
			return s.remove(e.Caller, pipelineARN(e.Region, e.Account, e.Resource.Ref))
		},
	}}
}

// put makes or replaces a pipeline with the caller's permissions. old is the name it has now.
func (s *Service) put(ctx context.Context, r templates.Request, action, old string) (templates.Resource, error) {
	in, err := templates.Decode[properties](pipelineType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	d := Declaration{
		Name: cmp.Or(in.Name, old, r.Stack+"-"+r.LogicalID), RoleARN: in.RoleARN, ArtifactStore: in.ArtifactStore, Stages: in.Stages,
		ExecutionMode: in.ExecutionMode, PipelineType: in.PipelineType,
	}
	if old != "" && d.Name != old {
		return templates.Resource{}, wire.NotEmulated("renaming the pipeline %s", old)
	}
	p, err := s.Put(ctx, r.Caller, r.Region, d, action)
	if err != nil {
		return templates.Resource{}, err
	}
	return templates.Resource{Ref: p.Name, Attributes: map[string]string{"Version": strconv.Itoa(p.Version)}}, nil
}

// Put checks and stores a pipeline as the caller; action is CreatePipeline or UpdatePipeline. The version is
// CodePipeline's to count: one that d has is not looked at. A new pipeline starts by itself, a changed one
// does not, and what is under way of it is cancelled. Source: User Guide, "Edit a pipeline" (H).
func (s *Service) Put(ctx context.Context, caller accounts.Caller, region string, d Declaration, action string) (Declaration, error) {
	d.ExecutionMode, d.PipelineType = cmp.Or(d.ExecutionMode, "SUPERSEDED"), cmp.Or(d.PipelineType, "V1")
	p := &pipeline{
		Declaration: d, arn: pipelineARN(region, caller.Account, d.Name), account: caller.Account, region: region,
		created: s.Clock.Now(), updated: s.Clock.Now(), gates: map[string]*gate{},
	}
	if err := s.authorize(caller, action, p.arn); err != nil {
		return d, err
	}
	if err := first(d.check(region, s.runners), s.checkRoles(ctx, caller, p)); err != nil {
		return d, err
	}
	create := action == "CreatePipeline"
	var waiting []*promise
	s.mu.Lock()
	existing := s.pipelines[p.arn]
	switch {
	case create && existing != nil:
		s.mu.Unlock()
		return d, wire.Errorf(400, "PipelineNameInUseException", "A pipeline with the name '%s' already exists in account '%s'", d.Name, caller.Account)
	case !create && existing == nil: // which code it has is L: the API Reference lists none for UpdatePipeline
		s.mu.Unlock()
		return d, wire.Errorf(400, "PipelineNotFoundException", "Account '%s' does not have a pipeline with name '%s'", caller.Account, d.Name)
	case create:
		p.Version = 1
		s.pipelines[p.arn] = p
	default:
		d.Version = existing.Version + 1
		existing.Declaration, existing.updated = d, p.updated
		p, waiting = existing, existing.outdate()
	}
	stored := p.Declaration
	s.mu.Unlock()
	for _, w := range waiting {
		w.keep(message{what: cancelled})
	}
	if create && !s.IdleOnCreate {
		s.begin(p, Trigger{"CreatePipeline", caller.ARN}, "")
	}
	return stored, nil
}

// checkRoles asks whether the caller may hand over the roles of its account, and whether the roles can be
// assumed down to the actions', which CodePipeline tries when a pipeline is made or changed (M: aws-cdk's
// comment; the text is from issue 22489).
func (s *Service) checkRoles(ctx context.Context, caller accounts.Caller, p *pipeline) error {
	if err := s.Directory.PassRole(caller, p.RoleARN, Principal, "ValidationException"); err != nil {
		return err
	}
	service, err := s.assumePipelineRole(ctx, p, p.RoleARN, "")
	if err != nil {
		return badStructure("%s", asFailure(err).Message)
	}
	checked := map[string]bool{"": true, p.RoleARN: true}
	for _, st := range p.Stages {
		for _, a := range st.Actions {
			if checked[a.RoleARN] {
				continue
			}
			checked[a.RoleARN] = true
			if accounts.AccountOf(a.RoleARN) == p.account {
				if err := s.Directory.PassRole(caller, a.RoleARN, Principal, "ValidationException"); err != nil {
					return err
				}
			}
			if _, err := s.assumeActionRole(ctx, service.Caller, a.RoleARN, ""); err != nil {
				return badStructure("%s", asFailure(err).Message)
			}
		}
	}
	return nil
}

// remove deletes a pipeline; its executions are abandoned. One that is gone is no error (API Reference,
// DeletePipeline, which lists no such error).
func (s *Service) remove(caller accounts.Caller, arn string) error {
	if err := s.authorize(caller, "DeletePipeline", arn); err != nil {
		return err
	}
	s.mu.Lock()
	p := s.pipelines[arn]
	delete(s.pipelines, arn)
	var cancels []context.CancelFunc
	if p != nil {
		for _, e := range p.executions {
			cancels = append(cancels, e.cancel)
		}
	}
	s.mu.Unlock()
	for _, cancel := range cancels {
		cancel()
	}
	return nil
}
