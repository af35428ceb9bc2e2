package mistakes

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/templates"
)

// Every mistake changes what it says in the templates as they are committed, on every route it names.
func TestMistakesFitTheTemplates(t *testing.T) {
	for _, m := range All() {
		for _, route := range m.Routes() {
			w := m.on(route)
			for template, edits := range w.edits {
				name := named(template, route)
				text, err := templates.Get(name)
				if err != nil {
					t.Errorf("%s on %s: %v", m.Name, route, err)
					continue
				}
				changed, err := rewrite(text, edits)
				same, _ := rewrite(text, nil)
				if err != nil || string(changed) == string(same) {
					t.Errorf("%s on %s changes nothing in template %s: %v", m.Name, route, name, err)
				}
			}
			for template := range w.parameters {
				if _, err := templates.Get(named(template, route)); err != nil {
					t.Errorf("%s on %s: %v", m.Name, route, err)
				}
			}
		}
	}
}

// The table says of each mistake all that a person is told, once, and leaves no gap.
func TestTable(t *testing.T) {
	word := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	names := map[string]bool{}
	for _, m := range All() {
		if names[m.Name] || !word.MatchString(m.Name) || m.Name == "help" {
			t.Errorf("the name %q is not one word of its own", m.Name)
		}
		names[m.Name] = true
		if m.Summary == "" || strings.HasSuffix(m.Summary, ".") || len(m.Summary) > 90 || !strings.HasSuffix(m.Lesson, ".") {
			t.Errorf("%s: summary %q, lesson %q", m.Name, m.Summary, m.Lesson)
		}
		var all []string
		for _, w := range m.ways {
			all = append(all, w.routes...)
			if w.fails == "" || w.denied == "" && w.repair == nil {
				t.Errorf("%s on %v: it fails at %q, %q is denied, and nothing repairs it", m.Name, w.routes, w.fails, w.denied)
			}
			if len(w.edits)+len(w.parameters)+len(w.code) == 0 && w.after == nil {
				t.Errorf("%s on %v changes nothing", m.Name, w.routes)
			}
		}
		if slices.Sort(all); len(slices.Compact(all)) != len(m.Routes()) || len(m.Routes()) == 0 {
			t.Errorf("%s: routes %v, made on %v", m.Name, m.Routes(), all)
		}
	}
	if len(names) < 10 {
		t.Errorf("there are %d mistakes", len(names))
	}
	if _, ok := Find("trust"); !ok {
		t.Error("trust is not found")
	}
	if _, ok := Find("Trust"); ok {
		t.Error("Trust is found")
	}
}

const template = `{"Resources":{
	"Role":{"Type":"AWS::IAM::Role","Properties":{
		"AssumeRolePolicyDocument":{"Statement":[{"Sid":"T","Condition":{"StringEquals":{"a":"1"}}}]},
		"Policies":[{"PolicyName":"p","PolicyDocument":{"Statement":[{"Sid":"A"},{"Sid":"B","Resource":"r"}]}}]}},
	"Policy":{"Type":"AWS::IAM::RolePolicy","Properties":{"PolicyDocument":{"Statement":[{"Sid":"C"}]}}},
	"Function":{"Properties":{"Environment":{"Variables":{"X":"1"}},"MemorySize":128}},
	"Last":{"DependsOn":["Policy","Role"],"Properties":{}}}}`

func TestEdits(t *testing.T) {
	tests := []struct {
		name string
		edit edit
		want string // a part of the result, or of the error
		fail bool
	}{
		{"drop a statement", drop("Role", "A"), `"Statement":[{"Resource":"r","Sid":"B"}]`, false},
		{"drop a policy's only statement", drop("Policy", "C"), `"DependsOn":["Role"]`, false},
		{"drop what is not there", drop("Role", "Z"), "take statement Z out of resource Role", true},
		{"drop from nothing", drop("None", "A"), "resource None", true},
		{"take out", without("Policy"), `"DependsOn":["Role"]`, false},
		{"take out nothing", without("None"), "take out resource None", true},
		{"another resource", withResource("Role", "B", "x"), `{"Resource":"x","Sid":"B"}`, false},
		{"a statement that is not there", withResource("Role", "Z", "x"), "change statement Z", true},
		{"a trust", trusting("Role", "T", "StringEquals", "sts:ExternalId", "x"), `"Condition":{"StringEquals":{"sts:ExternalId":"x"}}`, false},
		{"one more condition", trusting("Role", "T", "ArnEquals", "k", "x"), `"Condition":{"ArnEquals":{"k":"x"},"StringEquals":{"a":"1"}}`, false},
		{"a variable", variable("Function", "X", "2"), `"Variables":{"X":"2"}`, false},
		{"no variable", variable("Function", "X", nil), `"Variables":{}`, false},
		{"a property", on("Function", func(p object) { p["Role"] = ref("R") }), `"Role":{"Ref":"R"}`, false},
		{"a property of nothing", on("None", func(object) {}), "change resource None", true},
		{"numbers stay", on("Last", func(p object) { p["x"] = 1 }), `"MemorySize":128`, false},
		{"an answer without a policy", mayAnswer(), "JobRole: it has no policy", true},
	}
	for _, tt := range tests {
		got, err := rewrite([]byte(template), []edit{tt.edit})
		said := string(got)
		if err != nil {
			said = err.Error()
		}
		if (err != nil) != tt.fail || !strings.Contains(said, tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, said, tt.want)
		}
	}
	if _, err := rewrite([]byte("{"), nil); err == nil {
		t.Error("half a template is rewritten")
	}
}

