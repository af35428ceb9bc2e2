package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// at is a place in the grid: a column, which is an account, and a row.
type at struct{ column, row int }

// node is a box: who acts, and what it may do.
type node struct {
	at
	title   string
	notes   []string // at most two lines
	decides bool     // the delivery account's say is here
}

// arrow is what one box does to another. Between columns it crosses the border; between two rows as well it goes round the
// corner. Where two arrows join the same boxes, slot keeps them apart: 0 or 1.
type arrow struct {
	from, to at
	slot     int
	both     bool // heads at both ends
	look     bool // fetches as any viewer may: it takes no power
	label    string
}

// diagram is one route.
type diagram struct {
	name   string
	about  string // for those who cannot see it
	one    bool   // one account, no border
	nodes  []node
	arrows []arrow
}

// Sizes in CSS pixels.
const (
	margin  = 12
	inset   = 16 // of boxes in an account
	boxWide = 248
	boxHigh = 68
	gapWide = 176 // between the accounts
	gapHigh = 54  // between rows
	header  = 46

	accountWide = boxWide + 2*inset
	width       = 2*margin + 2*accountWide + gapWide
	middle      = width / 2
)

// style has both palettes. Its background is painted, because a page may be light while the system is dark.
const style = `
:root { --ground: #ffffff; --account: #f6f8fa; --edge: #d1d9e0; --box: #ffffff; --line: #818b98; --text: #1f2328; --dim: #59636e;
  --cross: #0969da; --say: #fff8c5; --say-edge: #bf8700 }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0d1117; --account: #151b23; --edge: #3d444d; --box: #212830; --line: #9198a1; --text: #f0f6fc; --dim: #b1bac4;
    --cross: #58a6ff; --say: #3b2e0b; --say-edge: #d29922 }
}
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: var(--dim) }
.ground { fill: var(--ground) }
.account { fill: var(--account); stroke: var(--edge) }
.name { fill: var(--text); font-weight: 600; font-size: 13px }
.border { stroke: var(--edge); stroke-width: 1.5; stroke-dasharray: 2 5; stroke-linecap: round }
.box { fill: var(--box); stroke: var(--line) }
.say { fill: var(--say); stroke: var(--say-edge); stroke-width: 1.5 }
.title { fill: var(--text); font-weight: 600; font-size: 14px }
.arrow { fill: none; stroke: var(--line); stroke-width: 1.5 }
.cross { fill: none; stroke: var(--cross); stroke-width: 2 }
.look { stroke-dasharray: 5 4; stroke-width: 1.5 }
.label { fill: var(--text) }
.over { text-anchor: middle; fill: var(--text); stroke: var(--ground); stroke-width: 6; stroke-linejoin: round; paint-order: stroke }
.one .over { stroke: var(--account) }
.crosses { fill: var(--cross) }
.looks { fill: var(--dim) }
.head { fill: var(--line) }
.cross-head { fill: var(--cross) }
`

// page collects the text of an SVG.
type page struct{ bytes.Buffer }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *page) text(x, y int, class, text string) {
	p.line(`<text x="%d" y="%d" class="%s">%s</text>`, x, y, class, escape(text))
}

func escape(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes everything
	return b.String()
}

// left and top are the corner of the box at a place.
func (p at) left() int { return margin + inset + p.column*(accountWide+gapWide) }
func (p at) top() int  { return margin + header + p.row*(boxHigh+gapHigh) }

func (d diagram) height() int {
	last := 0
	for _, n := range d.nodes {
		last = max(last, n.row)
	}
	return at{0, last}.top() + boxHigh + inset + margin
}

