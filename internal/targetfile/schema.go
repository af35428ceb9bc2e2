package targetfile

import (
	"encoding/json"
	"fmt"

	"github.com/unstale/unstale/internal/target"
)

// schemaID is where the committed schema is found by editors.
const schemaID = "https://raw.githubusercontent.com/unstale/unstale/main/docs/schemas/unstale.schema.json"

type object map[string]any

// Schema is the JSON schema (draft 2020-12) of the file, for completion and checks in editors. It is
// committed as docs/schemas/unstale.schema.json. It refuses nothing that Parse takes; what needs more
// than one place to judge, such as the accounts of a role and a target, it leaves to Parse.
func Schema() []byte {
	properties, defaults := object{}, object{}
	for _, k := range keys() {
		properties[k.name] = k.schema()
		if k.shared {
			defaults[k.name] = object{"$ref": "#/$defs/target/properties/" + k.name}
		}
	}
	text, err := json.MarshalIndent(object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         schemaID,
		"title":       Name,
		"description": "What unstale may purge from the command line, and how it gets there.",
		"type":        "object",
		"required":    []string{"version", "targets"},
		"properties": object{
			"version":  object{"const": Version, "description": "The version of this format."},
			"defaults": object{"type": "object", "description": "What targets share. A target's own key wins.", "properties": defaults, "additionalProperties": false},
			"targets": object{
				"type": "object", "minProperties": 1, "maxProperties": maxKeys,
				"description":          "Targets by name. A name has 1 to 64 letters, digits, '.', '_' or '-'.",
				"propertyNames":        object{"pattern": patternName},
				"additionalProperties": object{"$ref": "#/$defs/target"},
			},
		},
		"additionalProperties": false,
		"$defs": object{"target": object{
			"type": "object", "properties": properties, "additionalProperties": false, "allOf": routeRules(),
		}},
	}, "", "  ")
	if err != nil {
		return nil // maps of texts and numbers always marshal
	}
	return append(text, '\n')
}

// routeRules says for each route which keys it needs and does not take.
func routeRules() []object {
	absent := object{"not": object{"required": []string{"route"}}}
	rules := []object{{"if": absent, "then": shape(target.Assume)}}
	for _, r := range target.Routes() {
		is := object{"required": []string{"route"}, "properties": object{"route": object{"const": string(r)}}}
		rules = append(rules, object{"if": is, "then": shape(r)})
	}
	return rules
}

func shape(r target.Route) object {
	needs, may := target.Fields(r)
	refused := object{}
	for _, other := range target.Routes() {
		needed, _ := target.Fields(other)
		for _, name := range needed {
			refused[name] = false
		}
	}
	for _, name := range append(needs, may...) {
		delete(refused, name)
	}
	rule := object{"required": needs}
	if r == target.SameAccount { // its one field, or the domain to find it by
		rule = object{"anyOf": []object{{"required": needs}, {"required": []string{"domain"}}}}
	}
	if len(refused) > 0 {
		rule["properties"] = refused
	}
	return rule
}

// schema describes one key's value.
func (k key) schema() object {
	doc := k.doc
	if k.variable {
		doc += " Takes ${VARIABLES}; $${ stands for ${."
	}
	one := object{"type": "string"}
	switch {
	case len(k.form.choices) > 0:
		one["enum"] = k.form.choices
	case k.form.pattern != "" && k.variable:
		one["pattern"] = fmt.Sprintf(`%s|\$\{`, k.form.pattern) // what comes of it is checked when it is read
	case k.form.pattern != "":
		one["pattern"] = k.form.pattern
	default:
		one["minLength"] = 1
	}
	if k.form.number {
		one["type"] = []string{"string", "integer"}
	}
	switch k.form.kind {
	case isTruth:
		return object{"type": "boolean", "description": doc}
	case isList:
		list := object{"type": "array", "items": one, "maxItems": k.form.most, "uniqueItems": true, "description": doc}
		if !k.form.empty {
			list["minItems"] = 1
		}
		return list
	case isMapping:
		return object{"type": "object", "additionalProperties": one, "minProperties": 1, "maxProperties": k.form.most, "description": doc}
	}
	one["description"] = doc
	return one
}
