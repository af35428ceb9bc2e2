package accounts

import (
	"slices"

	"github.com/unstale/unstale/iam"
)

// Simulation is what IAM's policy simulator says of one action.
type Simulation struct {
	Decision iam.Decision
	// Member says whether the account is in an organization, and Organization whether that lets the action
	// through. As on AWS, service control policies with conditions are left out. Source: IAM User Guide,
	// "IAM policy testing with the IAM policy simulator" (AWS-documented).
	Member, Organization bool
}

// Simulate decides an action for a role or user by the policies that are attached to it. Nothing is
// written to the journal: nobody asked for the resource.
func (d *Directory) Simulate(p iam.Principal, action, resource string) Simulation {
	policies := d.policies(Check{Caller: Caller{Principal: p}, Account: p.Account})
	policies.RCPs = nil
	var out Simulation
	out.Member = policies.SCPs != nil
	var levels [][]iam.Policy // the directory's own are not touched
	for _, level := range policies.SCPs {
		levels = append(levels, unconditional(level))
	}
	policies.SCPs = levels
	request := iam.Request{Principal: p, Action: action, Resource: resource, ResourceAccount: p.Account}
	out.Decision = iam.Decide(request, policies)
	alone := iam.Policies{SCPs: policies.SCPs, Identity: []iam.Policy{{Name: "everything", Document: everything()}}}
	out.Organization = iam.Decide(request, alone).Allowed
	return out
}

// unconditional leaves out the policies of a level that have conditions.
func unconditional(level []iam.Policy) []iam.Policy {
	return slices.DeleteFunc(slices.Clone(level), func(p iam.Policy) bool {
		return slices.ContainsFunc(p.Document.Statements, func(s iam.Statement) bool { return len(s.Condition) > 0 })
	})
}

func everything() iam.Document {
	return iam.Document{Version: iam.Version2012, Statements: []iam.Statement{
		{Effect: iam.Allow, Action: []string{"*"}, Resource: []string{"*"}},
	}}
}
