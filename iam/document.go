package iam

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Versions of the policy language. Policy variables exist in the later one only; in a document of
// the earlier (which is also what no Version means) "${aws:username}" is just text.
const (
	Version2008 = "2008-10-17"
	Version2012 = "2012-10-17"
)

// Effect is what a statement does to the requests it matches.
type Effect string

// The two effects.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Document is one policy document. Make one with [Parse] or by decoding JSON; both refuse what AWS
// would refuse. Its JSON is canonical: elements in AWS's order, single values as strings, condition
// operators and keys sorted.
type Document struct {
	Version    string // "", Version2008 or Version2012
	ID         string
	Statements []Statement
}

// Statement is one entry of a document. A nil slice or pointer means that the element is absent.
type Statement struct {
	Sid          string
	Effect       Effect
	Principal    *Principals
	NotPrincipal *Principals
	Action       []string
	NotAction    []string
	Resource     []string
	NotResource  []string
	Condition    Conditions
}

// Principals is the value of a Principal or NotPrincipal element.
type Principals struct {
	Everyone      bool     // the bare "*"
	AWS           []string // ARNs, account IDs, unique IDs ("AROA...") or "*"
	Service       []string // e.g. "lambda.amazonaws.com"
	Federated     []string // identity providers; kept, but no caller here is one
	CanonicalUser []string // S3's canonical user IDs; see principal.go for how they are decided
}

// Conditions is the value of a Condition element: operator, then condition key, then values.
// Operators and keys must all hold.
type Conditions map[string]map[string][]string

// UnmarshalJSON is [Parse].
func (d *Document) UnmarshalJSON(data []byte) error {
	parsed, err := Parse(data)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// MarshalJSON gives the canonical form.
func (d Document) MarshalJSON() ([]byte, error) {
	var o object
	o.text("Version", d.Version)
	o.text("Id", d.ID)
	statements := d.Statements
	if statements == nil {
		statements = []Statement{}
	}
	o.put("Statement", statements)
	return o.bytes()
}

// String gives the canonical form as compact JSON, ready to paste.
func (d Document) String() string { return compact(d) }

// MarshalJSON gives the canonical form of one statement.
func (s Statement) MarshalJSON() ([]byte, error) {
	var o object
	o.text("Sid", s.Sid)
	o.put("Effect", s.Effect)
	o.principals("Principal", s.Principal)
	o.principals("NotPrincipal", s.NotPrincipal)
	o.list("Action", s.Action)
	o.list("NotAction", s.NotAction)
	o.list("Resource", s.Resource)
	o.list("NotResource", s.NotResource)
	if len(s.Condition) > 0 {
		o.put("Condition", s.Condition)
	}
	return o.bytes()
}

// UnmarshalJSON reads a single statement, by the rules of [Parse] for one of Version 2012-10-17.
func (s *Statement) UnmarshalJSON(data []byte) error {
	tree, err := readTree(data)
	if err != nil {
		return err
	}
	parsed, err := parseStatement(tree, "#0", Version2012)
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// String gives the canonical form as compact JSON, ready to paste.
func (s Statement) String() string { return compact(s) }

// MarshalJSON gives "*" or the object of principal types.
func (p Principals) MarshalJSON() ([]byte, error) {
	if p.Everyone {
		return []byte(`"*"`), nil
	}
	var o object
	o.list("AWS", p.AWS)
	o.list("Service", p.Service)
	o.list("Federated", p.Federated)
	o.list("CanonicalUser", p.CanonicalUser)
	return o.bytes()
}

// MarshalJSON sorts operators and keys, and writes single values as strings.
func (c Conditions) MarshalJSON() ([]byte, error) {
	var o object
	for _, operator := range slices.Sorted(maps.Keys(c)) {
		var keys object
		for _, key := range slices.Sorted(maps.Keys(c[operator])) {
			keys.list(key, c[operator][key])
		}
		inner, err := keys.bytes()
		if err != nil {
			return nil, err
		}
		o.put(operator, json.RawMessage(inner))
	}
	return o.bytes()
}

// UnmarshalJSON reads "*" or the object of principal types, by the rules of [Parse].
func (p *Principals) UnmarshalJSON(data []byte) error {
	s, err := parseElement("Principal", data)
	if err == nil {
		*p = *s.Principal
	}
	return err
}

// UnmarshalJSON reads the value of a Condition element, by the rules of [Parse] for a document of
// Version 2012-10-17.
func (c *Conditions) UnmarshalJSON(data []byte) error {
	s, err := parseElement("Condition", data)
	if err == nil {
		*c = s.Condition
	}
	return err
}

// parseElement reads one element by putting it into a statement that says nothing else.
func parseElement(name string, data []byte) (Statement, error) {
	tree, err := readTree(data)
	if err != nil {
		return Statement{}, err
	}
	m := &members{values: map[string]node{"Effect": string(Allow), "Action": "*", "Resource": "*", name: tree}}
	return parseStatement(m, "#0", Version2012)
}

// object writes a JSON object with its members in the order given.
type object struct {
	buf bytes.Buffer
	err error
}

func (o *object) put(name string, value any) {
	if o.err != nil {
		return
	}
	if o.buf.Len() > 0 {
		o.buf.WriteByte(',')
	}
	o.err = encode(&o.buf, name)
	o.buf.WriteByte(':')
	if o.err == nil {
		o.err = encode(&o.buf, value)
	}
}

func (o *object) text(name, value string) {
	if value != "" {
		o.put(name, value)
	}
}

func (o *object) list(name string, values []string) {
	switch {
	case values == nil:
	case len(values) == 1:
		o.put(name, values[0])
	default:
		o.put(name, values)
	}
}

func (o *object) principals(name string, p *Principals) {
	if p != nil {
		o.put(name, *p)
	}
}

func (o *object) bytes() ([]byte, error) {
	return append(append([]byte{'{'}, o.buf.Bytes()...), '}'), o.err
}

// encode writes compact JSON without the HTML escapes that would spoil a paste.
func encode(buf *bytes.Buffer, value any) error {
	e := json.NewEncoder(buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return err
	}
	buf.Truncate(buf.Len() - 1) // Encode ends with a newline
	return nil
}

func compact(value any) string {
	var buf bytes.Buffer
	if err := encode(&buf, value); err != nil {
		return err.Error()
	}
	return buf.String()
}
