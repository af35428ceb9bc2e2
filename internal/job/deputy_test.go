package job

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/target"
)

// opened runs a job with these UserParameters and tells which targets were reached for, exactly as
// they were given to the gateways, and the answer.
func opened(t testing.TB, parameters string) (reached []target.Target, a Answer) {
	w := newWorld(t, map[string]*distribution{"site": {id: "E1"}, "docs": {id: "E2"}})
	for name, known := range w.config.Targets {
		known.Role, known.Distribution = "arn:aws:iam::222222222222:role/purge", "E"+name
		w.config.Targets[name] = known
	}
	w.config.Gateway = func(t target.Target, _ string) (purge.Gateway, error) {
		reached = append(reached, t)
		return w.distributions[t.Name], nil
	}
	if err := w.run(t, time.Minute, jobEvent(firstJob, parameters, "", 0)); err != nil {
		t.Error(err)
	}
	slices.SortFunc(reached, func(a, b target.Target) int { return strings.Compare(a.Name, b.Name) })
	return reached, w.desk.last()
}

// Whoever may edit the pipeline chooses among the function's own targets by name, and gains nothing
// else: no distribution, no role, no function.
func TestParametersCannotReachBeyondTheConfiguration(t *testing.T) {
	const role = `"arn:aws:iam::333333333333:role/theirs"`
	for _, parameters := range []string{
		`{"targets":["site","theirs"]}`,
		`{"targets":["E9OTHER"]}`,
		`{"targets":[` + role + `]}`,
		`{"targets":["arn:aws:lambda:us-east-1:333333333333:function:theirs"]}`,
		`{"targets":[{"route":"assume","role":` + role + `,"externalId":"x1","distribution":"E9OTHER"}]}`,
		`{"targets":{"site":{"distribution":"E9OTHER"}}}`,
		`{"targets":["site"],"role":` + role + `}`,
		`{"targets":["site"],"distribution":"E9OTHER"}`,
		`{"targets":["site"],"function":"theirs"}`,
		`{"targets":["site"],"externalId":"theirs"}`,
		`{"targets":["site"],"stateMachine":"theirs"}`,
		`{"targets":["site"],"route":"relay"}`,
		`{"targets":["site"],"callbackRole":` + role + `}`,
		`{"targets":["site"],"Targets":["theirs"]}`,
		`{"targets":["site"],"targets":["theirs"]}`,
	} {
		reached, a := opened(t, parameters)
		if len(reached) != 0 || a.Failure != ConfigurationError {
			t.Errorf("%s: reached for %v, answered %+v", parameters, reached, a)
		}
	}
}

// Parameters that are taken change nothing of a target.
func TestTargetsAreReachedAsTheyAreConfigured(t *testing.T) {
	for parameters, names := range map[string][]string{
		``:                     {"docs", "site"},
		`{"targets":["site"]}`: {"site"},
		`{"targets":["docs"],"release":"role/x","items":["/"]}`: {"docs"},
	} {
		synctest.Test(t, func(t *testing.T) {
			reached, a := opened(t, parameters)
			var got []string
			for _, r := range reached {
				got = append(got, r.Name)
				if r.Role != "arn:aws:iam::222222222222:role/purge" || r.Distribution != "E"+r.Name || r.Route != target.Relay {
					t.Errorf("%s: %+v", parameters, r)
				}
			}
			if !slices.Equal(got, names) || a.Failure != "" {
				t.Errorf("%s: reached for %v, answered %+v", parameters, got, a)
			}
		})
	}
}

// Nor does any other text name a target that is not configured.
func TestNoTextReachesBeyondTheConfiguration(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"site", "docs", "Site", "site ", "../site"})), 1, 3).Draw(r, "names")
		text, err := json.Marshal(map[string]any{"targets": names})
		if err != nil {
			r.Fatal(err)
		}
		if slices.ContainsFunc(names, func(n string) bool { return n != "site" && n != "docs" }) {
			if reached, a := opened(t, string(text)); len(reached) != 0 || a.Failure != ConfigurationError {
				r.Fatalf("%s: reached for %v, answered %+v", text, reached, a)
			}
		}
	})
}

func TestGatewaysAreOpenedForTheRelease(t *testing.T) {
	for _, tt := range []struct{ parameters, want string }{
		{`{"release": "exec-7"}`, "exec-7"},
		{``, firstJob}, // whoever reads the other account's log can at least find the job
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, one(&distribution{}))
			if err := w.run(t, time.Minute, jobEvent(firstJob, tt.parameters, "", 0)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(w.releases, []string{tt.want}) {
				t.Errorf("%s: opened for %q", tt.parameters, w.releases)
			}
		})
	}
}
