package templates

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unstale/unstale/rehearsal/wire"
)

func TestLoadRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"not JSON":               {`{`, "not a JSON object"},
		"YAML":                   {"Resources: {}", "not a JSON object"},
		"null":                   {`null`, "it is null"},
		"unknown section":        {`{"Mappings":{},"Resources":{"A":{"Type":"T"}}}`, `does not emulate "Mappings" in the template`},
		"wrong case":             {`{"resources":{"A":{"Type":"T"}}}`, `does not emulate "resources"`},
		"no resources":           {`{"Description":"x"}`, "At least one Resources member"},
		"no type":                {`{"Resources":{"A":{}}}`, "Resources.A: Type is missing"},
		"unknown attribute":      {`{"Resources":{"A":{"Type":"T","CreationPolicy":{}}}}`, `"CreationPolicy" in Resources.A`},
		"snapshot policy":        {`{"Resources":{"A":{"Type":"T","DeletionPolicy":"Snapshot"}}}`, `the policy "Snapshot"`},
		"export":                 {`{"Resources":{"A":{"Type":"T"}},"Outputs":{"O":{"Value":"x","Export":{}}}}`, `"Export" in Outputs.O`},
		"output without a value": {`{"Resources":{"A":{"Type":"T"}},"Outputs":{"O":{}}}`, "Outputs.O: Value is missing"},
		"null property":          {`{"Resources":{"A":{"Type":"T","Properties":{"P":null}}}}`, "Null values are not allowed"},
		"parameter type":         {`{"Parameters":{"P":{"Type":"AWS::EC2::VPC::Id"}},"Resources":{"A":{"Type":"T"}}}`, `the parameter type "AWS::EC2::VPC::Id"`},
		"bad pattern":            {`{"Parameters":{"P":{"Type":"String","AllowedPattern":"("}},"Resources":{"A":{"Type":"T"}}}`, "AllowedPattern"},
		"bad name":               {`{"Resources":{"a-b":{"Type":"T"}}}`, "names are alphanumeric"},
		"old version":            {`{"AWSTemplateFormatVersion":"2009","Resources":{"A":{"Type":"T"}}}`, "2010-09-09"},
		"too long":               {`{"Description":"` + strings.Repeat("x", MaxBody) + `"}`, "a template body may have 51200"},
		"too deep":               {`{"Resources":{"A":{"Type":"T","Properties":{"P":` + strings.Repeat("[", 80) + strings.Repeat("]", 80) + `}}}}`, "nests deeper"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Load(%.80s) = %v, want an error with %q", c.text, err, c.want)
			}
		})
	}
}

func TestLoadTakesTheCommittedTemplates(t *testing.T) {
	files, err := filepath.Glob("../../templates/*.template.json")
	if err != nil || len(files) < 3 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Load(text); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
}

func TestBind(t *testing.T) {
	tmpl := mustLoad(t, `{"Parameters":{
		"Name":{"Type":"String","Default":"d","MinLength":1,"MaxLength":3},
		"Account":{"Type":"String","AllowedPattern":"[0-9]{12}","ConstraintDescription":"an account ID has 12 digits"},
		"Size":{"Type":"Number","Default":"1"},
		"Arch":{"Type":"String","AllowedValues":["arm64","x86_64"],"Default":"arm64"}},
		"Resources":{"A":{"Type":"T"}}}`)
	ok := map[string]string{"Account": "111111111111"}
	for name, c := range map[string]struct {
		given map[string]string
		want  string // in the error; empty: no error
	}{
		"defaults fill in":   {ok, ""},
		"missing":            {nil, "Parameters: [Account] must have values"},
		"unknown":            {map[string]string{"Account": "111111111111", "X": "1", "B": "2"}, "Parameters: [B, X] do not exist in the template"},
		"pattern is whole":   {map[string]string{"Account": "1111111111112"}, "an account ID has 12 digits"},
		"too long":           {map[string]string{"Account": "111111111111", "Name": "four"}, "at most 3 characters"},
		"too short":          {map[string]string{"Account": "111111111111", "Name": ""}, "at least 1 characters"},
		"not a number":       {map[string]string{"Account": "111111111111", "Size": "x"}, "must be a number"},
		"not an allowed one": {map[string]string{"Account": "111111111111", "Arch": "mips"}, "AllowedValues"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tmpl.bind(c.given)
			switch {
			case c.want == "" && (err != nil || got["Name"] != "d" || got["Arch"] != "arm64"):
				t.Errorf("bind = %v, %v", got, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("bind = %v, want an error with %q", err, c.want)
			}
		})
	}
}

func mustLoad(t *testing.T, text string) *Template {
	t.Helper()
	tmpl, err := Load([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("../../templates/*.template.json")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"Resources":{"A":{"Type":"T","Properties":{"P":{"Fn::Sub":["${x",{}]}}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		tmpl, err := Load(text)
		if err != nil {
			if wire.AsError(err).Code == "InternalFailure" {
				t.Errorf("a refusal without a code: %v", err)
			}
			return
		}
		types := map[string]Type{}
		for _, d := range tmpl.Resources {
			types[d.Type] = Type{Name: d.Type}
		}
		if tmpl.check(types) != nil {
			return
		}
		sc := &scope{template: tmpl, pseudo: map[string]string{}, parameters: map[string]string{}, made: map[string]Resource{}}
		if sc.decideConditions() != nil {
			return
		}
		order, err := sc.order()
		if err != nil {
			return
		}
		for _, id := range order {
			_, _ = sc.value(id, tmpl.Resources[id].Properties)
			sc.made[id] = Resource{Ref: id}
		}
	})
}
