package targetfile

import (
	"regexp"
	"strings"
)

// variable is ${NAME}, and $${ which stands for ${ itself.
var variable = regexp.MustCompile(`\$\$\{|\$\{[^}]*\}?`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand puts the values of variables in the place of ${NAME}. A value is taken as it is: what looks
// like a variable in it stays. problem is the first thing wrong; allowed is whether the place takes
// variables at all.
func expand(text string, allowed bool, lookup func(string) (string, bool)) (value, problem string) {
	value = variable.ReplaceAllStringFunc(text, func(match string) string {
		name, closed := strings.CutSuffix(strings.TrimPrefix(match, "${"), "}")
		switch {
		case match == "$${":
			return "${"
		case problem != "":
		case !allowed:
			problem = "variables are not expanded here, only in " + strings.Join(expandable(), ", ")
		case !closed || !variableName.MatchString(name):
			problem = "after ${ the name of a variable and } must follow"
		default:
			v, set := lookup(name)
			switch {
			case !set:
				problem = "the variable " + name + " is not set"
			case v == "":
				problem = "the variable " + name + " is empty"
			}
			return v
		}
		return ""
	})
	return value, problem
}

// expandable lists the keys that take variables: those that say who the caller is and which role it
// takes in which account. What is purged, and where what was learned is kept, is in the file alone.
func expandable() []string {
	var names []string
	for _, k := range keys() {
		if k.variable {
			names = append(names, k.name)
		}
	}
	return names
}
