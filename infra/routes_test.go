package infra

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// statementOf finds a statement by its Sid in the policies of a rendered resource.
func statementOf(t *testing.T, res resource, sid string) policyStatement {
	t.Helper()
	var found []policyStatement
	collectPolicies(t, res.Properties, func(_ string, statements []policyStatement) {
		for _, s := range statements {
			if s.Sid == sid {
				found = append(found, s)
			}
		}
	})
	if len(found) != 1 {
		t.Fatalf("%d statements %s in %v", len(found), sid, res.Properties)
	}
	return found[0]
}

// Whatever a route lets the pipeline account do to CloudFront, the delivery account has listed the distribution.
func TestOnlyTheOneDistributionCanBeInvalidated(t *testing.T) {
	all := []string{
		"cloudfront:CreateInvalidation", "cloudfront:GetInvalidation", "cloudfront:ListInvalidations", "cloudfront:GetDistribution",
	}
	for _, c := range []struct {
		template, holder string
		actions          []string
	}{
		{"delivery-assume", "PurgeRole", all},
		{"delivery-relay", "InvalidatorRole", all},
		{"delivery-direct", "JobRole", all},
		{"delivery-states", "PurgeRole", all[:2]},
	} {
		for id, pairs := range map[string][]string{"<SiteDistribution>": nil, "E9": {"ExistingDistributionId", "E9"}} {
			made, outputs := render(t, c.template, with(given(t, c.template), pairs...))
			s := statementOf(t, made[c.holder], "InvalidateDistribution")
			if want := "arn:aws:cloudfront::333333333333:distribution/" + id; s.Resource != want || !slices.Equal(actionsOf(s), c.actions) {
				t.Errorf("%s: %s may %v on %v, want %v on %s", c.template, c.holder, s.Action, s.Resource, c.actions, want)
			}
			if outputs["DistributionId"] != id {
				t.Errorf("%s: output DistributionId %s, want %s", c.template, outputs["DistributionId"], id)
			}
		}
	}
	for _, p := range policies(t) { // and nobody else may anything
		holder := p.template + " " + p.logicalID
		for _, s := range p.statements {
			if s.Sid != "InvalidateDistribution" && strings.Contains(strings.Join(actionsOf(s), " "), "cloudfront:") {
				t.Errorf("%s %s allows %v", holder, s.Sid, s.Action)
			}
		}
	}
}

// Both sides of a border name the same roles, most of them before they exist.
func TestTrustNamesTheOtherSidesRole(t *testing.T) {
	for _, c := range []struct {
		template, role, sid, account string
		principal, externalID        string
	}{
		{"delivery-assume", "PurgeRole", "JobRoleAssumes", "333333333333", deployed["JobRoleArn"], deployed["ExternalId"]},
		{"delivery-states", "PurgeRole", "MachineRoleAssumes", "333333333333", deployed["MachineRoleArn"], deployed["StateMachineArn"]},
		{"delivery-direct", "JobActionRole", "PipelineRoleAssumes", "333333333333", deployed["PipelineRoleArn"], ""},
		{"pipeline-base", "CallbackRole", "JobRoleAssumes", "222222222222", "arn:aws:iam::222222222222:role/shop-of-the-rising-s-job", ""},
		{"pipeline-callback", "CallbackRole", "JobRoleAssumes", "222222222222", "arn:aws:iam::222222222222:role/shop-of-the-rising-s-job", ""},
	} {
		parameters := given(t, c.template)
		if c.template == "pipeline-base" {
			parameters["Route"] = string(Direct)
		}
		made, _ := render(t, c.template, parameters)
		s := statementOf(t, made[c.role], c.sid)
		want := map[string]map[string]any{"ArnEquals": {"aws:PrincipalArn": c.principal}}
		if c.externalID != "" {
			want["StringEquals"] = map[string]any{"sts:ExternalId": c.externalID}
		}
		if s.Action != "sts:AssumeRole" || !reflect.DeepEqual(s.Principal, map[string]any{"AWS": "arn:aws:iam::" + c.account + ":root"}) ||
			!reflect.DeepEqual(s.Condition, want) {
			t.Errorf("%s: %s trusts %+v, want %v", c.template, c.role, s, want)
		}
	}
}

