package iamapi_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
)

const managedARN = "arn:aws:iam::222222222222:policy/team/purge"

func parsed(t *testing.T, text string) iam.Document {
	t.Helper()
	d, err := iam.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// gateway is a role with a managed policy and a boundary.
func (w *world) gateway(t *testing.T) *accounts.Role {
	t.Helper()
	r, err := w.Directory.CreateRole(accounts.Role{
		Account: accountB, Name: "gateway", Trust: parsed(t, trustA),
		Managed:  []accounts.ManagedPolicy{{ARN: managedARN, Document: parsed(t, policy)}},
		Boundary: &iam.Policy{Name: "arn:aws:iam::222222222222:policy/limit", Document: parsed(t, strings.Replace(policy, "CreateInvalidation", "*", 1))},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestManagedPolicies(t *testing.T) {
	w := newWorld(t)
	w.gateway(t)
	c, ctx := w.client(w.Root(accountB)), t.Context()
	role, err := c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("gateway")})
	wantCode(t, err, "")
	boundary := aws.ToString(role.Role.PermissionsBoundary.PermissionsBoundaryArn)
	for arn, want := range map[string]string{managedARN: "CreateInvalidation", boundary: "cloudfront:*"} {
		p, err := c.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: &arn})
		wantCode(t, err, "")
		v, err := c.GetPolicyVersion(ctx, &awsiam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: p.Policy.DefaultVersionId})
		wantCode(t, err, "")
		if text := decoded(t, v.PolicyVersion.Document); !strings.Contains(text, want) || !v.PolicyVersion.IsDefaultVersion {
			t.Errorf("%s: %s", arn, text)
		}
	}
	p, err := c.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: aws.String(managedARN)})
	wantCode(t, err, "")
	if aws.ToString(p.Policy.PolicyName) != "purge" || aws.ToInt32(p.Policy.AttachmentCount) != 1 {
		t.Errorf("%+v", p.Policy)
	}
	_, err = c.GetPolicyVersion(ctx, &awsiam.GetPolicyVersionInput{PolicyArn: aws.String(managedARN), VersionId: aws.String("v2")})
	wantCode(t, err, "NoSuchEntity")
	_, err = c.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: aws.String("arn:aws:iam::222222222222:policy/nobody")})
	wantCode(t, err, "NoSuchEntity")
	_, err = w.client(w.Root(accountA)).GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: aws.String(managedARN)})
	wantCode(t, err, "AccessDenied") // another account's
}

func TestPoliciesOfAUser(t *testing.T) {
	w := newWorld(t)
	me, err := w.Directory.AddUser(accountB, "me", parsed(t, policy))
	if err != nil {
		t.Fatal(err)
	}
	c, ctx, name := w.client(w.Root(accountB)), t.Context(), aws.String("me")
	names, err := c.ListUserPolicies(ctx, &awsiam.ListUserPoliciesInput{UserName: name})
	wantCode(t, err, "")
	if len(names.PolicyNames) != 1 {
		t.Fatalf("%+v", names)
	}
	one, err := c.GetUserPolicy(ctx, &awsiam.GetUserPolicyInput{UserName: name, PolicyName: &names.PolicyNames[0]})
	wantCode(t, err, "")
	if text := decoded(t, one.PolicyDocument); !strings.Contains(text, "CreateInvalidation") {
		t.Error(text)
	}
	attached, err := c.ListAttachedUserPolicies(ctx, &awsiam.ListAttachedUserPoliciesInput{UserName: name})
	wantCode(t, err, "")
	groups, err := c.ListGroupsForUser(ctx, &awsiam.ListGroupsForUserInput{UserName: name})
	wantCode(t, err, "")
	if len(attached.AttachedPolicies)+len(groups.Groups) != 0 {
		t.Errorf("%+v %+v", attached, groups)
	}
	_, err = c.GetUserPolicy(ctx, &awsiam.GetUserPolicyInput{UserName: name, PolicyName: aws.String("other")})
	wantCode(t, err, "NoSuchEntity")
	_, err = c.ListUserPolicies(ctx, &awsiam.ListUserPoliciesInput{UserName: aws.String("you")})
	wantCode(t, err, "NoSuchEntity")
	_, err = w.client(me).ListUserPolicies(ctx, &awsiam.ListUserPoliciesInput{UserName: name})
	wantCode(t, err, "AccessDenied")
}

func TestSimulate(t *testing.T) {
	w := newWorld(t)
	role := w.gateway(t)
	c, ctx := w.client(w.Root(accountB)), t.Context()
	const mine, other = "arn:aws:cloudfront::222222222222:distribution/E1", "arn:aws:cloudfront::222222222222:distribution/E2"
	ask := func() map[string]string {
		t.Helper()
		out, err := c.SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{
			PolicySourceArn: &role.ARN, ActionNames: []string{"cloudfront:CreateInvalidation"}, ResourceArns: []string{mine, other},
		})
		wantCode(t, err, "")
		got := map[string]string{}
		for _, r := range out.EvaluationResults {
			organization := ""
			if o := r.OrganizationsDecisionDetail; o != nil {
				organization = map[bool]string{true: " through", false: " stopped"}[o.AllowedByOrganizations]
			}
			got[aws.ToString(r.EvalResourceName)[len(mine)-2:]] = string(r.EvalDecision) + organization
		}
		return got
	}
	organize := func(statement string) {
		t.Helper()
		all := iam.Policy{Name: "FullAWSAccess", Document: parsed(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)}
		scp := iam.Policy{Name: "Guardrails", Document: parsed(t, `{"Version":"2012-10-17","Statement":[`+statement+`]}`)}
		if err := w.Directory.SetOrganization(accountB, [][]iam.Policy{{all, scp}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := ask(); got["E1"] != "allowed" || got["E2"] != "implicitDeny" {
		t.Errorf("without an organization: %v", got)
	}
	organize(`{"Effect":"Deny","Action":"cloudfront:*","Resource":"` + mine + `"}`)
	if got := ask(); got["E1"] != "explicitDeny stopped" || got["E2"] != "implicitDeny through" {
		t.Errorf("with a Deny: %v", got)
	}
	organize(`{"Effect":"Deny","Action":"cloudfront:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceAccount":"222222222222"}}}`)
	if got := ask(); got["E1"] != "allowed through" {
		t.Errorf("with a Deny on a condition, which the simulator leaves out: %v", got)
	}
	organize(`{"Effect":"Deny","Action":"cloudfront:*","Resource":"` + mine + `"}`)
	if got := ask(); got["E1"] != "explicitDeny stopped" {
		t.Errorf("asking changed the organization: %v", got)
	}
	_, err := c.SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String("arn:aws:iam::222222222222:role/nobody"), ActionNames: []string{"a:B"}})
	wantCode(t, err, "NoSuchEntity")
	_, err = c.SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: &role.ARN, ActionNames: []string{"a:B"}, CallerArn: &role.ARN})
	wantCode(t, err, "NotEmulated")
	_, err = w.client(w.Root(accountA)).SimulatePrincipalPolicy(ctx, &awsiam.SimulatePrincipalPolicyInput{PolicySourceArn: &role.ARN, ActionNames: []string{"a:B"}})
	wantCode(t, err, "NoSuchEntity")
}
