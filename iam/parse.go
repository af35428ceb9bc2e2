package iam

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// ParseError says what is wrong with a policy document, where, and what to do.
type ParseError struct {
	Statement string // Sid, or "#0" by position; empty when the document itself is at fault
	Element   string // e.g. "Condition"; empty when no single element is at fault
	Problem   string
	Try       string
}

func (e *ParseError) Error() string {
	var b strings.Builder
	b.WriteString("parse policy document: ")
	if e.Statement != "" {
		fmt.Fprintf(&b, "statement %q: ", e.Statement)
	}
	if e.Element != "" {
		b.WriteString(e.Element + ": ")
	}
	b.WriteString(e.Problem)
	if e.Try != "" {
		b.WriteString("; " + e.Try)
	}
	return b.String()
}

// Parse reads a policy document by the grammar of AWS (reference_policies_grammar): strings or
// lists wherever both are allowed, one statement or a list of them, condition values as strings,
// numbers or booleans. What AWS refuses, or would store and then never match, is refused here with
// a [*ParseError] that names the statement and the element and says what to write instead. Whether
// the document suits the place where it is to be attached is for [Document.Validate] to say.
func Parse(data []byte) (Document, error) {
	tree, err := readTree(data)
	if err != nil {
		return Document{}, err
	}
	top, ok := tree.(*members)
	if !ok {
		return Document{}, &ParseError{Problem: "it is " + kind(tree), Try: "give an object with Version and Statement"}
	}
	d, err := parseDocument(top)
	if err != nil {
		return Document{}, err
	}
	return d, d.uniqueSids()
}

func parseDocument(top *members) (Document, error) {
	var d Document
	if err := top.known("", "Version", "Id", "Statement"); err != nil {
		return d, err
	}
	r := reader{}
	d.Version = r.text(top, "Version")
	d.ID = r.text(top, "Id")
	if r.err != nil {
		return d, r.err
	}
	if _, given := top.values["Version"]; given && d.Version != Version2008 && d.Version != Version2012 {
		return d, &ParseError{Element: "Version", Problem: fmt.Sprintf("%q is unknown", d.Version), Try: "write " + Version2012}
	}
	list, ok := top.values["Statement"].([]node)
	if single, one := top.values["Statement"].(*members); one {
		list, ok = []node{single}, true
	}
	if !ok || len(list) == 0 {
		return d, &ParseError{Element: "Statement", Problem: "it is missing, empty or not a list of objects", Try: "give at least one statement"}
	}
	for i, n := range list {
		s, err := parseStatement(n, fmt.Sprintf("#%d", i), d.Version)
		if err != nil {
			return d, err
		}
		d.Statements = append(d.Statements, s)
	}
	return d, nil
}

// uniqueSids: IAM refuses two statements of one Sid (reference_policies_elements_sid), and a
// decision names its statement by it.
func (d Document) uniqueSids() error {
	seen := map[string]bool{}
	for _, s := range d.Statements {
		if s.Sid != "" && seen[s.Sid] {
			return &ParseError{Statement: s.Sid, Element: "Sid", Problem: "two statements have it", Try: "rename one"}
		}
		seen[s.Sid] = true
	}
	return nil
}

// name is how a statement is called in decisions and errors: its Sid, or its position.
func (d Document) name(i int) string {
	if sid := d.Statements[i].Sid; sid != "" {
		return sid
	}
	return fmt.Sprintf("#%d", i)
}

func parseStatement(n node, name, version string) (Statement, error) {
	var s Statement
	m, ok := n.(*members)
	if !ok {
		return s, &ParseError{Statement: name, Problem: "it is " + kind(n), Try: "give an object with Effect, Action and Resource"}
	}
	r := reader{statement: name}
	if s.Sid = r.text(m, "Sid"); s.Sid != "" {
		r.statement = s.Sid
	}
	if r.err == nil {
		r.err = m.known(r.statement, "Sid", "Effect", "Principal", "NotPrincipal",
			"Action", "NotAction", "Resource", "NotResource", "Condition")
	}
	s.Effect = r.effect(m)
	s.Principal, s.NotPrincipal = r.principals(m, "Principal"), r.principals(m, "NotPrincipal")
	s.Action, s.NotAction = r.list(m, "Action"), r.list(m, "NotAction")
	s.Resource, s.NotResource = r.list(m, "Resource"), r.list(m, "NotResource")
	s.Condition = r.conditions(m, version)
	r.consistent(s)
	r.actions(s)
	r.resources(s, version)
	return s, r.err
}

