package states

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const machineType = "AWS::StepFunctions::StateMachine"

// properties are those of the resource type that the rehearsal knows.
type properties struct {
	StateMachineName, StateMachineType string
	RoleArn                            string
	DefinitionString                   string
	DefinitionSubstitutions            map[string]any
}

// ResourceTypes is AWS::StepFunctions::StateMachine.
func (s *Service) ResourceTypes() []templates.Type {
	return []templates.Type{{
		Name: machineType, Attributes: []string{"Arn", "Name"},
		Create: s.create, Update: s.update, Fixed: []string{"StateMachineName", "StateMachineType"}, Named: "StateMachineName",
		Delete: func(_ context.Context, e templates.Existing) error { return s.Delete(e.Caller, e.Resource.Ref) },
	}}
}

func (s *Service) create(ctx context.Context, r templates.Request) (templates.Resource, error) {
	m, err := read(r)
	if err != nil {
		return templates.Resource{}, err
	}
	arn, _, err := s.Create(ctx, r.Caller, r.Region, m)
	return templates.Resource{Ref: arn, Attributes: map[string]string{"Arn": arn, "Name": m.Name}}, err
}

func (s *Service) update(ctx context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	m, err := read(r)
	if err != nil {
		return templates.Resource{}, err
	}
	if m.Name != e.Resource.Attributes["Name"] {
		return templates.Resource{}, wire.NotEmulated("renaming the state machine %s", e.Resource.Ref)
	}
	_, err = s.Update(ctx, r.Caller, e.Resource.Ref, m)
	return e.Resource, err
}

// read is the machine that properties ask for, with the substitutions in its definition.
func read(r templates.Request) (Machine, error) {
	p, err := templates.Decode[properties](machineType, r.Properties)
	if err != nil {
		return Machine{}, err
	}
	if p.StateMachineType != "" && p.StateMachineType != "STANDARD" {
		return Machine{}, wire.NotEmulated("the StateMachineType %s", p.StateMachineType)
	}
	if p.DefinitionString == "" {
		return Machine{}, wire.Errorf(400, "ValidationError", "%s: it has no DefinitionString", machineType)
	}
	text, err := substitute(p.DefinitionString, p.DefinitionSubstitutions)
	if err != nil {
		return Machine{}, err
	}
	return Machine{Name: cmp.Or(p.StateMachineName, r.Stack+"-"+r.LogicalID), Type: p.StateMachineType, Role: p.RoleArn, Definition: text}, nil
}

// substitute puts values in place of ${Key}, once: a value is not looked through again. A place without a
// value stays as it is. Source: CloudFormation User Guide, AWS::StepFunctions::StateMachine (H).
func substitute(text string, values map[string]any) (string, error) {
	var pairs []string
	for _, key := range sortedKeys(values) {
		switch v := values[key].(type) {
		case string:
			pairs = append(pairs, "${"+key+"}", v)
		case bool, float64:
			pairs = append(pairs, "${"+key+"}", fmt.Sprint(v))
		default:
			return "", wire.Errorf(400, "ValidationError", "%s: the substitution %s is neither a text, a number nor a boolean", machineType, key)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text), nil
}
