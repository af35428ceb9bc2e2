package iam

import (
	"fmt"
	"strings"
)

// consistent refuses what no place in AWS accepts.
func (r *reader) consistent(s Statement) {
	if s.Principal != nil && s.NotPrincipal != nil {
		r.fail("NotPrincipal", "Principal is given too", "keep one of the two")
	}
	if s.NotPrincipal != nil && s.Effect == Allow {
		// reference_policies_elements_notprincipal: "Using it with Effect Allow is not supported."
		r.fail("NotPrincipal", "it cannot be used with Effect Allow", "name those allowed in Principal")
	}
	if (len(s.Action) > 0) == (len(s.NotAction) > 0) {
		r.fail("Action", "Action and NotAction are both given or both missing", "give one of the two")
	}
	if len(s.Resource) > 0 && len(s.NotResource) > 0 {
		r.fail("NotResource", "Resource is given too", "keep one of the two")
	}
}

func (r *reader) actions(s Statement) {
	for element, list := range map[string][]string{"Action": s.Action, "NotAction": s.NotAction} {
		for _, action := range list {
			service, operation, ok := strings.Cut(action, ":")
			if action != "*" && (!ok || service == "" || operation == "") {
				r.fail(element, fmt.Sprintf("%q names no service", action), `write "service:Operation", e.g. "s3:GetObject"`)
			}
		}
	}
}

func (r *reader) resources(s Statement, version string) {
	for element, list := range map[string][]string{"Resource": s.Resource, "NotResource": s.NotResource} {
		for _, resource := range list {
			if problem := checkResource(resource, version); problem != "" {
				r.fail(element, fmt.Sprintf("%q %s", resource, problem), `write "*" or arn:aws:service:region:account:resource`)
			}
		}
	}
}

func checkResource(resource, version string) string {
	if resource == "*" {
		return ""
	}
	if !strings.HasPrefix(resource, "arn:") {
		return "is not an ARN"
	}
	if strings.Count(resource, ":") < 5 && !strings.Contains(resource, "*") {
		return "has fewer than the six parts of an ARN"
	}
	if version != Version2012 {
		return ""
	}
	pieces, err := splitVariables(resource)
	if err != nil {
		return "is malformed: " + err.Error()
	}
	before := ""
	for _, p := range pieces {
		if p.variable && strings.Count(before, ":") < 5 {
			// reference_policies_variables: "only in the resource portion of the ARN".
			return "has a policy variable before its fifth colon"
		}
		if !p.variable {
			before += p.text
		}
	}
	return ""
}

// Validate says whether AWS would store the document as a policy of that layer. Parse has seen to
// the grammar; this sees to what differs from place to place. The error is a [*ParseError].
func (d Document) Validate(layer Layer) error {
	for i, s := range d.Statements {
		r := reader{statement: d.name(i)}
		switch layer {
		case LayerIdentity, LayerSession, LayerBoundary, LayerSCP:
			r.attachedToCaller(s)
		case LayerTrust:
			r.attachedToRole(s)
		case LayerResource, LayerKey:
			r.named(s)
			r.needsResource(s)
		case LayerRCP:
			r.attachedToOrganization(s)
		default:
			r.fail("", fmt.Sprintf("layer %q is unknown", layer), "use one of the Layer constants")
		}
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

func (r *reader) attachedToCaller(s Statement) {
	if s.Principal != nil || s.NotPrincipal != nil {
		r.fail("Principal", "a policy attached to its caller names no principal", "remove it")
	}
	if strings.Trim(s.Sid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		// reference_policies_elements_sid: IAM allows letters and digits; other services more.
		r.fail("Sid", "it has characters other than A-Z, a-z and 0-9", "rename it")
	}
	r.needsResource(s)
}

func (r *reader) attachedToRole(s Statement) {
	r.named(s)
	if s.NotPrincipal != nil {
		r.fail("NotPrincipal", "a trust policy cannot have it", "use Principal with a condition on aws:PrincipalArn")
	}
	if s.Resource != nil || s.NotResource != nil {
		r.fail("Resource", "a trust policy has none: it is about its own role", "remove it")
	}
}

// attachedToOrganization: customers write only Deny statements for everyone; the one Allow is AWS's
// own RCPFullAWSAccess (orgs_manage_policies_rcps_syntax).
func (r *reader) attachedToOrganization(s Statement) {
	full := s.Effect == Allow && len(s.Action) == 1 && s.Action[0] == "*"
	if s.Effect != Deny && !full {
		r.fail("Effect", "a resource control policy only denies", `write "Deny"`)
	}
	if s.Principal == nil || !s.Principal.everyone() {
		r.fail("Principal", "a resource control policy is for everyone", `write "*" and narrow it by conditions`)
	}
	r.needsResource(s)
}

func (r *reader) named(s Statement) {
	if s.Principal == nil && s.NotPrincipal == nil {
		r.fail("Principal", "it is missing", "say who is meant")
	}
}

func (r *reader) needsResource(s Statement) {
	if s.Resource == nil && s.NotResource == nil {
		r.fail("Resource", "it is missing", `name the resource, or write "*"`)
	}
}
