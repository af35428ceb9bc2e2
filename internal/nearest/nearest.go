// Package nearest finds what somebody who mistyped a name probably meant.
package nearest

import (
	"cmp"
	"slices"
	"strings"
)

const (
	// longest bounds the work: nobody mistypes longer names, and the text may be hostile.
	longest = 64
	most    = 3 // suggestions; more are no help
)

// Names lists the known names that wrong is near to, the nearest first, three at most. Near is an edit
// in every third character, where swapping two neighbours is one edit, or a name that begins with what
// was typed. Case does not count.
func Names(wrong string, known []string) []string {
	type candidate struct {
		name  string
		edits int
	}
	typed := []rune(strings.ToLower(wrong))
	if len(typed) == 0 || len(typed) > longest {
		return nil
	}
	var near []candidate
	for _, name := range known {
		other := []rune(strings.ToLower(name))
		if len(other) > longest || name == wrong {
			continue
		}
		edits := distance(typed, other)
		begins := len(typed) >= 3 && strings.HasPrefix(string(other), string(typed))
		if edits <= max(1, min(len(typed), len(other))/3) && edits < len(other) || begins {
			near = append(near, candidate{name, edits})
		}
	}
	slices.SortFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.edits, b.edits), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, c := range near[:min(len(near), most)] {
		names = append(names, c.name)
	}
	return slices.Compact(names)
}

// Hint asks whether one of the near names was meant, such as "did you mean role or route?"; "" when
// none is near.
func Hint(wrong string, known []string) string {
	names := Names(wrong, known)
	if len(names) == 0 {
		return ""
	}
	return "did you mean " + strings.Join(names, " or ") + "?"
}

// distance is the Damerau-Levenshtein distance in its restricted form: insertions, deletions,
// substitutions and swaps of neighbours, no part edited twice.
func distance(a, b []rune) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i, x := range a {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j, y := range b {
			substituted := last[j]
			if x != y {
				substituted++
			}
			row[j+1] = min(substituted, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && x == b[j-1] && y == a[i-1] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
