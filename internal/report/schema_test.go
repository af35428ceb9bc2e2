package report

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
	"time"
	"unicode/utf8"

	"github.com/unstale/unstale/plan"
)

// schema is a JSON Schema (2020-12), as far as ours use it; a keyword that is not known here fails.
type schema struct {
	root map[string]any
}

func readSchema(t *testing.T) schema {
	t.Helper()
	data, err := os.ReadFile("../../docs/schemas/plan.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(data, &s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

// check lists where a value breaks a schema.
func (s schema) check(at string, v any, rules map[string]any) (wrong []string) {
	for _, keyword := range slices.Sorted(maps.Keys(rules)) {
		if text := s.keyword(at, v, keyword, rules[keyword], &wrong); text != "" {
			wrong = append(wrong, at+" "+text)
		}
	}
	return wrong
}

func (s schema) keyword(at string, v any, keyword string, rule any, wrong *[]string) string {
	object, _ := v.(map[string]any)
	list, _ := v.([]any)
	text, _ := v.(string)
	number, _ := v.(float64)
	switch keyword {
	case "$schema", "$id", "title", "description", "$defs":
	case "$ref":
		name := strings.TrimPrefix(rule.(string), "#/$defs/")
		*wrong = append(*wrong, s.check(at, v, s.root["$defs"].(map[string]any)[name].(map[string]any))...)
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
		return fmt.Sprintf("is under the keyword %q, which this test does not know", keyword)
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

// decoded is a document as JSON has it.
func decoded(t *testing.T, d Document) map[string]any {
	t.Helper()
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDocumentsKeepTheSchema(t *testing.T) {
	s := readSchema(t)
	some := mixed(t)
	paid := some
	paid.Used, paid.Preset = 2000, plan.Gentlest
	for name, in := range map[string]plan.Input{
		"some":    some,
		"paid":    paid,
		"all":     {Distribution: distribution(t, ""), Release: some.Release},
		"nothing": {Distribution: distribution(t, ""), Release: some.Release, Known: some.Known[:0:0]},
		"blind":   {Release: some.Release},
	} {
		d, _ := New(in, build(t, in), name, []string{"a warning"}, time.Second)
		v := decoded(t, d)
		for _, wrong := range s.check("document", v, s.root) {
			t.Errorf("%s: %s", name, wrong)
		}
		// The schema tells every member, and so whoever adds one tells it there.
		for member := range v {
			if _, told := s.root["properties"].(map[string]any)[member]; !told {
				t.Errorf("%s: the schema does not know %s", name, member)
			}
		}
	}
}

func TestTheSchemaRefuses(t *testing.T) {
	s := readSchema(t)
	in := mixed(t)
	d, _ := New(in, build(t, in), "", nil, 0)
	for member := range decoded(t, d) {
		v := decoded(t, d)
		delete(v, member)
		if len(s.check("document", v, s.root)) == 0 {
			t.Errorf("a document without %s passes", member)
		}
		v[member] = nil
		if len(s.check("document", v, s.root)) == 0 {
			t.Errorf("a document whose %s is null passes", member)
		}
	}
	v := decoded(t, d)
	v["items"].([]any)[0].(map[string]any)["item"] = "index.html"
	if got := s.check("document", v, s.root); len(got) != 1 || !strings.Contains(got[0], "document.items[0].item") {
		t.Errorf("an item without a slash: %q", got)
	}
}
