package iam

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t testing.TB, s string) Document {
	t.Helper()
	d, err := Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const trustOfMany = `{"Version":"2012-10-17","Statement":[
	{"Sid":"One","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111111111111:role/job","*","222222222222"],"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"},
	{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111111111111:role/job","arn:aws:iam::111111111111:user/ann"]},"Action":"sts:AssumeRole"},
	{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"},
	{"Effect":"Allow","Principal":{"Federated":"accounts.google.com"},"Action":"sts:AssumeRoleWithWebIdentity"}]}`

func TestPrincipals(t *testing.T) {
	want := []string{"arn:aws:iam::111111111111:role/job", "222222222222", "arn:aws:iam::111111111111:user/ann"}
	if diff := cmp.Diff(want, mustParse(t, trustOfMany).Principals()); diff != "" {
		t.Error(diff)
	}
	if got := mustParse(t, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`).Principals(); len(got) != 0 {
		t.Errorf("an identity policy names %v", got)
	}
}

func TestMapPrincipals(t *testing.T) {
	d := mustParse(t, trustOfMany)
	before := d.String()
	mapped, err := d.MapPrincipals(func(name string) (string, error) {
		if name == "arn:aws:iam::111111111111:role/job" {
			return "AROAJOB1", nil
		}
		return name, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(before, "arn:aws:iam::111111111111:role/job", "AROAJOB1"); mapped.String() != want {
		t.Errorf("got  %s\nwant %s", mapped, want)
	}
	if d.String() != before {
		t.Errorf("the original changed: %s", d)
	}
	gone := errors.New("no such user")
	_, err = d.MapPrincipals(func(name string) (string, error) {
		if strings.HasSuffix(name, "user/ann") {
			return "", gone
		}
		return name, nil
	})
	if !errors.Is(err, gone) || !strings.Contains(err.Error(), `statement "#1"`) {
		t.Errorf("got %v, want the error wrapped and its statement named", err)
	}
}

func TestValidate(t *testing.T) {
	const identity = `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
	const bucket = `{"Sid":"Any name","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}`
	const trust = `{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}`
	const except = `{"Effect":"Deny","NotPrincipal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}`
	const guard = `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}`
	const full = `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*","Resource":"*"}`
	for _, c := range []struct {
		layer           Layer
		statement, want string // want: part of the error; empty where it is valid
	}{
		{LayerIdentity, identity, ""},
		{LayerSession, identity, ""},
		{LayerBoundary, identity, ""},
		{LayerSCP, identity, ""},
		{LayerIdentity, bucket, "Principal: a policy attached to its caller names no principal; remove it"},
		{LayerIdentity, `{"Sid":"a b","Effect":"Allow","Action":"s3:*","Resource":"*"}`, "Sid: it has characters other than"},
		{LayerIdentity, `{"Effect":"Allow","Action":"s3:*"}`, "Resource: it is missing"},
		{LayerResource, bucket, ""},
		{LayerKey, bucket, ""},
		{LayerResource, identity, "Principal: it is missing; say who is meant"},
		{LayerKey, trust, "Resource: it is missing"},
		{LayerTrust, trust, ""},
		{LayerTrust, identity, "Principal: it is missing"},
		{LayerTrust, bucket, "Resource: a trust policy has none"},
		{LayerTrust, except, "NotPrincipal: a trust policy cannot have it"},
		{LayerRCP, guard, ""},
		{LayerRCP, full, ""},
		{LayerRCP, bucket, `Effect: a resource control policy only denies; write "Deny"`},
		{LayerRCP, `{"Effect":"Deny","Principal":{"AWS":"111111111111"},"Action":"s3:*","Resource":"*"}`, "is for everyone"},
		{LayerRCP, `{"Effect":"Deny","Action":"s3:*","Resource":"*"}`, "is for everyone"},
		{"nowhere", identity, `layer "nowhere" is unknown`},
	} {
		err := mustParse(t, `{"Statement":[`+c.statement+`]}`).Validate(c.layer)
		var parse *ParseError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s as %s: %v", c.statement, c.layer, err)
		case c.want != "" && (!errors.As(err, &parse) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s as %s: got %v, want %s", c.statement, c.layer, err, c.want)
		}
	}
}

// TestDocumentsBuiltByHand: what Parse and Validate would refuse must not open a door when it is
// built in code and handed to Decide all the same.
func TestDocumentsBuiltByHand(t *testing.T) {
	r := Request{
		Principal: Principal{ARN: "arn:aws:iam::111111111111:user/ann", Account: "111111111111"},
		Action:    "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: "111111111111",
	}
	all, everyone := []string{"*"}, &Principals{Everyone: true}
	policy := func(s ...Statement) Policy {
		return Policy{Name: "p", Document: Document{Version: Version2012, Statements: s}}
	}
	good := policy(Statement{Effect: Allow, Action: all, Resource: all})
	for name, p := range map[string]Policies{
		"identity with a principal":        {Identity: []Policy{policy(Statement{Effect: Allow, Principal: everyone, Action: all, Resource: all})}},
		"identity without resource":        {Identity: []Policy{policy(Statement{Effect: Allow, Action: all})}},
		"no effect":                        {Identity: []Policy{policy(Statement{Action: all, Resource: all})}},
		"no action":                        {Identity: []Policy{policy(Statement{Effect: Allow, Resource: all})}},
		"malformed variable":               {Identity: []Policy{policy(Statement{Effect: Allow, Action: all, Resource: []string{"arn:aws:s3:::b/k${"}})}},
		"resource without principal":       {Kind: ResourcePolicy, Resource: ptr(policy(Statement{Effect: Allow, Action: all, Resource: all}))},
		"resource with not principal":      {Kind: ResourcePolicy, Resource: ptr(policy(Statement{Effect: Allow, NotPrincipal: &Principals{}, Action: all, Resource: all}))},
		"resource without resource":        {Kind: ResourcePolicy, Resource: ptr(policy(Statement{Effect: Allow, Principal: everyone, Action: all}))},
		"deny without resource":            {Identity: []Policy{good, policy(Statement{Effect: Deny, Action: all})}},
		"deny with a principal":            {Identity: []Policy{good, policy(Statement{Effect: Deny, Principal: &Principals{}, Action: all, Resource: all})}},
		"deny on a resource, no principal": {Identity: []Policy{good}, Kind: ResourcePolicy, Resource: ptr(policy(Statement{Effect: Deny, Action: all, Resource: all}))},
	} {
		if d := Decide(r, p); d.Allowed {
			t.Errorf("%s: allowed: %s", name, d.Reason)
		}
	}
	if d := Decide(r, Policies{Identity: []Policy{good}}); !d.Allowed {
		t.Errorf("the control is denied: %s", d.Reason)
	}
}

func ptr(p Policy) *Policy { return &p }