// The names that one account predicts are the names that the other account gives.
func TestPredictedNamesAreTheGivenOnes(t *testing.T) {
	for _, c := range []struct{ template, route, logicalID, property, predicted string }{
		{"delivery-direct", "", "JobRole", "RoleName", "shop-of-the-rising-s-job"},
		{"delivery-direct", "", "JobActionRole", "RoleName", "shop-of-the-rising-s-action"},
		{"delivery-direct", "", "JobFunction", "FunctionName", deployed["JobFunctionName"]},
		{"delivery-assume", "", "PurgeRole", "RoleName", "shop-of-the-rising-s-purge"},
		{"delivery-states", "", "PurgeRole", "RoleName", "shop-of-the-rising-s-purge"},
		{"delivery-relay", "", "InvalidatorFunction", "FunctionName", "shop-of-the-rising-s-invalidator"},
		{"pipeline-base", "assume", "JobRole", "RoleName", "shop-of-the-rising-s-job"},
		{"pipeline-base", "states", "MachineRole", "RoleName", "shop-of-the-rising-s-machine"},
		{"pipeline-base", "direct", "CallbackRole", "RoleName", "shop-of-the-rising-s-callback"},
		{"pipeline-states", "", "PurgeMachine", "StateMachineName", "shop-of-the-rising-s-purge"},
		{"pipeline-states", "", "PurgeMachine", "RoleArn", deployed["MachineRoleArn"]},
		{"pipeline-states", "", "PurgePolicy", "RoleName", "shop-of-the-rising-s-machine"},
		{"pipeline-assume", "", "JobFunction", "Role", deployed["JobRoleArn"]},
		{"pipeline-assume", "", "JobPolicy", "RoleName", "shop-of-the-rising-s-job"},
		{"pipeline-relay", "", "JobPolicy", "RoleName", "shop-of-the-rising-s-job"},
		{"pipeline-relay", "", "PipelinePolicy", "RoleName", "shop-of-the-rising-s-pipeline"},
		{"pipeline-base", "relay", "PipelineRole", "RoleName", "shop-of-the-rising-s-pipeline"},
	} {
		parameters := given(t, c.template)
		if c.route != "" {
			parameters["Route"] = c.route
		}
		made, outputs := render(t, c.template, parameters)
		if got := made[c.logicalID].Properties[c.property]; got != c.predicted {
			t.Errorf("%s: %s of %s is %v, predicted %s", c.template, c.property, c.logicalID, got, c.predicted)
		}
		if c.route == "states" && outputs["StateMachineArn"] != deployed["StateMachineArn"] {
			t.Errorf("pipeline-base predicts the state machine %s", outputs["StateMachineArn"])
		}
	}
}

// The pipeline account's own policies name one thing beyond the border, for each route.
func TestWhatReachesOverTheBorder(t *testing.T) {
	for _, c := range []struct{ template, holder, sid, action, resource string }{
		{"pipeline-assume", "JobPolicy", "AssumePurgeRole", "sts:AssumeRole", deployed["PurgeRoleArn"]},
		{"pipeline-relay", "JobPolicy", "InvokeInvalidator", "lambda:InvokeFunction", deployed["InvalidatorArn"]},
		{"pipeline-direct", "PipelinePolicy", "AssumeActionRole", "sts:AssumeRole", deployed["ActionRoleArn"]},
		{"pipeline-states", "PurgePolicy", "AssumePurgeRole", "sts:AssumeRole", deployed["PurgeRoleArn"]},
		{"pipeline-machine", "PurgePolicy", "AssumePurgeRole", "sts:AssumeRole", deployed["PurgeRoleArn"]},
		{"delivery-direct", "JobRole", "AssumeCallbackRole", "sts:AssumeRole", deployed["CallbackRoleArn"]},
	} {
		made, _ := render(t, c.template, given(t, c.template))
		if s := statementOf(t, made[c.holder], c.sid); s.Action != c.action || s.Resource != c.resource {
			t.Errorf("%s: %s may %v on %v, want %s on %s", c.template, c.holder, s.Action, s.Resource, c.action, c.resource)
		}
		for id, res := range made {
			collectPolicies(t, res.Properties, func(property string, statements []policyStatement) {
				for _, s := range statements {
					crosses := slices.Contains(actionsOf(s), "sts:AssumeRole") && property == "PolicyDocument"
					if crosses && s.Sid != c.sid && s.Sid != "AssumeDeployRole" {
						t.Errorf("%s: %s may also assume %v", c.template, id, s.Resource)
					}
				}
			})
		}
	}
}

