package templates

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

func TestNamesInOrderOfAlphabet(t *testing.T) {
	want := []string{"delivery-relay", "pipeline-base", "pipeline-relay"}
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
		var template struct{ Resources map[string]any }
		if err := json.Unmarshal(body, &template); err != nil || len(template.Resources) == 0 {
			t.Errorf("template %s: %d resources, error %v", name, len(template.Resources), err)
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
		if err == nil || !strings.Contains(err.Error(), "delivery-relay, pipeline-base, pipeline-relay") {
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
