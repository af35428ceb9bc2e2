package ablation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unstale/unstale/templates"
)

// grant is one action of one statement of one policy in a template: the least that can be taken out.
type grant struct {
	template, resource string // resource is the logical ID
	sid                string // a Lambda permission has none
	action             string // as written, e.g. "kms:ReEncrypt*"
	role               string // of those whom the statement names on one route only, the one; empty: the whole action
}

func (g grant) String() string {
	s := fmt.Sprintf("%s %s/%s %s", g.template, g.resource, g.sid, g.action)
	if g.role != "" {
		s += " for " + g.role
	}
	return s
}

// entry is a grant with what its place says of it.
type entry struct {
	grant
	deny  bool
	layer string // where iam looks for it: identity, resource, trust or key

	conditional bool   // the statement has a Condition
	text        string // the statement, or the permission, as written
}

// on is the grant with the template that has its part on a route.
func (g grant) on(route string) grant {
	switch {
	case route == "same-account":
		g.template = route
	case g.template == base:
		g.template = "pipeline-base"
	default:
		g.template += "-" + route
	}
	return g
}

// partOf is the part of a deployment that a template is.
func partOf(template string) string {
	if template == "pipeline-base" {
		return base
	}
	part, _, _ := strings.Cut(template, "-")
	return part
}

// templatesOf are a route's templates in the order in which they are deployed.
func templatesOf(t *testing.T, route string) []string {
	t.Helper()
	steps, err := templates.Deployment(route)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range steps {
		names = append(names, s.Template)
	}
	return names
}

// entries lists everything that a route's templates grant or deny, in the order of the templates.
func entries(t *testing.T, route string) []entry {
	t.Helper()
	var all []entry
	for _, name := range templatesOf(t, route) {
		all = append(all, entriesOf(t, name, decode(t, get(t, name)), route)...)
	}
	return all
}

func get(t *testing.T, template string) []byte {
	t.Helper()
	text, err := templates.Get(template)
	if err != nil {
		t.Fatal(err)
	}
	return text
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

func entriesOf(t *testing.T, name string, template object, route string) []entry {
	t.Helper()
	var all []entry
	for id, r := range template["Resources"].(object) {
		r := r.(object)
		if !holds(t, template, r["Condition"], route) {
			continue
		}
		if r["Type"] == "AWS::Lambda::Permission" {
			properties := r["Properties"].(object)
			g := grant{name, id, "", properties["Action"].(string), ""}
			all = append(all, entry{grant: g, layer: "resource", text: string(encode(t, properties))})
			continue
		}
		for _, d := range documents(r) {
			for _, s := range statements(d.document) {
				e := entry{
					grant: grant{name, id, s["Sid"].(string), "", ""}, deny: s["Effect"] == "Deny",
					layer: layer(r["Type"].(string), d.property), conditional: s["Condition"] != nil, text: string(encode(t, s)),
				}
				for _, e.action = range actions(s) {
					all = append(all, e)
				}
				for _, e.role = range only(t, template, s["Condition"], route) {
					all = append(all, e)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.String(), b.String()) })
	return all
}

// holds says whether a condition of a template is true on a route. Only the route is in question: the
// stories make everything that is optional besides.
func holds(t *testing.T, template object, condition any, route string) bool {
	t.Helper()
	if name, ok := condition.(string); ok {
		condition = template["Conditions"].(object)[name]
	}
	c, _ := condition.(object)
	if equals, ok := c["Fn::Equals"].([]any); ok {
		parameter, _ := equals[0].(object)
		return parameter["Ref"] != "Route" || equals[1] == route
	}
	if any, ok := c["Fn::Or"].([]any); ok {
		return slices.ContainsFunc(any, func(c interface{}) bool { return holds(t, template, c, route) })
	}
	return true
}

// roleOf finds the role's name in a list of those whom a statement names.
var roleOf = regexp.MustCompile(`:role/\$\{Name\}-([a-z]+)"`)

// only are the roles that a statement's condition names on this route and not on others: those of an
// Fn::If's first branch that its second has not.
func only(t *testing.T, template object, condition any, route string) []string {
	t.Helper()
	var roles []string
	switch v := condition.(type) {
	case object:
		if branches, ok := v["Fn::If"].([]any); ok && holds(t, template, branches[0], route) {
			if list, ok := branches[1].([]any); ok {
				for _, one := range list {
					if text := encode(t, object{"": one}); !bytes.Equal(text, encode(t, object{"": branches[2]})) {
						roles = append(roles, string(roleOf.FindSubmatch(text)[1]))
					}
				}
			}
			return roles
		}
		for _, inner := range v {
			roles = append(roles, only(t, template, inner, route)...)
		}
	}
	return roles
}

// strike takes a role out of the lists that only finds, and says how often.
func (g grant) strike(t *testing.T, condition any) int {
	t.Helper()
	struck := 0
	if v, ok := condition.(object); ok {
		if branches, ok := v["Fn::If"].([]any); ok {
			list, _ := branches[1].([]any)
			branches[1] = slices.DeleteFunc(list, func(one any) bool {
				found := roleOf.FindSubmatch(encode(t, object{"": one}))
				return found != nil && string(found[1]) == g.role
			})
			return len(list) - len(branches[1].([]any))
		}
		for _, inner := range v {
			struck += g.strike(t, inner)
		}
	}
	return struck
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

// dropDependencies takes a resource out of what others wait for.
func dropDependencies(resources object, gone string) {
	for _, r := range resources {
		r := r.(object)
		switch after := r["DependsOn"].(type) {
		case string:
			if after == gone {
				delete(r, "DependsOn")
			}
		case []any:
			r["DependsOn"] = slices.DeleteFunc(after, func(one any) bool { return one == gone })
		}
	}
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
			switch {
			case s["Sid"] != g.sid:
			case g.role != "":
				taken += g.strike(t, s["Condition"])
			default:
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
	if len(documents(r)) == 0 && r["Type"] != "AWS::IAM::Role" { // a policy is nothing without its document
		delete(resources, g.resource)
		dropDependencies(resources, g.resource)
	}
	if taken != 1 {
		t.Fatalf("take out %s: %d of it found", g, taken)
	}
	return encode(t, template)
}
