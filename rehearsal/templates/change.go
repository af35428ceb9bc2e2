package templates

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Change is what a revision does to one resource. Source for names and values: CloudFormation API
// Reference, ResourceChange.
type Change struct {
	Action                      string // "Add", "Modify", "Remove"
	LogicalID, PhysicalID, Type string
	Replacement                 string   // of a Modify: "True", "False", "Conditional"
	Policy                      string   // what becomes of the resource that goes: "Delete", "Retain", ...
	Scope                       []string // of a Modify: "Properties", "DeletionPolicy", "UpdateReplacePolicy"
	Details                     []Detail
}

// Detail is one property, or attribute of the resource, that a Modify changes.
type Detail struct {
	Attribute  string // "Properties", "DeletionPolicy", "UpdateReplacePolicy"
	Name       string // of the property
	Recreation string // "Never", "Always"
	Dynamic    bool   // the value is known only once another resource is made
}

// laterMark stands before what a resource that is yet to be made will give. It cannot occur in a template's
// own values, since no AWS name has a NUL.
const laterMark = "\x00later:"

// later is what may be referred to of a resource before it is made.
func (t Type) later(id string) Resource {
	r := Resource{Ref: laterMark + id, Attributes: map[string]string{}}
	for _, a := range t.Attributes {
		r.Attributes[a] = laterMark + id + "." + a
	}
	return r
}

// isLater says whether a value depends on a resource that is yet to be made.
func isLater(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, laterMark)
	case []any:
		return slices.ContainsFunc(v, isLater)
	case map[string]any:
		for _, x := range v {
			if isLater(x) {
				return true
			}
		}
	}
	return false
}

// fixed says whether a property changes by replacement only.
func (t Type) fixed(property string) bool {
	return t.Update == nil || slices.Contains(t.Fixed, property)
}

// changed lists the top-level properties in which two resolved sets differ.
func changed(before, after map[string]any) []string {
	names := map[string]bool{}
	for _, m := range []map[string]any{before, after} {
		for name := range m {
			if !reflect.DeepEqual(before[name], after[name]) {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// compare says what bringing a stack to a revision would do, in the order in which it would be done. It
// makes nothing; next.made is filled with what is there and with marks for what will be.
func (s *Service) compare(st Stack, next *revision) ([]Change, error) {
	var out []Change
	for _, id := range next.order {
		d := next.template.Resources[id]
		t := s.types[d.Type]
		if _, exists := st.properties[id]; !exists {
			next.made[id] = t.later(id)
			out = append(out, Change{Action: "Add", LogicalID: id, Type: d.Type})
			continue
		}
		if was := st.template.Resources[id].Type; was != d.Type {
			return nil, invalid("Update of resource type is not permitted. The new template modifies resource type of the following resources: [%s]", id)
		}
		next.made[id] = st.made[id]
		v, err := next.value(id, d.Properties)
		if err != nil {
			return nil, err
		}
		properties, _ := v.(map[string]any)
		c := t.modify(st.properties[id], properties)
		c.LogicalID, c.PhysicalID, c.Type = id, st.made[id].Ref, d.Type
		if c.Replacement == "True" || c.Replacement == "Conditional" {
			next.made[id] = t.later(id)
			c.Policy = either(d.UpdateReplacePolicy, "ReplaceAndRetain", "ReplaceAndDelete")
		}
		c.policies(st.template.Resources[id], d)
		if len(c.Details) > 0 {
			out = append(out, c)
		}
	}
	return append(out, st.removals(next)...), nil
}

// modify compares the properties of one resource, of the same type before and after.
func (t Type) modify(before, after map[string]any) Change {
	c := Change{Action: "Modify", Replacement: "False"}
	for _, name := range changed(before, after) {
		d := Detail{Attribute: "Properties", Name: name, Recreation: "Never", Dynamic: isLater(after[name])}
		if t.fixed(name) {
			d.Recreation = "Always"
			switch {
			case !d.Dynamic:
				c.Replacement = "True"
			case c.Replacement == "False":
				c.Replacement = "Conditional"
			}
		}
		c.Details = append(c.Details, d)
	}
	if len(c.Details) > 0 {
		c.Scope = []string{"Properties"}
	}
	return c
}

// policies adds what else a template says of a resource.
func (c *Change) policies(before, after Declaration) {
	for _, p := range []struct{ name, before, after string }{
		{"DeletionPolicy", before.DeletionPolicy, after.DeletionPolicy},
		{"UpdateReplacePolicy", before.UpdateReplacePolicy, after.UpdateReplacePolicy},
	} {
		if p.before != p.after {
			c.Scope = append(c.Scope, p.name)
			c.Details = append(c.Details, Detail{Attribute: p.name, Recreation: "Never"})
		}
	}
}

// removals are the resources that the revision has no more, in the order in which they go.
func (st Stack) removals(next *revision) []Change {
	var out []Change
	for _, id := range slices.Backward(st.order) {
		if slices.Contains(next.order, id) {
			continue
		}
		d := st.template.Resources[id]
		out = append(out, Change{
			Action: "Remove", LogicalID: id, PhysicalID: st.made[id].Ref, Type: d.Type, Policy: either(d.DeletionPolicy, "Retain", "Delete"),
		})
	}
	return out
}

// either chooses by whether a policy keeps the resource.
func either(policy, retain, del string) string {
	if strings.HasPrefix(policy, "Retain") {
		return retain
	}
	return del
}

// differs says whether a revision is an update at all: policies alone are none (CloudFormation User
// Guide, DeletionPolicy: "You can't update the DeletionPolicy attribute by itself"), new outputs and tags
// are.
func differs(st Stack, next *revision, changes []Change) bool {
	for _, c := range changes {
		if c.Action != "Modify" || slices.Contains(c.Scope, "Properties") {
			return true
		}
	}
	if st.template == nil || !maps.Equal(st.Tags, next.tags) {
		return true
	}
	return !reflect.DeepEqual(st.template.declared(st.template.Outputs), next.template.declared(next.template.Outputs)) ||
		!next.sameOutputs(st.Outputs)
}

// declared is what outputs say of themselves, less their descriptions.
func (t *Template) declared(outputs map[string]Output) map[string]Output {
	out := map[string]Output{}
	for name, o := range outputs {
		o.Description = ""
		out[name] = o
	}
	return out
}

// sameOutputs says whether the outputs, as far as they are known before, are those the stack has.
func (r *revision) sameOutputs(has map[string]string) bool {
	will, err := r.outputs()
	if err != nil {
		return false // the update will say why
	}
	return maps.Equal(will, has)
}
