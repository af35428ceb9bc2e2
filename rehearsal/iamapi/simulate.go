package iamapi

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

type xmlEvaluation struct {
	EvalActionName              string
	EvalResourceName            string
	EvalDecision                string
	OrganizationsDecisionDetail *struct{ AllowedByOrganizations bool } `xml:",omitempty"`
}

// simulate answers what the policies attached to a role or user would decide, for every action on every
// resource, and whether the account's organization would let it through. Source: IAM API Reference,
// SimulatePrincipalPolicy (AWS-documented).
func (s *Service) simulate(r *http.Request, caller accounts.Caller) (any, error) {
	source := r.Form.Get("PolicySourceArn")
	if err := s.allow(caller, "SimulatePrincipalPolicy", source); err != nil {
		return nil, err
	}
	p, err := s.principal(caller.Account, source)
	if err != nil {
		return nil, err
	}
	actions, resources := members(r.Form, "ActionNames"), members(r.Form, "ResourceArns")
	if len(actions) == 0 {
		return nil, wire.Errorf(400, "ValidationError", "1 validation error detected: Value at 'actionNames' failed to satisfy constraint: Member must not be null")
	}
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var out struct {
		Results     []xmlEvaluation `xml:"EvaluationResults>member"`
		IsTruncated bool
	}
	for _, action := range actions {
		for _, resource := range resources {
			out.Results = append(out.Results, s.evaluation(p, action, resource))
		}
	}
	return out, nil
}

func (s *Service) evaluation(p iam.Principal, action, resource string) xmlEvaluation {
	got := s.directory.Simulate(p, action, resource)
	x := xmlEvaluation{EvalActionName: action, EvalResourceName: resource, EvalDecision: "implicitDeny"}
	switch {
	case got.Decision.Allowed:
		x.EvalDecision = "allowed"
	case got.Decision.Explicit:
		x.EvalDecision = "explicitDeny"
	}
	if got.Member {
		x.OrganizationsDecisionDetail = &struct{ AllowedByOrganizations bool }{got.Organization}
	}
	return x
}

// members are the values of a list in the query protocol.
func members(form url.Values, name string) []string {
	var out []string
	for i := 1; form.Has(name + ".member." + strconv.Itoa(i)); i++ {
		out = append(out, form.Get(name+".member."+strconv.Itoa(i)))
	}
	return out
}
