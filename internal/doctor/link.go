package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/doctor/repair"
)

// link is one thing that somebody has to be allowed.
type link struct {
	name     string
	caller   *role    // nil: service
	service  string   // e.g. "cloudfront.amazonaws.com"
	actions  []string // all of them
	resource string   // ARN, or "*"
	written  string   // how a statement names the resource; empty: as it is
	account  string   // of the resource; empty: the one in the ARN
	policy   *iam.Policy
	kind     iam.ResourceKind
	err      error // the resource's policy could not be read
	context  map[string][]string
}

// demand is what a role needs; its organization may take it away.
type demand struct {
	role     string
	actions  []string
	resource string
}

// check decides a link and puts it on the ladder. It reports whether the link holds as far as is known.
func (w *walk) check(l link) bool {
	r := w.decide(l)
	w.add(r)
	return r.State != Broken
}

func (w *walk) decide(l link) Rung {
	if l.account == "" {
		l.account = accountOf(l.resource)
	}
	out := Rung{Name: l.name, Account: l.account, Subject: cmp.Or(l.written, l.resource), State: OK}
	if c := l.caller; c != nil {
		if l.resource == "*" {
			l.account = c.principal.Account
			out.Account, out.Subject = c.principal.Account, c.principal.RoleARN
		}
		if c.missing {
			out.Account, out.Subject, out.State, out.Why = c.principal.Account, c.principal.RoleARN, Broken, c.err.Error()
			return out
		}
		if c.principal.RoleARN != "" {
			w.asked = append(w.asked, demand{c.principal.RoleARN, l.actions, l.resource})
		}
	}
	v := l.weigh()
	switch {
	case errors.Is(l.err, errNoBucket):
		out.State, out.Why = Broken, l.err.Error()
	case len(v.refusals) > 0:
		changes, err := repair.Of(l.aim(v.remedies)...)
		if err != nil {
			v.refusals = append(v.refusals, err.Error())
		}
		out.State, out.Why, out.Changes = Broken, v.refusals[0], append(v.lifts, changes...)
	case len(v.doubts) > 0:
		out.State, out.Why = Unknown, strings.Join(slices.Compact(v.doubts), "; ")
	default:
		out.Why = v.grants[0]
		if l.caller != nil && l.caller.pending != "" {
			out.Why += "; the caller's own policy would come with stack " + l.caller.pending
		}
	}
	return out
}

// verdict is what became of a link's actions.
type verdict struct {
	grants, refusals, doubts []string
	remedies                 []iam.Remedy
	lifts                    []repair.Change // Deny statements that have to go
}

func (l link) weigh() verdict {
	p, unread := l.policies()
	v := verdict{doubts: unread}
	for _, action := range l.actions {
		r := iam.Request{Principal: l.principal(), Action: action, Resource: l.resource, ResourceAccount: l.account, Context: l.context}
		d := iam.Decide(r, p)
		doubt := unsure(r, p, d)
		switch {
		case doubt != "":
			v.doubts = append(v.doubts, doubt)
		case d.Allowed:
			v.grants = append(v.grants, d.Reason)
		case d.Remedy != nil:
			v.refusals, v.remedies = append(v.refusals, d.Reason), append(v.remedies, *d.Remedy)
		default:
			v.refusals = append(v.refusals, d.Reason)
			c, ok := lift(d, p, r)
			if ok && !slices.ContainsFunc(v.lifts, func(o repair.Change) bool { return string(o.Statement) == string(c.Statement) }) {
				v.lifts = append(v.lifts, c)
			}
		}
	}
	return v
}

func (l link) principal() iam.Principal {
	if l.caller == nil {
		return iam.Principal{Service: l.service}
	}
	return l.caller.principal
}

// policies gathers what bears on the link. A layer that could not be read is taken to allow: a refusal then
// is certain, and what is allowed is not. unread says what is missing.
func (l link) policies() (p iam.Policies, unread []string) {
	p = iam.Policies{Resource: l.policy, Kind: l.kind}
	if l.err != nil {
		unread = append(unread, l.err.Error())
		p.Resource = &iam.Policy{Name: "unread", Document: anything(&iam.Principals{Everyone: true}, l.kind != iam.ResourceTrust)}
	}
	if c := l.caller; c != nil {
		p.Identity, p.Boundary, p.Session = c.identity, c.boundary, c.session
		if c.err != nil || c.pending != "" {
			p.Identity = append(slices.Clone(p.Identity), iam.Policy{Name: "unread", Document: anything(nil, true)})
		}
		if c.err != nil {
			unread = append(unread, c.err.Error())
			p.Boundary = nil
		}
	}
	return p, unread
}

// anything is a document that allows all.
func anything(to *iam.Principals, resources bool) iam.Document {
	s := iam.Statement{Effect: iam.Allow, Principal: to, Action: []string{"*"}}
	if resources {
		s.Resource = []string{"*"}
	}
	return iam.Document{Version: iam.Version2012, Statements: []iam.Statement{s}}
}

// aim lets a boundary's remedy name the boundary, since the statement is no use in the role's own policies,
// and writes the resource as it should be written.
func (l link) aim(list []iam.Remedy) []iam.Remedy {
	var out []iam.Remedy
	for _, r := range list {
		for _, r := range append([]iam.Remedy{r}, r.Also...) {
			r.Also = nil
			if r.Layer == iam.LayerBoundary && l.caller != nil && l.caller.boundaryARN != "" {
				r.To = l.caller.boundaryARN
			}
			if l.written != "" && r.Statement.Resource != nil {
				r.Statement.Resource = []string{l.written}
			}
			out = append(out, r)
		}
	}
	return out
}

// lift is the change for an explicit Deny: nothing that is added outweighs it.
func lift(d iam.Decision, p iam.Policies, r iam.Request) (repair.Change, bool) {
	c := repair.Change{Do: repair.Remove, Account: r.Principal.Account, To: r.Principal.RoleARN, Layer: string(d.Layer)}
	if d.Layer == iam.LayerResource || d.Layer == iam.LayerTrust || d.Layer == iam.LayerKey {
		c.Account, c.To = r.ResourceAccount, withPolicy(r.Resource)
	}
	all := slices.Clone(p.Identity)
	for _, one := range []*iam.Policy{p.Boundary, p.Resource} {
		if one != nil {
			all = append(all, *one)
		}
	}
	for _, policy := range all {
		for i, s := range policy.Document.Statements {
			if policy.Name == d.Policy && (s.Sid == d.Statement || s.Sid == "" && fmt.Sprintf("#%d", i) == d.Statement) {
				c.Statement = []byte(s.String())
				return c, true
			}
		}
	}
	return c, false
}

// withPolicy is what has the policy of a resource: of an object, its bucket.
func withPolicy(resource string) string {
	if a, err := iam.ParseARN(resource); err == nil && a.Service == "s3" {
		resource, _, _ = strings.Cut(resource, "/")
	}
	return resource
}

func accountOf(arn string) string {
	a, err := iam.ParseARN(arn)
	if err != nil {
		return ""
	}
	return a.Account
}
