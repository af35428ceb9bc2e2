package codepipeline

import (
	"context"

	"github.com/unstale/unstale/rehearsal/front"
)

// declared is a pipeline as CreatePipeline and UpdatePipeline take it: GetPipeline's answer without its
// metadata, which update-pipeline does not take either (AWS CLI, update-pipeline).
type declared struct {
	Pipeline *Declaration `json:"pipeline"`
}

func (s *Service) apiCreate(ctx context.Context, c front.Call, in declared) (any, error) {
	return s.edit(ctx, c, in, "CreatePipeline")
}

func (s *Service) apiUpdate(ctx context.Context, c front.Call, in declared) (any, error) {
	return s.edit(ctx, c, in, "UpdatePipeline")
}

func (s *Service) edit(ctx context.Context, c front.Call, in declared, action string) (any, error) {
	if in.Pipeline == nil {
		return nil, missing("pipeline")
	}
	d, err := s.Put(ctx, c.Caller, c.Region, *in.Pipeline, action)
	if err != nil {
		return nil, err
	}
	return object{"pipeline": d}, nil
}

func (s *Service) apiDelete(_ context.Context, c front.Call, in struct {
	Name string `json:"name"`
},
) (any, error) {
	switch {
	case in.Name == "":
		return nil, missing("name")
	case !entityName.MatchString(in.Name):
		return nil, constraint("name", in.Name, "Member must satisfy regular expression pattern: [A-Za-z0-9.@\\-_]+")
	}
	return nil, s.remove(c.Caller, pipelineARN(c.Region, c.Caller.Account, in.Name))
}

// missing refuses a request that lacks a parameter.
func missing(name string) error {
	return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", name)
}
