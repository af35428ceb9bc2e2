package iamapi_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/fronttest"
	"github.com/unstale/unstale/rehearsal/iamapi"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	accountA = "111111111111"
	accountB = "222222222222"
	trustA   = `{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"sts:AssumeRole"}]}`
	policy   = `{"Version":"2012-10-17","Statement":[{"Sid":"Invalidate","Effect":"Allow","Action":"cloudfront:CreateInvalidation","Resource":"arn:aws:cloudfront::222222222222:distribution/E1"}]}`
)

type world struct {
	*fronttest.World
	iam *iamapi.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := fronttest.New(t, accountA, accountB)
	s := iamapi.New(w.Directory)
	w.Serve(iamapi.SigningName, s, wire.WriteXMLError)
	return &world{w, s}
}

func (w *world) client(c accounts.Credentials) *awsiam.Client {
	return awsiam.New(awsiam.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(w.URL), RetryMaxAttempts: 1,
		Credentials: fronttest.Keys(c),
	})
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	var e smithy.APIError
	switch {
	case err == nil && want == "", errors.As(err, &e) && e.ErrorCode() == want, err != nil && want != "" && wire.AsError(err).Code == want:
	default:
		t.Errorf("%v, want %q", err, want)
	}
}

func decoded(t *testing.T, text *string) string {
	t.Helper()
	out, err := url.PathUnescape(aws.ToString(text))
	if err != nil || out == aws.ToString(text) {
		t.Errorf("%s is not URL-encoded: %v", aws.ToString(text), err)
	}
	return out
}

func TestALifeOfARole(t *testing.T) {
	w := newWorld(t)
	c, ctx, name := w.client(w.Root(accountB)), t.Context(), aws.String("gateway")
	made, err := c.CreateRole(ctx, &awsiam.CreateRoleInput{
		RoleName: name, AssumeRolePolicyDocument: aws.String(trustA), Description: aws.String("to A"), Path: aws.String("/unstale/"), MaxSessionDuration: aws.Int32(7200),
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := made.Role; aws.ToString(r.Arn) != "arn:aws:iam::222222222222:role/unstale/gateway" || aws.ToInt32(r.MaxSessionDuration) != 7200 ||
		time.Since(aws.ToTime(r.CreateDate)) > time.Minute || !strings.HasPrefix(aws.ToString(r.RoleId), "AROA") {
		t.Errorf("made %+v", r)
	}
	_, err = c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(trustA)})
	wantCode(t, err, "EntityAlreadyExists")
	_, err = c.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("invalidate"), PolicyDocument: aws.String(policy)})
	wantCode(t, err, "")
	names, err := c.ListRolePolicies(ctx, &awsiam.ListRolePoliciesInput{RoleName: name})
	wantCode(t, err, "")
	if len(names.PolicyNames) != 1 || names.PolicyNames[0] != "invalidate" || names.IsTruncated {
		t.Errorf("policies %+v", names)
	}
	got, err := c.GetRolePolicy(ctx, &awsiam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("invalidate")})
	wantCode(t, err, "")
	if text := decoded(t, got.PolicyDocument); !strings.Contains(text, "cloudfront:CreateInvalidation") {
		t.Errorf("policy %s", text)
	}
	managed, err := c.ListAttachedRolePolicies(ctx, &awsiam.ListAttachedRolePoliciesInput{RoleName: name})
	wantCode(t, err, "")
	if len(managed.AttachedPolicies) != 0 {
		t.Errorf("managed %+v", managed)
	}
	_, err = c.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: name})
	wantCode(t, err, "DeleteConflict")
	_, err = c.DeleteRolePolicy(ctx, &awsiam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("invalidate")})
	wantCode(t, err, "")
	_, err = c.DeleteRolePolicy(ctx, &awsiam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("invalidate")})
	wantCode(t, err, "NoSuchEntity")
	_, err = c.GetRolePolicy(ctx, &awsiam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("invalidate")})
	wantCode(t, err, "NoSuchEntity")
	roles, err := c.ListRoles(ctx, &awsiam.ListRolesInput{})
	wantCode(t, err, "")
	if len(roles.Roles) != 1 {
		t.Errorf("roles %+v", roles.Roles)
	}
	_, err = c.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: name})
	wantCode(t, err, "")
	_, err = c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: name})
	wantCode(t, err, "NoSuchEntity")
}

