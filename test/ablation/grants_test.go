package ablation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/unstale/unstale/templates"
)

// grant is one action of one statement of one policy in a template: the least that can be taken out.
type grant struct {
	template, resource string // resource is the logical ID
	sid                string // a Lambda permission has none
	action             string // as written, e.g. "kms:ReEncrypt*"
}

func (g grant) String() string {
	return fmt.Sprintf("%s %s/%s %s", g.template, g.resource, g.sid, g.action)
}

// entry is a grant with what its place says of it.
type entry struct {
	grant
	deny  bool
	layer string // where iam looks for it: identity, resource, trust or key
}

// templateNames are in the order in which they are deployed.
var templateNames = []string{"pipeline-base", "delivery-relay", "pipeline-relay"}

// entries lists everything that the templates grant or deny, in the order of the templates.
func entries(t *testing.T) []entry {
	t.Helper()
	var all []entry
	for _, name := range templateNames {
		text, err := templates.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entriesOf(name, decode(t, text))...)
	}
	return all
}

type object = map[string]any

func decode(t *testing.T, text []byte) object {
	t.Helper()
	var out object
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // numbers are written back as they were
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func encode(t *testing.T, o object) []byte {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func entriesOf(name string, template object) []entry {
	var all []entry
	for id, r := range template["Resources"].(object) {
		r := r.(object)
		if r["Type"] == "AWS::Lambda::Permission" {
			action := r["Properties"].(object)["Action"].(string)
			all = append(all, entry{grant{name, id, "", action}, false, "resource"})
			continue
		}
		for _, d := range documents(r) {
			for _, s := range statements(d.document) {
				for _, action := range actions(s) {
					g := grant{name, id, s["Sid"].(string), action}
					all = append(all, entry{g, s["Effect"] == "Deny", layer(r["Type"].(string), d.property)})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.String(), b.String()) })
	return all
}

// document is a policy document within a resource, with how to take it out whole.
type document struct {
	property string
	document object
	drop     func()
}

// documents finds the policies of a resource, inline ones of roles among them.
func documents(resource object) []document {
	properties, _ := resource["Properties"].(object)
	var found []document
	for name, v := range properties {
		if d, ok := v.(object); ok && d["Statement"] != nil {
			found = append(found, document{name, d, func() { delete(properties, name) }})
		}
	}
	inline, _ := properties["Policies"].([]any)
	for i, p := range inline {
		found = append(found, document{"Policies", p.(object)["PolicyDocument"].(object), func() {
			if rest := slices.Delete(slices.Clone(inline), i, i+1); len(rest) > 0 {
				properties["Policies"] = rest
			} else {
				delete(properties, "Policies")
			}
		}})
	}
	return found
}

func layer(resourceType, property string) string {
	switch {
	case property == "AssumeRolePolicyDocument":
		return "trust"
	case property == "KeyPolicy":
		return "key"
	case resourceType == "AWS::S3::BucketPolicy":
		return "resource"
	}
	return "identity"
}

func statements(document object) []object {
	var out []object
	for _, s := range document["Statement"].([]any) {
		out = append(out, s.(object))
	}
	return out
}

func actions(statement object) []string {
	list, ok := statement["Action"].([]any)
	if !ok {
		return []string{statement["Action"].(string)}
	}
	var out []string
	for _, a := range list {
		out = append(out, a.(string))
	}
	return out
}

// without is the template with the grant taken out and nothing else changed: the action leaves its
// statement, an empty statement its document, an empty document its resource. AWS takes no role
// without a trust policy, so there another action, which nobody needs, keeps the statement's place.
func (g grant) without(t *testing.T, text []byte) []byte {
	t.Helper()
	template := decode(t, text)
	resources := template["Resources"].(object)
	r := resources[g.resource].(object)
	if r["Type"] == "AWS::Lambda::Permission" {
		delete(resources, g.resource)
		return encode(t, template)
	}
	taken := 0
	for _, d := range documents(r) {
		var rest []any
		for _, s := range statements(d.document) {
			left := actions(s)
			if s["Sid"] == g.sid {
				left = slices.DeleteFunc(left, func(a string) bool { return a == g.action })
				taken += len(actions(s)) - len(left)
				if len(left) == 0 && d.property == "AssumeRolePolicyDocument" {
					left = []string{"sts:TagSession"}
				}
				s["Action"] = left
			}
			if len(left) > 0 {
				rest = append(rest, s)
			}
		}
		if d.document["Statement"] = rest; len(rest) == 0 {
			d.drop()
		}
	}
	if taken != 1 {
		t.Fatalf("take out %s: %d of it found", g, taken)
	}
	return encode(t, template)
}
