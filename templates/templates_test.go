package templates

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// template is what these tests look at in a template.
type template struct {
	Resources, Outputs map[string]any
	Parameters         map[string]struct {
		Description string
		Default     *string
	}
}

func decode(t *testing.T, name string) template {
	t.Helper()
	body, err := Get(name)
	if err != nil {
		t.Fatal(err)
	}
	var parsed template
	if err := json.Unmarshal(body, &parsed); err != nil {
		t.Fatalf("parse the template %s: %v", name, err)
	}
	return parsed
}

func TestNamesInOrderOfAlphabet(t *testing.T) {
	want := []string{
		"delivery-assume", "delivery-direct", "delivery-relay", "delivery-states",
		"pipeline-assume", "pipeline-base", "pipeline-callback", "pipeline-direct", "pipeline-job", "pipeline-machine",
		"pipeline-relay", "pipeline-states", "same-account",
	}
	if got := Names(); !slices.Equal(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
}

func TestGetEachTemplate(t *testing.T) {
	for _, name := range Names() {
		body, err := Get(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(decode(t, name).Resources); n == 0 {
			t.Errorf("template %s makes nothing", name)
		}
		if len(body) > 51_200 {
			t.Errorf("template %s has %d bytes: CloudFormation takes at most 51,200 in a request", name, len(body))
		}
		if same, err := fs.ReadFile(FS(), name+".template.json"); err != nil || string(same) != string(body) {
			t.Errorf("FS() has another %s, error %v", name, err)
		}
	}
}

func TestGetUnknownNamesWhatThereIs(t *testing.T) {
	for _, name := range []string{"", "pipeline", "pipeline-base.template.json", "../templates/pipeline-base"} {
		_, err := Get(name)
		if err == nil || !strings.Contains(err.Error(), strings.Join(Names(), ", ")) {
			t.Errorf("Get(%q): error %v does not name the templates", name, err)
		}
	}
}

func TestDemandedNamesTemplates(t *testing.T) {
	list, err := Demanded()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no demanded grants")
	}
	for _, d := range list {
		body, err := Get(d.Template)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{`"` + d.LogicalID + `"`, `"` + d.Sid + `"`, `"` + d.Action + `"`} {
			if !strings.Contains(string(body), part) {
				t.Errorf("template %s does not contain %s of %+v", d.Template, part, d)
			}
		}
		if d.Source == "" {
			t.Errorf("no source for %+v", d)
		}
	}
}
