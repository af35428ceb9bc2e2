package repair

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unstale/unstale/iam"
)

func remedy(account, to string, layer iam.Layer, action, resource string) iam.Remedy {
	return iam.Remedy{Account: account, To: to, Layer: layer, Statement: iam.Statement{
		Effect: iam.Allow, Action: []string{action}, Resource: []string{resource},
	}}
}

func TestOf(t *testing.T) {
	both := remedy("1", "r", iam.LayerIdentity, "s3:GetObject", "arn:aws:s3:::b/k/1")
	both.Also = []iam.Remedy{remedy("2", "b", iam.LayerResource, "s3:GetObject", "arn:aws:s3:::b/k/1")}
	tests := []struct {
		name string
		in   []iam.Remedy
		want string
	}{
		{"none", nil, ""},
		{"actions merge", []iam.Remedy{
			remedy("1", "r", iam.LayerIdentity, "a:B", "*"), remedy("1", "r", iam.LayerIdentity, "a:C", "*"), remedy("1", "r", iam.LayerIdentity, "a:B", "*"),
		}, `add 1 identity r {"Effect":"Allow","Action":["a:B","a:C"],"Resource":"*"}`},
		{"accounts, layers and resources do not", []iam.Remedy{
			remedy("1", "r", iam.LayerIdentity, "a:B", "*"), remedy("2", "r", iam.LayerIdentity, "a:B", "*"),
			remedy("1", "r", iam.LayerBoundary, "a:B", "*"), remedy("1", "r", iam.LayerIdentity, "a:B", "arn:aws:x:::y"),
		}, `add 1 identity r {"Effect":"Allow","Action":"a:B","Resource":"*"} add 2 identity r {"Effect":"Allow","Action":"a:B","Resource":"*"} ` +
			`add 1 boundary r {"Effect":"Allow","Action":"a:B","Resource":"*"} add 1 identity r {"Effect":"Allow","Action":"a:B","Resource":"arn:aws:x:::y"}`},
		{"both sides, and every object", []iam.Remedy{both}, `add 1 identity r {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"} ` +
			`add 2 resource b {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`},
	}
	for _, tt := range tests {
		changes, err := Of(tt.in...)
		var got []string
		for _, c := range changes {
			got = append(got, strings.Join([]string{c.Do, c.Account, c.Layer, c.To, string(c.Statement)}, " "))
		}
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %s, %v\nwant %s", tt.name, got, err, tt.want)
		}
	}
	if both.Statement.Resource[0] != "arn:aws:s3:::b/k/1" || both.Also == nil {
		t.Error("the caller's remedy was changed")
	}
}

func TestPermission(t *testing.T) {
	const alias = "arn:aws:lambda:us-east-1:222222222222:function:inv:live"
	role := func(change func(*iam.Remedy)) iam.Remedy {
		r := remedy("222222222222", alias, iam.LayerResource, "lambda:InvokeFunction", alias)
		r.Statement.Principal = &iam.Principals{AWS: []string{"arn:aws:iam::111111111111:role/job"}}
		change(&r)
		return r
	}
	const command = "aws --region us-east-1 lambda add-permission --function-name inv --qualifier live --statement-id unstale --action lambda:InvokeFunction --principal arn:aws:iam::111111111111:role/job"
	for _, tt := range []struct {
		what   string
		change func(*iam.Remedy)
		want   string
	}{
		{"an alias", func(*iam.Remedy) {}, command},
		{"the function", func(r *iam.Remedy) { r.To = strings.TrimSuffix(r.To, ":live") }, strings.Replace(command, " --qualifier live", "", 1)},
		{
			"a service", func(r *iam.Remedy) {
				r.Statement.Principal = &iam.Principals{Service: []string{"events.amazonaws.com"}}
			},
			strings.Replace(command, "arn:aws:iam::111111111111:role/job", "events.amazonaws.com", 1),
		},
		{"a name", func(r *iam.Remedy) { r.Statement.Sid = "mine" }, strings.Replace(command, "statement-id unstale", "statement-id mine", 1)},
		{"a caller's policy", func(r *iam.Remedy) { r.Layer = iam.LayerIdentity }, ""},
		{"a bucket", func(r *iam.Remedy) { r.To = "arn:aws:s3:::b" }, ""},
		{"a condition", func(r *iam.Remedy) {
			r.Statement.Condition = iam.Conditions{"StringEquals": {"aws:PrincipalOrgID": {"o-1"}}}
		}, ""},
		{"two callers", func(r *iam.Remedy) { r.Statement.Principal.Service = []string{"events.amazonaws.com"} }, ""},
		{"nobody", func(r *iam.Remedy) { r.Statement.Principal = nil }, ""},
	} {
		changes, err := Of(role(tt.change))
		if err != nil || len(changes) != 1 || changes[0].Command != tt.want || tt.want != "" && !strings.HasSuffix(changes[0].String(), "\nwith: "+tt.want+"\n") {
			t.Errorf("%s: %v, %v", tt.what, changes, err)
		}
	}
}

func TestString(t *testing.T) {
	for want, c := range map[string]Change{
		"add in account 1, to the trust policy of r:\n{\n  \"a\": 1\n}\n":     {Do: Add, Account: "1", To: "r", Layer: "trust", Statement: json.RawMessage(`{"a":1}`)},
		"remove in account 1, from the organization:\n{}\n":                   {Do: Remove, Account: "1", To: "the organization", Layer: "scp", Statement: json.RawMessage(`{}`)},
		"set in account 1, in function f, code:\n{\n  \"k\": \"v\"\n}\n":      {Do: Set, Account: "1", To: "function f, code", Statement: json.RawMessage(`{"k":"v"}`)},
		"add in account 1, to the key policy of k:\nwhat is no JSON at all\n": {Do: Add, Account: "1", To: "k", Layer: "key", Statement: json.RawMessage(`what is no JSON at all`)},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q\nwant %q", got, want)
		}
	}
}
