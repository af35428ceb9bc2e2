package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/site"
)

// pages are n changed pages among as many that did not.
func pages(n int) Input {
	old, release := site.Snapshot{}, site.Snapshot{}
	for i := range 2 * n {
		o := site.Object{Key: fmt.Sprintf("p%05d", i), ETag: "1"}
		old = append(old, o)
		if i%2 == 0 {
			o.ETag = "2"
		}
		release = append(release, o)
	}
	return change(spa(), old, release)
}

func TestPresetsAndBudgets(t *testing.T) {
	for _, tt := range []struct {
		name       string
		preset     Preset
		budget     string
		used       int
		items      int
		collateral int
		price      string
	}{
		{"balanced, with free paths", "", "", 0, 100, 0, "$0.00"},
		{"balanced, with none left", Balanced, "", 1000, 15, 95, "$0.075"},
		{"balanced, with some left", "", "", 970, 27, 80, "$0.00"},
		{"gentlest pays", Gentlest, "", 1000, 100, 0, "$0.50"},
		{"cheapest pays nothing", Cheapest, "", 940, 51, 50, "$0.00"},
		{"cheapest pays for one", Cheapest, "", 1000, 1, 100, "$0.005"},
		{"a budget of items", Gentlest, "10", 0, 1, 100, "$0.00"},
		{"a budget of money", Gentlest, "$0.10", 1000, 19, 90, "$0.095"},
		{"a budget of money that earlier paths used", Gentlest, "$0.10", 1010, 1, 100, "$0.005"},
		{"a budget of nothing but what is free", Gentlest, "$0", 995, 1, 100, "$0.00"},
	} {
		in := pages(100)
		in.Preset, in.Used = tt.preset, tt.used
		var err error
		if in.Budget, err = ParseBudget(tt.budget); err != nil {
			t.Fatal(err)
		}
		p, err := Build(in)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if len(p.Items) != tt.items || p.Collateral != tt.collateral || p.Price.String() != tt.price || !p.Exact || p.Stale != 100 {
			t.Errorf("%s: %d items, %d collateral, %s, exact %v", tt.name, len(p.Items), p.Collateral, p.Price, p.Exact)
		}
	}
}

func TestInfeasible(t *testing.T) {
	in := pages(100)
	in.InProgress = invalidation.Limits{Files: 2950, Wildcards: 15}
	var infeasible *Infeasible
	if _, err := Build(in); !errors.As(err, &infeasible) || !infeasible.Wait || !strings.Contains(err.Error(), "only 50 files and 0 wildcards may be added") {
		t.Errorf("%v", err)
	}
	in.InProgress.Wildcards = 14
	if p, err := Build(in); err != nil || invalidation.Count(p.Paths()) != (invalidation.Limits{Files: 50, Wildcards: 1}) {
		t.Errorf("one wildcard is left: %v", err)
	}
	in = pages(2)
	in.Budget = Budget{Unit: PerPlan}
	if _, err := Build(in); !errors.As(err, &infeasible) || infeasible.Wait || !strings.Contains(err.Error(), "0 items") {
		t.Errorf("no budget: %v", err)
	}
}

func TestParseBudget(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Budget
	}{
		{"", Budget{}},
		{"0", Budget{Unit: PerPlan}},
		{"40", Budget{Unit: PerPlan, Items: 40}},
		{"$5", Budget{Unit: PerMonth, Money: 5 * invalidation.Dollar}},
		{"$0.005", Budget{Unit: PerMonth, Money: 5000}},
	} {
		if got, err := ParseBudget(tt.text); err != nil || got != tt.want {
			t.Errorf("%q: %+v, %v", tt.text, got, err)
		}
	}
	for _, bad := range []string{"-1", "five", "$", "$-1", "$1.", "$1.1234567", "$1.x", "1.5", "$99999999999"} {
		if got, err := ParseBudget(bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, got)
		}
	}
	if p, err := ParsePreset(""); p != Balanced || err != nil {
		t.Errorf("no preset is %q, %v", p, err)
	}
}

func TestScarceSaysSo(t *testing.T) {
	in := pages(20_000)
	in.Preset = Gentlest
	p, err := Build(in)
	if err != nil || p.Exact || p.Bound == 0 || p.Bound > p.Collateral {
		t.Fatalf("%v, bound %d, collateral %d", err, p.Bound, p.Collateral)
	}
	if last := p.Notes[len(p.Notes)-1]; !strings.Contains(last, "no choice within the limits purges fewer than") {
		t.Errorf("notes %q", p.Notes)
	}
}
