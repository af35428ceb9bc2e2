package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/unstale/unstale/internal/plural"
)

// invokes is which function a Lambda action invokes, over all accounts; "" for another action.
func (f facts) invokes(a action) string {
	if a.function == "" {
		return ""
	}
	return a.function + " of account " + accountOf(cmp.Or(a.role, f.role))
}

// onlyInvokes reports whether no action invokes another function.
func (f facts) onlyInvokes(a action) bool {
	return !slices.ContainsFunc(f.actions, func(b action) bool { return b.function != "" && f.invokes(b) != f.invokes(a) })
}

// targets are the names that an action tells its function, or all that the function has; nil: not known.
func (a action) targets() []string {
	if a.told.Targets != nil {
		return slices.Sorted(slices.Values(a.told.Targets))
	}
	return a.found.targets
}

// partners are those of a list whose targets an action has too, with the same function.
func (f facts) partners(a action, list []action) []action {
	var out []action
	for _, b := range list {
		same := f.invokes(a) != "" && f.invokes(a) == f.invokes(b)
		known := a.targets() != nil && b.targets() != nil
		if same && (!known || slices.ContainsFunc(a.targets(), func(t string) bool { return slices.Contains(b.targets(), t) })) {
			out = append(out, b)
		}
	}
	return out
}

// announced checks of each action that announces whether what it announces is what is purged after it. The two meet in
// the history: by the site that a target is, by the release's name and by its content.
func (w *walk) announced(f facts) {
	var announce, purge []action
	unread := map[string]bool{} // functions of actions that may purge
	for _, a := range f.all() {
		switch a.part() {
		case announcing:
			announce = append(announce, a)
		case purging:
			purge = append(purge, a)
		case unclear:
			unread[f.invokes(a)] = true
		}
	}
	for _, a := range announce {
		if a.found.refused || unread[f.invokes(a)] {
			continue // it is said already
		}
		its := f.partners(a, purge)
		r := Rung{
			Name: fmt.Sprintf("action %s announces what is purged", a.name), Account: f.account, Subject: cmp.Or(f.arn, f.name), State: OK,
			Why: fmt.Sprintf("by %s: target %s, release %q", together(its), cmp.Or(strings.Join(a.targets(), ", "), "all"), a.told.Release),
		}
		if wrong := f.unlike(a, its, announce, purge); wrong != nil {
			r.State, r.Why = Broken, strings.Join(wrong, "; also: ")
		}
		w.read("codepipeline:GetPipeline", f.name)
		w.add(r)
	}
}

// unlike says what makes an announcement one of something else than its partners purge.
func (f facts) unlike(a action, its, announce, purge []action) (wrong []string) {
	fault := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if a.found.err == nil && !a.found.remembers {
		fault("its function keeps nothing (%s is not set), so every release fails at action %s: set it to a bucket, or take the action out", stateVariable, a.name)
	}
	if !a.inputs {
		fault("action %s has no input artifact, so every release fails there: give it the one that is deployed after it", a.name)
	}
	if its == nil {
		return append(wrong, f.alone(a, purge))
	}
	if mine, theirs := targetsOf(f.rivals(a, its, announce)), targetsOf(its); mine != nil && theirs != nil && !slices.Equal(mine, theirs) {
		fault("action %s announces target %s, and %s %s %s: name the same in both", a.name, strings.Join(mine, ", "),
			together(its), plural.Word(len(its), "purges", "purge"), strings.Join(theirs, ", "))
	}
	for _, p := range its {
		if p.told.Release != a.told.Release {
			fault(`release is %q in action %s and %q in action %s, so that what is purged is not known to be what was announced: write the same into both, "#{codepipeline.PipelineExecutionId}"`,
				a.told.Release, a.name, p.told.Release, p.name)
		}
		if a.inputs && p.artifact != a.artifact {
			fault("action %s takes %s and action %s %s, so that what is purged is not what was announced: give both the artifact that is deployed",
				a.name, artifactOf(a), p.name, artifactOf(p))
		}
	}
	return wrong
}

// rivals are the actions that announce for the same partners: together they have to announce what those purge.
func (f facts) rivals(a action, its, announce []action) []action {
	out := []action{a}
	for _, b := range announce {
		if !b.is(a) && len(f.partners(b, its)) > 0 {
			out = append(out, b)
		}
	}
	return out
}

// alone says of an announcement that no action purges for it, which there is instead.
func (f facts) alone(a action, purge []action) string {
	for _, p := range purge {
		if f.invokes(p) == f.invokes(a) {
			return fmt.Sprintf("action %s announces target %s, and action %s purges %s: name the same in both", a.name, strings.Join(a.targets(), ", "), p.name, strings.Join(p.targets(), ", "))
		}
	}
	for _, p := range purge {
		if p.function != "" {
			return fmt.Sprintf("action %s invokes function %s, and action %s purges by function %s, which does not know of it: let both invoke the same",
				a.name, f.invokes(a), p.name, f.invokes(p))
		}
	}
	return fmt.Sprintf("no action purges by function %s what action %s announces: add the action Purge after the deploy", a.function, a.name)
}

// targetsOf are the targets of all; nil where those of one are not known.
func targetsOf(list []action) []string {
	var all []string
	for _, a := range list {
		if a.targets() == nil {
			return nil
		}
		all = append(all, a.targets()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// together are actions by their names, for people.
func together(list []action) string {
	var out []string
	for _, a := range list {
		out = append(out, a.name)
	}
	return plural.Word(len(list), "action ", "actions ") + strings.Join(out, " and ")
}

func artifactOf(a action) string {
	if a.artifact == "" {
		return "no artifact"
	}
	return "artifact " + a.artifact
}
