package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/fleet"
)

func verdictTarget(name string, o fleet.Outcome, err, try string) invalidateTarget {
	return invalidateTarget{Name: name, Outcome: o, Error: err, Try: try}
}

// One target's error is the program's. Of several each is told in the summary, and the error that ends the program
// names those that decided; beside a document it tells the first.
func TestInvalidateError(t *testing.T) {
	docs, shop := verdictTarget("docs", fleet.Failed, "no", "do"), verdictTarget("shop", fleet.Failed, "never", "other")
	left, fine := verdictTarget("own", fleet.Skipped, "not begun", ""), verdictTarget("fine", fleet.Done, "", "")
	stale, waits := verdictTarget("docs", fleet.Stale, "old", ""), verdictTarget("docs", fleet.InProgress, "going on", "")
	for _, tt := range []struct {
		outcome           fleet.Outcome
		targets           []invalidateTarget
		told, beside, try string // beside a document
	}{
		{fleet.Failed, []invalidateTarget{docs}, "no", "no", "do"},
		{fleet.Failed, []invalidateTarget{fine, docs}, "1 of 2 targets (docs) failed", "1 of 2 targets failed; docs: no", "do"},
		{fleet.Failed, []invalidateTarget{left, docs}, "1 of 2 targets (docs) failed, 1 was not begun", "1 of 2 targets failed, 1 was not begun; docs: no", "do"},
		{fleet.Failed, []invalidateTarget{docs, left, left}, "1 of 3 targets (docs) failed, 2 were not begun", "1 of 3 targets failed, 2 were not begun; docs: no", "do"},
		{fleet.Failed, []invalidateTarget{docs, shop}, "2 of 2 targets (docs, shop) failed", "2 of 2 targets failed; docs: no", "what stands above for each of them, then unstale invalidate --resume r"},
		{fleet.Failed, []invalidateTarget{stale, left}, "1 of 2 targets (own) not begun", "1 of 2 targets not begun; own: not begun", "unstale doctor"},
		{fleet.Stale, []invalidateTarget{stale}, "completed, but viewers still see the old release: old", "completed, but viewers still see the old release: old", "unstale invalidate --resume r"},
		{fleet.Stale, []invalidateTarget{stale, fine}, "1 of 2 targets (docs) completed, but viewers still see the old release", "1 of 2 targets completed, but viewers still see the old release: old", "unstale invalidate --resume r"},
		{fleet.InProgress, []invalidateTarget{waits}, "still in progress when the wait ended: going on", "still in progress when the wait ended: going on", "unstale status --run r, or unstale invalidate --resume r"},
		{fleet.InProgress, []invalidateTarget{fine, waits}, "1 of 2 targets (docs) still in progress when the wait ended", "1 of 2 targets still in progress when the wait ended: going on", "unstale status --run r, or unstale invalidate --resume r"},
	} {
		d := invalidateDocument{Run: "r", Outcome: tt.outcome, Targets: tt.targets}
		err, document := d.err(len(tt.targets) > 1), d.err(false)
		var h hinted
		if err.Error() != tt.told || document.Error() != tt.beside || !errors.As(err, &h) || h.try != tt.try {
			t.Errorf("%v, try %s\n%v\nwant %+v", err, h.try, document, tt)
		}
	}
	many := invalidateDocument{Outcome: fleet.Failed, Targets: make([]invalidateTarget, 7)}
	for i := range many.Targets {
		many.Targets[i] = verdictTarget(string(rune('a'+i)), fleet.Failed, "no", "")
	}
	if err := many.err(true); err.Error() != "7 of 7 targets (a, b, c, d, e and 2 more) failed" {
		t.Error(err)
	}
}

// The same failure is not told three times: of one target by the error that ends the program only, of several when
// it happens and in the summary.
func TestFailuresAreToldOnce(t *testing.T) {
	const why, step = "read distribution: no", "look at it"
	docs, shop := verdictTarget("docs", fleet.Failed, why, step), verdictTarget("shop", fleet.Done, "", "")
	for _, dry := range []bool{false, true} {
		for targets, want := range map[*[]invalidateTarget]int{{docs}: 1, {docs, shop}: 2 - b2i(dry)} {
			d := invalidateDocument{Run: "r", DryRun: dry, Outcome: fleet.Failed, Targets: *targets}
			var out bytes.Buffer
			if !dry {
				l := &lines{out: &out, alone: len(*targets) == 1}
				l.event(fleet.Event{Target: "docs", Result: &fleet.Result{Outcome: fleet.Failed, Err: errors.New(why)}})
			}
			if err := writeInvalidate(&out, d, printer{}); err != nil {
				t.Fatal(err)
			}
			all := out.String() + "unstale: " + d.err(len(*targets) > 1).Error()
			if got := strings.Count(all, why); got != want {
				t.Errorf("dry %t: told %d times, not %d:\n%s", dry, got, want, all)
			}
			if tries := strings.Count(out.String(), "    try: "+step); tries != len(*targets)-1 {
				t.Errorf("dry %t: %d times what to do:\n%s", dry, tries, &out)
			}
		}
	}
}

func TestStatusError(t *testing.T) {
	docs, shop := statusTarget{Name: "docs", Error: "no", Try: "do"}, statusTarget{Name: "shop", Error: "never"}
	for _, tt := range []struct {
		targets           []statusTarget
		told, beside, try string
	}{
		{[]statusTarget{docs}, "no", "no", "do"},
		{[]statusTarget{shop}, "never", "never", "unstale doctor"},
		{[]statusTarget{docs, {}}, "1 of 2 targets (docs) cannot be looked at", "1 of 2 targets cannot be looked at; docs: no", "do"},
		{[]statusTarget{docs, shop}, "2 of 2 targets (docs, shop) cannot be looked at", "2 of 2 targets cannot be looked at; docs: no", "what stands above for each of them"},
	} {
		d := statusDocument{Targets: tt.targets}
		err, document := d.err(len(tt.targets) > 1), d.err(false)
		var h hinted
		if err.Error() != tt.told || document.Error() != tt.beside || !errors.As(err, &h) || h.try != tt.try {
			t.Errorf("%v, try %s\n%v\nwant %+v", err, h.try, document, tt)
		}
		var out bytes.Buffer
		if err := writeStatus(&out, d, printer{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "docs: no\n    try: do\n"); got != (len(tt.targets) > 1) {
			t.Errorf("%s", &out)
		}
	}
	if err := (statusDocument{Targets: []statusTarget{{}}}).err(true); err != nil {
		t.Error(err)
	}
}
