package doctor

import (
	"maps"
	"slices"
	"strings"

	"github.com/unstale/unstale/iam"
)

// decided are the condition keys whose value, or absence, a reader of policies knows of these requests:
// those that package iam derives from the principal, and those that only a service or AssumeRole sends.
var decided = []string{
	"aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:principalisawsservice", "aws:principalservicename",
	"aws:resourceaccount", "sts:externalid",
}

// ofServices are sent by services only, and not by all of them: of others they are known to be absent.
var ofServices = []string{"aws:sourcearn", "aws:sourceaccount"}

// unsure says why a decision is none: it would be the other one if a condition were met, or not met, whose
// key only the real request carries, such as aws:SourceIp or aws:PrincipalOrgID.
func unsure(r iam.Request, p iam.Policies, d iam.Decision) string {
	favoured := iam.Allow
	if d.Allowed {
		favoured = iam.Deny
	}
	known := slices.Clone(decided)
	if r.Principal.Service == "" {
		known = append(known, ofServices...)
	}
	for key := range maps.Keys(r.Context) {
		known = append(known, strings.ToLower(key))
	}
	x := relaxer{favoured: favoured, known: known}
	relaxed := p
	relaxed.Identity = x.all(p.Identity)
	relaxed.Boundary, relaxed.Resource = x.one(p.Boundary), x.one(p.Resource)
	if len(x.keys) == 0 || iam.Decide(r, relaxed).Allowed == d.Allowed {
		return ""
	}
	slices.Sort(x.keys)
	return r.Action + " on " + r.Resource + " depends on " + strings.Join(slices.Compact(x.keys), " and ") + ", which only the real request carries"
}

// relaxer assumes the best for one effect: of its statements, the conditions on unknown keys hold; of the
// other effect's, they do not.
type relaxer struct {
	favoured iam.Effect
	known    []string
	keys     []string // that were assumed something of
}

func (x *relaxer) all(list []iam.Policy) []iam.Policy {
	var out []iam.Policy
	for _, p := range list {
		out = append(out, *x.one(&p))
	}
	return out
}

func (x *relaxer) one(p *iam.Policy) *iam.Policy {
	if p == nil {
		return nil
	}
	out := *p
	out.Document.Statements = nil
	for _, s := range p.Document.Statements {
		known := x.conditions(s.Condition)
		if s.Effect != x.favoured && len(known) < len(flat(s.Condition)) {
			continue
		}
		if s.Effect == x.favoured {
			s.Condition = unflat(known)
		}
		out.Document.Statements = append(out.Document.Statements, s)
	}
	return &out
}

// conditions are those on known keys.
func (x *relaxer) conditions(c iam.Conditions) []condition {
	return slices.DeleteFunc(flat(c), func(one condition) bool {
		unknown := !slices.Contains(x.known, strings.ToLower(one.key))
		if unknown {
			x.keys = append(x.keys, one.key)
		}
		return unknown
	})
}

// condition is one key of one operator.
type condition struct {
	operator, key string
	values        []string
}

func flat(c iam.Conditions) []condition {
	var out []condition
	for operator, keys := range c {
		for key, values := range keys {
			out = append(out, condition{operator, key, values})
		}
	}
	return out
}

func unflat(list []condition) iam.Conditions {
	out := iam.Conditions{}
	for _, c := range list {
		if out[c.operator] == nil {
			out[c.operator] = map[string][]string{}
		}
		out[c.operator][c.key] = c.values
	}
	return out
}
