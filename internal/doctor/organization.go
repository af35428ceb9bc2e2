package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/doctor/repair"
)

// organizations asks IAM whether the accounts' organization lets their roles do what they need: an account
// cannot read the service control policies that bind it, but the policy simulator knows them. It leaves
// out those that have conditions. Source: IAM API Reference, OrganizationsDecisionDetail; IAM User Guide,
// "IAM policy testing with the IAM policy simulator".
func (w *walk) organizations(ctx context.Context) {
	byAccount := map[string][]demand{}
	for _, d := range w.asked {
		if r := w.roles[d.role]; r != nil && !r.missing {
			byAccount[r.principal.Account] = merge(byAccount[r.principal.Account], d)
		}
	}
	for _, account := range slices.Sorted(maps.Keys(byAccount)) {
		w.organization(ctx, account, byAccount[account])
	}
}

// merge adds a demand to those of the same role on the same resource: one question for all their actions.
func merge(list []demand, d demand) []demand {
	for i, old := range list {
		if old.role == d.role && old.resource == d.resource {
			list[i].actions = slices.Concat(old.actions, d.actions)
			return list
		}
	}
	return append(list, d)
}

func (w *walk) organization(ctx context.Context, account string, demands []demand) {
	r := Rung{
		Name: "the organization allows it", Account: account, Subject: "service control policies of account " + account, State: OK,
		Why: "no service control policy without conditions denies what its roles need",
	}
	s, err := w.at(account)
	for _, d := range demands {
		if err != nil {
			break
		}
		var denied []string
		if denied, err = w.simulate(ctx, s, d); len(denied) > 0 {
			r.State = Broken
			r.Why = fmt.Sprintf("%s is denied %s on %s by a service control policy", d.role, strings.Join(denied, ", "), d.resource)
			r.Changes = append(r.Changes, remove(account, denied, d.resource))
		}
	}
	if err != nil && r.State == OK {
		r.State, r.Why = Unknown, brief(err)
	}
	w.add(r)
}

// remove says what has to go. The statement is what it denies, not how it is written: a member account
// cannot read it.
func remove(account string, actions []string, resource string) repair.Change {
	s := iam.Statement{Effect: iam.Deny, Action: actions, Resource: []string{resource}}
	return repair.Change{
		Do: repair.Remove, Account: account, To: "service control policies of its organization, whatever denies this", Layer: string(iam.LayerSCP),
		Statement: []byte(s.String()),
	}
}

// simulate lists the actions of a demand that the organization denies.
func (w *walk) simulate(ctx context.Context, s *side, d demand) ([]string, error) {
	w.read("iam:SimulatePrincipalPolicy", d.role[strings.LastIndexByte(d.role, '/')+1:])
	out, err := s.iam.SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{
		PolicySourceArn: &d.role, ActionNames: d.actions, ResourceArns: []string{d.resource},
	})
	if err != nil {
		return nil, fmt.Errorf("iam:SimulatePrincipalPolicy %s: %s", d.role, brief(err))
	}
	if len(out.EvaluationResults) < len(d.actions) {
		return nil, fmt.Errorf("iam:SimulatePrincipalPolicy %s: %w", d.role, errEmpty)
	}
	var denied []string
	for _, e := range out.EvaluationResults {
		if o := e.OrganizationsDecisionDetail; o != nil && !o.AllowedByOrganizations {
			denied = append(denied, aws.ToString(e.EvalActionName))
		}
	}
	return denied, nil
}