func TestJobFunctionHasItsTargetsInItsOwnConfiguration(t *testing.T) {
	for _, c := range []struct {
		template string
		target   map[string]string
		callback string
	}{
		{"pipeline-assume", map[string]string{
			"route": "assume", "role": deployed["PurgeRoleArn"], "externalId": deployed["ExternalId"], "distribution": "E1",
		}, ""},
		{"pipeline-relay", map[string]string{"route": "relay", "function": deployed["InvalidatorArn"], "distribution": "E1"}, ""},
		{"delivery-direct", map[string]string{"route": "same-account", "distribution": "<SiteDistribution>"}, deployed["CallbackRoleArn"]},
		{"same-account", map[string]string{"route": "same-account", "distribution": "<SiteDistribution>"}, ""},
	} {
		made, _ := render(t, c.template, with(given(t, c.template), "TargetName", "shop", "Median", "250ms"))
		variables := at(t, made["JobFunction"].Properties, "Environment", "Variables").(map[string]any)
		var targets map[string]map[string]string
		if err := json.Unmarshal([]byte(variables["UNSTALE_TARGETS"].(string)), &targets); err != nil {
			t.Fatalf("%s: UNSTALE_TARGETS: %v", c.template, err)
		}
		if want := map[string]map[string]string{"shop": c.target}; !reflect.DeepEqual(targets, want) {
			t.Errorf("%s: targets %v, want %v", c.template, targets, want)
		}
		want := []string{"UNSTALE_MEDIAN", "UNSTALE_STATE", "UNSTALE_TARGETS"}
		if c.callback != "" {
			want = slices.Insert(want, 0, "UNSTALE_CALLBACK_ROLE")
			if variables["UNSTALE_CALLBACK_ROLE"] != c.callback {
				t.Errorf("%s: answers through %v", c.template, variables["UNSTALE_CALLBACK_ROLE"])
			}
		}
		if got := slices.Sorted(maps.Keys(variables)); !slices.Equal(got, want) || variables["UNSTALE_MEDIAN"] != "250ms" || variables["UNSTALE_STATE"] != "<JobStateBucket>" {
			t.Errorf("%s: environment %v", c.template, variables)
		}
		retries := made["JobRetries"].Properties
		if retries["MaximumRetryAttempts"] != 2.0 || retries["Qualifier"] != "$LATEST" || retries["FunctionName"] != "<JobFunction>" {
			t.Errorf("%s: retries %v", c.template, retries)
		}
	}
}

func TestJobFunctionOutlivesTheInvalidator(t *testing.T) {
	made, _ := render(t, "pipeline-relay", given(t, "pipeline-relay"))
	delivery, _ := render(t, "delivery-relay", given(t, "delivery-relay"))
	timeout := made["JobFunction"].Properties["Timeout"].(float64)
	if invalidator := delivery["InvalidatorFunction"].Properties["Timeout"].(float64); timeout <= invalidator {
		t.Errorf("the job function ends after %v s, before the invalidator's %v s", timeout, invalidator)
	}
}

// With direct a second role of the delivery account reads the release; with the other routes only the deploy role does.
func TestWhoReadsTheArtifacts(t *testing.T) {
	deploy, action := deployed["DeployRoleArn"], deployed["ActionRoleArn"]
	for route, want := range map[Route]any{Assume: deploy, Relay: deploy, States: deploy, Direct: []any{deploy, action}} {
		made, _ := render(t, "pipeline-base", with(given(t, "pipeline-base"), "Route", string(route)))
		for holder, sids := range map[string][]string{
			"ArtifactsKey":          {"DeployRoleDecrypts", "DeployRoleUsesKeyAsDocumented"},
			"ArtifactsBucketPolicy": {"DeployRoleReads", "DeployRoleReadsAsDocumented"},
		} {
			for _, sid := range sids {
				if got := statementOf(t, made[holder], sid).Condition["ArnEquals"]["aws:PrincipalArn"]; !reflect.DeepEqual(got, want) {
					t.Errorf("route %s: %s %s is for %v, want %v", route, holder, sid, got, want)
				}
			}
		}
	}
	made, _ := render(t, "delivery-direct", given(t, "delivery-direct"))
	if s := statementOf(t, made["JobActionRole"], "ReadArtifacts"); s.Resource != "arn:aws:s3:::artifacts/*" || s.Action != "s3:GetObject" {
		t.Errorf("the action role reads %v", s)
	}
	if s := statementOf(t, made["JobActionRole"], "InvokeJob"); s.Resource != "<JobFunction.Arn>" {
		t.Errorf("the action role invokes %v", s.Resource)
	}
}

func TestWithinOneAccountNobodyCrosses(t *testing.T) {
	made, _ := render(t, "same-account", given(t, "same-account"))
	for id, res := range made {
		collectPolicies(t, res.Properties, func(_ string, statements []policyStatement) {
			for _, s := range statements {
				principal, _ := s.Principal.(map[string]any)
				if slices.Contains(actionsOf(s), "sts:AssumeRole") && principal["Service"] == nil {
					t.Errorf("%s: %s has a role that is no service's", id, s.Sid)
				}
				if arn, ok := principal["AWS"]; ok && s.Sid != "AccountDelegates" {
					t.Errorf("%s: %s is for %v", id, s.Sid, arn)
				}
			}
		})
	}
	if s := statementOf(t, made["PipelinePolicy"], "WriteSite"); s.Resource != "arn:aws:s3:::<SiteBucket>/*" || s.Action != "s3:PutObject" {
		t.Errorf("the pipeline may %v", s)
	}
	for _, action := range renderedStages(t, "same-account")[2].Actions {
		if action.RoleArn != "" {
			t.Errorf("%s takes on %s", action.Name, action.RoleArn)
		}
	}
}
