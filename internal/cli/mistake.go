package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/unstale/unstale/internal/cli/mistakes"
	"github.com/unstale/unstale/internal/cli/story"
)

// errMistaken ends a rehearsed mistake: it failed, as it was to.
var errMistaken = errors.New("the release failed, as it had to with this mistake")

// listMistakes is what --break help prints.
func listMistakes(out io.Writer) error {
	rows := [][]string{{"NAME", "ROUTES", "WHAT IS WRONG"}}
	for _, m := range mistakes.All() {
		routes := strings.Join(m.Routes(), " ")
		if len(m.Routes()) == len(story.Routes()) {
			routes = "all"
		}
		rows = append(rows, []string{m.Name, routes, m.Summary})
	}
	p := newPrinter(out)
	p.list(rows)
	if _, err := io.WriteString(out, p.String()); err != nil {
		return fmt.Errorf("list the mistakes: %w", err)
	}
	return nil
}

// chooseMistake finds the mistake to make and the route to make it on: the given one, or the first that
// can have it where none was given.
func chooseMistake(name, route string, given bool) (mistakes.Mistake, string, error) {
	m, ok := mistakes.Find(name)
	if !ok {
		var known []string
		for _, m := range mistakes.All() {
			known = append(known, m.Name)
		}
		return m, "", usage{withTry(noSuch("mistake", name, known), "unstale rehearse --break help")}
	}
	routes := m.Routes()
	for _, r := range routes {
		if r == route {
			return m, route, nil
		}
	}
	if given {
		return m, "", usage{withTry(fmt.Errorf("the mistake %s cannot be made on route %s", name, route), "--route with one of %s", strings.Join(routes, ", "))}
	}
	return m, routes[0], nil
}

// rehearseMistake makes a mistake and explains it. It ends with an error also when all went as foreseen:
// the release did fail.
func rehearseMistake(ctx context.Context, m mistakes.Mistake, o story.Options, n story.Narrator, asJSON bool, stdout io.Writer) error {
	finding, report, err := m.Play(ctx, o, n, nil)
	switch {
	case err != nil && finding.FailedAt == "":
		return err
	case asJSON:
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		if encoding := enc.Encode(struct {
			story.Report
			Finding mistakes.Finding `json:"finding"`
		}{report, finding}); encoding != nil {
			return fmt.Errorf("print the report: %w", encoding)
		}
	case err == nil:
		if _, err := io.WriteString(stdout, explanation(finding, widthOf(stdout))); err != nil {
			return fmt.Errorf("print the explanation: %w", err)
		}
	}
	return errors.Join(err, errMistaken)
}

// explanation is a finding for a person, in lines of a width; 0 leaves them as long as they are.
func explanation(f mistakes.Finding, width int) string {
	var b strings.Builder
	part := func(name, text string) {
		if width > 0 {
			text = story.Short(text)
		}
		indent := fmt.Sprintf("%-10s", "")
		fmt.Fprintf(&b, "%-10s%s\n", name, story.Fold(text, width-len(indent), indent))
	}
	b.WriteByte('\n')
	part("mistake", f.Mistake+": "+f.Summary)
	where := f.FailedAt
	if f.Seconds >= 60 {
		where += fmt.Sprintf(", after %.0f minutes of rehearsal time", f.Seconds/60)
	}
	part("failed", where)
	part("said", f.Said)
	if f.Why != "" {
		part("decision", f.Why)
	}
	part("lesson", f.Lesson)
	for _, c := range f.Changes {
		fmt.Fprintf(&b, "\n%s", c)
	}
	return b.String()
}
