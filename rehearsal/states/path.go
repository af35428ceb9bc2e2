package states

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

// path is a place in a document: "$.items[0]". Of JSONPath only names and positions are known, which
// are what the language calls reference paths.
type path struct {
	text  string
	parts []any // string: name; int: position
}

// executionID is the one path into the context object that is known: the execution's ARN.
const executionID = "$$.Execution.Id"

var (
	referencePath = regexp.MustCompile(`^\$((\.[A-Za-z_][A-Za-z0-9_]*)|(\[[0-9]{1,9}\]))*$`)
	pathPart      = regexp.MustCompile(`\.([A-Za-z0-9_]+)|\[([0-9]+)\]`)
)

func parsePath(text string) (path, error) {
	p := path{text: text}
	if text == executionID {
		return p, nil
	}
	if strings.HasPrefix(text, "$$") {
		return p, wire.NotEmulated("the context object's %s; %s is known", text, executionID)
	}
	if !referencePath.MatchString(text) {
		return p, wire.NotEmulated("the path %s: names and positions are known, such as $.items[0]", text)
	}
	for _, m := range pathPart.FindAllStringSubmatch(text, -1) {
		if m[1] != "" {
			p.parts = append(p.parts, m[1])
			continue
		}
		i, err := strconv.Atoi(m[2])
		if err != nil { // cannot be: nine digits at most
			return p, wire.NotEmulated("the path %s: %v", text, err)
		}
		p.parts = append(p.parts, i)
	}
	return p, nil
}

// UnmarshalJSON reads a field that is a path.
func (p *path) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil || text == "" {
		return invalidDefinition("%s is not a path", raw)
	}
	var err error
	*p, err = parsePath(text)
	return err
}

// get is what lies there, and whether anything does.
func (p path) get(sc scope) (any, bool) {
	if p.text == executionID {
		return sc.execution, true
	}
	at := sc.data
	for _, part := range p.parts {
		switch part := part.(type) {
		case string:
			object, ok := at.(map[string]any)
			if !ok {
				return nil, false
			}
			if at, ok = object[part]; !ok {
				return nil, false
			}
		case int:
			list, ok := at.([]any)
			if !ok || part >= len(list) {
				return nil, false
			}
			at = list[part]
		}
	}
	return at, true
}

// resultPath says where a state's result goes within its input. The zero value replaces the input,
// as "$" does.
type resultPath struct{ names []string }

// UnmarshalJSON reads a ResultPath. null, which discards the result, is not known.
func (r *resultPath) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return wire.NotEmulated("a ResultPath of null")
	}
	var p path
	if err := p.UnmarshalJSON(raw); err != nil {
		return err
	}
	if p.text == executionID {
		return invalidDefinition("a ResultPath cannot be in the context object")
	}
	for _, part := range p.parts {
		name, ok := part.(string)
		if !ok {
			return wire.NotEmulated("the ResultPath %s: positions", p.text)
		}
		r.names = append(r.names, name)
	}
	return nil
}

// put is input with result in its place; input stays as it is.
func (r resultPath) put(input, result any) (any, error) {
	if len(r.names) == 0 {
		return result, nil
	}
	object, ok := input.(map[string]any)
	if !ok {
		return nil, fail("States.ResultPathMatchFailure", "Unable to apply ResultPath $.%s to input %s", strings.Join(r.names, "."), encode(input))
	}
	out := make(map[string]any, len(object)+1)
	for k, v := range object {
		out[k] = v
	}
	inner, ok := out[r.names[0]]
	if !ok {
		inner = map[string]any{}
	}
	var err error
	out[r.names[0]], err = resultPath{r.names[1:]}.put(inner, result)
	return out, err
}

// decode reads JSON with its numbers as they are written.
func decode(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, wire.Errorf(400, "InvalidExecutionInput", "there is more than one JSON value")
	}
	return v, nil
}

// encode writes JSON as Step Functions passes it on: no HTML escapes.
func encode(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "null" // cannot be: only what was decoded, or strings and numbers
	}
	return strings.TrimSuffix(b.String(), "\n")
}
