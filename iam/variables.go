package iam

import (
	"errors"
	"fmt"
	"strings"
)

// piece is a stretch of a policy value: plain text, or a policy variable
// (reference_policies_variables).
type piece struct {
	text     string // plain text; for a variable its condition key, or "*", "?" or "$"
	variable bool
	fallback *string // of "${key, 'fallback'}"
}

// special reports whether the variable stands for a character rather than for a key.
func (p piece) special() bool { return p.text == "*" || p.text == "?" || p.text == "$" }

// splitVariables cuts a policy value at its variables.
func splitVariables(value string) ([]piece, error) {
	var pieces []piece
	for value != "" {
		before, rest, found := strings.Cut(value, "${")
		if before != "" {
			pieces = append(pieces, piece{text: before})
		}
		if !found {
			break
		}
		inside, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, errors.New(`it opens a policy variable with "${" and does not close it`)
		}
		p, err := readVariable(inside)
		if err != nil {
			return nil, err
		}
		pieces, value = append(pieces, p), after
	}
	return pieces, nil
}

func readVariable(inside string) (piece, error) {
	key, quoted, has := strings.Cut(inside, ",")
	p := piece{text: strings.TrimSpace(key), variable: true}
	if p.text == "" {
		return p, fmt.Errorf("its policy variable ${%s} names no condition key", inside)
	}
	if !has {
		return p, nil
	}
	quoted = strings.TrimSpace(quoted)
	if len(quoted) < 2 || quoted[0] != '\'' || quoted[len(quoted)-1] != '\'' {
		return p, fmt.Errorf("the default of its policy variable ${%s} is not in single quotes", inside)
	}
	fallback := quoted[1 : len(quoted)-1]
	p.fallback = &fallback
	return p, nil
}

// expand makes a pattern of a policy value, with variables replaced by what the request holds. It
// reports false when a variable has no value: such a value matches nothing, whatever else it says.
// A substituted text is literal: a user named "*" gains no wildcard by it.
func (c requestContext) expand(value string) (pattern, bool) {
	pieces, err := splitVariables(value)
	if err != nil {
		return nil, false
	}
	var p pattern
	for _, piece := range pieces {
		switch {
		case !piece.variable:
			p = append(p, withWildcards(piece.text)...)
		case piece.special():
			p = append(p, literally(piece.text)...)
		default:
			text, ok := c.single(piece.text)
			if !ok && piece.fallback != nil {
				text, ok = *piece.fallback, true
			}
			if !ok {
				return nil, false
			}
			p = append(p, literally(text)...)
		}
	}
	return p, true
}

// escapeLiteral writes text so that, in a document of Version 2012-10-17, it matches only itself.
func escapeLiteral(text string) string {
	return strings.NewReplacer("*", "${*}", "?", "${?}", "${", "${$}{").Replace(text)
}
