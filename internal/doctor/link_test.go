package doctor

import (
	"errors"
	"strings"
	"testing"

	"github.com/unstale/unstale/iam"
)

const (
	roleA = "arn:aws:iam::111111111111:role/job"
	roleB = "arn:aws:iam::222222222222:role/purge"
)

func caller(policies ...string) *role {
	r := &role{principal: iam.Principal{ARN: "arn:aws:sts::111111111111:assumed-role/job/s", Account: "111111111111", RoleARN: roleA, UniqueID: "AROAJOB"}}
	for _, text := range policies {
		r.identity = append(r.identity, *policy(text))
	}
	return r
}

func policy(statement string) *iam.Policy {
	p, err := plain("p", `{"Version":"2012-10-17","Statement":[`+statement+`]}`)
	if err != nil {
		panic(err)
	}
	return p
}

const (
	mayAssume = `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + roleB + `"}`
	trusts    = `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"111111111111"}`
)

// Every combination of what is known and unknown of the two sides of a link.
func TestDecide(t *testing.T) {
	unread := errors.New("not allowed to look")
	dark := func(r *role) *role { r.err = unread; return r }
	tests := []struct {
		name   string
		caller *role
		trust  *iam.Policy
		err    error
		want   State
		layers string // of the changes
	}{
		{"both sides", caller(mayAssume), policy(trusts + `}`), nil, OK, ""},
		{"no trust", caller(mayAssume), nil, nil, Broken, "trust"},
		{"no permission", caller(), policy(trusts + `}`), nil, Broken, "identity"},
		{"neither", caller(), nil, nil, Broken, "trust identity"},
		{"trust unread", caller(mayAssume), nil, unread, Unknown, ""},
		{"trust unread, no permission", caller(), nil, unread, Broken, "identity"},
		{"permissions unread", dark(caller()), policy(trusts + `}`), nil, Unknown, ""},
		{"permissions half read, enough of them", dark(caller(mayAssume)), policy(trusts + `}`), nil, Unknown, ""},
		{"permissions unread, no trust", dark(caller()), nil, nil, Broken, "trust"},
		{"permissions unread, a Deny among what was read", dark(caller(strings.Replace(mayAssume, "Allow", "Deny", 1))), policy(trusts + `}`), nil, Broken, "identity"},
		{"nothing read", dark(caller()), nil, unread, Unknown, ""},
		{"external ID", caller(mayAssume), policy(trusts + `,"Condition":{"StringEquals":{"sts:ExternalId":"e"}}}`), nil, OK, ""},
		{"another external ID", caller(mayAssume), policy(trusts + `,"Condition":{"StringEquals":{"sts:ExternalId":"x"}}}`), nil, Broken, "trust"},
		{"an organization's members", caller(mayAssume), policy(trusts + `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}`), nil, Unknown, ""},
		{"an organization's members, another ID", caller(mayAssume), policy(trusts + `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1","sts:ExternalId":"x"}}}`), nil, Broken, "trust"},
		{"all but some addresses", caller(mayAssume, `{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.1"}}}`), policy(trusts + `}`), nil, Unknown, ""},
		{"only some addresses", caller(mayAssume, `{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.1"}}}`), policy(trusts + `}`), nil, Unknown, ""},
		{"not from some addresses", caller(strings.Replace(mayAssume, "}", `,"Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.1"}}}`, 1)), policy(trusts + `}`), nil, Unknown, ""},
		{"a Deny on another action", caller(mayAssume, `{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.1"}}}`), policy(trusts + `}`), nil, OK, ""},
	}
	for _, tt := range tests {
		w := &walk{}
		r := w.decide(link{
			name: "l", caller: tt.caller, actions: []string{"sts:AssumeRole"}, resource: roleB, policy: tt.trust, err: tt.err,
			kind: iam.ResourceTrust, context: map[string][]string{"sts:ExternalId": {"e"}},
		})
		var layers []string
		for _, c := range r.Changes {
			layers = append(layers, c.Layer)
		}
		if r.State != tt.want || strings.Join(layers, " ") != tt.layers || r.Why == "" || r.Account != "222222222222" {
			t.Errorf("%s: %+v", tt.name, r)
		}
		if r.State == Unknown && !strings.Contains(r.Why, "not allowed to look") && !strings.Contains(r.Why, "only the real request carries") {
			t.Errorf("%s: it does not say why it is unknown: %s", tt.name, r.Why)
		}
		if len(w.asked) != 1 {
			t.Errorf("%s: the organization is asked %d times", tt.name, len(w.asked))
		}
	}
}

func TestDecideWithoutACaller(t *testing.T) {
	w := &walk{}
	missing := caller()
	missing.missing, missing.err = true, errors.New("account 111111111111 has no role job")
	if r := w.decide(link{caller: missing, actions: []string{"a:B"}, resource: "*"}); r.State != Broken || r.Subject != roleA || r.Account != "111111111111" {
		t.Errorf("a role that is gone: %+v", r)
	}
	pending := caller()
	pending.pending = "unstale-pipeline-assume"
	r := w.decide(link{caller: pending, actions: []string{"sts:AssumeRole"}, resource: roleB, policy: policy(trusts + `}`), kind: iam.ResourceTrust})
	if r.State != OK || !strings.HasSuffix(r.Why, "would come with stack unstale-pipeline-assume") {
		t.Errorf("a policy that is still to come: %+v", r)
	}
	// A service that may send aws:SourceArn, and may not.
	takes := `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"},"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:lambda:*:*:function:f"}}}`
	if r := w.decide(link{service: "lambda.amazonaws.com", actions: []string{"sts:AssumeRole"}, resource: roleB, policy: policy(takes), kind: iam.ResourceTrust}); r.State != Unknown {
		t.Errorf("a service's own condition: %+v", r)
	}
}
