// Package schema holds what is written as JSON against a published schema, for tests.
package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Schema is a JSON Schema (2020-12), as far as ours use it; a keyword that is not known here fails.
type Schema struct {
	root map[string]any
}

// Read reads a schema's file.
func Read(t testing.TB, path string) Schema {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s Schema
	if err := json.Unmarshal(data, &s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

// Decoded is a value as JSON has it.
func Decoded(t testing.TB, v any) map[string]any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// Check lists where a decoded value breaks the schema.
func (s Schema) Check(v any) (wrong []string) { return s.check("document", v, s.root) }

// Untold lists the members of a decoded value that the schema says nothing of. They break nothing,
// but whoever adds one should tell it.
func (s Schema) Untold(v any) []string { return s.untold("document", v, s.root) }

func (s Schema) untold(at string, v any, rules map[string]any) (all []string) {
	rules = s.resolve(rules)
	switch v := v.(type) {
	case map[string]any:
		properties, _ := rules["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			member, told := properties[name].(map[string]any)
			if !told {
				all = append(all, at+"."+name)
				continue
			}
			all = append(all, s.untold(at+"."+name, v[name], member)...)
		}
	case []any:
		items, _ := rules["items"].(map[string]any)
		for i, element := range v {
			all = append(all, s.untold(fmt.Sprintf("%s[%d]", at, i), element, items)...)
		}
	}
	return all
}

// resolve follows a reference.
func (s Schema) resolve(rules map[string]any) map[string]any {
	if name, is := rules["$ref"].(string); is {
		return s.root["$defs"].(map[string]any)[strings.TrimPrefix(name, "#/$defs/")].(map[string]any)
	}
	return rules
}

// check lists where a value breaks a schema.
func (s Schema) check(at string, v any, rules map[string]any) (wrong []string) {
	for _, keyword := range slices.Sorted(maps.Keys(rules)) {
		if text := s.keyword(at, v, keyword, rules[keyword], &wrong); text != "" {
			wrong = append(wrong, at+" "+text)
		}
	}
	return wrong
}

func (s Schema) keyword(at string, v any, keyword string, rule any, wrong *[]string) string {
	object, _ := v.(map[string]any)
	list, _ := v.([]any)
	text, _ := v.(string)
	number, _ := v.(float64)
	switch keyword {
	case "$schema", "$id", "title", "description", "$defs":
	case "$ref":
		*wrong = append(*wrong, s.check(at, v, s.resolve(map[string]any{keyword: rule}))...)
	case "type":
		if !hasType(v, rule.(string)) {
			return fmt.Sprintf("is %T, not %s", v, rule)
		}
	case "const":
		if !reflect.DeepEqual(v, rule) {
			return fmt.Sprintf("is %v, not %v", v, rule)
		}
	case "enum":
		if !slices.Contains(rule.([]any), v) {
			return fmt.Sprintf("is %v, not of %v", v, rule)
		}
	case "minimum":
		if number < rule.(float64) {
			return fmt.Sprintf("is %v, less than %v", v, rule)
		}
	case "minLength":
		if utf8.RuneCountInString(text) < int(rule.(float64)) {
			return "is too short"
		}
	case "pattern":
		if !regexp.MustCompile(rule.(string)).MatchString(text) {
			return fmt.Sprintf("is %q, not like %s", text, rule)
		}
	case "required":
		for _, name := range rule.([]any) {
			if _, found := object[name.(string)]; !found {
				*wrong = append(*wrong, fmt.Sprintf("%s has no %s", at, name))
			}
		}
	case "properties":
		for name, rules := range rule.(map[string]any) {
			if member, found := object[name]; found {
				*wrong = append(*wrong, s.check(at+"."+name, member, rules.(map[string]any))...)
			}
		}
	case "items":
		for i, element := range list {
			*wrong = append(*wrong, s.check(fmt.Sprintf("%s[%d]", at, i), element, rule.(map[string]any))...)
		}
	default:
		return fmt.Sprintf("is under the keyword %q, which package schema does not know", keyword)
	}
	return ""
}

func hasType(v any, name string) bool {
	switch v := v.(type) {
	case map[string]any:
		return name == "object"
	case []any:
		return name == "array"
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case float64:
		return name == "number" || name == "integer" && v == math.Trunc(v)
	}
	return false
}
