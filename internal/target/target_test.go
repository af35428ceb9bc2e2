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
				"shop": {"route":"assume","role":"arn:aws:iam::222222222222:role/unstale/purge","externalId":"shop:1","distribution":"E4EXAMPLE"},
				"blog": {"role":"arn:aws:iam::333333333333:role/purge","externalId":"blog","distribution":"E5EXAMPLE"},
				"wiki": {"route":"states","stateMachine":"arn:aws:states:eu-west-1:111111111111:stateMachine:purge","distribution":"E6EXAMPLE"},
				"home": {"route":"direct","distribution":"E7EXAMPLE"}}`),
			map[string]target.Target{
				"site":      {Name: "site", Route: target.Relay, Distribution: "E2EXAMPLE", Account: "222222222222", Function: function},
				"docs.eu-1": {Name: "docs.eu-1", Route: target.SameAccount, Distribution: "E3EXAMPLE", Account: "111111111111"},
				"shop":      {Name: "shop", Route: target.Assume, Distribution: "E4EXAMPLE", Account: "222222222222", Role: "arn:aws:iam::222222222222:role/unstale/purge", ExternalID: "shop:1"},
				"blog":      {Name: "blog", Route: target.Assume, Distribution: "E5EXAMPLE", Account: "333333333333", Role: "arn:aws:iam::333333333333:role/purge", ExternalID: "blog"},
				"wiki":      {Name: "wiki", Route: target.States, Distribution: "E6EXAMPLE", StateMachine: "arn:aws:states:eu-west-1:111111111111:stateMachine:purge"},
				"home":      {Name: "home", Route: target.Direct, Distribution: "E7EXAMPLE"},
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
	const role = `"role":"arn:aws:iam::222222222222:role/purge"`
	assume := func(more string) string { return `{"a":{` + role + `,"distribution":"E1"` + more + `}}` }
	tests := []struct{ name, text, want string }{
		{"not JSON", `site=E1`, "not a JSON object"},
		{"empty", `{}`, "there are none"},
		{"unknown field", `{"a":{"route":"relay","roles":"x"}}`, `parse target "a": json: unknown field "roles"`},
		{"twice", `{"a":` + relay + `,"a":` + relay + `}`, `parse target "a": the name occurs twice`},
		{"more", `{"a":` + relay + `} {}`, "something follows the object"},
		{"torn", `{"a":` + relay, "parse targets"},
		{"no comma", `{"a":` + relay + ` "b":` + relay + `}`, "parse targets"},
		{"name", `{"a b":` + relay + `}`, "a name has 1 to 64"},
		{"no name", `{"":` + relay + `}`, "a name has 1 to 64"},
		{"no route", `{"a":{"distribution":"E1"}}`, `there is no route ""; routes are assume, relay, direct, states, same-account`},
		{"other route", `{"a":{"route":"tunnel"}}`, `there is no route "tunnel"`},
		{"distribution", `{"a":{"route":"same-account","distribution":"e1/x"}}`, `"e1/x" is not a distribution ID`},
		{"no distribution", `{"a":{"route":"same-account"}}`, "route same-account needs distribution"},
		{"function to no purpose", assume(`,"externalId":"x1","function":"f"`), "route assume takes no function"},
		{"role to no purpose", `{"a":{"route":"same-account","distribution":"E1",` + role + `}}`, "route same-account takes no role"},
		{"no ExternalId", assume(``), "route assume needs externalId"},
		{"short ExternalId", assume(`,"externalId":"x"`), "externalId does not have 2 to 1224"},
		{"ExternalId with a space", assume(`,"externalId":"x y"`), "externalId does not have 2 to 1224"},
		{"role of another account", assume(`,"externalId":"x1","account":"111111111111"`), "account is 111111111111, but what is called is in 222222222222"},
		{"no role", `{"a":{"route":"assume","distribution":"E1","externalId":"x1"}}`, "route assume needs role"},
		{"role that is none", `{"a":{"role":"purge","distribution":"E1","externalId":"x1"}}`, `parse role "purge": not the ARN of a role`},
		{"no distribution of a role", `{"a":{` + role + `,"externalId":"x1"}}`, "route assume needs distribution"},
		{"no machine", `{"a":{"route":"states","distribution":"E1"}}`, "route states needs stateMachine"},
		{"a machine's alias", `{"a":{"route":"states","distribution":"E1","stateMachine":"arn:aws:states:us-east-1:111111111111:stateMachine:m:live"}}`, "not the ARN of a state machine without version or alias"},
		{"ExternalId to no purpose", `{"a":{"route":"direct","distribution":"E1","externalId":"x1"}}`, "route direct takes no externalId"},
		{"account", `{"a":{"route":"same-account","distribution":"E1","account":"123"}}`, `account "123" does not have 12 digits`},
		{"accounts differ", `{"a":{"route":"relay","account":"111111111111","function":"` + function + `"}}`, "account is 111111111111, but what is called is in 222222222222"},
		{"no function", `{"a":{"route":"relay"}}`, "route relay needs function"},
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

func TestParseRole(t *testing.T) {
	long := "arn:aws:iam::222222222222:role/" + strings.Repeat("r", 64)
	tests := []struct {
		arn  string
		want target.Role // zero when refused
	}{
		{"arn:aws:iam::222222222222:role/purge", target.Role{Partition: "aws", Account: "222222222222", Name: "purge"}},
		{"arn:aws-cn:iam::222222222222:role/a/b/pu.r+g=e", target.Role{Partition: "aws-cn", Account: "222222222222", Name: "pu.r+g=e"}},
		{long, target.Role{Partition: "aws", Account: "222222222222", Name: strings.Repeat("r", 64)}},
		{long + "r", target.Role{}},
		{"", target.Role{}},
		{"arn:aws:iam::222222222222:role/", target.Role{}},
		{"arn:aws:iam::222222222222:role/a/", target.Role{}},
		{"arn:aws:iam::222222222222:role/pu rge", target.Role{}},
		{"arn:aws:iam::222222222222:user/purge", target.Role{}},
		{"arn:aws:iam::2222:role/purge", target.Role{}},
		{"arn:aws:iam:us-east-1:222222222222:role/purge", target.Role{}},
		{"arn:aws:sts::222222222222:assumed-role/purge/s", target.Role{}},
		{"arn:aws:iam::222222222222:role/purge:x", target.Role{}},
	}
	for _, tt := range tests {
		got, err := target.ParseRole(tt.arn)
		if got != tt.want || (err == nil) != (tt.want != target.Role{}) {
			t.Errorf("ParseRole(%q) = %+v, %v", tt.arn, got, err)
		}
	}
}

func TestParseStateMachine(t *testing.T) {
	const machine = "arn:aws:states:eu-west-1:111111111111:stateMachine:purge"
	got, err := target.ParseStateMachine(machine)
	if want := (target.StateMachine{Partition: "aws", Region: "eu-west-1", Account: "111111111111", Name: "purge"}); got != want || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if arn := got.ExecutionARN("r1"); arn != "arn:aws:states:eu-west-1:111111111111:execution:purge:r1" {
		t.Error(arn)
	}
	for _, arn := range []string{
		"", machine + ":1", "arn:aws:states:eu-west-1:111111111111:execution:purge", "arn:aws:states::111111111111:stateMachine:purge",
		"arn:aws:states:eu-west-1:1:stateMachine:purge", "arn:aws:states:eu-west-1:111111111111:stateMachine:", "arn:aws:lambda:eu-west-1:111111111111:stateMachine:purge",
	} {
		if got, err := target.ParseStateMachine(arn); err == nil || got != (target.StateMachine{}) {
			t.Errorf("ParseStateMachine(%q) = %+v", arn, got)
		}
	}
}

// Every route that is listed has a shape, so that a target of it can be made.
func TestEveryRouteCanBeConfigured(t *testing.T) {
	fields := map[target.Route]string{
		target.Assume:      `"role":"arn:aws:iam::222222222222:role/purge","externalId":"x1","distribution":"E1"`,
		target.Relay:       `"function":"` + function + `"`,
		target.Direct:      `"distribution":"E1"`,
		target.States:      `"stateMachine":"arn:aws:states:us-east-1:111111111111:stateMachine:purge","distribution":"E1"`,
		target.SameAccount: `"distribution":"E1"`,
	}
	for _, route := range target.Routes() {
		targets, err := target.Parse([]byte(`{"a":{"route":"` + string(route) + `",` + fields[route] + `}}`))
		if err != nil || targets["a"].Route != route {
			t.Errorf("%s: %+v, %v", route, targets, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"site":{"route":"relay","function":"` + function + `"}}`)
	f.Add(`{"a":{"route":"same-account","distribution":"E1"},"a":{}}`)
	f.Add(`{"a":null}`)
	f.Add(`{"a":{"role":"arn:aws:iam::222222222222:role/r","externalId":"x1","distribution":"E1"}}`)
	f.Add(`{"a":{"route":"states","stateMachine":"arn:aws:states:us-east-1:111111111111:stateMachine:m","distribution":"E1"}}`)
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
