package iam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// test is a condition operator as it is written: "ForAnyValue:StringLikeIfExists".
type test struct {
	operator
	null     bool // the Null operator, which asks for presence and compares nothing
	ifExists bool
	all, any bool // ForAllValues:, ForAnyValue:
}

// parseTest reads an operator's name. Names are taken as AWS documents them, case included.
func parseTest(name string) (test, error) {
	var t test
	base, ok := strings.CutPrefix(name, "ForAllValues:")
	t.all = ok
	if !ok {
		base, t.any = strings.CutPrefix(name, "ForAnyValue:")
	}
	base, t.ifExists = strings.CutSuffix(base, "IfExists")
	if base == "Null" {
		if base != name {
			return t, fmt.Errorf("operator %q: Null takes neither IfExists nor a set qualifier", name)
		}
		t.null, t.check = true, checkBool
		return t, nil
	}
	t.operator, ok = lookupOperator(base)
	if !ok {
		return t, fmt.Errorf("operator %q is unknown", name)
	}
	return t, nil
}

// checkValue refuses a policy value that the test could never compare.
func (t test) checkValue(value, version string) error {
	if t.check != nil {
		if err := t.check(value); err != nil {
			return err
		}
	}
	if t.strings && version == Version2012 {
		_, err := splitVariables(value)
		return err
	}
	return nil
}

// met weighs all conditions of a statement. Operators and keys must all hold. When they do not, it
// says in words which one failed: the first, in the order of their names.
func (e *evaluation) met(s Statement, variables bool) (bool, string) {
	for _, name := range slices.Sorted(maps.Keys(s.Condition)) {
		t, err := parseTest(name)
		if err != nil {
			// Parse lets none of these through. In a document built by hand an operator that nobody
			// understands must not widen what is allowed, nor narrow what is denied.
			if s.Effect == Deny {
				continue
			}
			return false, err.Error()
		}
		for _, key := range slices.Sorted(maps.Keys(s.Condition[name])) {
			wants := s.Condition[name][key]
			if !e.holds(t, key, wants, s.Effect, variables) {
				return false, e.explainUnmet(name, key, wants)
			}
		}
	}
	return true, ""
}

func (e *evaluation) explainUnmet(operator, key string, wants []string) string {
	got := e.context[strings.ToLower(key)]
	has := "has no " + key
	if len(got) > 0 {
		has = fmt.Sprintf("has %s", quoteAll(got))
	}
	return fmt.Sprintf("%s wants %s %s, the request %s", operator, key, quoteAll(wants), has)
}

// holds decides one operator and key: one policy value must match, or, where the operator is negated,
// none may.
func (e *evaluation) holds(t test, key string, wants []string, effect Effect, variables bool) bool {
	got := e.context[strings.ToLower(key)]
	if t.null {
		return slices.ContainsFunc(wants, func(want string) bool {
			return strings.EqualFold(want, "true") == (len(got) == 0)
		})
	}
	if len(got) == 0 && t.ifExists {
		return true
	}
	patterns, resolved := e.patterns(t, wants, variables)
	// A variable without a value makes the statement invalid (reference_policies_variables, note).
	// "Not equal to nothing known" must not open a door; it may well close one.
	negation := t.negated && (resolved || effect == Deny)
	satisfied := func(got string) bool {
		matched := slices.ContainsFunc(patterns, func(p pattern) bool { return t.compare(p, got) })
		if t.negated {
			return !matched && negation
		}
		return matched
	}
	switch {
	case t.all:
		// An empty set satisfies ForAllValues and never ForAnyValue, and so does a lone empty string
		// (reference_policies_multi-value-conditions, note).
		return emptySet(got) || allOf(got, satisfied)
	case t.any:
		return !emptySet(got) && slices.ContainsFunc(got, satisfied)
	case len(got) == 0:
		return negation
	case effect == Deny:
		// Several values without a set qualifier: AWS leaves the outcome undefined. The refusing
		// side is to let any value trigger a Deny and to ask every value for an Allow.
		return slices.ContainsFunc(got, satisfied)
	}
	return allOf(got, satisfied)
}

// patterns makes the policy values ready. It reports false when one has a variable without a value;
// that one is left out, for it matches nothing.
func (e *evaluation) patterns(t test, wants []string, variables bool) ([]pattern, bool) {
	var patterns []pattern
	resolved := true
	for _, want := range wants {
		p, ok := withWildcards(want), true
		if t.strings && variables {
			p, ok = e.context.expand(want)
		}
		if ok {
			patterns = append(patterns, p)
		}
		resolved = resolved && ok
	}
	return patterns, resolved
}

func emptySet(values []string) bool {
	return len(values) == 0 || len(values) == 1 && values[0] == ""
}

func allOf(values []string, f func(string) bool) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !f(v) })
}

// quoteAll lists values for a sentence.
func quoteAll(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = fmt.Sprintf("%q", v)
	}
	return strings.Join(quoted, " or ")
}
