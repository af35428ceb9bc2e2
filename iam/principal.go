package iam

import (
	"fmt"
	"slices"
	"strings"
)

// principals reads "*" or {"AWS": ..., "Service": ..., "Federated": ..., "CanonicalUser": ...}.
func (r *reader) principals(m *members, name string) *Principals {
	value, present := m.values[name]
	if !present {
		return nil
	}
	if value == "*" {
		return &Principals{Everyone: true}
	}
	kinds, ok := value.(*members)
	if !ok || len(kinds.names) == 0 {
		r.fail(name, "it names nobody", `write "*" or {"AWS": "arn:aws:iam::111111111111:root"}`)
		return nil
	}
	if err := kinds.known(r.statement, "AWS", "Service", "Federated", "CanonicalUser"); err != nil && r.err == nil {
		r.err = err
	}
	p := &Principals{
		AWS:           r.list(kinds, "AWS"),
		Service:       r.list(kinds, "Service"),
		Federated:     r.list(kinds, "Federated"),
		CanonicalUser: r.list(kinds, "CanonicalUser"),
	}
	for _, aws := range p.AWS {
		if err := checkPrincipal(aws); err != nil {
			r.fail(name, err.Error(), "write an account ID or the ARN of a root, role, user or session; for several use a condition on aws:PrincipalArn")
		}
	}
	for _, service := range p.Service {
		if strings.ContainsAny(service, "*?:/ ") || !strings.Contains(service, ".") {
			r.fail(name, fmt.Sprintf("%q is not a service", service), `write e.g. "lambda.amazonaws.com"`)
		}
	}
	if slices.Contains(append(p.Federated, p.CanonicalUser...), "") {
		r.fail(name, "it names an empty principal", "remove it")
	}
	return p
}

// checkPrincipal knows the forms of reference_policies_elements_principal. Part of a name or ARN
// cannot be a wildcard.
func checkPrincipal(s string) error {
	if s == "*" || ValidAccount(s) || ValidUniqueID(s) {
		return nil
	}
	if strings.ContainsAny(s, "*?") {
		return fmt.Errorf("%q has a wildcard within, and principals match whole names only", s)
	}
	a, err := ParseARN(s)
	if err != nil {
		return fmt.Errorf("%q is not a principal", s)
	}
	// "cloudfront" is the account of origin access identities.
	account := ValidAccount(a.Account) || a.Account == "cloudfront"
	resource, _, _ := strings.Cut(a.Resource, "/")
	switch {
	case account && a.Service == "iam" && (a.Resource == "root" || resource == "role" || resource == "user"):
		return nil
	case account && a.Service == "sts" && (resource == "assumed-role" || resource == "federated-user"):
		return nil
	}
	return fmt.Errorf("%q is not the ARN of a principal", s)
}

// Principals lists the AWS principals that the document names in Principal and NotPrincipal: ARNs,
// account IDs and unique IDs, each once, in order of appearance, without "*". AWS refuses to store a
// document that names one that does not exist.
func (d Document) Principals() []string {
	var names []string
	_, _ = d.MapPrincipals(func(name string) (string, error) { // this f never fails
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		return name, nil
	})
	return names
}

// MapPrincipals returns a copy of the document in which f has replaced each AWS principal other
// than "*". It is for what AWS does when it stores a trust policy: ARNs of roles and users become
// unique IDs, so that a recreated role is not the one that was trusted
// (reference_policies_elements_principal). The error names the statement and wraps f's.
func (d Document) MapPrincipals(f func(string) (string, error)) (Document, error) {
	mapped := d
	mapped.Statements = slices.Clone(d.Statements)
	for i := range mapped.Statements {
		s := &mapped.Statements[i]
		for _, p := range []**Principals{&s.Principal, &s.NotPrincipal} {
			if *p == nil {
				continue
			}
			changed, err := (*p).mapped(f)
			if err != nil {
				return Document{}, fmt.Errorf("map principals of statement %q: %w", d.name(i), err)
			}
			*p = changed
		}
	}
	return mapped, nil
}

func (p *Principals) mapped(f func(string) (string, error)) (*Principals, error) {
	changed := *p
	changed.AWS = slices.Clone(p.AWS)
	for i, name := range p.AWS {
		if name == "*" {
			continue
		}
		var err error
		if changed.AWS[i], err = f(name); err != nil {
			return nil, err
		}
	}
	return &changed, nil
}

// everyone is true of "*" and {"AWS": "*"}, which are the same in resource policies.
func (p *Principals) everyone() bool { return p.Everyone || slices.Contains(p.AWS, "*") }

// The kinds of caller.
func (p Principal) anonymous() bool { return p.ARN == "" && p.Account == "" && p.Service == "" }
func (p Principal) root() bool      { return p.resource() == "root" }
func (p Principal) user() bool      { return strings.HasPrefix(p.resource(), "user/") }

// serviceLinked roles are beyond the reach of service and resource control policies
// (orgs_manage_policies_scps, "Tasks and entities not restricted by SCPs").
func (p Principal) serviceLinked() bool {
	a, err := ParseARN(p.RoleARN)
	return err == nil && strings.HasPrefix(a.Resource, "role/aws-service-role/")
}

// resource is the last part of an IAM ARN: "root", "user/...", or "" for a session.
func (p Principal) resource() string {
	a, err := ParseARN(p.ARN)
	if err != nil || a.Service != "iam" || p.Service != "" {
		return ""
	}
	return a.Resource
}

// entity is what policies are attached to: the role of a session, else the user or root itself. It
// is also the value of aws:PrincipalArn.
func (p Principal) entity() string {
	if p.RoleARN != "" {
		return p.RoleARN
	}
	return p.ARN
}

// typeName is the value of aws:PrincipalType; services have none.
func (p Principal) typeName() string {
	switch {
	case p.Service != "":
		return ""
	case p.anonymous():
		return "Anonymous"
	case p.root():
		return "Account"
	case p.user():
		return "User"
	}
	return "AssumedRole"
}

// String names the caller for a sentence.
func (p Principal) String() string {
	switch {
	case p.Service != "":
		return "service " + p.Service
	case p.anonymous():
		return "an anonymous caller"
	}
	return p.ARN
}
