package targetfile

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"github.com/unstale/unstale/internal/target"
)

var update = flag.Bool("update", false, "write docs/schemas/unstale.schema.json anew")

const schemaFile = "../../docs/schemas/unstale.schema.json"

// The committed schema is the one that follows from the table of keys.
func TestSchemaIsCommitted(t *testing.T) {
	if *update {
		if err := os.WriteFile(filepath.FromSlash(schemaFile), Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(filepath.FromSlash(schemaFile))
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != string(Schema()) {
		t.Error("it is out of date: go test ./internal/targetfile -run Schema -update")
	}
}

// Every field of a target has a key (those of Planning stand beside the others in the file), so that neither reader, writer nor schema can forget one.
func TestEveryFieldHasAKey(t *testing.T) {
	names := map[string]bool{}
	for _, k := range keys() {
		names[strings.ToLower(k.name)] = true
		if k.doc == "" || !strings.HasSuffix(k.doc, ".") {
			t.Errorf("%s is not described", k.name)
		}
	}
	var fields []string
	for _, of := range []reflect.Type{reflect.TypeFor[target.Target](), reflect.TypeFor[Target]()} {
		for i := range of.NumField() {
			if f := of.Field(i); !f.Anonymous && f.Name != "Name" && f.Name != "Line" && f.Name != "Planning" {
				fields = append(fields, strings.ToLower(f.Name))
			}
		}
	}
	slices.Sort(fields)
	if got := slices.Sorted(maps.Keys(names)); !slices.Equal(got, fields) {
		t.Errorf("keys  %v\nfields %v", got, fields)
	}
}

// What Parse takes, the schema takes; what the schema refuses, Parse refuses.
func TestSchemaAgrees(t *testing.T) {
	schema := readSchema(t)
	for name, text := range map[string]string{"example": example, "fleet": fleet} {
		if wrong := schema.check(t, []byte(text)); wrong != "" {
			t.Errorf("%s: %s", name, wrong)
		}
	}
	caught := 0
	for _, tt := range refusals {
		if len(tt.text) < 1000 && schema.check(nil, []byte(tt.text)) != "" {
			caught++
		}
	}
	// The others need more than one place to judge, or cannot be said in a schema.
	if caught < len(refusals)/2 {
		t.Errorf("the schema catches only %d of %d mistakes", caught, len(refusals))
	}
	for _, needs := range []string{"role", "externalId", "distribution"} {
		text := assume("role: " + role)
		line := regexp.MustCompile(`(?m)^ +` + needs + `: .*\n`)
		if schema.check(t, []byte(text)) != "" || schema.check(t, []byte(line.ReplaceAllString(text, ""))) == "" {
			t.Errorf("the schema does not require %s of route assume", needs)
		}
	}
}

// The Lambda functions share the targets, but no YAML.
func TestFunctionsCarryNoYAML(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "../../cmd/pipeline-job", "../../cmd/invalidator").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "unstale/internal/target\n") || strings.Contains(string(out), "yaml") || strings.Contains(string(out), "targetfile") {
		t.Error("a function carries a YAML library, or the targets no more")
	}
}

// schema is as much of JSON Schema as ours uses; a word it does not know is a mistake of the test.
type schema struct{ root object }

type failing interface{ Fatalf(string, ...any) }

func readSchema(t *testing.T) schema {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(schemaFile))
	if err != nil {
		t.Fatal(err)
	}
	s := schema{}
	if err := json.Unmarshal(text, &s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

// check says what is wrong with a YAML text, "" when nothing is.
func (s schema) check(t failing, text []byte) (wrong string) {
	var v any
	defer func() {
		if r := recover(); r != nil {
			wrong = fmt.Sprint(r) // the library panics on some texts
		}
	}()
	if err := yaml.Unmarshal(text, &v); err != nil {
		if t != nil {
			t.Fatalf("%v", err)
		}
		return err.Error()
	}
	return s.of(map[string]any(s.root), v)
}

func (s schema) of(rule, v any) string {
	if rule == false {
		return "may not be there"
	}
	all, _ := rule.(map[string]any)
	for _, word := range slices.Sorted(maps.Keys(all)) {
		if wrong := s.word(all, word, v); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (s schema) word(all map[string]any, word string, v any) string {
	rule := all[word]
	text, isText := v.(string)
	mapping, isMapping := v.(map[string]any)
	list, isList := v.([]any)
	bad := func(is bool) string {
		if is {
			return fmt.Sprintf("%v: %s %v", v, word, rule)
		}
		return ""
	}
	switch word {
	case "$schema", "$id", "$defs", "title", "description", "then":
	case "$ref":
		at := any(map[string]any(s.root))
		for _, step := range strings.Split(rule.(string), "/")[1:] {
			at = at.(map[string]any)[step]
		}
		return s.of(at, v)
	case "type":
		if one, ok := rule.(string); ok {
			rule = []any{one}
		}
		return bad(!slices.ContainsFunc(rule.([]any), func(name any) bool { return typed(name.(string), v) }))
	case "const":
		return bad(fmt.Sprint(rule) != fmt.Sprint(v))
	case "enum":
		return bad(!slices.Contains(rule.([]any), v))
	case "pattern":
		return bad(isText && !regexp.MustCompile(rule.(string)).MatchString(text))
	case "minLength":
		return bad(isText && float64(utf8.RuneCountInString(text)) < rule.(float64))
	case "minItems":
		return bad(isList && float64(len(list)) < rule.(float64))
	case "maxItems":
		return bad(isList && float64(len(list)) > rule.(float64))
	case "minProperties":
		return bad(isMapping && float64(len(mapping)) < rule.(float64))
	case "maxProperties":
		return bad(isMapping && float64(len(mapping)) > rule.(float64))
	case "uniqueItems":
		return bad(isList && len(list) != len(unique(list)))
	case "items":
		for _, item := range list {
			if wrong := s.of(rule, item); wrong != "" {
				return wrong
			}
		}
	case "required":
		return bad(isMapping && slices.ContainsFunc(rule.([]any), func(name any) bool { _, ok := mapping[name.(string)]; return !ok }))
	case "properties", "additionalProperties", "propertyNames":
		return s.members(all, word, mapping)
	case "allOf":
		for _, one := range rule.([]any) {
			if wrong := s.of(one, v); wrong != "" {
				return wrong
			}
		}
	case "anyOf":
		return bad(!slices.ContainsFunc(rule.([]any), func(one any) bool { return s.of(one, v) == "" }))
	case "not":
		return bad(s.of(rule, v) == "")
	case "if":
		if s.of(rule, v) == "" {
			return s.of(all["then"], v)
		}
	default:
		return "the test does not know " + word
	}
	return ""
}

func (s schema) members(all map[string]any, word string, mapping map[string]any) string {
	properties, _ := all["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(mapping)) {
		rule, named := properties[name]
		v := mapping[name]
		switch {
		case word == "propertyNames":
			rule, v = all[word], any(name)
		case word == "properties" && !named, word == "additionalProperties" && named:
			continue
		case word == "additionalProperties":
			rule = all[word]
		}
		if wrong := s.of(rule, v); wrong != "" {
			return name + ": " + wrong
		}
	}
	return ""
}

func typed(name string, v any) bool {
	switch v.(type) {
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	case uint64, int64:
		return name == "integer"
	}
	return false
}

func unique(list []any) map[any]bool {
	seen := map[any]bool{}
	for _, v := range list {
		seen[v] = true
	}
	return seen
}