func TestNamed(t *testing.T) {
	for _, tt := range [][3]string{
		{"pipeline-*", "assume", "pipeline-assume"},
		{"delivery-*", "direct", "delivery-direct"},
		{"pipeline-base", "relay", "pipeline-base"},
		{"pipeline-*", "same-account", "same-account"},
		{"*", "same-account", "same-account"},
	} {
		if got := named(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s on %s is %s", tt[0], tt[1], got)
		}
	}
}

func TestWhereFailed(t *testing.T) {
	pipeline := func(status string) story.Report {
		return story.Report{Pipeline: story.Pipeline{Stages: []story.PipelineStage{
			{Name: "Build", Actions: []story.Action{{Name: "Build", Status: "Succeeded"}}},
			{Name: "Deliver", Actions: []story.Action{{Name: "Purge", Status: status, Message: "no"}}},
		}}}
	}
	tests := []struct {
		report      story.Report
		err         error
		where, said string
	}{
		{pipeline("Failed"), story.ErrStale, "Deliver/Purge", "no"},
		{pipeline("Succeeded"), story.ErrStale, "viewers", story.ErrStale.Error()},
		{pipeline("Succeeded"), nil, "", "nothing failed"},
		{story.Report{}, errors.New("account 1: create stack unstale-x: ROLLBACK_COMPLETE: Role: no"), "stack unstale-x", "account 1: create stack unstale-x: ROLLBACK_COMPLETE: Role: no"},
		{story.Report{}, errors.New("disk full"), "", "disk full"},
	}
	for _, tt := range tests {
		if where, said := whereFailed(tt.report, tt.err); where != tt.where || said != tt.said {
			t.Errorf("%v: failed at %q, said %q", tt.err, where, said)
		}
	}
}

// The explanation comes from the first decision about the action, and from nothing else.
func TestExplain(t *testing.T) {
	remedy := &iam.Remedy{
		Account: "2", Layer: iam.LayerResource, To: "arn:aws:s3:::b", Statement: iam.Statement{Effect: iam.Allow, Action: []string{"s3:GetObject"}, Resource: []string{"arn:aws:s3:::b/k/1"}},
		Also: []iam.Remedy{{Account: "1", Layer: iam.LayerIdentity, To: "r"}},
	}
	calls := []journal.Call{
		{Decision: "allow", Action: "s3:GetObject"},
		{Decision: "deny", Action: "s3:PutObject", Reason: "another"},
		{Decision: "deny", Action: "s3:GetObject", Reason: "why", Missing: remedy},
		{Decision: "deny", Action: "s3:GetObject", Reason: "again"},
	}
	var f Finding
	p := &play{way: &way{denied: "s3:GetObject"}}
	if err := p.explain(&f, nil, calls); err != nil || f.Why != "why" || len(f.Changes) != 2 {
		t.Fatalf("%+v, %v", f, err)
	}
	if c := f.Changes[0]; c.Account != "2" || c.Layer != "resource" || !strings.Contains(string(c.Statement), `"arn:aws:s3:::b/*"`) || f.Changes[1].Account != "1" {
		t.Errorf("changes %s", fmt.Sprint(f.Changes))
	}
	if remedy.Statement.Resource[0] != "arn:aws:s3:::b/k/1" {
		t.Error("the journal's own statement was changed")
	}
	for name, p := range map[string]*play{
		"no denial":    {way: &way{denied: "s3:ListBucket"}},
		"no statement": {way: &way{denied: "s3:PutObject"}},
		"no decision":  {way: &way{}},
	} {
		if err := p.explain(&f, nil, calls); err == nil {
			t.Errorf("%s: explained", name)
		}
	}
}
