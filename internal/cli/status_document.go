package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/internal/fleet/runs"
	"github.com/unstale/unstale/internal/plural"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/targetfile"
	"github.com/unstale/unstale/invalidation"
)

// statusVersion is the version of docs/schemas/status.schema.json.
const statusVersion = 1

// statusDocument is what there is to see. Its JSON is a contract: see the schema.
type statusDocument struct {
	Version  int             `json:"version"`
	Month    string          `json:"month"` // in UTC, such as "2026-11"
	Targets  []statusTarget  `json:"targets"`
	Accounts []statusAccount `json:"accounts"`
	Runs     []statusRun     `json:"runs"` // of this machine, the latest first
}

type statusTarget struct {
	Name         string               `json:"name"`
	Route        string               `json:"route"`
	Account      string               `json:"account,omitempty"`
	Distribution string               `json:"distribution,omitempty"`
	InProgress   []statusInvalidation `json:"inProgress"`
	Recent       []statusInvalidation `json:"recent"` // completed, newest first
	Headroom     *statusRoom          `json:"headroom,omitempty"`
	MonthPaths   int                  `json:"monthPaths"`
	KnownFrom    string               `json:"knownFrom"` // who counted
	Notes        []string             `json:"notes"`
	Error        string               `json:"error,omitempty"`
	Try          string               `json:"try,omitempty"`
}

type statusInvalidation struct {
	ID        string    `json:"id"`
	Status    string    `json:"status"`
	Created   time.Time `json:"created"`
	Items     []string  `json:"items"`
	Reference string    `json:"reference"`
}

// statusRoom is what may still be put in progress.
type statusRoom struct {
	Files     int `json:"files"`
	Wildcards int `json:"wildcards"`
}

type statusAccount struct {
	Account    string  `json:"account"`
	MonthPaths int     `json:"monthPaths"` // of the targets
	MonthPrice float64 `json:"monthPrice"` // US dollars
	FreeLeft   int     `json:"freeLeft"`
}

type statusRun struct {
	ID         string            `json:"id"`
	Started    time.Time         `json:"started"`
	Ended      *time.Time        `json:"ended,omitempty"`   // not while it goes on, or where it was cut off
	Running    bool              `json:"running,omitempty"` // a process of this machine works on it
	Unfinished bool              `json:"unfinished"`        // there is something to take up again
	Release    string            `json:"release,omitempty"`
	Items      []string          `json:"items"` // empty where a release was planned
	Targets    []statusRunTarget `json:"targets"`
}

type statusRunTarget struct {
	Name         string `json:"name"`
	Outcome      string `json:"outcome,omitempty"`
	Stage        string `json:"stage"`
	Invalidation string `json:"invalidation,omitempty"`
	Distribution string `json:"distribution,omitempty"`
	Said         string `json:"said,omitempty"`
	completed    bool   // since, as CloudFront says now
}

// mark notes which runs go on, and which invalidations have completed since a run ended.
func (d *statusDocument) mark(running func(id string) bool) {
	completed := map[string]bool{}
	for _, t := range d.Targets {
		for _, one := range t.Recent {
			completed[one.ID] = true
		}
	}
	for i := range d.Runs {
		r := &d.Runs[i]
		r.Running = running(r.ID)
		for n := range r.Targets {
			r.Targets[n].completed = completed[r.Targets[n].Invalidation]
		}
	}
}

func summary(r runs.Run) statusRun {
	s := statusRun{ID: r.ID, Started: r.Started, Unfinished: r.Unfinished(), Release: r.Release, Items: []string{}, Targets: []statusRunTarget{}}
	if !r.Ended.IsZero() {
		s.Ended = &r.Ended
	}
	for _, item := range r.Items {
		s.Items = append(s.Items, string(item))
	}
	for _, t := range r.Targets {
		s.Targets = append(s.Targets, statusRunTarget{t.Name, t.Outcome, t.Progress.Stage.Name(), t.Progress.ID, t.Progress.Distribution, t.Said, false})
	}
	return s
}

// add sums up by account, each distribution once.
func (d *statusDocument) add(targets []targetfile.Target) {
	seen, at := map[string]bool{}, map[string]int{}
	for i, t := range d.Targets {
		if t.Error != "" || t.Distribution != "" && seen[t.Distribution] {
			continue
		}
		seen[t.Distribution] = true
		account := runs.Account(targets[i])
		n, known := at[account]
		if !known {
			n, at[account] = len(d.Accounts), len(d.Accounts)
			d.Accounts = append(d.Accounts, statusAccount{Account: account})
		}
		d.Accounts[n].MonthPaths += t.MonthPaths
	}
	for i := range d.Accounts {
		a := &d.Accounts[i]
		a.MonthPrice, a.FreeLeft = dollars(invalidation.Cost(a.MonthPaths, 0)), invalidation.FreeLeft(a.MonthPaths)
	}
}

