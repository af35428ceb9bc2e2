package cli

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// column is one of a table. On a terminal that is too narrow the column with the lowest rank goes first;
// those of rank 0 stay.
type column struct {
	head string
	rank int
}

// What the first column, which has the names, is cut down to: before other columns go, and after.
const (
	wideName   = 24
	narrowName = 12
)

// grid writes a table. It fits the terminal, where there is one: names lose their middle and columns go,
// and a line says which.
func (p *printer) grid(columns []column, rows [][]string) {
	widths, kept := make([]int, len(columns)), make([]int, len(columns))
	for i, c := range columns {
		kept[i], widths[i] = i, utf8.RuneCountInString(c.head)
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var gone []int
	if p.width > 0 && total(kept, widths) > p.width {
		kept, gone = p.narrow(columns, widths)
		gone = slices.DeleteFunc(gone, func(i int) bool { // what repeats the name is no loss
			return !slices.ContainsFunc(rows, func(row []string) bool { return row[i] != row[0] })
		})
	}
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = c.head
	}
	for _, row := range append([][]string{heads}, rows...) {
		for at, i := range kept {
			cell := elided(row[i], widths[i])
			p.WriteString(cell)
			if at < len(kept)-1 {
				p.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+gap))
			}
		}
		p.WriteByte('\n')
	}
	if len(gone) > 0 {
		var names []string
		for _, i := range gone {
			names = append(names, heads[i])
		}
		fmt.Fprintf(p, "%s\n", p.paint(dim, "left out, for the terminal is narrow: "+strings.Join(names, ", ")))
	}
}

// gap is how many blanks stand between two columns.
const gap = 2

func total(kept, widths []int) int {
	sum := gap * (len(kept) - 1)
	for _, i := range kept {
		sum += widths[i]
	}
	return sum
}

// narrow makes the first column narrower and chooses those that stay.
func (p *printer) narrow(columns []column, widths []int) (kept, gone []int) {
	for i := range columns {
		kept = append(kept, i)
	}
	widths[0] = min(widths[0], wideName)
	for total(kept, widths) > p.width {
		first := -1
		for _, i := range kept {
			if columns[i].rank > 0 && (first < 0 || columns[i].rank < columns[first].rank) {
				first = i
			}
		}
		if first < 0 {
			over := total(kept, widths) - p.width
			widths[0] = min(widths[0], max(narrowName, widths[0]-over))
			break
		}
		kept = slices.DeleteFunc(kept, func(i int) bool { return i == first })
		gone = append(gone, first)
	}
	return kept, gone
}

// elided is a text of so many characters at most, without its middle where it has more.
func elided(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	tail := (most - 1) / 2
	return string(runes[:most-1-tail]) + "…" + string(runes[len(runes)-tail:])
}

// leastText is the narrowest column in which sentences are read with ease.
const leastText = 30

// list writes a table, heads first, whose last column has sentences. On a terminal these are folded: in their column,
// or below the others where there is not the room.
func (p *printer) list(rows [][]string) {
	last := len(rows[0]) - 1
	widths := make([]int, last)
	for _, row := range rows {
		for i := range widths {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		start := ""
		for i, n := range widths {
			start += row[i] + strings.Repeat(" ", n-utf8.RuneCountInString(row[i])+gap)
		}
		if text := row[last]; p.width > 0 && p.room()-shown(start) < min(leastText, shown(text)) {
			p.WriteString(strings.TrimRight(start, " ") + "\n")
			p.folded("    ", "    ", text)
			continue
		}
		p.folded(start, strings.Repeat(" ", shown(start)), row[last])
	}
}
