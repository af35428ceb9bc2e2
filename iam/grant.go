package iam

import "slices"

// grant says how firmly a resource's policy takes in the caller. In one account it decides which
// implicit denials of other layers still count (reference_policies_evaluation-logic, "Resource-based
// policies and implicit denies in other policy types").
type grant int

const (
	// notNamed: the statement is about somebody else.
	notNamed grant = iota
	// delegated: it names the caller's account. The account's own policies must allow as well.
	delegated
	// namesRole: it names the caller's role, or everyone. Identity policies need not allow;
	// permissions boundary and session policies still bind.
	namesRole
	// namesCaller: it names the very user or session, or everyone of some aws:PrincipalArn. No
	// implicit denial of identity policies, boundary or session policies counts.
	namesCaller
)

// names tells how a statement of a resource's policy takes in the caller.
func (e *evaluation) names(s Statement) grant {
	switch {
	case s.Principal != nil:
		return e.namedBy(s)
	case s.NotPrincipal != nil:
		if s.Effect == Deny && !e.exempted(s.NotPrincipal) {
			return namesCaller
		}
		return notNamed // NotPrincipal with Allow is not supported by AWS
	case s.Effect == Deny:
		// AWS does not store a resource policy's statement without principal. Should one turn up,
		// it must not be a Deny that silently does not match.
		return namesCaller
	}
	return notNamed
}

func (e *evaluation) namedBy(s Statement) grant {
	p, caller := s.Principal, e.request.Principal
	best := notNamed
	if p.everyone() {
		best = namesRole
		if s.asksPrincipalArn() {
			// reference_policies_elements_principal, "IAM role principals": permissions granted by
			// aws:PrincipalArn with "*" are not limited by boundaries or session policies. That page
			// says nothing of "*" without the condition, so there the limits stay.
			best = namesCaller
		}
	}
	if caller.Service != "" && slices.Contains(p.Service, caller.Service) {
		best = max(best, namesRole)
	}
	for _, name := range p.AWS {
		best = max(best, e.namedAs(name))
	}
	if s.Effect == Deny && len(p.CanonicalUser) > 0 && caller.Account != "" {
		// A canonical user is an account by another name, and which one is not known here. It never
		// allows; that it may deny is assumed.
		best = max(best, delegated)
	}
	return best
}

// namedAs tells how one value of {"AWS": ...} takes in the caller. Matching is by whole names.
func (e *evaluation) namedAs(name string) grant {
	p := e.request.Principal
	if p.Service != "" || p.anonymous() {
		return notNamed
	}
	self := namesRole
	if p.user() {
		self = namesCaller
	}
	switch name {
	case p.Account:
		return delegated
	case p.UniqueID:
		if p.UniqueID != "" {
			return self
		}
	case p.RoleARN:
		if p.RoleARN != "" {
			return namesRole
		}
	}
	if a, err := ParseARN(name); err == nil && a.Service == "iam" && a.Resource == "root" && a.Account == p.Account {
		return delegated
	}
	if name == p.ARN {
		return namesCaller
	}
	return notNamed
}

// exempted reports whether a NotPrincipal with Deny spares the caller. Its account must be listed
// as well as the user or role (reference_policies_elements_notprincipal), and a caller with a
// permissions boundary is denied whatever is listed (access_policies_boundaries, "Important").
func (e *evaluation) exempted(not *Principals) bool {
	caller := e.request.Principal
	if not.everyone() {
		return true
	}
	if caller.Service != "" {
		return slices.Contains(not.Service, caller.Service)
	}
	if e.policies.Boundary != nil {
		return false
	}
	account, self := false, caller.root()
	for _, name := range not.AWS {
		switch e.namedAs(name) {
		case delegated:
			account = true
		case namesRole:
			self = true
		case namesCaller:
			// Naming a session is not enough: its role has to be named too.
			self = self || caller.RoleARN == ""
		}
	}
	return account && self
}

// asksPrincipalArn reports whether the statement requires aws:PrincipalArn to be something.
func (s Statement) asksPrincipalArn() bool {
	for name, keys := range s.Condition {
		t, err := parseTest(name)
		if err != nil || t.negated || t.null || t.ifExists || t.all {
			continue
		}
		for key := range keys {
			if equalFold(literally(key), "aws:PrincipalArn") {
				return true
			}
		}
	}
	return false
}
