package mistakes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

type object = map[string]any

// edit changes the resources of a template. It fails when what it changes is not there: a template that
// has moved on must not make a mistake into none.
type edit func(resources object) error

// rewrite applies edits to a template.
func rewrite(text []byte, edits []edit) ([]byte, error) {
	var template object
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // numbers are written back as they were
	if err := d.Decode(&template); err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	resources, _ := template["Resources"].(object)
	for _, e := range edits {
		if err := e(resources); err != nil {
			return nil, err
		}
	}
	return json.Marshal(template)
}

// on changes the properties of a resource.
func on(id string, change func(properties object)) edit {
	return func(resources object) error {
		resource, _ := resources[id].(object)
		properties, ok := resource["Properties"].(object)
		if !ok {
			return fmt.Errorf("change resource %s: there is none", id)
		}
		change(properties)
		return nil
	}
}

// without takes a resource out.
func without(id string) edit {
	return func(resources object) error {
		if resources[id] == nil {
			return fmt.Errorf("take out resource %s: there is none", id)
		}
		delete(resources, id)
		for _, r := range resources {
			r, _ := r.(object)
			if after, ok := r["DependsOn"].([]any); ok {
				r["DependsOn"] = slices.DeleteFunc(after, func(v any) bool { return v == id })
			}
		}
		return nil
	}
}

// in changes a statement of a resource's policies.
func in(id, sid string, change func(statement object)) edit {
	return func(resources object) error {
		for _, document := range documents(resources, id) {
			statements, _ := document["Statement"].([]any)
			for _, s := range statements {
				if s, ok := s.(object); ok && s["Sid"] == sid {
					change(s)
					return nil
				}
			}
		}
		return fmt.Errorf("change statement %s of resource %s: there is none", sid, id)
	}
}

// drop takes a statement out of a resource's policies. A policy that is a resource of its own and
// has no other statement goes with it.
func drop(id, sid string) edit {
	return func(resources object) error {
		for _, document := range documents(resources, id) {
			statements, _ := document["Statement"].([]any)
			left := slices.DeleteFunc(slices.Clone(statements), func(s any) bool { s2, _ := s.(object); return s2["Sid"] == sid })
			if len(left) == len(statements) {
				continue
			}
			if len(left) == 0 {
				return without(id)(resources)
			}
			document["Statement"] = left
			return nil
		}
		return fmt.Errorf("take statement %s out of resource %s: there is none", sid, id)
	}
}

// documents are the policies of a resource, inline ones of roles among them.
func documents(resources object, id string) []object {
	resource, _ := resources[id].(object)
	properties, _ := resource["Properties"].(object)
	var out []object
	for _, name := range []string{"AssumeRolePolicyDocument", "PolicyDocument", "KeyPolicy"} {
		if d, ok := properties[name].(object); ok {
			out = append(out, d)
		}
	}
	inline, _ := properties["Policies"].([]any)
	for _, p := range inline {
		p, _ := p.(object)
		if d, ok := p["PolicyDocument"].(object); ok {
			out = append(out, d)
		}
	}
	return out
}

// withResource names another resource in a statement.
func withResource(id, sid string, resource any) edit {
	return in(id, sid, func(s object) { s["Resource"] = resource })
}

// trusting makes a statement ask for another value of a condition key.
func trusting(id, sid, operator, key string, value any) edit {
	return in(id, sid, func(s object) {
		conditions, _ := s["Condition"].(object)
		if conditions == nil {
			conditions = object{}
		}
		conditions[operator] = object{key: value}
		s["Condition"] = conditions
	})
}

// variable sets an environment variable of a function; nil takes it out.
func variable(id, name string, value any) edit {
	return on(id, func(p object) {
		environment, _ := p["Environment"].(object)
		variables, _ := environment["Variables"].(object)
		if value == nil {
			delete(variables, name)
			return
		}
		variables[name] = value
	})
}

func ref(name string) object { return object{"Ref": name} }
