package iam

import (
	"fmt"
	"slices"
	"strings"
)

// allow names the statement that let the request in: the resource's when that was needed or alone
// sufficed, else the caller's own.
func (e *evaluation) allow() Decision {
	r := e.request
	own, granted := e.identity.allow, e.resource.allow
	if granted != nil && e.policies.Kind == ResourceNone {
		granted = nil
	}
	must := e.policies.Kind == ResourceTrust || e.policies.Kind == ResourceKey || r.Principal.Account == "" || e.crossAccount()
	sufficed := e.granted() >= namesRole
	by := own
	if must || sufficed && own == nil || sufficed && e.ownSilent() {
		by = granted
	}
	reasons := []string{e.because(by)}
	if by == granted && own != nil && (e.crossAccount() || e.granted() == delegated) {
		reasons = append(reasons, e.because(own))
	}
	return Decision{
		Allowed: true, Layer: by.layer, Policy: by.policy, Statement: by.statement,
		Reason: fmt.Sprintf("%s may %s on %s: %s", r.Principal, r.Action, r.Resource, strings.Join(reasons, ", and ")),
	}
}

// ownSilent reports whether a boundary or session policy would have stopped an identity's Allow, so
// that only the resource's grant explains the answer.
func (e *evaluation) ownSilent() bool {
	return e.policies.Boundary != nil && e.boundary.allow == nil ||
		len(e.policies.Session) > 0 && e.session.allow == nil
}

func (e *evaluation) because(h *hit) string {
	r := e.request
	switch {
	case h.policy == "" && h.statement == "" && h.layer == LayerIdentity:
		return fmt.Sprintf("the root user of account %s may do everything in it", r.Principal.Account)
	case h.layer == LayerIdentity && e.crossAccount():
		return fmt.Sprintf("in account %s %s allows it", r.Principal.Account, h)
	case e.crossAccount():
		return fmt.Sprintf("in account %s %s allows it", r.ResourceAccount, h)
	}
	return fmt.Sprintf("%s allows it", h)
}

// refuse explains an implicit denial: what was silent, what came close, what would allow.
func (e *evaluation) refuse(silent []findings) Decision {
	r := e.request
	var b strings.Builder
	fmt.Fprintf(&b, "no %s allows %s on %s to %s", e.kindOf(silent[0]), r.Action, r.Resource, r.Principal)
	var others []string
	for _, f := range silent[1:] {
		if kind := e.kindOf(f); !slices.Contains(others, kind) && kind != e.kindOf(silent[0]) {
			others = append(others, kind)
		}
	}
	if len(others) > 0 {
		b.WriteString(", nor does any " + strings.Join(others, " or "))
	}
	for _, hint := range e.hints(silent) {
		b.WriteString("; " + hint)
	}
	return Decision{Layer: silent[0].layer, Reason: b.String(), Remedy: e.remedy(silent)}
}

// kindOf names a layer and whose it is.
func (e *evaluation) kindOf(f findings) string {
	r := e.request
	switch f.layer {
	case LayerSCP:
		return "service control policy of account " + r.Principal.Account
	case LayerRCP:
		return "resource control policy of account " + r.ResourceAccount
	case LayerBoundary:
		return "permissions boundary of " + r.Principal.entity()
	case LayerResource, LayerTrust, LayerKey:
		return fmt.Sprintf("%s policy in account %s", f.layer, r.ResourceAccount)
	}
	return fmt.Sprintf("%s policy in account %s", f.layer, r.Principal.Account)
}

// hints say what came close, and whether the policy may name somebody who is gone.
func (e *evaluation) hints(silent []findings) []string {
	var hints []string
	for _, f := range silent {
		if f.near != "" && !slices.Contains(hints, f.near) {
			hints = append(hints, f.near)
		}
	}
	names := slices.ContainsFunc(silent, func(f findings) bool { return f.layer == e.resource.layer })
	if !names || e.policies.Resource == nil {
		return hints
	}
	for _, name := range e.policies.Resource.Document.Principals() {
		if ValidUniqueID(name) && name != e.request.Principal.UniqueID {
			// reference_policies_elements_principal: a stored ID does not follow a recreated role.
			hints = append(hints, fmt.Sprintf("policy %q names a deleted principal's ID, %s, unless another principal has it: if the caller was recreated, store the policy again", e.policies.Resource.Name, name))
		}
	}
	return hints
}
