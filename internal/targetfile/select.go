package targetfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unstale/unstale/internal/nearest"
)

// SelectionError says why targets could not be chosen: a mistake in the command, not in the file.
type SelectionError struct {
	Problem string
	Try     string
}

func (e *SelectionError) Error() string { return "choose targets: " + e.Problem }

// Select gives the targets with these names and those of these groups, or all, each once and in the
// order of the file. A name may also be the distribution ID or the domain of one single target. Nothing
// asked for means the only target there is. Errors are *SelectionError.
func (f *File) Select(names, groups []string, all bool) ([]Target, error) {
	asked := len(names) + len(groups)
	switch {
	case all && asked > 0:
		return nil, &SelectionError{"all are asked for, and some by name or group too", "one of the two"}
	case !all && asked == 0 && len(f.Targets) > 1:
		return nil, &SelectionError{fmt.Sprintf("%s has %d targets, and none was named", f.Path, len(f.Targets)), "one of " + f.names(10) + ", a group, or all"}
	case all || asked == 0:
		return slices.Clone(f.Targets), nil
	}
	chosen := make([]bool, len(f.Targets))
	var problems, tries []string
	for _, name := range names {
		i, problem, try := f.find(name)
		if problem != "" {
			problems, tries = append(problems, problem), append(tries, try)
			continue
		}
		chosen[i] = true
	}
	for _, group := range groups {
		found := false
		for i, t := range f.Targets {
			if slices.Contains(t.Groups, group) {
				chosen[i], found = true, true
			}
		}
		if !found {
			problems, tries = append(problems, fmt.Sprintf("there is no group %q", group)), append(tries, f.tryGroup(group))
		}
	}
	if len(problems) > 0 {
		return nil, &SelectionError{strings.Join(problems, "; "), strings.Join(slices.Compact(tries), "; ")}
	}
	var targets []Target
	for i, t := range f.Targets {
		if chosen[i] {
			targets = append(targets, t)
		}
	}
	return targets, nil
}

// find is the index of the target with a name, a distribution or a domain.
func (f *File) find(name string) (i int, problem, try string) {
	if i = slices.IndexFunc(f.Targets, func(t Target) bool { return t.Name == name }); i >= 0 {
		return i, "", ""
	}
	var those []string
	for j, t := range f.Targets {
		if name != "" && (t.Distribution == name || strings.EqualFold(t.Domain, name)) {
			i, those = j, append(those, t.Name)
		}
	}
	switch len(those) {
	case 1:
		return i, "", ""
	case 0:
		return 0, fmt.Sprintf("there is no target %q in %s", name, f.Path), orElse(nearest.Hint(name, f.all()), "one of "+f.names(10))
	}
	return 0, fmt.Sprintf("%q is %d targets", name, len(those)), "one of " + strings.Join(those, ", ")
}

func (f *File) all() []string {
	var names []string
	for _, t := range f.Targets {
		names = append(names, t.Name)
	}
	return names
}

// names lists the first names, so that a message stays readable.
func (f *File) names(most int) string {
	names := f.all()
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// Groups lists the groups that targets belong to, sorted.
func (f *File) Groups() []string {
	var groups []string
	for _, t := range f.Targets {
		groups = append(groups, t.Groups...)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

func (f *File) tryGroup(group string) string {
	groups := f.Groups()
	if len(groups) == 0 {
		return "no target has groups; give it some in " + f.Path
	}
	return orElse(nearest.Hint(group, groups), "groups are "+strings.Join(groups, ", "))
}
