package targetfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a targets file.
type Problem struct {
	File         string
	Line, Column int    // from 1, in characters; 0 where the file as a whole is meant
	Path         string // where in the document, such as "targets.site.role"; "" for the whole
	Problem      string
	Try          string // what to do; "" where the problem says it
}

// Error is FILE:LINE:COLUMN: PATH: PROBLEM; TRY, which editors and terminals link to the place.
func (p Problem) Error() string {
	text := p.File
	if p.Line > 0 {
		text += fmt.Sprintf(":%d:%d", p.Line, p.Column)
	}
	if p.Path != "" {
		text += ": " + p.Path
	}
	text += ": " + p.Problem
	if p.Try != "" {
		text += "; " + p.Try
	}
	return text
}

// maxProblems is how many problems are told: a file with more is not one that somebody repairs by hand.
const maxProblems = 50

// Problems is all that is wrong with a targets file, in the order of its lines. More counts those that
// were left out of a long list.
type Problems struct {
	List []Problem
	More int
}

func (p *Problems) Error() string {
	lines := make([]string, 0, len(p.List)+1)
	for _, one := range p.List {
		lines = append(lines, one.Error())
	}
	if p.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", p.More))
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems one by one to errors.As.
func (p *Problems) Unwrap() []error {
	all := make([]error, len(p.List))
	for i, one := range p.List {
		all[i] = one
	}
	return all
}

func (p *Problems) add(one Problem) {
	if len(p.List) == maxProblems {
		p.More++
		return
	}
	p.List = append(p.List, one)
}

// err is the problems as an error, nil when there are none.
func (p *Problems) err() error {
	if len(p.List) == 0 {
		return nil
	}
	slices.SortStableFunc(p.List, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Problem, b.Problem))
	})
	return p
}

// whole is a problem with the file as such.
func whole(file, try, format string, args ...any) error {
	return &Problems{List: []Problem{{File: file, Problem: fmt.Sprintf(format, args...), Try: try}}}
}
