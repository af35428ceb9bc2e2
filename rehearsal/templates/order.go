package templates

import (
	"maps"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

// walk visits every function call inside v, depth first.
func walk(at string, v any, visit func(at, name string, arg any) error) error {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if err := walk(at, x, visit); err != nil {
				return err
			}
		}
	case map[string]any:
		if name, arg, ok := function(v); ok {
			if err := visit(at, name, arg); err != nil {
				return err
			}
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if err := walk(at, v[k], visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// references lists the names, and "Name.Attribute" pairs, that v refers to.
func references(at string, v any) ([]string, error) {
	var out []string
	err := walk(at, v, func(at, name string, arg any) error {
		switch name {
		case "Ref":
			if id, ok := arg.(string); ok {
				out = append(out, id)
			}
		case "Fn::GetAtt":
			id, attribute, err := attributeOf(at, arg)
			if err != nil {
				return err
			}
			out = append(out, id+"."+attribute)
		case "Fn::Sub":
			text, extra, err := subArgument(at, arg)
			if err != nil {
				return err
			}
			_, err = expand(text, func(name string) (string, error) {
				if _, own := extra[name]; !own {
					out = append(out, name)
				}
				return "", nil
			})
			return err
		}
		return nil
	})
	return out, err
}

// check proves, before anything is made, that every type, attribute and name exists.
func (t *Template) check(types map[string]Type) error {
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		d := t.Resources[id]
		if _, ok := types[d.Type]; !ok {
			return wire.NotEmulated("the resource type %s (Resources.%s)", d.Type, id)
		}
		if err := t.checkCondition("Resources."+id, d.Condition); err != nil {
			return err
		}
		for _, other := range d.DependsOn {
			if _, ok := t.Resources[other]; !ok {
				return invalid("Template error: Resources.%s depends on %s, which is no resource", id, other)
			}
		}
		if err := t.checkReferences("Resources."+id, d.Properties, types); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Outputs)) {
		if err := t.checkCondition("Outputs."+name, t.Outputs[name].Condition); err != nil {
			return err
		}
		if err := t.checkReferences("Outputs."+name, t.Outputs[name].Value, types); err != nil {
			return err
		}
	}
	return nil
}

func (t *Template) checkCondition(at, name string) error {
	if _, ok := t.Conditions[name]; name != "" && !ok {
		return invalid("Template error: %s names condition %s, which is not defined", at, name)
	}
	return nil
}

func (t *Template) checkReferences(at string, v any, types map[string]Type) error {
	names, err := references(at, v)
	if err != nil {
		return err
	}
	for _, name := range names {
		id, attribute, isAttribute := strings.Cut(name, ".")
		d, isResource := t.Resources[id]
		_, isParameter := t.Parameters[id]
		_, isPseudo := pseudoNames[id]
		switch {
		case isAttribute && !isResource, !isAttribute && !isResource && !isParameter && !isPseudo:
			return invalid("Template error: %s refers to %s, which does not exist", at, id)
		case isAttribute && !slices.Contains(types[d.Type].Attributes, attribute):
			return wire.NotEmulated("the attribute %s of %s (%s)", attribute, d.Type, at)
		}
	}
	return nil
}

// order sorts the wanted resources so that each comes after what it depends on; among equals by
// name. A circle is an error that names it.
func (s *scope) order() ([]string, error) {
	const (
		open = 1
		done = 2
	)
	state := map[string]int{}
	var out, path []string
	var visit func(id string) error
	visit = func(id string) error {
		d, isResource := s.template.Resources[id]
		if !isResource || !s.wanted(d.Condition) || state[id] == done {
			return nil
		}
		path = append(path, id)
		defer func() { path = path[:len(path)-1] }()
		if state[id] == open {
			return invalid("Circular dependency between resources: [%s]", strings.Join(path[slices.Index(path, id):], ", "))
		}
		state[id] = open
		names, err := references("Resources."+id, d.Properties)
		if err != nil {
			return err
		}
		for _, name := range append(names, d.DependsOn...) {
			other, _, _ := strings.Cut(name, ".")
			if err := visit(other); err != nil {
				return err
			}
		}
		state[id] = done
		out = append(out, id)
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(s.template.Resources)) {
		if err := visit(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}
