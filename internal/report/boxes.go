package report

import (
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"

	"github.com/unstale/unstale/internal/plural"
)

// box is a rectangle of the treemap as the page draws it: at a part of what it is in, so that the
// page can have any width.
type box struct {
	Place  template.CSS // made of numbers only
	Fill   template.CSS // what is mixed in; "" where all is in one state
	Class  string
	Name   string
	Size   string
	Title  string
	Header bool // there is room for the directory's name
	Boxes  []box
}

// The sizes for which treemaps are laid out, in CSS pixels: the page stretches them.
var (
	wide = rect{w: 1120, h: 600}
	tall = rect{w: 360, h: 620}
)

// How many children of one directory these have room to name.
const (
	wideNames = 16
	tallNames = 8
)

// The edges of an opened directory, as the page's style has them.
const (
	edge   = 2
	header = 19

	wideLetter = 7.5
	margin     = 6
)

// boxes lays cells out in a rectangle.
func boxes(cells []*cell, in rect, by measure) []box {
	if len(cells) == 0 {
		return nil
	}
	weights := make([]float64, len(cells))
	for i, c := range cells {
		weights[i] = c.weight
	}
	out := make([]box, len(cells))
	shared := sharedStart(cells)
	for i, r := range squarify(weights, rect{w: in.w, h: in.h}) {
		out[i] = newBox(cells[i], r, in, by)
		if strings.HasSuffix(cells[i].path, cells[i].name) {
			out[i].Name = shorten(cells[i].name, shared, r.w)
		}
	}
	return out
}

// shorten leaves out of a name what there is no room for: what all names beside it begin with, then
// its extension.
func shorten(name string, shared int, width float64) string {
	fits := func(s string) bool { return wideLetter*float64(utf8.RuneCountInString(s))+2*margin <= width }
	if shared == 0 || fits(name) {
		return name
	}
	short := "…" + name[shared:]
	if dot := strings.LastIndexByte(name, '.'); !fits(short) && dot > shared {
		return "…" + name[shared:dot]
	}
	return short
}

// sharedStart is how much all names in a directory have in common at the start, if that is worth
// leaving out where there is little room.
func sharedStart(cells []*cell) int {
	first, shared, names := "", 0, 0
	for _, c := range cells {
		if !strings.HasSuffix(c.path, c.name) {
			continue // not a name
		}
		names++
		if first == "" {
			first, shared = c.name, len(c.name)-1
			continue
		}
		n := 0
		for n < min(shared, len(c.name)-1) && c.name[n] == first[n] {
			n++
		}
		shared = n
	}
	shared = strings.LastIndexAny(first[:max(shared, 0)], "-_. ~") + 1 // names are read by their parts
	if shared < 3 || names < 2 {
		return 0
	}
	return shared
}

func newBox(c *cell, r, in rect, by measure) box {
	total := c.tally.total()
	b := box{Name: c.name, Place: place(r, in), Title: c.title(), Size: size(total.Bytes)}
	if strings.HasSuffix(c.name, "/") && total.Objects > 1 {
		b.Size = counted(total.Objects, "object") + " · " + b.Size
	}
	if len(c.cells) == 0 {
		b.Class, b.Fill = fill(&c.tally, by)
		return b
	}
	b.Class = "dir"
	inner := rect{w: max(1, r.w-2*edge), h: max(1, r.h-2*edge)}
	if b.Header = r.w >= 48 && r.h >= 48; b.Header {
		inner.h = max(1, r.h-header-edge)
	}
	b.Boxes = boxes(c.cells, inner, by)
	return b
}

// place writes a rectangle in parts of another.
func place(r, in rect) template.CSS {
	return template.CSS(fmt.Sprintf("left:%.3f%%;top:%.3f%%;width:%.3f%%;height:%.3f%%",
		100*r.x/in.w, 100*r.y/in.h, 100*r.w/in.w, 100*r.h/in.h))
}

// classes are the states as the page's style and its legend call them.
var classes = [states]string{Unchanged: "unchanged", Changed: "changed", Purged: "purged", Collateral: "collateral"}

// fill colours a box by what most of it is. The others are bands from below, of their share, but
// never so thin that they are not seen, nor so thick that no name fits above.
func fill(t *Tally, by measure) (class string, bands template.CSS) {
	whole := by(t.total())
	most := Unchanged
	for s := range states {
		if by(t[s]) > by(t[most]) || t[most].Objects == 0 {
			most = s
		}
	}
	var layers []string
	from := 0.0
	for s := range states {
		if s == most || t[s].Objects == 0 {
			continue
		}
		part := 12.0
		if whole > 0 {
			part = min(26, max(part, 100*by(t[s])/whole))
		}
		layers = append(layers, fmt.Sprintf("var(--%s) %.0f%% %.0f%%", classes[s], from, from+part))
		from += part
	}
	if len(layers) > 0 {
		bands = template.CSS(fmt.Sprintf("background-image:linear-gradient(to top,%s,transparent 0)", strings.Join(layers, ",")))
	}
	return classes[most], bands
}

// title is all there is to say of a cell.
func (c *cell) title() string {
	total := c.tally.total()
	name := "/" + c.path
	if !strings.HasSuffix(c.path, c.name) {
		name = c.name + " in " + name
	}
	var parts []string
	for s, one := range c.tally {
		switch {
		case one.Objects > 0 && total.Objects == 1:
			parts = append(parts, words[s])
		case one.Objects > 0:
			parts = append(parts, thousands(one.Objects)+" "+words[s])
		}
	}
	return fmt.Sprintf("%s: %s, %s; %s", name, counted(total.Objects, "object"), size(total.Bytes), strings.Join(parts, ", "))
}

// words are the states for people.
var words = [states]string{
	Unchanged: "unchanged", Changed: "changed, left alone", Purged: "purged", Collateral: "unchanged but purged too",
}

// counted writes a number with its noun.
func counted(n int, noun string) string {
	return thousands(n) + " " + plural.Word(n, noun, noun+"s")
}
