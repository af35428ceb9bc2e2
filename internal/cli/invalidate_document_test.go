package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// Two targets that are one distribution have one invalidation, which is paid once.
func TestSharedInvalidation(t *testing.T) {
	one := func(name, distribution, id string, items ...string) invalidateTarget {
		target := invalidateTarget{Name: name, Distribution: distribution, Invalidation: id, account: "own", progress: purge.Progress{ID: id, Paths: len(items)}}
		for _, item := range items {
			target.Plan = append(target.Plan, plan.Choice{Item: invalidation.Item(item)})
		}
		return target
	}
	for _, tt := range []struct {
		name    string
		targets []invalidateTarget
		dry     bool
		paths   int
	}{
		{"the same", []invalidateTarget{one("shop", "E1", "I1", "/x"), one("docs", "E1", "I1", "/x")}, false, 1},
		{"others", []invalidateTarget{one("shop", "E1", "I1", "/x"), one("docs", "E1", "I2", "/y")}, false, 2},
		{"one failed", []invalidateTarget{one("shop", "E1", "", "/x"), one("docs", "E1", "I2", "/x")}, false, 1},
		{"the same ID elsewhere", []invalidateTarget{one("shop", "E1", "I1", "/x"), one("docs", "E2", "I1", "/x")}, false, 2},
		{"planned the same", []invalidateTarget{one("shop", "E1", "", "/x", "/y"), one("docs", "E1", "", "/y", "/x")}, true, 2},
		{"planned others", []invalidateTarget{one("shop", "E1", "", "/x"), one("docs", "E1", "", "/y")}, true, 2},
	} {
		w := &work{dry: tt.dry, used: map[string]months{"own": {paths: 10, by: "runs on this machine"}}}
		var all []invalidateTarget
		for _, target := range tt.targets {
			target.shared = shared(all, target, tt.dry)
			all = append(all, target)
		}
		if c := cost(all, w); c.Paths != tt.paths || c.Accounts[0].MonthPaths != 10+tt.paths {
			t.Errorf("%s: %+v", tt.name, c)
		}
	}
}

// A dry run tells what was spent, and apart from it what would be.
func TestForecast(t *testing.T) {
	c := invalidateCost{Paths: 1, Accounts: []accountCost{{Account: "own", Paths: 1, MonthPaths: 15, KnownFrom: "runs on this machine", earlier: 14}}}
	for dry, want := range map[bool]string{
		true:  "cost, if it is done: 1 path, $0.00\nmonth: 14 paths in your own account, $0.00, as far as runs on this machine know; 15 paths, $0.00, if it is done\n",
		false: "cost: 1 path, $0.00\nmonth: 15 paths in your own account, $0.00, as far as runs on this machine know\n",
	} {
		p := newPrinter(&bytes.Buffer{})
		p.costs(c, dry)
		if got := strings.Join(strings.Fields(p.String()), " "); got != strings.Join(strings.Fields(want), " ") {
			t.Errorf("dry %t: %s", dry, got)
		}
	}
}

// What a purge tells a pipeline to do is told to people in their words.
func TestByHand(t *testing.T) {
	for said, want := range map[string]string{
		"retry the stage, or run the command anew, and everything is purged: why": "run the command again, with another --attempt if you named one, and everything is purged: why",
		"retry the stage: another invalidation is made":                           "run the command again, with another --attempt if you named one: it makes another invalidation",
		"retry the stage: a new attempt has a new reference":                      "run the command again, with another --attempt if you named one: a new attempt has a new reference",
		"check that the function can reach the internet, then retry the stage":    "check that this machine can reach the internet, then run the same command again",
		"add /a to the items: none of them covers it":                             "add /a to the items: none of them covers it",
	} {
		if got := byHand.Replace(said); got != want {
			t.Errorf("%s: %s", said, got)
		}
	}
}
