package states

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

// scope is what expressions see.
type scope struct {
	data      any
	execution string // ARN
}

// expression is a path or an intrinsic function.
type expression interface{ eval(scope) (any, error) }

func (p path) eval(sc scope) (any, error) {
	v, ok := p.get(sc)
	if !ok {
		return nil, missing{p.text, sc.data}
	}
	return v, nil
}

// missing is a path that leads nowhere. Where it stands decides what error that is.
type missing struct {
	path string
	data any
}

func (m missing) Error() string {
	return "The JSONPath '" + m.path + "' could not be found in the input '" + encode(m.data) + "'"
}

func parseExpression(text string) (expression, error) {
	if strings.HasPrefix(text, "$") {
		return parsePath(text)
	}
	return parseIntrinsic(text)
}

// payload is a template: where a key ends in ".$" its value is an expression, all else is taken as
// it is. Source: States Language specification, "Payload Template" (H).
type payload struct {
	written bool // false: there is none
	node    any  // object of these, list of these, expression, or a plain value
}

type (
	object map[string]any
	list   []any
)

// UnmarshalJSON reads Parameters or a ResultSelector.
func (p *payload) UnmarshalJSON(raw []byte) error {
	v, err := decode(string(raw))
	if err != nil {
		return err
	}
	if _, ok := v.(map[string]any); !ok {
		return wire.NotEmulated("a payload template that is no object: %s", raw)
	}
	p.written = true
	p.node, err = compile(v)
	return err
}

func compile(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		out := object{}
		for _, key := range sortedKeys(v) {
			name, dynamic := strings.CutSuffix(key, ".$")
			if _, twice := out[name]; twice {
				return nil, invalidDefinition("the field %s is given twice", name)
			}
			text, isText := v[key].(string)
			var err error
			switch {
			case dynamic && !isText:
				err = invalidDefinition("the value of the field %s must be a path or an intrinsic function", key)
			case dynamic:
				out[name], err = parseExpression(text)
			default:
				out[name], err = compile(v[key])
			}
			if err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := list{}
		for _, item := range v {
			c, err := compile(item)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
		return out, nil
	}
	return v, nil
}

// eval fills the template in. what names it in errors.
func (p payload) eval(sc scope, what string) (any, error) {
	v, err := fill(p.node, sc)
	if m, ok := err.(missing); ok {
		// Source: Developer Guide, "Handling errors" (H): a path in a payload template that fails.
		return nil, fail("States.ParameterPathFailure", "%s: %v", what, m)
	}
	return v, err
}

func fill(node any, sc scope) (any, error) {
	switch node := node.(type) {
	case expression:
		return node.eval(sc)
	case object:
		out := map[string]any{}
		for key, inner := range node {
			v, err := fill(inner, sc)
			if err != nil {
				return nil, err
			}
			out[key] = v
		}
		return out, nil
	case list:
		out := []any{}
		for _, inner := range node {
			v, err := fill(inner, sc)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	}
	return node, nil
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// textOf is a value as States.Format writes it.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool, nil:
		return encode(v), true
	}
	return "", false
}
