package templates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

// MaxBody is how long a template may be in a request, in bytes. Source: CloudFormation quotas
// (AWS-documented).
const MaxBody = 51_200

// Template is a template that was understood whole.
type Template struct {
	Text        string // as it came
	Description string
	Parameters  map[string]Parameter
	Conditions  map[string]any
	Resources   map[string]Declaration
	Outputs     map[string]Output
}

// Parameter is a declared parameter.
type Parameter struct {
	Type                  string
	Default               *string
	Description           string
	AllowedValues         []string
	AllowedPattern        string
	ConstraintDescription string
	MinLength, MaxLength  *Int
	NoEcho                Bool
}

// Declaration is a declared resource.
type Declaration struct {
	Type                string
	Properties          map[string]any
	DependsOn           []string
	Condition           string
	DeletionPolicy      string
	UpdateReplacePolicy string
}

// Output is a declared output.
type Output struct {
	Value       any
	Description string
	Condition   string
}

var logicalID = regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`)

// Load reads a JSON template. Whatever it does not understand is an error that names the place.
func Load(raw []byte) (*Template, error) {
	if len(raw) > MaxBody {
		return nil, invalid("the template has %d bytes; a template body may have %d", len(raw), MaxBody)
	}
	top, err := object("the template", raw, "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Conditions", "Resources", "Outputs")
	if err != nil {
		return nil, err
	}
	t := &Template{
		Text: string(raw), Parameters: map[string]Parameter{}, Conditions: map[string]any{},
		Resources: map[string]Declaration{}, Outputs: map[string]Output{},
	}
	if v, ok := top["AWSTemplateFormatVersion"]; ok && string(v) != `"2010-09-09"` {
		return nil, invalid("AWSTemplateFormatVersion must be \"2010-09-09\"")
	}
	if err := decodeInto("Description", top["Description"], &t.Description); err != nil {
		return nil, err
	}
	readers := []struct {
		section string
		read    func(name string, raw json.RawMessage) error
	}{
		{"Parameters", t.readParameter},
		{"Conditions", func(name string, raw json.RawMessage) error {
			v, err := expression("Conditions."+name, raw)
			t.Conditions[name] = v
			return err
		}},
		{"Resources", t.readResource},
		{"Outputs", t.readOutput},
	}
	for _, r := range readers {
		if err := eachMember(r.section, top[r.section], r.read); err != nil {
			return nil, err
		}
	}
	if len(t.Resources) == 0 {
		return nil, invalid("At least one Resources member must be defined.")
	}
	return t, nil
}

func eachMember(section string, raw json.RawMessage, read func(string, json.RawMessage) error) error {
	if raw == nil {
		return nil
	}
	members, err := object(section, raw)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !logicalID.MatchString(name) {
			return invalid("%s: %q: names are alphanumeric, at most 255 characters", section, name)
		}
		if err := read(name, members[name]); err != nil {
			return err
		}
	}
	return nil
}

func (t *Template) readParameter(name string, raw json.RawMessage) error {
	at := "Parameters." + name
	if _, err := object(at, raw, "Type", "Default", "Description", "AllowedValues", "AllowedPattern", "ConstraintDescription", "MinLength", "MaxLength", "NoEcho"); err != nil {
		return err
	}
	var p Parameter
	if err := decodeInto(at, raw, &p); err != nil {
		return err
	}
	switch p.Type {
	case "String", "Number", "CommaDelimitedList":
	default:
		return wire.NotEmulated("the parameter type %q (%s)", p.Type, at)
	}
	if _, err := regexp.Compile(p.AllowedPattern); err != nil {
		return invalid("%s: AllowedPattern: %v", at, err)
	}
	t.Parameters[name] = p
	return nil
}

func (t *Template) readResource(name string, raw json.RawMessage) error {
	at := "Resources." + name
	members, err := object(at, raw, "Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata")
	if err != nil {
		return err
	}
	d := Declaration{Properties: map[string]any{}}
	for _, f := range []struct {
		name string
		into *string
	}{{"Type", &d.Type}, {"Condition", &d.Condition}, {"DeletionPolicy", &d.DeletionPolicy}, {"UpdateReplacePolicy", &d.UpdateReplacePolicy}} {
		if err := decodeInto(at+"."+f.name, members[f.name], f.into); err != nil {
			return err
		}
	}
	if d.Type == "" {
		return invalid("%s: Type is missing", at)
	}
	for _, policy := range []string{d.DeletionPolicy, d.UpdateReplacePolicy} {
		if !slices.Contains([]string{"", "Delete", "Retain", "RetainExceptOnCreate"}, policy) {
			return wire.NotEmulated("the policy %q of %s", policy, at)
		}
	}
	if raw, ok := members["DependsOn"]; ok {
		var one string
		if json.Unmarshal(raw, &one) == nil {
			d.DependsOn = []string{one}
		} else if err := decodeInto(at+".DependsOn", raw, &d.DependsOn); err != nil {
			return err
		}
	}
	if raw, ok := members["Properties"]; ok {
		v, err := expression(at+".Properties", raw)
		if err != nil {
			return err
		}
		properties, ok := v.(map[string]any)
		if !ok {
			return invalid("%s: Properties must be an object", at)
		}
		d.Properties = properties
	}
	t.Resources[name] = d
	return nil
}

func (t *Template) readOutput(name string, raw json.RawMessage) error {
	at := "Outputs." + name
	members, err := object(at, raw, "Value", "Description", "Condition") // Export is not emulated
	if err != nil {
		return err
	}
	var o Output
	if err := decodeInto(at+".Description", members["Description"], &o.Description); err != nil {
		return err
	}
	if err := decodeInto(at+".Condition", members["Condition"], &o.Condition); err != nil {
		return err
	}
	if members["Value"] == nil {
		return invalid("%s: Value is missing", at)
	}
	o.Value, err = expression(at+".Value", members["Value"])
	t.Outputs[name] = o
	return err
}

// object reads a JSON object whose member names are all known; no names given means any.
func object(at string, raw json.RawMessage, known ...string) (map[string]json.RawMessage, error) {
	var out map[string]json.RawMessage
	if err := json.Unmarshal(raw, &out); err != nil || out == nil {
		if err == nil {
			err = fmt.Errorf("it is null")
		}
		return nil, invalid("%s is not a JSON object: %v", at, err)
	}
	for _, name := range slices.Sorted(maps.Keys(out)) {
		if len(known) > 0 && !slices.Contains(known, name) {
			return nil, wire.NotEmulated("%q in %s (known: %s)", name, at, strings.Join(known, ", "))
		}
	}
	return out, nil
}

func decodeInto(at string, raw json.RawMessage, into any) error {
	if raw == nil {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return invalid("%s: %v", at, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// maxDepth bounds how deep a template's values may nest.
const maxDepth = 64

func expression(at string, raw json.RawMessage) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, invalid("%s: %v", at, err)
	}
	return v, checkValue(at, v, 0)
}

// checkValue refuses null, which CloudFormation does not take, and excessive depth.
func checkValue(at string, v any, depth int) error {
	if depth > maxDepth {
		return invalid("%s nests deeper than %d levels", at, maxDepth)
	}
	switch v := v.(type) {
	case nil:
		return invalid("[%s] Null values are not allowed in templates", at)
	case []any:
		for i, x := range v {
			if err := checkValue(fmt.Sprintf("%s[%d]", at, i), x, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for k, x := range v {
			if err := checkValue(at+"."+k, x, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf(400, "ValidationError", format, args...)
}
