package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/internal/plural"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/invalidation"
)

// mostItems is how many items of a plan are listed for each target.
const mostItems = 20

// writeInvalidate prints what a run came to.
func writeInvalidate(out io.Writer, d invalidateDocument, p printer) error {
	if d.DryRun {
		p.plans(d)
	} else {
		p.outcomes(d)
	}
	p.costs(d.Cost, d.DryRun)
	if d.Run != "" && d.Outcome != fleet.Done {
		fmt.Fprintf(&p, "run:   %s\n", d.Run)
	}
	_, err := io.WriteString(out, p.String())
	return err
}

// plans lists what would be purged.
func (p *printer) plans(d invalidateDocument) {
	for _, t := range d.Targets {
		fmt.Fprintf(p, "%s\n", p.paint(bold, t.Name+where(t)))
		switch {
		case t.Error != "" && len(d.Targets) == 1: // why is told by the error that ends the program
			p.WriteString("  cannot be planned\n")
		case t.Error != "":
			p.folded("  cannot be planned: ", "    ", t.Error)
			p.try(t.Try)
		case len(t.Plan) == 0:
			p.WriteString("  nothing to purge: no cache holds what changed\n")
		}
		for _, c := range t.Plan[:min(len(t.Plan), mostItems)] {
			p.folded(fmt.Sprintf("  %s  ", c.Item), "      ", p.paint(dim, c.Reason))
		}
		if more := len(t.Plan) - mostItems; more > 0 {
			fmt.Fprintf(p, "  ... and %d more; --json lists all\n", more)
		}
		p.notes(t)
	}
	p.WriteString("dry run: nothing was purged\n")
}

func (p *printer) notes(t invalidateTarget) {
	for _, n := range t.Notes {
		p.folded("  note: ", "        ", n)
	}
}

// where names the distribution, unless the target's name does.
func where(t invalidateTarget) string {
	if t.Distribution == "" || t.Distribution == t.Name {
		return ""
	}
	return " (" + t.Distribution + ")"
}

// outcomes is a table of the targets and what else to know of them.
func (p *printer) outcomes(d invalidateDocument) {
	columns := []column{{"TARGET", 0}, {"DISTRIBUTION", 1}, {"OUTCOME", 0}, {"INVALIDATION", 0}, {"ITEMS", 2}, {"COMPLETED", 3}, {"SEEN", 0}}
	var rows [][]string
	for _, t := range d.Targets {
		completed, seen := "-", "-"
		if t.Completion > 0 {
			completed = fmt.Sprintf("%.1fs", t.Completion)
		}
		switch {
		case t.progress.Stage == purge.Restricted:
			seen = string(purge.Restricted)
		case t.Pages > 0:
			seen = or(t.POP, "unnamed") + ", " + plural.Of(t.Pages, "page")
		}
		rows = append(rows, []string{t.Name, or(t.Distribution, "-"), outcomeWord(t), or(t.Invalidation, "-"), strconv.Itoa(t.paths(false)), completed, seen})
	}
	p.grid(columns, rows)
	for _, t := range d.Targets {
		if t.Error != "" && t.Outcome != fleet.Skipped && len(d.Targets) > 1 { // that of one ends the program
			p.folded(t.Name+": ", "    ", t.Error)
			p.try(t.Try)
		}
		for _, n := range t.Notes {
			p.folded(t.Name+": note: ", "    ", n)
		}
	}
}

// try says what to do about a target, where that is known.
func (p *printer) try(text string) {
	if text != "" {
		p.folded("    try: ", "         ", text)
	}
}

// words are the outcomes for people.
var words = map[fleet.Outcome]string{
	fleet.Done: "done", fleet.Failed: "failed", fleet.Stale: "stale", fleet.InProgress: "in progress", fleet.Skipped: "skipped",
}

// outcomeWord is a target's outcome for people: where nobody waited, done is no more than created.
func outcomeWord(t invalidateTarget) string {
	if t.Outcome == fleet.Done && t.Stage == purge.Created.Name() {
		return t.Stage
	}
	return words[t.Outcome]
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// costs tells what the run costs, and the month so far.
func (p *printer) costs(c invalidateCost, dry bool) {
	verb := "cost: "
	if dry {
		verb = "cost, if it is done: "
	}
	fmt.Fprintf(p, "%s%s, %s\n", verb, plural.Of(c.Paths, "path"), money(c.Price))
	for _, a := range c.Accounts {
		paths, price, then := a.MonthPaths, money(a.MonthPrice), ""
		if dry { // what is only planned is not spent
			paths, price = a.earlier, invalidation.Cost(a.earlier, 0)
			then = fmt.Sprintf("; %s, %s, if it is done", plural.Of(a.MonthPaths, "path"), money(a.MonthPrice))
		}
		p.folded("month: ", "       ", fmt.Sprintf("%s in %s, %s, as far as %s know%s",
			plural.Of(paths, "path"), accountName(a.Account), price, or(a.KnownFrom, "runs on this machine"), then))
	}
}

// accountName is an account for people.
func accountName(account string) string {
	switch {
	case account == "own":
		return "your own account"
	case strings.HasPrefix(account, "profile "):
		return "the account of " + account
	}
	return "account " + account
}
