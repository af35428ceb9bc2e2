package cli

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/fleet"
)

// Without a terminal nothing is left out; on one, columns and the middle of names go before a line is
// longer than it is wide.
func TestGrid(t *testing.T) {
	columns := []column{{"TARGET", 0}, {"DISTRIBUTION", 2}, {"ITEMS", 1}, {"SEEN", 0}}
	rows := [][]string{{"shop", "E1EXAMPLE", "12", "FRA56-P1"}, {"the-shop-of-the-northern-countries", "E2EXAMPLE", "1", "-"}}
	for width, want := range map[int]string{
		0: `TARGET                              DISTRIBUTION  ITEMS  SEEN
shop                                E1EXAMPLE     12     FRA56-P1
the-shop-of-the-northern-countries  E2EXAMPLE     1      -
`,
		80: `TARGET                              DISTRIBUTION  ITEMS  SEEN
shop                                E1EXAMPLE     12     FRA56-P1
the-shop-of-the-northern-countries  E2EXAMPLE     1      -
`,
		60: `TARGET                    DISTRIBUTION  ITEMS  SEEN
shop                      E1EXAMPLE     12     FRA56-P1
the-shop-of-…n-countries  E2EXAMPLE     1      -
`,
		50: `TARGET                    DISTRIBUTION  SEEN
shop                      E1EXAMPLE     FRA56-P1
the-shop-of-…n-countries  E2EXAMPLE     -
left out, for the terminal is narrow: ITEMS
`,
		30: `TARGET                SEEN
shop                  FRA56-P1
the-shop-o…countries  -
left out, for the terminal is narrow: ITEMS, DISTRIBUTION
`,
	} {
		p := printer{width: width}
		p.grid(columns, rows)
		if diff := cmp.Diff(want, p.String()); diff != "" {
			t.Errorf("%d columns (-want +got)\n%s", width, diff)
		}
	}
}

// A column that only repeats the names is not missed.
func TestGridLeavesOutRepetitions(t *testing.T) {
	p := printer{width: 20}
	p.grid([]column{{"TARGET", 0}, {"DISTRIBUTION", 1}, {"SEEN", 0}}, [][]string{{"E1EXAMPLE", "E1EXAMPLE", "-"}})
	if want := "TARGET     SEEN\nE1EXAMPLE  -\n"; p.String() != want {
		t.Errorf("%q, not %q", p.String(), want)
	}
}

// What status and invalidate print fits a terminal of 80 columns, except words that are longer.
func TestTextFitsTheTerminal(t *testing.T) {
	long := strings.Repeat("shop-", 9) + "eu"
	created := time.Date(2026, 11, 23, 2, 49, 5, 0, time.UTC)
	items := []string{"/a/rather/long/path/*", "/another/one/of/them", "/third", "/fourth"}
	status := statusDocument{
		Targets: []statusTarget{{
			Name: long, Route: "relay", Distribution: "E2EXAMPLEXXXX", KnownFrom: "runs on this machine", Headroom: &statusRoom{3000, 15},
			Recent: []statusInvalidation{{ID: "I4CDI5KDU2PUD5RDU7H1LL7EJX", Status: "Completed", Created: created, Items: items}},
		}},
		Accounts: []statusAccount{{Account: "222222222222", MonthPaths: 1, FreeLeft: 999}},
		Runs: []statusRun{{
			ID: "20261123-024905-k3x9ab", Started: created, Items: items,
			Targets: []statusRunTarget{{Name: long, Outcome: "done", Stage: "seen", Invalidation: "I4CDI5KDU2PUD5RDU7H1LL7EJX", Distribution: "E2EXAMPLEXXXX"}},
		}},
	}
	invalidate := invalidateDocument{
		Targets: []invalidateTarget{{
			Name: long, Distribution: "E2EXAMPLEXXXX", Outcome: fleet.Done, Stage: "seen", Invalidation: "I4CDI5KDU2PUD5RDU7H1LL7EJX",
			Completion: 12.3, POP: "FRA56-P12", Pages: 123, Notes: []string{strings.Repeat("a word ", 30)},
		}},
		Cost: invalidateCost{Paths: 1, Accounts: []accountCost{{Account: "profile a-rather-long-one", MonthPaths: 1}}},
	}
	for _, width := range []int{0, 80} {
		var out strings.Builder
		p := printer{width: width, color: width > 0}
		if err := writeStatus(&out, status, p); err != nil {
			t.Fatal(err)
		}
		if err := writeInvalidate(&out, invalidate, p); err != nil {
			t.Fatal(err)
		}
		longest := 0
		for line := range strings.Lines(out.String()) {
			longest = max(longest, shown(strings.TrimSuffix(line, "\n")))
		}
		if fits := longest <= 80; fits != (width == 80) {
			t.Errorf("%d columns: the longest line has %d\n%s", width, longest, out.String())
		}
	}
}

func TestShown(t *testing.T) {
	p := printer{color: true}
	for _, text := range []string{"", "a", "…b", p.paint(bold, "a b"), "x" + p.paint(dim, "y") + p.paint(yellow, "z")} {
		plainText := strings.NewReplacer(bold, "", dim, "", yellow, "", plain, "").Replace(text)
		if got := shown(text); got != utf8.RuneCountInString(plainText) {
			t.Errorf("%q takes %d columns", text, got)
		}
	}
}

// The sentences of a list stand in their column, or below where a terminal has not the room; elsewhere they stay whole.
func TestList(t *testing.T) {
	rows := [][]string{{"NAME", "ROUTES", "WHAT"}, {"trust", "assume states", "the purge role trusts another role of the account"}, {"é", "all", "no"}}
	for width, want := range map[int]string{
		0:  "NAME   ROUTES         WHAT\ntrust  assume states  the purge role trusts another role of the account\né      all            no\n",
		60: "NAME   ROUTES         WHAT\ntrust  assume states  the purge role trusts another role of\n                      the account\né      all            no\n",
		40: "NAME   ROUTES         WHAT\ntrust  assume states\n    the purge role trusts another role\n    of the account\né      all            no\n",
	} {
		p := printer{width: width}
		p.list(rows)
		if p.String() != want {
			t.Errorf("%d columns:\n%s", width, p.String())
		}
	}
}
