package target

import (
	"fmt"
	"slices"
	"strings"
)

// field is one of a target's fields that only some routes have.
type field struct {
	name string // as in JSON
	of   func(Target) string
}

var (
	distribution = field{"distribution", func(t Target) string { return t.Distribution }}
	function     = field{"function", func(t Target) string { return t.Function }}
	role         = field{"role", func(t Target) string { return t.Role }}
	externalID   = field{"externalId", func(t Target) string { return t.ExternalID }}
	stateMachine = field{"stateMachine", func(t Target) string { return t.StateMachine }}
)

// shape is what a route needs of a target, and what it may have besides. A field to no purpose is
// refused: whoever wrote it believes that it does something.
type shape struct{ needs, may []field }

var shapes = map[Route]shape{
	// An ExternalId is one per target: it keeps A's own pipelines apart. The distribution is what the
	// session is narrowed to.
	Assume:      {needs: []field{role, externalID, distribution}},
	Relay:       {needs: []field{function}, may: []field{distribution}},
	Direct:      {needs: []field{distribution}},
	SameAccount: {needs: []field{distribution}},
	// The machine knows its distribution by itself; the name is needed for references and reports.
	States: {needs: []field{stateMachine, distribution}},
}

// Fault is one thing that is wrong with a target.
type Fault struct {
	Field   string // as in JSON; "name" for the target's name
	Missing bool   // the route needs the field, and it is not there
	Text    string
}

// Check verifies a target, fills in what follows from the rest and lists all that is wrong, the
// fields that the route needs or does not take first. The target is to be used only without faults.
func Check(t Target) (Target, []Fault) {
	var faults []Fault
	fault := func(field, format string, args ...any) {
		faults = append(faults, Fault{Field: field, Text: fmt.Sprintf(format, args...)})
	}
	if !ValidName(t.Name) {
		fault("name", "a name has 1 to 64 letters, digits, '.', '_' or '-'")
	}
	if t.Route == "" && t.Role != "" {
		t.Route = Assume
	}
	s, known := shapes[t.Route]
	if !known {
		fault("route", "there is no route %q; routes are %s", t.Route, strings.Join(routeNames(), ", "))
	}
	for _, f := range []field{distribution, function, role, externalID, stateMachine} {
		switch given, needed, may := f.of(t) != "", has(s.needs, f), has(s.may, f); {
		case needed && !given:
			faults = append(faults, Fault{f.name, true, fmt.Sprintf("route %s needs %s", t.Route, f.name)})
		case known && given && !needed && !may:
			fault(f.name, "route %s takes no %s", t.Route, f.name)
		}
	}
	if t.Distribution != "" && !ValidDistribution(t.Distribution) {
		fault("distribution", "%q is not a distribution ID, such as E2EXAMPLE", t.Distribution)
	}
	if t.ExternalID != "" && !ValidExternalID(t.ExternalID) {
		fault("externalId", "externalId does not have 2 to 1224 letters, digits or any of _+=,.@:/-")
	}
	if t.Account != "" && !validAccount(t.Account) {
		fault("account", "account %q does not have 12 digits", t.Account)
	}
	if err := t.Plans().check(); err != nil {
		fault("planning", "planning: %v", err)
	}
	field, account, err := owner(t)
	switch {
	case err != nil:
		fault(field, "%v", err)
	case account != "" && validAccount(t.Account) && t.Account != account:
		fault("account", "account is %s, but what is called is in %s", t.Account, account)
	case account != "" && t.Account == "":
		t.Account = account
	}
	return t, faults
}

// check is Check for callers that end at the first fault.
func check(t Target) (Target, error) {
	t, faults := Check(t)
	if len(faults) > 0 {
		return Target{}, fmt.Errorf("check target %q: %s", t.Name, faults[0].Text)
	}
	return t, nil
}

func has(fields []field, f field) bool {
	return slices.ContainsFunc(fields, func(g field) bool { return g.name == f.name })
}

// Fields lists the fields, as in JSON, that a route needs, and those that it may have besides, of those
// that not every route takes.
func Fields(r Route) (needs, may []string) {
	names := func(fields []field) (all []string) {
		for _, f := range fields {
			all = append(all, f.name)
		}
		return all
	}
	return names(shapes[r].needs), names(shapes[r].may)
}

// owner is the account that the target's ARN names as the distribution's, "" when none does, and the
// field the ARN stands in: the invalidator and the role can only serve distributions of their own
// account. A state machine is in the pipeline's account. A field that lacks is not owner's to tell.
func owner(t Target) (field, account string, err error) {
	switch {
	case t.Route == Relay && t.Function != "":
		f, err := ParseFunction(t.Function)
		return "function", f.Account, err
	case t.Route == Assume && t.Role != "":
		r, err := ParseRole(t.Role)
		return "role", r.Account, err
	case t.Route == States && t.StateMachine != "":
		_, err := ParseStateMachine(t.StateMachine)
		return "stateMachine", "", err
	}
	return "", "", nil
}

func routeNames() []string {
	names := []string{}
	for _, r := range Routes() {
		names = append(names, string(r))
	}
	return names
}
