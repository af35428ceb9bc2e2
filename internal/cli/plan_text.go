package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/unstale/unstale/internal/plural"
	"github.com/unstale/unstale/internal/report"
)

// The printed plan: no line is longer than textWidth unless an item is, and no more than mostLines
// items are listed.
const (
	textWidth = 96
	mostLines = 60
	maxItem   = 60 // characters of the column of items
	maxBeside = 24 // the longest item beside which the reasons stand

	columns      = "%-*s  %6s  %10s  %6s  "
	columnsWidth = 2 + 6 + 2 + 10 + 2 + 6 + 2
)

// The colours of the terminal.
const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	plain  = "\x1b[0m"
)

// styles are all of them.
func styles() []string { return []string{bold, dim, red, green, yellow, cyan, plain} }

// printer writes a plan for people.
type printer struct {
	strings.Builder
	color bool
	width int // columns of the terminal; 0: there is none
}

// newPrinter is one for what a writer is.
func newPrinter(out io.Writer) printer {
	return printer{color: colored(out, os.Getenv), width: widthOf(out)}
}

// room is how long a line of words may be.
func (p *printer) room() int {
	if p.width == 0 {
		return textWidth
	}
	return min(textWidth, p.width)
}

// paint colours a text, where colours are wanted.
func (p *printer) paint(style, text string) string {
	if !p.color || text == "" {
		return text
	}
	return style + text + plain
}

// writePlan prints a plan: a sentence, the items as a table, what else to know, and the numbers.
func writePlan(out io.Writer, d report.Document, p printer) error {
	if d.Distribution != "" {
		fmt.Fprintf(&p, "distribution %s", d.Distribution)
		if d.Domain != "" {
			fmt.Fprintf(&p, " (%s)", d.Domain)
		}
		p.WriteByte('\n')
	}
	fmt.Fprintf(&p, "%s\n", p.paint(bold, d.Headline()))
	p.table(d)
	if len(d.Notes) > 0 {
		p.WriteByte('\n')
		for _, note := range d.Notes {
			p.wrapped("note: ", "      ", note)
		}
	}
	p.WriteByte('\n')
	p.numbers(d)
	if _, err := io.WriteString(out, p.String()); err != nil {
		return fmt.Errorf("print the plan: %w", err)
	}
	return nil
}

// table lists the items with their reasons.
func (p *printer) table(d report.Document) {
	if len(d.Items) == 0 {
		return
	}
	width, longest := len("ITEM"), 0
	shown := d.Items[:min(len(d.Items), mostLines)]
	for _, item := range shown {
		n := len(item.Item)
		longest = max(longest, n)
		width = max(width, min(n, maxItem, max(maxBeside, p.room()-columnsWidth)))
	}
	beside := longest <= maxBeside // else the reasons stand below the items
	head := fmt.Sprintf(columns, width, "ITEM", "COVERS", "COLLATERAL", "COST")
	if beside {
		head += "WHY"
	}
	fmt.Fprintf(p, "\n%s\n", p.paint(dim, strings.TrimSpace(head)))
	for i, item := range shown {
		line := row(d, i, width)
		if !beside {
			line = strings.TrimRight(line, " ")
		}
		if item.Collateral > 0 {
			line = p.paint(yellow, line)
		}
		if beside {
			p.wrapped(line, strings.Repeat(" ", width+columnsWidth), item.Reason)
			continue
		}
		p.WriteString(line + "\n")
		p.wrapped("    ", "    ", item.Reason)
	}
	if more := len(d.Items) - len(shown); more > 0 {
		fmt.Fprintf(p, "... and %d more; --json lists all\n", more)
	}
}

// row is an item in the table's columns; one that does not fit has a line of its own.
func row(d report.Document, i, width int) string {
	item := d.Items[i]
	name, before := string(item.Item), ""
	if len(name) > width {
		name, before = "", name+"\n"
	}
	cost := "free"
	if c := d.Cost(i); c > 0 {
		cost = c.String()
	}
	return before + fmt.Sprintf(columns, width, name, strconv.Itoa(item.Covers), strconv.Itoa(item.Collateral), cost)
}

// numbers tells what becomes of the site, and how good the plan is.
func (p *printer) numbers(d report.Document) {
	s := d.Site
	left := " changed and purged"
	if d.Everything {
		left = " purged, as they may have changed"
	}
	if s.Changed.Objects > 0 {
		left += fmt.Sprintf(", %d changed and left alone", s.Changed.Objects)
	}
	if s.Collateral.Objects > 0 {
		left += fmt.Sprintf(", %d unchanged but purged", s.Collateral.Objects)
	}
	if s.Removed > 0 {
		left += fmt.Sprintf("; %d removed", s.Removed)
	}
	p.wrapped("site:    ", "         ", fmt.Sprintf("%s: %d unchanged, %d%s", plural.Of(s.Objects, "object"), s.Unchanged.Objects, s.Purged.Objects, left))
	quality := "no other plan is better"
	switch {
	case d.Everything:
		quality = "nothing better can be planned from what is known"
	case !d.Exact:
		quality = "no plan purges fewer than " + plural.Of(d.Bound, "unchanged object")
	}
	p.wrapped("preset:  ", "         ", string(d.Preset)+": "+quality)
}

// folded writes a line that programs may read: it is wrapped on terminals only.
func (p *printer) folded(start, indent, text string) {
	if p.width == 0 {
		p.WriteString(start + text + "\n")
		return
	}
	p.wrapped(start, indent, text)
}

// wrapped writes words after a start, and goes on in further lines after an indent. A word that has not the room
// there is indented less.
func (p *printer) wrapped(start, indent, text string) {
	p.WriteString(start)
	room, at := p.room(), shown(start)
	for i, word := range strings.Fields(text) {
		n := shown(word)
		switch {
		case i == 0:
		case at+1+n > room:
			at = min(len(indent), max(0, room-n))
			p.WriteString("\n" + indent[:at])
		default:
			p.WriteByte(' ')
			at++
		}
		p.WriteString(word)
		at += n
	}
	p.WriteByte('\n')
}

// shown is how many columns a text takes: its colours take none.
func shown(text string) int {
	n := utf8.RuneCountInString(text)
	for _, style := range styles() {
		n -= len(style) * strings.Count(text, style)
	}
	return n
}
