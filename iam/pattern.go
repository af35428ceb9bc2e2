package iam

import "strings"

// pattern is a policy value made ready for matching: its wildcards told apart from the same
// characters meant literally (written "${*}", or substituted for a policy variable).
type pattern []symbol

type symbol struct {
	r    rune
	kind symbolKind
}

type symbolKind uint8

const (
	literal symbolKind = iota
	one                // "?": exactly one character
	many               // "*": any number of characters, also none
)

// literally reads every character as itself.
func literally(text string) pattern {
	p := make(pattern, 0, len(text))
	for _, r := range text {
		p = append(p, symbol{r: r})
	}
	return p
}

// withWildcards reads "*" and "?" as wildcards.
func withWildcards(text string) pattern {
	p := literally(text)
	for i, s := range p {
		switch s.r {
		case '*':
			p[i].kind = many
		case '?':
			p[i].kind = one
		}
	}
	return p
}

// text gives the characters back, for the operators that know no wildcards.
func (p pattern) text() string {
	var b strings.Builder
	for _, s := range p {
		b.WriteRune(s.r)
	}
	return b.String()
}

// colons says what a wildcard at position i of p may match: true if also a colon.
type colons func(p pattern, i int) bool

// anywhere lets wildcards match colons: StringLike, actions.
func anywhere(pattern, int) bool { return true }

// perSegment keeps wildcards within the first five segments of an ARN; in the sixth, which has
// colons of its own, they match anything (reference_policies_elements_condition_operators, "ARN
// condition operators": each component is checked separately).
func perSegment(p pattern, i int) bool { return countColons(p[:i]) >= 5 }

// perResource is perSegment, save that a "*" which ends its segment also matches what lies beyond
// the colon (reference_policies_elements_resource, "Using wildcards in resource ARNs"). So
// "arn:aws:sqs:*" covers every queue.
func perResource(p pattern, i int) bool {
	ends := i+1 == len(p) || p[i+1].r == ':' && p[i+1].kind == literal
	return p[i].kind == many && ends || perSegment(p, i)
}

func countColons(p pattern) int {
	n := 0
	for _, s := range p {
		if s.kind == literal && s.r == ':' {
			n++
		}
	}
	return n
}

// matches reports whether the pattern covers the whole of value. It keeps the set of positions in
// value that are reachable so far. Backtracking to the last "*" would be shorter and wrong: a "*"
// that must not cross a colon can fail where an earlier one would have succeeded.
func (p pattern) matches(value string, crosses colons) bool {
	v := []rune(value)
	reach := make([]bool, len(v)+1)
	reach[0] = true
	for i, s := range p {
		next := make([]bool, len(v)+1)
		free := s.kind == literal || crosses(p, i)
		for j := range reach {
			fits := j > 0 && (free || v[j-1] != ':')
			switch s.kind {
			case literal:
				next[j] = fits && reach[j-1] && v[j-1] == s.r
			case one:
				next[j] = fits && reach[j-1]
			case many:
				next[j] = reach[j] || fits && next[j-1]
			}
		}
		reach = next
	}
	return reach[len(v)]
}
