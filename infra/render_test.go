package infra

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// rendering evaluates a template as CloudFormation would, so that tests can judge what gets deployed. A resource's Ref is
// its logical ID in angle brackets, an attribute is "<ID.Attribute>". What the templates do not use fails the test.
type rendering struct {
	t          *testing.T
	template   template
	values     map[string]string // parameters and pseudo parameters
	conditions map[string]bool
}

// render returns the resources that a deployment with the given parameters makes, properties evaluated, and its outputs.
func render(t *testing.T, name string, given map[string]string) (map[string]resource, map[string]string) {
	t.Helper()
	r := rendering{t: t, template: load(t, name), values: map[string]string{
		"AWS::AccountId": "333333333333", "AWS::Region": "ap-southeast-1", "AWS::Partition": "aws",
	}, conditions: map[string]bool{}}
	r.bind(given)
	for id, expression := range r.template.Conditions {
		r.conditions[id] = r.decide(expression)
	}
	made := map[string]resource{}
	for id, res := range r.template.Resources {
		if res.Condition == "" || r.conditions[res.Condition] {
			res.Properties = r.value(res.Properties).(map[string]any)
			made[id] = res
		}
	}
	outputs := map[string]string{}
	for id, out := range r.template.Outputs {
		if out.Condition == "" || r.conditions[out.Condition] {
			outputs[id] = r.value(out.Value).(string)
		}
	}
	return made, outputs
}

// bind takes parameters as CloudFormation does: defaults, constraints, no parameter that is not declared.
func (r *rendering) bind(given map[string]string) {
	r.t.Helper()
	for id, value := range given {
		if _, ok := r.template.Parameters[id]; !ok {
			r.t.Fatalf("parameter %s does not exist", id)
		}
		r.values[id] = value
	}
	for id, p := range r.template.Parameters {
		value, ok := r.values[id]
		if !ok && p.Default == nil {
			r.t.Fatalf("parameter %s must have a value", id)
		}
		if !ok {
			value = *p.Default
		}
		if err := p.check(value); err != nil {
			r.t.Fatalf("parameter %s: %v", id, err)
		}
		r.values[id] = value
	}
}

func (p parameter) check(value string) error {
	if p.AllowedPattern != "" && !regexp.MustCompile("^(?:"+p.AllowedPattern+")$").MatchString(value) {
		return fmt.Errorf("%q does not match %s", value, p.AllowedPattern)
	}
	if len(value) < p.MinLength || p.MaxLength > 0 && len(value) > p.MaxLength {
		return fmt.Errorf("%q is not %d to %d long", value, p.MinLength, p.MaxLength)
	}
	for _, allowed := range p.AllowedValues {
		if value == allowed {
			return nil
		}
	}
	if len(p.AllowedValues) > 0 {
		return fmt.Errorf("%q is not one of %q", value, p.AllowedValues)
	}
	return nil
}

func (r *rendering) decide(expression any) bool {
	r.t.Helper()
	for function, argument := range expression.(map[string]any) {
		switch list, _ := argument.([]any); function {
		case "Fn::Equals":
			return r.value(list[0]) == r.value(list[1])
		case "Fn::Not":
			return !r.decide(list[0])
		case "Fn::And":
			return r.decide(list[0]) && r.decide(list[1])
		case "Fn::Or":
			return r.decide(list[0]) || r.decide(list[1])
		case "Condition":
			return r.decide(r.template.Conditions[argument.(string)])
		}
	}
	r.t.Fatalf("unknown condition %v", expression)
	return false
}

func (r *rendering) value(v any) any {
	r.t.Helper()
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = r.value(item)
		}
		return list
	case map[string]any:
		if len(v) == 1 {
			for function, argument := range v {
				if function == "Ref" || strings.HasPrefix(function, "Fn::") {
					return r.call(function, argument)
				}
			}
		}
		m := make(map[string]any, len(v))
		for key, item := range v {
			m[key] = r.value(item)
		}
		return m
	default:
		return v
	}
}

func (r *rendering) call(function string, argument any) any {
	r.t.Helper()
	list, _ := argument.([]any)
	switch function {
	case "Ref":
		return r.refAny(argument.(string))
	case "Fn::GetAtt":
		r.exists(list[0].(string))
		return fmt.Sprintf("<%s.%s>", list[0], list[1])
	case "Fn::If":
		if r.conditions[list[0].(string)] {
			return r.value(list[1])
		}
		return r.value(list[2])
	case "Fn::Join":
		var parts []string
		for _, part := range r.value(list[1]).([]any) {
			parts = append(parts, part.(string))
		}
		return strings.Join(parts, list[0].(string))
	case "Fn::Sub":
		return r.sub(argument)
	}
	r.t.Fatalf("unknown function %s", function)
	return nil
}

func (r *rendering) sub(argument any) string {
	body, isString := argument.(string)
	variables := map[string]any{}
	if !isString {
		body = argument.([]any)[0].(string)
		variables = argument.([]any)[1].(map[string]any)
	}
	return regexp.MustCompile(`\$\{([^}]*)\}`).ReplaceAllStringFunc(body, func(match string) string {
		name := match[2 : len(match)-1]
		if value, ok := variables[name]; ok {
			return r.value(value).(string)
		}
		if !strings.HasPrefix(name, "AWS::") {
			r.t.Errorf("Fn::Sub of %q refers to %s other than by its map", body, name)
		}
		return r.ref(name)
	})
}

// refAny is a text, or for a list parameter a list. CloudFormation splits an empty text into one empty text.
func (r *rendering) refAny(name string) any {
	r.t.Helper()
	if r.template.Parameters[name].Type != "CommaDelimitedList" {
		return r.ref(name)
	}
	var list []any
	for value := range strings.SplitSeq(r.values[name], ",") {
		list = append(list, strings.TrimSpace(value))
	}
	return list
}

func (r *rendering) ref(name string) string {
	r.t.Helper()
	if value, ok := r.values[name]; ok {
		return value
	}
	r.exists(name)
	return "<" + name + ">"
}

// exists fails for a reference to a resource that this deployment does not make: CloudFormation would refuse it.
func (r *rendering) exists(id string) {
	r.t.Helper()
	res, ok := r.template.Resources[id]
	if !ok {
		r.t.Fatalf("reference to %s, which is no parameter and no resource", id)
	}
	if res.Condition != "" && !r.conditions[res.Condition] {
		r.t.Errorf("reference to %s, which is not made unless %s", id, res.Condition)
	}
}