func TestDocumentsAWSRefuses(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client(w.Root(accountB)), t.Context()
	if _, err := c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: aws.String("gateway"), AssumeRolePolicyDocument: aws.String(trustA)}); err != nil {
		t.Fatal(err)
	}
	trust := map[string]string{
		"fine":             trustA,
		"not JSON":         `{`,
		"nobody":           strings.Replace(trustA, ":root", ":role/nobody", 1),
		"unknown account":  strings.Replace(trustA, "111111111111", "333333333333", 1),
		"with a resource":  strings.Replace(trustA, `"Action"`, `"Resource":"*","Action"`, 1),
		"identity policy":  policy,
		"all but somebody": strings.Replace(strings.Replace(trustA, "Principal", "NotPrincipal", 1), "Allow", "Deny", 1),
	}
	for name, text := range trust {
		_, err := c.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: aws.String("gateway"), PolicyDocument: aws.String(text)})
		want := "MalformedPolicyDocument"
		if name == "fine" {
			want = ""
		}
		t.Run("trust "+name, func(t *testing.T) { wantCode(t, err, want) })
	}
	for name, tt := range map[string]struct{ name, text, want string }{
		"fine":           {"p", policy, ""},
		"with principal": {"p", trustA, "MalformedPolicyDocument"},
		"Sid with space": {"p", strings.Replace(policy, "Invalidate", "In validate", 1), "MalformedPolicyDocument"},
		"name":           {"a b", policy, "ValidationError"},
		"too long":       {"p", strings.Replace(policy, "distribution/E1", "distribution/"+strings.Repeat("E", 10240), 1), "LimitExceeded"},
	} {
		_, err := c.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: aws.String("gateway"), PolicyName: aws.String(tt.name), PolicyDocument: aws.String(tt.text)})
		t.Run("policy "+name, func(t *testing.T) { wantCode(t, err, tt.want) })
	}
	for name, in := range map[string]*awsiam.CreateRoleInput{
		"name":     {RoleName: aws.String("a/b")},
		"path":     {RoleName: aws.String("x"), Path: aws.String("x")},
		"duration": {RoleName: aws.String("x"), MaxSessionDuration: aws.Int32(3599)},
	} {
		in.AssumeRolePolicyDocument = aws.String(trustA)
		_, err := c.CreateRole(ctx, in)
		t.Run("role "+name, func(t *testing.T) { wantCode(t, err, "ValidationError") })
	}
}

// TestTrustOutlivesNobody: a trusted role is shown by its ARN while it lives, by its ID when it is gone.
func TestTrustOutlivesNobody(t *testing.T) {
	w := newWorld(t)
	a, b, ctx := w.client(w.Root(accountA)), w.client(w.Root(accountB)), t.Context()
	job, err := a.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: aws.String("job"), AssumeRolePolicyDocument: aws.String(trustA)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: aws.String("gateway"), AssumeRolePolicyDocument: aws.String(strings.Replace(trustA, ":root", ":role/job", 1))})
	if err != nil {
		t.Fatal(err)
	}
	shown := func() string {
		t.Helper()
		r, err := b.GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("gateway")})
		if err != nil {
			t.Fatal(err)
		}
		return decoded(t, r.Role.AssumeRolePolicyDocument)
	}
	if !strings.Contains(shown(), aws.ToString(job.Role.Arn)) {
		t.Errorf("alive: %s", shown())
	}
	if _, err := a.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: aws.String("job")}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(shown(), aws.ToString(job.Role.RoleId)) {
		t.Errorf("gone: %s", shown())
	}
}

