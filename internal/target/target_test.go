package target_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/target"
)

const function = "arn:aws:lambda:us-east-1:222222222222:function:invalidator:live"

// environment is a getenv that knows these variables only.
func environment(pairs ...string) func(string) string {
	env := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		env[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return env[name] }
}

func TestFromEnvironment(t *testing.T) {
	tests := []struct {
		name   string
		getenv func(string) string
		want   map[string]target.Target
	}{
		{
			"the article's variable alone",
			environment("TARGET_LAMBDA_ARN", function),
			map[string]target.Target{"default": {Name: "default", Route: target.Relay, Account: "222222222222", Function: function}},
		},
		{
			"targets",
			environment("UNSTALE_TARGETS", `{
				"site": {"route":"relay","function":"`+function+`","distribution":"E2EXAMPLE"},
				"docs.eu-1": {"route":"same-account","distribution":"E3EXAMPLE","account":"111111111111"},
				"shop": {"route":"assume","distribution":"E4EXAMPLE"}}`),
			map[string]target.Target{
				"site":      {Name: "site", Route: target.Relay, Distribution: "E2EXAMPLE", Account: "222222222222", Function: function},
				"docs.eu-1": {Name: "docs.eu-1", Route: target.SameAccount, Distribution: "E3EXAMPLE", Account: "111111111111"},
				"shop":      {Name: "shop", Route: target.Assume, Distribution: "E4EXAMPLE"},
			},
		},
	}
	for _, tt := range tests {
		got, err := target.FromEnvironment(tt.getenv)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestFromEnvironmentRefuses(t *testing.T) {
	tests := []struct {
		name   string
		getenv func(string) string
		want   string
	}{
		{"nothing", environment(), "neither UNSTALE_TARGETS nor TARGET_LAMBDA_ARN is set"},
		{"both", environment("UNSTALE_TARGETS", "{}", "TARGET_LAMBDA_ARN", function), "both UNSTALE_TARGETS and TARGET_LAMBDA_ARN are set"},
		{"a name for an ARN", environment("TARGET_LAMBDA_ARN", "invalidator"), `read target from TARGET_LAMBDA_ARN: check target "default": parse function "invalidator": not an ARN`},
		{"bad list", environment("UNSTALE_TARGETS", "[]"), "read targets from UNSTALE_TARGETS: parse targets: not a JSON object"},
	}
	for _, tt := range tests {
		if got, err := target.FromEnvironment(tt.getenv); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	relay := `{"route":"relay","function":"` + function + `"}`
	tests := []struct{ name, text, want string }{
		{"not JSON", `site=E1`, "not a JSON object"},
		{"empty", `{}`, "there are none"},
		{"unknown field", `{"a":{"route":"relay","role":"x"}}`, `parse target "a": json: unknown field "role"`},
		{"twice", `{"a":` + relay + `,"a":` + relay + `}`, `parse target "a": the name occurs twice`},
		{"more", `{"a":` + relay + `} {}`, "something follows the object"},
		{"torn", `{"a":` + relay, "parse targets"},
		{"no comma", `{"a":` + relay + ` "b":` + relay + `}`, "parse targets"},
		{"name", `{"a b":` + relay + `}`, "a name has 1 to 64"},
		{"no name", `{"":` + relay + `}`, "a name has 1 to 64"},
		{"no route", `{"a":{"distribution":"E1"}}`, `there is no route ""; routes are assume, relay, direct, states, same-account`},
		{"other route", `{"a":{"route":"tunnel"}}`, `there is no route "tunnel"`},
		{"distribution", `{"a":{"route":"same-account","distribution":"e1/x"}}`, `"e1/x" is not a distribution ID`},
		{"no distribution", `{"a":{"route":"same-account"}}`, "route same-account needs a distribution"},
		{"function to no purpose", `{"a":{"route":"assume","distribution":"E1","function":"f"}}`, "route assume takes no function"},
		{"account", `{"a":{"route":"same-account","distribution":"E1","account":"123"}}`, `account "123" does not have 12 digits`},
		{"accounts differ", `{"a":{"route":"relay","account":"111111111111","function":"` + function + `"}}`, "account is 111111111111, but the function is in 222222222222"},
		{"no function", `{"a":{"route":"relay"}}`, `check target "a": parse function ""`},
	}
	for _, tt := range tests {
		if got, err := target.Parse([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}

func TestParseFunction(t *testing.T) {
	tests := []struct {
		arn  string
		want target.Function // zero when refused
	}{
		{function, target.Function{Region: "us-east-1", Account: "222222222222", Name: "invalidator", Qualifier: "live"}},
		{"arn:aws-us-gov:lambda:us-gov-west-1:222222222222:function:f", target.Function{Region: "us-gov-west-1", Account: "222222222222", Name: "f"}},
		{"", target.Function{}},
		{"222222222222:function:f", target.Function{}},
		{"arn:aws:iam:us-east-1:222222222222:function:f", target.Function{}},
		{"arn:aws:lambda:us-east-1:222222222222:layer:f", target.Function{}},
		{"arn:aws:lambda::222222222222:function:f", target.Function{}},
		{"arn:aws:lambda:us-east-1:2222:function:f", target.Function{}},
		{"arn:aws:lambda:us-east-1:222222222222:function:", target.Function{}},
		{"arn:aws:lambda:us-east-1:222222222222:function:f:", target.Function{}},
		{"arn:aws:lambda:us-east-1:222222222222:function:f:live:x", target.Function{}},
	}
	for _, tt := range tests {
		got, err := target.ParseFunction(tt.arn)
		if got != tt.want || (err == nil) != (tt.want != target.Function{}) {
			t.Errorf("ParseFunction(%q) = %+v, %v", tt.arn, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"site":{"route":"relay","function":"` + function + `"}}`)
	f.Add(`{"a":{"route":"same-account","distribution":"E1"},"a":{}}`)
	f.Add(`{"a":null}`)
	f.Add(`{"a"`)
	f.Fuzz(func(t *testing.T, text string) {
		targets, err := target.Parse([]byte(text))
		if err != nil {
			return
		}
		if len(targets) == 0 || len(target.Names(targets)) != len(targets) {
			t.Fatalf("%q gives %v", text, targets)
		}
		for name := range maps.Keys(targets) {
			if targets[name].Name != name || targets[name].Route == "" {
				t.Fatalf("%q gives %+v under %q", text, targets[name], name)
			}
		}
	})
}