// known refuses elements of other names. AWS compares names with case; a near miss gets a hint.
func (m *members) known(statement string, names ...string) error {
	for _, name := range m.names {
		if slices.Contains(names, name) {
			continue
		}
		try := "remove it; known here are " + strings.Join(names, ", ")
		for _, n := range names {
			if strings.EqualFold(n, name) {
				try = "write " + n
			}
		}
		return &ParseError{Statement: statement, Element: name, Problem: "unknown element", Try: try}
	}
	return nil
}

// reader reads the elements of one statement and keeps the first error.
type reader struct {
	statement string
	err       error
}

func (r *reader) fail(element, problem, try string) {
	if r.err == nil {
		r.err = &ParseError{Statement: r.statement, Element: element, Problem: problem, Try: try}
	}
}

func (r *reader) text(m *members, name string) string {
	value, present := m.values[name]
	s, ok := value.(string)
	if present && !ok {
		r.fail(name, "it is "+kind(value), "write a string")
	}
	return s
}

// list reads a string or a list of strings.
func (r *reader) list(m *members, name string) []string {
	value, present := m.values[name]
	if !present {
		return nil
	}
	return r.strings(name, value)
}

func (r *reader) strings(name string, value node) []string {
	if s, ok := value.(string); ok {
		return []string{s}
	}
	items, ok := value.([]node)
	if !ok || len(items) == 0 {
		r.fail(name, "it is "+kind(value)+" that says nothing", "write a string or a list of strings")
		return nil
	}
	var list []string
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			r.fail(name, "its list has "+kind(item), "write strings only")
			return nil
		}
		list = append(list, s)
	}
	return list
}

func (r *reader) effect(m *members) Effect {
	effect := Effect(r.text(m, "Effect"))
	if effect != Allow && effect != Deny {
		r.fail("Effect", fmt.Sprintf("it is %q", string(effect)), `write "Allow" or "Deny"`)
	}
	return effect
}

func (r *reader) conditions(m *members, version string) Conditions {
	value, present := m.values["Condition"]
	if !present {
		return nil
	}
	operators, ok := value.(*members)
	if !ok {
		r.fail("Condition", "it is "+kind(value), `write {"Operator": {"key": "value"}}`)
		return nil
	}
	c := Conditions{}
	for _, name := range operators.names {
		t, err := parseTest(name)
		if err != nil {
			r.fail("Condition", err.Error(), "use one of AWS's condition operators, such as StringEquals or ArnLike")
			return nil
		}
		keys, ok := operators.values[name].(*members)
		if !ok || len(keys.names) == 0 {
			r.fail("Condition", "operator "+name+" has no keys", `write {"`+name+`": {"key": "value"}}`)
			return nil
		}
		c[name] = r.keys(name, keys, t, version)
	}
	return c
}

func (r *reader) keys(operator string, keys *members, t test, version string) map[string][]string {
	read := map[string][]string{}
	folded := map[string]bool{}
	for _, key := range keys.names {
		where := operator + " " + key
		if key == "" || folded[strings.ToLower(key)] {
			r.fail("Condition", fmt.Sprintf("%s has key %q empty or twice (keys are compared without case)", operator, key), "merge the values into one list")
		}
		folded[strings.ToLower(key)] = true
		values := r.scalars(where, keys.values[key])
		for _, value := range values {
			if err := t.checkValue(value, version); err != nil {
				r.fail("Condition", fmt.Sprintf("%s: value %q never matches", where, value), err.Error())
			}
		}
		read[key] = values
	}
	return read
}

// scalars reads condition values: a string, number or boolean, or a list of them.
func (r *reader) scalars(where string, value node) []string {
	items, ok := value.([]node)
	if !ok {
		items = []node{value}
	}
	if len(items) == 0 {
		r.fail("Condition", where+" has no values", "write at least one value")
	}
	var list []string
	for _, item := range items {
		switch v := item.(type) {
		case string:
			list = append(list, v)
		case json.Number:
			list = append(list, v.String())
		case bool:
			list = append(list, fmt.Sprint(v))
		default:
			r.fail("Condition", where+" has "+kind(item), "write strings, numbers or booleans")
		}
	}
	return list
}
