package templates

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

// scope is what expressions may refer to.
type scope struct {
	template   *Template
	pseudo     map[string]string
	parameters map[string]string
	conditions map[string]bool
	made       map[string]Resource
	tags       map[string]string // of the stack, that is asked for
}

// noValue is what {"Ref": "AWS::NoValue"} gives: the property is left out.
type noValue struct{}

// function splits a call into its name and argument; ok is false for a plain object.
func function(m map[string]any) (name string, arg any, ok bool) {
	if len(m) != 1 {
		return "", nil, false
	}
	for k, v := range m {
		if k == "Ref" || strings.HasPrefix(k, "Fn::") {
			return k, v, true
		}
	}
	return "", nil, false
}

// value resolves an expression. at names the place for errors.
func (s *scope) value(at string, v any) (any, error) {
	switch v := v.(type) {
	case []any:
		var out []any
		for i, x := range v {
			r, err := s.value(fmt.Sprintf("%s[%d]", at, i), x)
			if err != nil {
				return nil, err
			}
			if r != (noValue{}) {
				out = append(out, r)
			}
		}
		return out, nil
	case map[string]any:
		if name, arg, ok := function(v); ok {
			return s.call(at, name, arg)
		}
		out := map[string]any{}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			r, err := s.value(at+"."+k, v[k])
			if err != nil {
				return nil, err
			}
			if r != (noValue{}) {
				out[k] = r
			}
		}
		return out, nil
	}
	return v, nil
}

func (s *scope) call(at, name string, arg any) (any, error) {
	switch name {
	case "Ref":
		id, ok := arg.(string)
		if !ok {
			return nil, invalid("%s: Ref takes a name", at)
		}
		return s.ref(at, id)
	case "Fn::GetAtt":
		id, attribute, err := attributeOf(at, arg)
		if err != nil {
			return nil, err
		}
		return s.attribute(at, id, attribute)
	case "Fn::Sub":
		return s.sub(at, arg)
	case "Fn::Join":
		return s.join(at, arg)
	case "Fn::If":
		return s.choose(at, arg)
	}
	return nil, wire.NotEmulated("the function %s (%s)", name, at)
}

func (s *scope) ref(at, id string) (any, error) {
	if id == "AWS::NoValue" {
		return noValue{}, nil
	}
	if v, ok := s.pseudo[id]; ok {
		return v, nil
	}
	if v, ok := s.parameters[id]; ok {
		if s.template.Parameters[id].Type == "CommaDelimitedList" {
			var out []any
			for part := range strings.SplitSeq(v, ",") {
				out = append(out, strings.TrimSpace(part))
			}
			return out, nil
		}
		return v, nil
	}
	r, err := s.resource(at, id)
	return r.Ref, err
}

func (s *scope) attribute(at, id, attribute string) (any, error) {
	r, err := s.resource(at, id)
	if err != nil {
		return nil, err
	}
	v, ok := r.Attributes[attribute]
	if !ok {
		return nil, invalid("%s: resource %s has no attribute %s", at, id, attribute)
	}
	return v, nil
}

func (s *scope) resource(at, id string) (Resource, error) {
	d, declared := s.template.Resources[id]
	if !declared {
		return Resource{}, invalid("Template error: %s refers to %s, which is neither a parameter nor a resource", at, id)
	}
	if !s.wanted(d.Condition) {
		return Resource{}, invalid("Template error: %s refers to resource %s, whose condition %s is false", at, id, d.Condition)
	}
	r, ok := s.made[id]
	if !ok {
		return Resource{}, invalid("%s refers to resource %s before it exists", at, id)
	}
	return r, nil
}

func (s *scope) wanted(condition string) bool { return condition == "" || s.conditions[condition] }

// attributeOf reads GetAtt's argument: ["Id", "Attribute"] or "Id.Attribute".
func attributeOf(at string, arg any) (id, attribute string, err error) {
	switch a := arg.(type) {
	case string:
		var ok bool
		if id, attribute, ok = strings.Cut(a, "."); ok {
			return id, attribute, nil
		}
	case []any:
		if len(a) == 2 {
			id, ok1 := a[0].(string)
			attribute, ok2 := a[1].(string)
			if ok1 && ok2 {
				return id, attribute, nil
			}
		}
	}
	return "", "", invalid("%s: Fn::GetAtt takes a resource and an attribute name", at)
}

// sub replaces ${Name}, ${Resource.Attribute} and ${!literal}.
func (s *scope) sub(at string, arg any) (any, error) {
	text, extra, err := subArgument(at, arg)
	if err != nil {
		return nil, err
	}
	return expand(text, func(name string) (string, error) {
		v, own := extra[name]
		switch {
		case own:
			v, err = s.value(at, v)
		case strings.Contains(name, "."):
			id, attribute, _ := strings.Cut(name, ".")
			v, err = s.attribute(at, id, attribute)
		default:
			v, err = s.ref(at, name)
		}
		if err != nil {
			return "", err
		}
		return asText(at, v)
	})
}

func subArgument(at string, arg any) (string, map[string]any, error) {
	if text, ok := arg.(string); ok {
		return text, nil, nil
	}
	if a, ok := arg.([]any); ok && len(a) == 2 {
		text, ok1 := a[0].(string)
		extra, ok2 := a[1].(map[string]any)
		if ok1 && ok2 {
			return text, extra, nil
		}
	}
	return "", nil, invalid("%s: Fn::Sub takes a text, or a text and an object", at)
}

// expand calls f for each ${name} of text; ${!name} stays as ${name}.
func expand(text string, f func(string) (string, error)) (string, error) {
	var out strings.Builder
	for {
		start := strings.Index(text, "${")
		if start < 0 {
			out.WriteString(text)
			return out.String(), nil
		}
		end := strings.IndexByte(text[start:], '}')
		if end < 0 {
			return "", invalid("Fn::Sub: %q has no closing brace", text[start:])
		}
		out.WriteString(text[:start])
		name := strings.TrimSpace(text[start+2 : start+end])
		text = text[start+end+1:]
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			out.WriteString("${" + literal + "}")
			continue
		}
		v, err := f(name)
		if err != nil {
			return "", err
		}
		out.WriteString(v)
	}
}

func (s *scope) join(at string, arg any) (any, error) {
	a, ok := arg.([]any)
	if !ok || len(a) != 2 {
		return nil, invalid("%s: Fn::Join takes a delimiter and a list", at)
	}
	delimiter, ok := a[0].(string)
	if !ok {
		return nil, invalid("%s: Fn::Join: the delimiter is a text", at)
	}
	v, err := s.value(at, a[1])
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, invalid("%s: Fn::Join takes a list", at)
	}
	parts := make([]string, 0, len(list))
	for _, x := range list {
		t, err := asText(at, x)
		if err != nil {
			return nil, err
		}
		parts = append(parts, t)
	}
	return strings.Join(parts, delimiter), nil
}

func (s *scope) choose(at string, arg any) (any, error) {
	a, ok := arg.([]any)
	if !ok || len(a) != 3 {
		return nil, invalid("%s: Fn::If takes a condition and two values", at)
	}
	name, ok := a[0].(string)
	if !ok {
		return nil, invalid("%s: Fn::If: the condition is a name", at)
	}
	holds, known := s.conditions[name]
	if !known {
		return nil, invalid("Template error: unresolved condition dependency %s in %s", name, at)
	}
	if holds {
		return s.value(at, a[1])
	}
	return s.value(at, a[2])
}

func asText(at string, v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case float64, bool:
		return fmt.Sprint(v), nil
	}
	return "", invalid("%s: a text is needed here, not %T", at, v)
}