// svg draws the diagram.
func (d diagram) svg() []byte {
	p, high, class := &page{}, d.height(), "two"
	if d.one {
		class = "one"
	}
	p.line(`<svg xmlns="http://www.w3.org/2000/svg" class="%s" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title about">`,
		class, width, high, width, high)
	p.line(`<title id="title">Route %s</title>`, escape(d.name))
	p.line(`<desc id="about">%s</desc>`, escape(d.about))
	p.line(`<style>%s</style>`, style)
	p.line(`<defs>`)
	for _, class := range []string{"head", "cross-head"} {
		p.line(`<marker id="%s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto-start-reverse">`+
			`<path class="%s" d="M0 0.5 L8 4 L0 7.5 z"/></marker>`, class, class)
	}
	p.line(`</defs>`)
	p.line(`<rect class="ground" width="%d" height="%d" rx="8"/>`, width, high)
	d.accounts(p, high)
	for _, one := range d.arrows {
		d.arrow(p, one)
	}
	for _, n := range d.nodes {
		n.draw(p)
	}
	p.line(`</svg>`)
	return p.Bytes()
}

// accounts draws what lies under the boxes.
func (d diagram) accounts(p *page, high int) {
	panel := func(x, wide int, name string) {
		p.line(`<rect class="account" x="%d" y="%d" width="%d" height="%d" rx="10"/>`, x, margin, wide, high-2*margin)
		p.text(x+inset, margin+29, "name", name)
	}
	if d.one {
		panel(margin, width-2*margin, "one account")
		return
	}
	panel(margin, accountWide, "A · pipeline account")
	panel(margin+accountWide+gapWide, accountWide, "B · delivery account")
	p.line(`<line class="border" x1="%d" y1="%d" x2="%d" y2="%d"/>`, middle, margin+4, middle, high-margin-4)
}

func (n node) draw(p *page) {
	class := "box"
	if n.decides {
		class = "box say"
	}
	x, y := n.left(), n.top()
	p.line(`<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="6"/>`, class, x, y, boxWide, boxHigh)
	first := y + 24
	if len(n.notes) == 1 {
		first = y + 31
	}
	p.text(x+14, first, "title", n.title)
	for i, note := range n.notes {
		p.text(x+14, first+18+16*i, "note", note)
	}
}

// arrow draws one of the three shapes.
func (d diagram) arrow(p *page, r arrow) {
	class, head, said := "arrow", "head", ""
	switch {
	case r.look:
		class, said = "arrow look", " looks"
	case r.from.column != r.to.column && !d.one:
		class, head, said = "cross", "cross-head", " crosses"
	}
	path := "M%d %d L%d %d"
	var points []any
	switch {
	case r.from.column == r.to.column:
		points = r.vertical(p, said)
	case r.from.row == r.to.row:
		points = r.horizontal(p, said)
	default:
		path, points = "M%d %d H%d V%d H%d", r.corner(p, said)
	}
	ends := fmt.Sprintf(`marker-end="url(#%s)"`, head)
	if r.both {
		ends += fmt.Sprintf(` marker-start="url(#%s)"`, head)
	}
	p.line(`<path class="%s" d="`+path+`" %s/>`, append(append([]any{class}, points...), ends)...)
}

// vertical joins two boxes of one account; the label stands beside it.
func (r arrow) vertical(p *page, said string) []any {
	x := r.from.left() + 24 + r.slot*108
	from, to := r.from.top()+boxHigh, r.to.top()-1
	if r.to.row < r.from.row {
		from, to = r.from.top(), r.to.top()+boxHigh+1
	}
	p.text(x+8, (from+to)/2+4, "label"+said, r.label)
	return []any{x, from, x, to}
}

// horizontal joins two boxes of a row; the label stands above it.
func (r arrow) horizontal(p *page, said string) []any {
	y := r.from.top() + 23 + 30*r.slot
	from, to := r.from.left()+boxWide, r.to.left()-1
	if r.to.column < r.from.column {
		from, to = r.from.left(), r.to.left()+boxWide+1
	}
	if r.both {
		from++
	}
	p.text(middle, y-7, "over"+said, r.label)
	return []any{from, y, to, y}
}

// corner joins boxes of two accounts and two rows; the label stands above its last part.
func (r arrow) corner(p *page, said string) []any {
	from, to := r.from.left()+boxWide, r.to.left()-1
	turn, y := from+inset+12, r.to.top()+boxHigh/2
	p.text((turn+to)/2+4, y-7, "over"+said, r.label)
	return []any{from, r.from.top() + 15, turn, y, to}
}
