package templates

import (
	"maps"
	"slices"

	"github.com/unstale/unstale/rehearsal/wire"
)

// decideConditions resolves every condition; they may refer to each other but not in a circle.
func (s *scope) decideConditions() error {
	s.conditions = map[string]bool{}
	open := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.template.Conditions)) {
		if err := s.decideCondition(name, open); err != nil {
			return err
		}
	}
	return nil
}

func (s *scope) decideCondition(name string, open map[string]bool) error {
	if _, done := s.conditions[name]; done {
		return nil
	}
	expr, ok := s.template.Conditions[name]
	if !ok {
		return invalid("Template error: condition %s is not defined", name)
	}
	if open[name] {
		return invalid("Template error: condition %s depends on itself", name)
	}
	open[name] = true
	v, err := s.truth("Conditions."+name, expr, open)
	s.conditions[name] = v
	if err != nil {
		delete(s.conditions, name)
	}
	return err
}

// truth resolves Fn::Equals, Fn::Not, Fn::And, Fn::Or and {"Condition": name}.
func (s *scope) truth(at string, v any, open map[string]bool) (bool, error) {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return false, invalid("%s: a condition is one function call", at)
	}
	for name, arg := range m {
		if name == "Condition" {
			other, ok := arg.(string)
			if !ok {
				return false, invalid("%s: Condition takes a name", at)
			}
			err := s.decideCondition(other, open)
			return s.conditions[other], err
		}
		list, ok := arg.([]any)
		if !ok {
			return false, invalid("%s: %s takes a list", at, name)
		}
		return s.logic(at, name, list, open)
	}
	return false, nil
}

func (s *scope) logic(at, name string, list []any, open map[string]bool) (bool, error) {
	count := map[string][2]int{"Fn::Equals": {2, 2}, "Fn::Not": {1, 1}, "Fn::And": {2, 10}, "Fn::Or": {2, 10}}
	limits, known := count[name]
	if !known {
		return false, wire.NotEmulated("the condition function %s (%s)", name, at)
	}
	if len(list) < limits[0] || len(list) > limits[1] {
		return false, invalid("%s: %s takes %d to %d values", at, name, limits[0], limits[1])
	}
	if name == "Fn::Equals" {
		a, err := s.plain(at, list[0])
		if err != nil {
			return false, err
		}
		b, err := s.plain(at, list[1])
		return a == b, err
	}
	result := name == "Fn::And"
	for _, x := range list {
		v, err := s.truth(at, x, open)
		if err != nil {
			return false, err
		}
		switch name {
		case "Fn::Not":
			result = !v
		case "Fn::And":
			result = result && v
		case "Fn::Or":
			result = result || v
		}
	}
	return result, nil
}

// plain is a value a condition may compare: a literal, a parameter, a pseudo parameter, or a text made of them.
func (s *scope) plain(at string, v any) (string, error) {
	r, err := s.value(at, v)
	if err != nil {
		return "", err
	}
	return asText(at, r)
}
