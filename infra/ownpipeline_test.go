package infra

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// pasted is what the outputs for a pipeline of one's own say.
type pasted struct {
	Name           string
	ActionTypeID   struct{ Category, Owner, Provider, Version string }
	Configuration  map[string]string
	RoleArn        string
	InputArtifacts []struct{ Name string }
	RunOrder       int
	policy         []policyStatement
}

func pastedOf(t *testing.T, template string, pairs ...string) pasted {
	t.Helper()
	_, outputs := render(t, template, with(given(t, template), pairs...))
	var p, before pasted
	if text := outputs["AnnounceAction"]; text != "" {
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			t.Fatalf("%s: the action to announce is not JSON: %v\n%s", template, err, text)
		}
	}
	if err := json.Unmarshal([]byte(outputs["Action"]), &p); err != nil {
		t.Fatalf("%s: the action is not JSON: %v\n%s", template, err, outputs["Action"])
	}
	var document map[string]any
	if err := json.Unmarshal([]byte(outputs["ActionPolicy"]), &document); err != nil {
		t.Fatalf("%s: the policy is not JSON: %v", template, err)
	}
	p.policy = decodeStatements(t, document)
	if p.Name != "Purge" || p.ActionTypeID.Category != "Invoke" || p.ActionTypeID.Owner != "AWS" || p.ActionTypeID.Version != "1" || p.RunOrder != 3 {
		t.Errorf("%s: the action is %+v", template, p)
	}
	if p.ActionTypeID.Provider == "Lambda" { // the same action, but for what tells them apart
		parameters := strings.TrimSuffix(p.Configuration["UserParameters"], "}") + `,"announce":true}`
		if before.Name != "Announce" || before.RunOrder != 1 || before.Configuration["UserParameters"] != parameters {
			t.Errorf("%s: the action to announce is %+v", template, before)
		}
		before.Name, before.RunOrder, before.Configuration, before.policy = p.Name, p.RunOrder, p.Configuration, p.policy
		if !reflect.DeepEqual(before, p) {
			t.Errorf("%s: announces %+v, purges %+v", template, before, p)
		}
	} else if before.Name != "" {
		t.Errorf("%s: %+v announces", template, before)
	}
	return p
}

func TestOwnPipelineRunsTheJobFunction(t *testing.T) {
	p := pastedOf(t, "pipeline-job")
	want := map[string]string{
		"FunctionName":   "<JobFunction>",
		"UserParameters": `{"release":"#{codepipeline.PipelineExecutionId}"}`, // no targets: all that the function has
	}
	if !reflect.DeepEqual(p.Configuration, want) || len(p.InputArtifacts) != 1 || p.RoleArn != "" {
		t.Errorf("the action is %+v", p)
	}
	if s := p.policy[0]; s.Action != "lambda:InvokeFunction" || s.Resource != "<JobFunction.Arn>" {
		t.Errorf("first statement %+v", s)
	}
}

func TestOwnPipelineRunsTheJobFunctionOfTheOtherAccount(t *testing.T) {
	p := pastedOf(t, "delivery-direct", "TargetName", "shop")
	if p.Configuration["FunctionName"] != "<JobFunction>" || p.RoleArn != "<JobActionRole.Arn>" {
		t.Errorf("the action is %+v", p)
	}
	checkUserParameters(t, p.Configuration["UserParameters"], "shop")
	if s := p.policy[0]; len(p.policy) != 1 || s.Action != "sts:AssumeRole" || s.Resource != "<JobActionRole.Arn>" {
		t.Errorf("policy %+v", p.policy)
	}
}

func TestOwnPipelineRunsTheStateMachine(t *testing.T) {
	p := pastedOf(t, "pipeline-machine")
	if p.ActionTypeID.Provider != "StepFunctions" || p.Configuration["StateMachineArn"] != "<PurgeMachine>" || p.Configuration["Input"] != statesInput ||
		len(p.InputArtifacts) != 0 {
		t.Errorf("the action is %+v", p)
	}
	for _, s := range p.policy {
		want := "<PurgeMachine>"
		if s.Sid == "WatchMachine" {
			want = "arn:aws:states:ap-southeast-1:333333333333:execution:shop-of-the-rising-s-purge:*"
		}
		if s.Resource != want {
			t.Errorf("%s is for %v, want %s", s.Sid, s.Resource, want)
		}
	}
}

// A target that no list covers is denied; an empty list makes no policy, since AWS would refuse one.
func TestOwnJobReachesWhatItsListsName(t *testing.T) {
	lists := []string{
		"AssumableRoleArns", "arn:aws:iam::222222222222:role/a-purge, arn:aws:iam::444444444444:role/b-purge",
		"InvocableFunctionArns", "arn:f", "DistributionArns", "arn:d", "SiteObjectArns", "arn:aws:s3:::a/*,arn:aws:s3:::b/*",
	}
	made, _ := render(t, "pipeline-job", with(given(t, "pipeline-job"), lists...))
	for _, c := range []struct {
		policy, sid string
		want        []any
	}{
		{"JobAssumePolicy", "AssumePurgeRole", []any{"arn:aws:iam::222222222222:role/a-purge", "arn:aws:iam::444444444444:role/b-purge"}},
		{"JobInvokePolicy", "InvokeInvalidator", []any{"arn:f"}},
		{"JobInvalidatePolicy", "InvalidateDistribution", []any{"arn:d"}},
		{"JobReadPolicy", "ReadSite", []any{"arn:aws:s3:::a/*", "arn:aws:s3:::b/*"}},
	} {
		if got := statementOf(t, made[c.policy], c.sid).Resource; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s covers %v, want %v", c.policy, got, c.want)
		}
	}
	if got := at(t, made["JobFunction"].Properties, "Environment", "Variables", "UNSTALE_TARGETS"); got != deployed["Targets"] {
		t.Errorf("targets %v", got)
	}
}

func TestParametersThatWouldFailLaterAreRefused(t *testing.T) {
	for _, c := range []struct {
		template, parameter string
		values              map[string]bool
	}{
		{"pipeline-job", "Targets", map[string]bool{`{"a":{}}`: true, "{\n}": true, "": false, "[]": false, "site": false}},
		{"delivery-assume", "ExternalId", map[string]bool{"ab": true, "a/b:c@d,e.f=g+h_i-j": true, "a": false, "": false, "a b": false, `a"b`: false}},
		{"pipeline-assume", "ExternalId", map[string]bool{"ab": true, `","x":"`: false}},
		{"pipeline-base", "Route", map[string]bool{"assume": true, "states": true, "same-account": false, "": false}},
		{"pipeline-assume", "Median", map[string]bool{"10s": true, "250ms": true, "10": false, "soon": false}},
	} {
		p := load(t, c.template).Parameters[c.parameter]
		for value, ok := range c.values {
			if err := p.check(value); (err == nil) != ok {
				t.Errorf("%s %s %q: %v", c.template, c.parameter, value, err)
			}
		}
	}
}
