package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// row is one line of the table.
type row struct {
	what, peer, ours string
	ratio            float64 // peer to ours; 0 when there is none to give
	targets          []target
}

// target is what a figure of ours has to keep under.
type target struct {
	text      string
	got, most float64
}

// under is a target for a figure that has to be less.
func under(text string, got, most float64) target { return target{text, got, most} }

// times is a target for a ratio that has to be reached.
func times(got, least float64) target {
	return target{fmt.Sprintf("at least %.0fx less", least), least, max(got, 1e-9)}
}

func (t target) met() bool { return t.got <= t.most }

// bad reports whether a target is missed by more than a machine's noise excuses.
func (t target) bad() bool { return t.got > 1.2*t.most }

// verdict is a cell: the targets, each with how it went.
func (r row) verdict() string {
	var cells []string
	for _, t := range r.targets {
		word := "PASS"
		if !t.met() {
			word = "MISS"
		}
		cells = append(cells, t.text+": "+word)
	}
	return strings.Join(cells, "; ")
}

// write prints the rows as a Markdown table whose columns line up.
func write(w io.Writer, rows []row) error {
	cells := [][]string{{"what", "today", "unstale", "ratio", "target"}}
	for _, r := range rows {
		ratio := ""
		switch {
		case r.ratio >= 1:
			ratio = fmt.Sprintf("%.1fx", r.ratio)
		case r.ratio > 0:
			ratio = fmt.Sprintf("%.2fx", r.ratio)
		}
		cells = append(cells, []string{r.what, r.peer, r.ours, ratio, r.verdict()})
	}
	widths := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for n, line := range cells {
		for i, cell := range line {
			if _, err := fmt.Fprintf(w, "| %-*s ", widths[i], cell); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w, "|"); err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		for _, width := range widths {
			if _, err := fmt.Fprint(w, "|"+strings.Repeat("-", width+2)); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w, "|"); err != nil {
			return err
		}
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// ratio is peer to ours, 0 when that makes no sense.
func ratio[T time.Duration | int64](peer, ours T) float64 {
	if ours <= 0 {
		return 0
	}
	return float64(peer) / float64(ours)
}
