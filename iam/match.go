package iam

import (
	"fmt"
	"slices"
	"strings"
)

// hit is a statement that matches the request.
type hit struct {
	layer             Layer
	policy, statement string
	grant             grant // of a layer that names principals
}

func (h hit) String() string {
	return fmt.Sprintf("statement %q of %s policy %q", h.statement, h.layer, h.policy)
}

// findings is what one layer has to say about the request.
type findings struct {
	layer Layer
	allow *hit   // the firmest Allow; nil: silent
	deny  *hit   // the first Deny
	near  string // in words: an Allow that only one element kept from matching
}

// weigh reads all statements of a layer's policies.
//
// Don't stop at the first Allow, nor at the first Deny of a layer before the others were read: a
// Deny in the last statement of the last policy outweighs every Allow, and a later Allow may grant
// more firmly than an earlier one.
func (e *evaluation) weigh(layer Layer, policies []Policy) findings {
	f := findings{layer: layer}
	for _, p := range policies {
		variables := p.Document.Version == Version2012
		for i, s := range p.Document.Statements {
			g, missing := e.match(layer, s, variables)
			h := &hit{layer: layer, policy: p.Name, statement: p.Document.name(i), grant: g}
			switch {
			case len(missing) == 1 && s.Effect != Deny && f.near == "":
				f.near = fmt.Sprintf("%s does not apply: %s", h, missing[0])
			case len(missing) > 0:
			case s.Effect == Deny && f.deny == nil:
				f.deny = h
			case s.Effect == Allow && (f.allow == nil || f.allow.grant < g):
				f.allow = h
			}
		}
	}
	return f
}

// match tells how a statement takes in the caller, and which of its elements do not match.
func (e *evaluation) match(layer Layer, s Statement, variables bool) (grant, []string) {
	var missing []string
	g := namesCaller
	switch layer {
	case LayerResource, LayerTrust, LayerKey, LayerRCP:
		if g = e.names(s); g == notNamed {
			missing = append(missing, "its Principal is not "+e.request.Principal.String())
		}
	default:
		// Such policies name no principal. AWS stores none that does; if one turns up, its Allow is
		// void and its Deny holds.
		if s.Effect == Allow && (s.Principal != nil || s.NotPrincipal != nil) {
			missing = append(missing, "it has a Principal, which has no place here")
		}
	}
	if !e.actionMatches(s) {
		// Two entries, for a statement about other actions is no near miss.
		missing = append(missing, "its Action does not cover", e.request.Action)
	}
	if !e.resourceMatches(layer, s, variables) {
		missing = append(missing, "its Resource does not cover "+e.request.Resource)
	}
	if ok, why := e.met(s, variables); !ok {
		missing = append(missing, "its Condition is not met: "+why)
	}
	return g, missing
}

// actionMatches compares without regard to case. Wildcards cross the colon: "*" is every action.
func (e *evaluation) actionMatches(s Statement) bool {
	action := strings.ToLower(e.request.Action)
	covered := func(a string) bool { return withWildcards(strings.ToLower(a)).matches(action, anywhere) }
	if s.NotAction != nil {
		return !slices.ContainsFunc(s.NotAction, covered)
	}
	return slices.ContainsFunc(s.Action, covered)
}

func (e *evaluation) resourceMatches(layer Layer, s Statement, variables bool) bool {
	if s.Resource == nil && s.NotResource == nil {
		// A trust policy is about its own role. Elsewhere AWS demands the element; where it is
		// missing a Deny holds and an Allow is void.
		return layer == LayerTrust || s.Effect == Deny
	}
	resolved := true
	covered := func(r string) bool {
		p, ok := withWildcards(r), true
		if variables {
			p, ok = e.context.expand(r)
		}
		resolved = resolved && ok
		return ok && p.matches(e.request.Resource, perResource)
	}
	if s.NotResource != nil {
		// As in conditions: a variable without a value must not open a door.
		return !slices.ContainsFunc(s.NotResource, covered) && (resolved || s.Effect == Deny)
	}
	return slices.ContainsFunc(s.Resource, covered)
}
