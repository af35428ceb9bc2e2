package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strconv"

	"github.com/unstale/unstale/internal/plural"
)

//go:embed report.css
var style string

//go:embed report.html
var source string

// mostRows is how many items the page lists; --json has all.
const mostRows = 200

// page is what the template draws.
type page struct {
	Document
	Style  template.CSS // report.css
	Cards  []card
	Legend []entry
	Rows   []line
	More   int
	Maps   []treemap
	All    Count
	Label  string // the treemap in a sentence, for those who do not see it
}

// card is one number.
type card struct{ ID, Value, Text, Name, About string }

type entry struct {
	Class, Text   string
	Objects, Size string
	Count         Count
}

type line struct {
	Item
	Cost       string
	Collateral string
	Covers     string
}

// treemap is the site by one measure, laid out for one width.
type treemap struct {
	Class string
	Boxes []box
}

// HTML is the page of a document and its tree: one file that loads nothing and runs nothing.
func HTML(d Document, t *Tree) ([]byte, error) {
	t0, err := template.New("report").Parse(source)
	if err != nil {
		return nil, fmt.Errorf("read the report's template: %w", err)
	}
	p := page{Document: d, Style: template.CSS(style), Cards: d.cards(), Legend: d.legend(), All: d.Site.Count}
	for i, item := range d.Items[:min(len(d.Items), mostRows)] {
		p.Rows = append(p.Rows, line{Item: item, Cost: price(d, i), Covers: thousands(item.Covers), Collateral: thousands(item.Collateral)})
	}
	p.More = len(d.Items) - len(p.Rows)
	p.Label = "Treemap of the site"
	for _, e := range p.Legend {
		p.Label += fmt.Sprintf("; %s %s (%s)", e.Objects, e.Text, e.Size)
	}
	for _, m := range []struct {
		name string
		by   measure
	}{{"by-objects", byObjects}, {"by-bytes", byBytes}} {
		p.Maps = append(p.Maps,
			treemap{m.name + " wide", boxes(t.cells(m.by, wideNames), wide, m.by)},
			treemap{m.name + " tall", boxes(t.cells(m.by, tallNames), tall, m.by)})
	}
	var out bytes.Buffer
	if err := t0.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	return out.Bytes(), nil
}

// cards are the document's numbers.
func (d Document) cards() []card {
	about := "no choice within limits and budget purges fewer"
	if !d.Exact && d.Collateral > d.Bound {
		about = fmt.Sprintf("no choice purges fewer than %s", thousands(d.Bound))
	}
	cards := []card{
		{"items", strconv.Itoa(len(d.Items)), thousands(len(d.Items)), plural.Word(len(d.Items), "item", "items"), "to invalidate"},
		{"stale", strconv.Itoa(d.Stale), thousands(d.Stale), plural.Word(d.Stale, "stale URL", "stale URLs"), "or families of URLs, all covered"},
		{"collateral", strconv.Itoa(d.Collateral), thousands(d.Collateral), "collateral", about},
		{"price", number(d.Price), d.Money().String(), "price", "with what this month used already"},
	}
	if d.Everything {
		cards[1] = card{"stale", strconv.Itoa(d.Stale), "all", "stale", "since too little is known"}
		cards[2].About = "everything may be stale"
	}
	if d.WaitOut > 0 {
		cards = append(cards, card{"waitOut", number(d.WaitOut), number(d.WaitOut) + " s", "to wait out", "until caches forget what is not purged"})
	}
	return cards
}

// legend counts the site's objects by state.
func (d Document) legend() []entry {
	s := d.Site
	var out []entry
	for state, c := range [states]Count{s.Unchanged, s.Changed, s.Purged, s.Collateral} {
		text := words[state]
		switch {
		case State(state) == Purged && d.Everything:
			text = "purged, as it may have changed"
		case State(state) == Purged:
			text = "changed and purged"
		}
		out = append(out, entry{classes[state], text, counted(c.Objects, "object"), size(c.Bytes), c})
	}
	return out
}

// number writes a number as JSON does.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Headline says a plan in a sentence.
func (d Document) Headline() string {
	items := counted(len(d.Items), "item")
	switch {
	case d.Everything:
		return fmt.Sprintf("%s for %s: too little is known to purge less than everything.", items, d.Money())
	case len(d.Items) == 0:
		return "Nothing to purge: no viewer can be served anything stale."
	}
	verb := plural.Word(len(d.Items), "purges", "purge")
	text := fmt.Sprintf("%s %s %s for %s, ", items, verb, counted(d.Stale, "stale URL"), d.Money())
	if d.Collateral == 0 {
		return text + "and nothing else."
	}
	return text + fmt.Sprintf("and %s with them.", counted(d.Collateral, "unchanged object"))
}

// price is what an item costs, for people.
func price(d Document, i int) string {
	if cost := d.Cost(i); cost > 0 {
		return cost.String()
	}
	return "free"
}
