package accounts

import (
	"fmt"
	"maps"
	"strings"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Check is one question to the directory: may this caller do this?
type Check struct {
	Caller   Caller
	Action   string // "lambda:InvokeFunction"
	Resource string // ARN, or "*" where the action has no resource level
	// Account owns the resource; empty means the account in Resource, or else the caller's.
	Account string
	// Policy is the resource's own policy, nil when it has none attached.
	Policy *iam.Policy
	Kind   iam.ResourceKind
	// Context adds the condition keys that this request carries.
	Context map[string][]string
}

// Authorize decides, writes the decision to the journal, and answers a denial as AWS does: a
// *wire.Error with code AccessDenied and AWS's text.
func (d *Directory) Authorize(c Check) error {
	if c.Account == "" {
		c.Account = AccountOf(c.Resource)
	}
	if c.Account == "" {
		c.Account = c.Caller.Account
	}
	context := map[string][]string{}
	maps.Copy(context, c.Caller.Context)
	maps.Copy(context, c.Context)
	decision := iam.Decide(iam.Request{
		Principal: c.Caller.Principal, Action: c.Action, Resource: c.Resource, ResourceAccount: c.Account, Context: context,
	}, d.policies(c))
	d.record(c, decision)
	if decision.Allowed {
		return nil
	}
	e := wire.Denied("%s", denialText(c, decision))
	e.Cause = decision.Reason
	return e
}

// policies gathers every document that bears on c.
func (d *Directory) policies(c Check) iam.Policies {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := iam.Policies{Session: c.Caller.Session, Resource: c.Policy, Kind: c.Kind}
	if a := d.accounts[c.Caller.Account]; a != nil {
		p.SCPs = a.scps
		if r := a.roles[RoleName(c.Caller.RoleARN)]; c.Caller.RoleARN != "" && r != nil && r.ID == c.Caller.UniqueID {
			p.Identity, p.Boundary = r.identity(), r.Boundary
		}
		for _, u := range a.users {
			if u.ARN == c.Caller.ARN {
				p.Identity = u.identity()
			}
		}
	}
	if a := d.accounts[c.Account]; a != nil {
		p.RCPs = a.rcps
	}
	return p
}

func (d *Directory) record(c Check, decision iam.Decision) {
	call := journal.Call{
		Time: d.clock.Now(), Account: c.Account, Caller: c.Caller.Account, Principal: c.Caller.Name(),
		Action: c.Action, Resource: c.Resource, Decision: "deny", Reason: decision.Reason,
	}
	if decision.Allowed {
		call.Decision = "allow"
	}
	call.Statement = string(decision.Layer)
	if decision.Policy != "" {
		call.Statement = fmt.Sprintf("%s: %s/%s", decision.Layer, decision.Policy, decision.Statement)
	}
	if r := decision.Remedy; r != nil {
		call.Missing = r
		var all []string
		for _, r := range append([]iam.Remedy{*r}, r.Also...) {
			all = append(all, fmt.Sprintf("in account %s, to the %s policy of %s: %s", r.Account, r.Layer, r.To, r.Statement))
		}
		call.Remedy = strings.Join(all, "; and ")
	}
	d.journal.Record(call)
}

// denialText is AWS's message. Source: IAM User Guide, "Access denied error messages".
func denialText(c Check, decision iam.Decision) string {
	head := fmt.Sprintf("User: %s is not authorized to perform: %s", c.Caller.Name(), c.Action)
	if c.Resource != "*" {
		head += " on resource: " + c.Resource
	}
	kind := map[iam.Layer]string{
		iam.LayerIdentity: "identity-based policy", iam.LayerResource: "resource-based policy",
		iam.LayerTrust: "resource-based policy", iam.LayerKey: "resource-based policy",
		iam.LayerSession: "session policy", iam.LayerBoundary: "permissions boundary",
		iam.LayerSCP: "service control policy", iam.LayerRCP: "resource control policy",
	}[decision.Layer]
	switch {
	case kind == "":
		return head
	case decision.Explicit:
		article := "a"
		if strings.HasPrefix(kind, "i") {
			article = "an"
		}
		return fmt.Sprintf("%s with an explicit deny in %s %s", head, article, kind)
	}
	return fmt.Sprintf("%s because no %s allows the %s action", head, kind, c.Action)
}
