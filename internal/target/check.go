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

// check verifies a target and fills in what follows from the rest.
func check(t Target) (Target, error) {
	fail := func(format string, args ...any) (Target, error) {
		return Target{}, fmt.Errorf("check target %q: "+format, append([]any{t.Name}, args...)...)
	}
	if !validName(t.Name) {
		return fail("a name has 1 to 64 letters, digits, '.', '_' or '-'")
	}
	if t.Route == "" && t.Role != "" {
		t.Route = Assume
	}
	s, known := shapes[t.Route]
	if !known {
		return fail("there is no route %q; routes are %s", t.Route, strings.Join(routeNames(), ", "))
	}
	for _, f := range []field{distribution, function, role, externalID, stateMachine} {
		hasName := func(g field) bool { return g.name == f.name }
		switch given, needed := f.of(t) != "", slices.ContainsFunc(s.needs, hasName); {
		case needed && !given:
			return fail("route %s needs %s", t.Route, f.name)
		case given && !needed && !slices.ContainsFunc(s.may, hasName):
			return fail("route %s takes no %s", t.Route, f.name)
		}
	}
	if t.Distribution != "" && !ValidDistribution(t.Distribution) {
		return fail("%q is not a distribution ID, such as E2EXAMPLE", t.Distribution)
	}
	if t.ExternalID != "" && !ValidExternalID(t.ExternalID) {
		return fail("externalId does not have 2 to 1224 letters, digits or any of _+=,.@:/-")
	}
	if t.Account != "" && !validAccount(t.Account) {
		return fail("account %q does not have 12 digits", t.Account)
	}
	account, err := owner(t)
	switch {
	case err != nil:
		return fail("%w", err)
	case account != "" && t.Account != "" && t.Account != account:
		return fail("account is %s, but what is called is in %s", t.Account, account)
	case account != "":
		t.Account = account
	}
	return t, nil
}

// owner is the account that the target's ARN names as the distribution's, "" when none does: the
// invalidator and the role can only serve distributions of their own account. A state machine is in
// the pipeline's account.
func owner(t Target) (string, error) {
	switch t.Route {
	case Relay:
		f, err := ParseFunction(t.Function)
		return f.Account, err
	case Assume:
		r, err := ParseRole(t.Role)
		return r.Account, err
	case States:
		_, err := ParseStateMachine(t.StateMachine)
		return "", err
	}
	return "", nil
}

func routeNames() []string {
	names := []string{}
	for _, r := range Routes() {
		names = append(names, string(r))
	}
	return names
}
