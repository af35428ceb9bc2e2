package iam

import (
	"fmt"
	"slices"
	"strings"
)

// evaluation is one request being weighed.
type evaluation struct {
	request  Request
	policies Policies
	context  requestContext

	scps, rcps                            []findings // one a level
	resource, identity, boundary, session findings
}

// Decide says whether AWS would allow the request, which statement decided, and for a denial what
// would have allowed it. It is a pure function; policies that do not bear on the request must not
// be passed, as a Deny in any of them counts.
//
// The order is that of reference_policies_evaluation-logic and its cross-account page: an explicit
// Deny anywhere; then the control policies of both accounts; then, across accounts, the resource's
// policy and the caller's own side; within one account either of them, except that role trust and
// KMS key policies must themselves allow.
func Decide(r Request, p Policies) Decision {
	if problem := r.problem(); problem != "" {
		return Decision{Reason: "the request cannot be decided: " + problem}
	}
	if strings.EqualFold(r.Action, "sts:GetCallerIdentity") && !r.Principal.anonymous() {
		// API_GetCallerIdentity: "No permissions are required", even if a policy denies it.
		return Decision{Allowed: true, Reason: "sts:GetCallerIdentity needs no permission and cannot be denied"}
	}
	e := evaluate(r, p)
	if deny := e.denied(); deny != nil {
		return Decision{
			Explicit: true, Layer: deny.layer, Policy: deny.policy, Statement: deny.statement,
			Reason: fmt.Sprintf("%s denies %s on %s to %s", deny, r.Action, r.Resource, r.Principal),
		}
	}
	if layer, reason := e.hopeless(); reason != "" {
		return Decision{Layer: layer, Reason: reason}
	}
	if silent := e.silent(); len(silent) > 0 {
		return e.refuse(silent)
	}
	return e.allow()
}

// problem says why a request is not one: an emulator that guessed here would agree too easily.
func (r Request) problem() string {
	service, operation, ok := strings.Cut(r.Action, ":")
	p := r.Principal
	switch {
	case !ok || service == "" || operation == "" || strings.ContainsAny(r.Action, "*?"):
		return fmt.Sprintf("action %q is not service:Operation", r.Action)
	case r.Resource == "":
		return `it names no resource; where an action has none, the resource is "*"`
	case !ValidAccount(r.ResourceAccount):
		return fmt.Sprintf("the resource's account %q is not twelve digits", r.ResourceAccount)
	case p.Service != "" && (p.Account != "" || p.RoleARN != ""):
		return "its principal is both a service and of an account"
	case p.Service == "" && !p.anonymous() && (!ValidAccount(p.Account) || p.ARN == ""):
		return fmt.Sprintf("its principal %q of account %q is incomplete", p.ARN, p.Account)
	}
	return ""
}

func evaluate(r Request, p Policies) *evaluation {
	e := &evaluation{request: r, policies: p, context: contextOf(r)}
	if !r.Principal.serviceLinked() {
		for _, level := range p.SCPs {
			e.scps = append(e.scps, e.weigh(LayerSCP, level))
		}
		for _, level := range p.RCPs {
			e.rcps = append(e.rcps, e.weigh(LayerRCP, level))
		}
	}
	e.resource = e.weigh(p.Kind.layer(), optional(p.Resource))
	e.identity = e.weigh(LayerIdentity, p.Identity)
	e.boundary = e.weigh(LayerBoundary, optional(p.Boundary))
	e.session = e.weigh(LayerSession, p.Session)
	if r.Principal.root() && e.identity.allow == nil {
		e.identity.allow = &hit{layer: LayerIdentity}
	}
	return e
}

func optional(p *Policy) []Policy {
	if p == nil {
		return nil
	}
	return []Policy{*p}
}

func (k ResourceKind) layer() Layer {
	switch k {
	case ResourceTrust:
		return LayerTrust
	case ResourceKey:
		return LayerKey
	}
	return LayerResource
}

// denied finds a Deny that matches. Every layer has been weighed by now, also those whose Allow
// would not be needed. Don't short-circuit this: skipping a layer skips its Deny.
func (e *evaluation) denied() *hit {
	all := slices.Concat(e.scps, e.rcps, []findings{e.resource, e.identity, e.boundary, e.session})
	for _, f := range all {
		if f.deny != nil {
			return f.deny
		}
	}
	return nil
}

func (e *evaluation) crossAccount() bool {
	p := e.request.Principal
	return p.Account != "" && p.Account != e.request.ResourceAccount
}

// hopeless names what no statement could change.
func (e *evaluation) hopeless() (Layer, string) {
	r, kind := e.request, e.policies.Kind
	switch {
	case kind == ResourceNone && r.Principal.Account == "":
		return LayerResource, fmt.Sprintf("%s calls without an account, and %s has no policy of its own that could let it in", r.Principal, r.Resource)
	case kind == ResourceNone && e.crossAccount():
		return LayerResource, fmt.Sprintf("%s is of account %s, and %s has no policy of its own that could let another account in; call as a principal of account %s", r.Principal, r.Principal.Account, r.Resource, r.ResourceAccount)
	case kind == ResourceTrust && r.Principal.root():
		// API_AssumeRole: "You cannot use AWS account root user credentials to call AssumeRole."
		return LayerTrust, fmt.Sprintf("%s is a root user, and root users cannot assume roles; call as a role or an IAM user", r.Principal)
	case (kind == ResourceTrust || kind == ResourceKey) && r.Principal.anonymous():
		return kind.layer(), fmt.Sprintf("%s on %s needs a signed request", r.Action, r.Resource)
	}
	return "", ""
}

// silent lists the layers that must allow and do not, the deciding one first.
func (e *evaluation) silent() []findings {
	needed := slices.Concat(e.scpsThatBind(), e.rcps)
	own := []findings{e.identity}
	if e.policies.Boundary != nil {
		own = append(own, e.boundary)
	}
	if len(e.policies.Session) > 0 {
		own = append(own, e.session)
	}
	must := e.policies.Kind == ResourceTrust || e.policies.Kind == ResourceKey
	switch {
	case e.request.Principal.Account == "":
		needed = append(needed, e.resource)
	case e.crossAccount():
		// The resource's account and the caller's must both allow; no form of grant bypasses the
		// caller's own side (reference_policies_evaluation-logic-cross-account).
		needed = append(append(needed, e.resource), own...)
	default:
		if must {
			needed = append(needed, e.resource)
		}
		needed = append(needed, own[e.granted().bypasses(len(own)):]...)
	}
	return slices.DeleteFunc(needed, func(f findings) bool { return f.allow != nil })
}

// granted is how firmly the resource's policy lets in a caller of its own account.
func (e *evaluation) granted() grant {
	if e.resource.allow == nil || e.policies.Kind == ResourceNone {
		return notNamed
	}
	return e.resource.allow.grant
}

// bypasses says how many of the caller's own layers (identity first, then boundary and session) a
// grant by the resource makes unnecessary.
func (g grant) bypasses(layers int) int {
	switch g {
	case namesCaller:
		return layers
	case namesRole:
		return 1
	}
	return 0
}

// scpsThatBind: service control policies bind the principals of an account, so no service and
// nobody anonymous. (Their Deny statements were weighed all the same.)
func (e *evaluation) scpsThatBind() []findings {
	if e.request.Principal.Account == "" {
		return nil
	}
	return e.scps
}
