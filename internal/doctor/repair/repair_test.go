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
