package targetfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/target"
)

const fleet = `version: 1
targets:
  shop: {route: same-account, distribution: E1, groups: [web, eu]}
  docs: {route: same-account, distribution: E2, groups: [web], domain: Docs.example.com}
  intern: {route: direct, distribution: E3, groups: [intern]}
  intern-again: {route: same-account, distribution: E3}
`

func TestSelect(t *testing.T) {
	f := parse(t, fleet)
	tests := []struct {
		names, groups string
		all           bool
		want          string
		try           string
	}{
		{"shop", "", false, "shop", ""},
		{"docs shop docs", "", false, "shop docs", ""},
		{"", "web", false, "shop docs", ""},
		{"intern", "eu web", false, "shop docs intern", ""},
		{"", "", true, "shop docs intern intern-again", ""},
		{"E1", "", false, "shop", ""},
		{"docs.example.com", "", false, "docs", ""},
		{"E3", "", false, `choose targets: "E3" is 2 targets`, "one of intern, intern-again"},
		{"", "", false, "choose targets: f has 4 targets, and none was named", "one of shop, docs, intern, intern-again, a group, or all"},
		{"shop", "", true, "choose targets: all are asked for, and some by name or group too", "one of the two"},
		{"shpo", "", false, `choose targets: there is no target "shpo" in f`, "did you mean shop?"},
		{"zebra", "", false, `choose targets: there is no target "zebra" in f`, "one of shop, docs, intern, intern-again"},
		{"", "wbe", false, `choose targets: there is no group "wbe"`, "did you mean web?"},
		{"dosc", "shops", false, `choose targets: there is no target "dosc" in f; there is no group "shops"`, "did you mean docs?; groups are eu, intern, web"},
	}
	f.Path = "f"
	for _, tt := range tests {
		got, err := f.Select(strings.Fields(tt.names), strings.Fields(tt.groups), tt.all)
		var names []string
		for _, one := range got {
			names = append(names, one.Name)
		}
		result, try := strings.Join(names, " "), ""
		var e *SelectionError
		if errors.As(err, &e) {
			result, try = err.Error(), e.Try
		}
		if result != tt.want || try != tt.try {
			t.Errorf("Select(%q, %q, %v) = %q, try %q; want %q, try %q", tt.names, tt.groups, tt.all, result, try, tt.want, tt.try)
		}
	}
}

func TestSelectTheOnlyOne(t *testing.T) {
	f := parse(t, fileOf("  site: {route: same-account, distribution: E1}"))
	if got, err := f.Select(nil, nil, false); err != nil || len(got) != 1 || got[0].Name != "site" {
		t.Errorf("%v, %v", got, err)
	}
	_, err := f.Select(nil, []string{"web"}, false)
	var e *SelectionError
	if !errors.As(err, &e) || e.Try != "no target has groups; give it some in unstale.yaml" {
		t.Error(err)
	}
	f = parse(t, fileOf(strings.Split(strings.Repeat("  x: {route: direct, distribution: E1}\n", 12), "\n")[:1]...))
	for i := range 11 {
		one := f.Targets[0]
		one.Name = "t" + string(rune('a'+i))
		f.Targets = append(f.Targets, one)
	}
	if _, err := f.Select(nil, nil, false); !errors.As(err, &e) || e.Try != "one of x, ta, tb, tc, td, te, tf, tg, th, ti and 2 more, a group, or all" {
		t.Error(e.Try)
	}
}

// Every route either can be taken from the command line, or says why not and what to do.
func TestReachable(t *testing.T) {
	want := map[target.Route]string{
		target.Assume: "", target.Relay: "", target.SameAccount: "",
		target.Direct: `reach target "a": only a pipeline can take route direct: it begins with an action of a pipeline, which hands the job to a function of the delivery account; the command line takes assume, relay and same-account`,
		target.States: `reach target "a": only a pipeline can take route states: the state machine belongs to the pipeline, which hands it the items and records its executions; the command line takes assume, relay and same-account`,
	}
	for _, r := range target.Routes() {
		err := Target{Target: target.Target{Name: "a", Route: r}}.Reachable()
		if errorText(err) != want[r] {
			t.Errorf("%s: %v", r, err)
		}
		var u *Unreachable
		if errors.As(err, &u) != (want[r] != "") || u != nil && !strings.Contains(u.Try(), "same-account") {
			t.Errorf("%s: %v", r, err)
		}
	}
}