// err tells of targets that could not be looked at. told says that each of several has its error printed already.
func (d statusDocument) err(told bool) error {
	var names []string
	var first statusTarget
	try := ""
	for _, t := range d.Targets {
		if t.Error == "" {
			continue
		}
		if len(names) == 0 {
			first, try = t, t.Try
		}
		if told && t.Try != first.Try {
			try = "what stands above for each of them"
		}
		names = append(names, t.Name)
	}
	text := ""
	switch {
	case len(names) == 0:
		return nil
	case told:
		text = fmt.Sprintf("%d of %d targets (%s) cannot be looked at", len(names), len(d.Targets), someNames(names))
	case len(d.Targets) > 1:
		text = fmt.Sprintf("%d of %d targets cannot be looked at; %s: %s", len(names), len(d.Targets), first.Name, first.Error)
	default:
		text = first.Error
	}
	return withTry(errors.New(text), "%s", or(try, "unstale doctor"))
}

// writeStatus prints it: a table of targets, the invalidations of each, accounts, runs.
func writeStatus(out io.Writer, d statusDocument, p printer) error {
	if len(d.Targets) > 0 {
		p.targets(d)
		p.invalidations(d)
		for _, a := range d.Accounts {
			p.folded("month: ", "       ", fmt.Sprintf("%s of these targets in %s, %s; %s free",
				plural.Of(a.MonthPaths, "path"), accountName(a.Account), money(a.MonthPrice), plural.Of(a.FreeLeft, "path")))
		}
	}
	p.runs(d.Runs, len(d.Targets) > 0)
	_, err := io.WriteString(out, p.String())
	return err
}

func (p *printer) targets(d statusDocument) {
	columns := []column{{"TARGET", 0}, {"DISTRIBUTION", 1}, {"IN PROGRESS", 0}, {"ROOM: FILES", 0}, {"WILDCARDS", 0}, {"PATHS THIS MONTH", 0}}
	var rows [][]string
	for _, t := range d.Targets {
		row := []string{t.Name, or(t.Distribution, "-"), "?", "?", "?", "?"}
		if t.Headroom != nil {
			row = row[:2]
			for _, n := range []int{len(t.InProgress), t.Headroom.Files, t.Headroom.Wildcards, t.MonthPaths} {
				row = append(row, strconv.Itoa(n))
			}
		}
		rows = append(rows, row)
	}
	p.grid(columns, rows)
}

// invalidations lists them by target.
func (p *printer) invalidations(d statusDocument) {
	for _, t := range d.Targets {
		if t.Error != "" && len(d.Targets) > 1 { // that of one ends the program
			p.folded(t.Name+": ", "    ", t.Error)
			p.try(t.Try)
		}
		if t.KnownFrom != "CloudFront" {
			p.folded(t.Name+": note: ", "    ", "route "+t.Route+" lists what is in progress only; the rest is from "+t.KnownFrom)
		}
		for _, n := range t.Notes {
			p.folded(t.Name+": note: ", "    ", n)
		}
		for _, i := range append(t.InProgress[:len(t.InProgress):len(t.InProgress)], t.Recent...) {
			p.folded(t.Name+": ", "    ", fmt.Sprintf("%s %s, created %s: %s", i.ID, i.Status, i.Created.Format(time.RFC3339), some(i.Items)))
		}
	}
}

// some lists the first items.
func some(items []string) string {
	const most = 3
	text := strings.Join(items[:min(len(items), most)], " ")
	if more := len(items) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (p *printer) runs(all []statusRun, also bool) {
	if len(all) == 0 {
		if !also {
			p.WriteString("nothing was run on this machine yet, and there is no targets file\n")
		}
		return
	}
	for _, r := range all {
		what := "release " + or(r.Release, "without a name")
		if len(r.Items) > 0 {
			what = some(r.Items)
		}
		p.folded("", "    ", fmt.Sprintf("run %s, begun %s: %s", r.ID, r.Started.Format(time.RFC3339), what))
		for _, t := range r.Targets {
			state := or(words[fleet.Outcome(t.Outcome)], "cut off") + " after " + t.Stage
			switch {
			case r.Running:
				state = "running, " + t.Stage
			case t.Outcome == string(fleet.InProgress) && t.Stage == purge.Created.Name() && t.completed:
				state = "completed since the wait ended"
			}
			if t.Invalidation != "" {
				state += fmt.Sprintf(", %s on %s", t.Invalidation, t.Distribution)
			}
			p.folded("  "+t.Name+": ", "    ", state)
		}
		if r.Unfinished && !r.Running {
			fmt.Fprintf(p, "  go on: unstale invalidate --resume %s\n", r.ID)
		}
	}
}
