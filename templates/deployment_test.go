package templates

import (
	"slices"
	"strings"
	"testing"
)

// What people supply; everything else has a default or is the output of an earlier stack.
var fromPeople = []string{"CodeBucket", "CodeKey", "DeliveryAccount", "ExternalId"}

func TestEachStackIsFedByTheEarlierOnes(t *testing.T) {
	for _, route := range Routes() {
		steps, err := Deployment(route)
		if err != nil {
			t.Fatal(err)
		}
		known := slices.Clone(fromPeople)
		for _, step := range steps {
			loaded := decode(t, step.Template)
			for name, parameter := range loaded.Parameters {
				if parameter.Default == nil && !slices.Contains(known, name) {
					t.Errorf("route %s: nothing supplies %s of %s", route, name, step.Template)
				}
			}
			for name := range loaded.Outputs {
				known = append(known, name)
			}
		}
	}
}

func TestAStepNamesAFunctionWhereItsTemplateTakesCode(t *testing.T) {
	for _, route := range Routes() {
		steps, err := Deployment(route)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range steps {
			loaded := decode(t, step.Template)
			if _, takes := loaded.Parameters["CodeKey"]; takes != (step.Function != "") {
				t.Errorf("%s takes code: %v, but the step names function %q", step.Template, takes, step.Function)
			}
			said := strings.Contains(loaded.Parameters["CodeKey"].Description, "invalidator")
			if said != (step.Function == "invalidator") {
				t.Errorf("%s: its CodeKey says %q, the step says %q", step.Template, loaded.Parameters["CodeKey"].Description, step.Function)
			}
		}
	}
}

// Every template is deployed by a route, or is for a pipeline of one's own.
func TestEveryTemplateHasAUse(t *testing.T) {
	used := []string{"pipeline-callback", "pipeline-job", "pipeline-machine"}
	for _, route := range Routes() {
		steps, err := Deployment(route)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range steps {
			used = append(used, step.Template)
		}
	}
	slices.Sort(used)
	if used = slices.Compact(used); !slices.Equal(used, Names()) {
		t.Errorf("used are %q, there are %q", used, Names())
	}
}

func TestUnknownRouteNamesTheRoutes(t *testing.T) {
	for _, route := range []string{"", "Relay", "pipeline-base"} {
		if _, err := Deployment(route); err == nil || !strings.Contains(err.Error(), strings.Join(Routes(), ", ")) {
			t.Errorf("Deployment(%q): error %v does not name the routes", route, err)
		}
	}
}