func TestUsersAndUnknowns(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	doc, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	person, err := w.Directory.AddUser(accountA, "person", doc)
	if err != nil {
		t.Fatal(err)
	}
	root, err := w.client(w.Root(accountA)).GetUser(ctx, &awsiam.GetUserInput{})
	if err != nil || aws.ToString(root.User.Arn) != "arn:aws:iam::111111111111:root" || aws.ToString(root.User.UserId) != accountA {
		t.Errorf("root is %+v, %v", root, err)
	}
	me, err := w.client(person).GetUser(ctx, &awsiam.GetUserInput{})
	if err != nil || aws.ToString(me.User.UserName) != "person" {
		t.Errorf("the person is %+v, %v", me, err)
	}
	_, err = w.client(person).GetUser(ctx, &awsiam.GetUserInput{UserName: aws.String("nobody")})
	wantCode(t, err, "NoSuchEntity")
	_, err = w.client(person).ListRoles(ctx, &awsiam.ListRolesInput{})
	wantCode(t, err, "AccessDenied")
	_, err = w.client(person).GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("nobody")})
	wantCode(t, err, "AccessDenied") // before it says whether there is one
	c := w.client(w.Root(accountA))
	_, err = c.SimulateCustomPolicy(ctx, &awsiam.SimulateCustomPolicyInput{PolicyInputList: []string{policy}, ActionNames: []string{"s3:GetObject"}})
	wantCode(t, err, "NotEmulated")
	_, err = c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: aws.String("x"), AssumeRolePolicyDocument: aws.String(trustA), PermissionsBoundary: aws.String("arn:aws:iam::111111111111:policy/b")})
	wantCode(t, err, "NotEmulated")
}

func TestTemplates(t *testing.T) {
	w := newWorld(t)
	byName := map[string]templates.Type{}
	for _, typ := range w.iam.ResourceTypes() {
		byName[typ.Name] = typ
	}
	ctx := t.Context()
	request := func(properties string) templates.Request {
		t.Helper()
		r := templates.Request{Caller: w.Root(accountB).Caller, Account: accountB, Region: "us-east-1", Stack: "unstale", LogicalID: "Role"}
		if err := json.Unmarshal([]byte(properties), &r.Properties); err != nil {
			t.Fatal(err)
		}
		return r
	}
	existing := func(made templates.Resource, r templates.Request) templates.Existing {
		return templates.Existing{Caller: r.Caller, Account: r.Account, Region: r.Region, Resource: made, Properties: r.Properties}
	}
	full := request(`{"RoleName":"invalidator","Description":"d","AssumeRolePolicyDocument":` + trustA + `,"Policies":[{"PolicyName":"p","PolicyDocument":` + policy + `}]}`)
	role := byName["AWS::IAM::Role"]
	made, err := role.Create(ctx, full)
	if err != nil {
		t.Fatal(err)
	}
	if made.Ref != "invalidator" || made.Attributes["Arn"] != "arn:aws:iam::222222222222:role/invalidator" || made.Attributes["RoleId"] == "" {
		t.Errorf("made %+v", made)
	}
	for properties, want := range map[string]string{
		`{"AssumeRolePolicyDocument":` + trustA + `,"Tags":[]}`:                 "NotEmulated",
		`{"AssumeRolePolicyDocument":` + trustA + `,"PermissionsBoundary":"x"}`: "NotEmulated",
		`{"RoleName":"invalidator","AssumeRolePolicyDocument":` + trustA + `}`:  "EntityAlreadyExists",
		`{"RoleName":"x"}`: "MalformedPolicyDocument",
		`{"AssumeRolePolicyDocument":` + strings.Replace(trustA, ":root", ":role/nobody", 1) + `}`:                   "MalformedPolicyDocument",
		`{"AssumeRolePolicyDocument":` + trustA + `,"Policies":[{"PolicyName":"","PolicyDocument":` + policy + `}]}`: "ValidationError",
	} {
		_, err := role.Create(ctx, request(properties))
		wantCode(t, err, want)
	}
	inline := byName["AWS::IAM::RolePolicy"]
	put := request(`{"RoleName":"invalidator","PolicyName":"more","PolicyDocument":` + policy + `}`)
	attached, err := inline.Create(ctx, put)
	if err != nil {
		t.Fatal(err)
	}
	renamed := request(`{"RoleName":"invalidator","PolicyName":"other","PolicyDocument":` + policy + `}`)
	moved, err := inline.Update(ctx, renamed, existing(attached, put))
	wantCode(t, err, "")
	r, err := w.Directory.Role(made.Attributes["Arn"])
	if err != nil || len(r.Inline) != 2 || len(r.Inline["other"].Statements) != 1 || len(r.Inline["p"].Statements) != 1 {
		t.Errorf("after the update: %+v, %v", r, err)
	}
	for range 2 { // the second time there is nothing left, which is no error
		wantCode(t, inline.Delete(ctx, existing(moved, renamed)), "")
		wantCode(t, role.Delete(ctx, existing(made, full)), "")
	}
}
