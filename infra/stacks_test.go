package infra

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Parameters of a deployment, by template. What an earlier stack puts out is taken from it by name.
func baseParameters() map[string]string {
	return map[string]string{"Name": "shop-of-the-rising-s", "DeliveryAccount": "222222222222"}
}

func deliveryParameters() map[string]string {
	return map[string]string{
		"Name": "shop-of-the-rising-s", "PipelineAccount": "333333333333", "CodeBucket": "code", "CodeKey": "invalidator-1.zip",
		"JobRoleArn":        "arn:aws:iam::333333333333:role/shop-of-the-rising-s-job",
		"PipelineRoleArn":   "arn:aws:iam::333333333333:role/shop-of-the-rising-s-pipeline",
		"ArtifactBucketArn": "arn:aws:s3:::artifacts", "ArtifactKeyArn": "arn:aws:kms:ap-southeast-1:333333333333:key/k",
	}
}

func pipelineParameters() map[string]string {
	return map[string]string{
		"Name": "shop-of-the-rising-s", "CodeBucket": "code", "CodeKey": "job-1.zip", "DistributionId": "E1",
		"InvalidatorArn":     "arn:aws:lambda:ap-southeast-1:222222222222:function:shop-of-the-rising-s-invalidator:live",
		"ArtifactBucketName": "artifacts", "ArtifactKeyArn": "arn:aws:kms:ap-southeast-1:333333333333:key/k",
		"SiteBucketName": "site", "DeployRoleArn": "arn:aws:iam::222222222222:role/shop-of-the-rising-s-deploy",
	}
}

func with(parameters map[string]string, pairs ...string) map[string]string {
	for i := 0; i < len(pairs); i += 2 {
		parameters[pairs[i]] = pairs[i+1]
	}
	return parameters
}

func TestWhatEachDeploymentMakes(t *testing.T) {
	for _, c := range []struct {
		name, template string
		parameters     map[string]string
		want           string
	}{
		{
			"base", "pipeline-base", baseParameters(),
			"ArtifactsBucket ArtifactsBucketPolicy ArtifactsKey ArtifactsKeyAlias JobRole PipelineRole",
		},
		{"base, own pipeline", "pipeline-base", with(baseParameters(), "WithPipeline", "false"), "JobRole"},
		{
			"delivery", "delivery-relay", deliveryParameters(),
			"DeployRole InvalidatorAlias InvalidatorFunction InvalidatorLog InvalidatorPermission InvalidatorRole InvalidatorVersion " +
				"SiteAccess SiteBucket SiteBucketPolicy SiteDistribution",
		},
		{
			"delivery, own pipeline", "delivery-relay",
			with(deliveryParameters(), "PipelineRoleArn", "", "ArtifactBucketArn", "", "ArtifactKeyArn", ""),
			"InvalidatorAlias InvalidatorFunction InvalidatorLog InvalidatorPermission InvalidatorRole InvalidatorVersion " +
				"SiteAccess SiteBucket SiteBucketPolicy SiteDistribution",
		},
		{
			"delivery, own site", "delivery-relay",
			with(deliveryParameters(), "ExistingDistributionId", "E9", "ExistingBucketName", "mine"),
			"DeployRole InvalidatorAlias InvalidatorFunction InvalidatorLog InvalidatorPermission InvalidatorRole InvalidatorVersion",
		},
		{
			"delivery, own site that others deploy to", "delivery-relay", with(deliveryParameters(), "ExistingDistributionId", "E9"),
			"InvalidatorAlias InvalidatorFunction InvalidatorLog InvalidatorPermission InvalidatorRole InvalidatorVersion",
		},
		{
			"pipeline", "pipeline-relay", pipelineParameters(),
			"JobFunction JobLog JobPolicy JobRetries Pipeline PipelineBuildLog PipelineBuildProject PipelineBuildRole " +
				"PipelinePolicy PipelineRepository PipelineStartRole PipelineStartRule",
		},
		{
			"pipeline, own pipeline", "pipeline-relay",
			with(pipelineParameters(), "WithPipeline", "false", "ArtifactBucketName", "", "ArtifactKeyArn", "", "SiteBucketName", "", "DeployRoleArn", ""),
			"JobFunction JobLog JobPolicy JobRetries",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			made, _ := render(t, c.template, c.parameters)
			if got := strings.Join(slices.Sorted(maps.Keys(made)), " "); got != c.want {
				t.Errorf("makes %s\nwant  %s", got, c.want)
			}
		})
	}
}

// A later stack gets its parameters from the outputs of the earlier ones, by name; nobody has to copy an ARN by hand.
func TestOutputsFeedParameters(t *testing.T) {
	fromPeople := map[string]bool{"DeliveryAccount": true, "CodeBucket": true, "CodeKey": true}
	known := map[string]bool{}
	for _, name := range templateNames {
		loaded := load(t, name)
		for id, p := range loaded.Parameters {
			if p.Type != "String" {
				t.Errorf("%s: parameter %s is of type %s", name, id, p.Type)
			}
			if p.Default == nil && !known[id] && !fromPeople[id] {
				t.Errorf("%s: nothing supplies parameter %s", name, id)
			}
		}
		for id := range loaded.Outputs {
			known[id] = true
		}
	}
}

func TestNamesFit(t *testing.T) {
	limits := map[string]int{"BucketName": 63, "RoleName": 64, "FunctionName": 64, "AliasName": 256, "LogGroupName": 512, "RepositoryName": 100}
	parameters := map[string]map[string]string{
		"pipeline-base": baseParameters(), "delivery-relay": deliveryParameters(), "pipeline-relay": pipelineParameters(),
	}
	for template, given := range parameters {
		made, _ := render(t, template, given)
		for id, res := range made {
			for property, limit := range limits {
				if name, ok := res.Properties[property].(string); ok && len(name) > limit {
					t.Errorf("%s %s: %s %q has %d characters, at most %d", template, id, property, name, len(name), limit)
				}
			}
		}
	}
}

func TestNameIsCheckedBeforeAnythingIsMade(t *testing.T) {
	name := load(t, "pipeline-base").Parameters["Name"]
	for value, ok := range map[string]bool{
		"unstale": true, "a1": true, "twenty-characters-xyz"[:20]: true,
		"a": false, "": false, "Shop": false, "shop-": false, "-shop": false, "1shop": false, "shop_x": false, "twenty-one-characters": false,
	} {
		if err := name.check(value); (err == nil) != ok {
			t.Errorf("Name %q: %v", value, err)
		}
	}
}

func TestDataOutlivesItsStack(t *testing.T) {
	kept := map[string]bool{"SiteBucket": true, "ArtifactsKey": true, "PipelineRepository": true}
	for _, name := range templateNames {
		for id, res := range load(t, name).Resources {
			want := [2]string{"", ""}
			if kept[id] {
				want = [2]string{"RetainExceptOnCreate", "Retain"}
			}
			if got := [2]string{res.DeletionPolicy, res.UpdateReplacePolicy}; got != want {
				t.Errorf("%s %s: policies %q, want %q", name, id, got, want)
			}
		}
	}
}

func TestRolesAreLeast(t *testing.T) {
	for _, name := range templateNames {
		for id, res := range load(t, name).Resources {
			if res.Type != "AWS::IAM::Role" {
				continue
			}
			for property := range res.Properties {
				if !slices.Contains([]string{"RoleName", "Description", "AssumeRolePolicyDocument", "Policies"}, property) {
					t.Errorf("%s %s has %s: no managed policies, no boundary that hides a wide one", name, id, property)
				}
			}
		}
	}
}

func TestOutputsForAPipelineOfOnesOwn(t *testing.T) {
	_, outputs := render(t, "pipeline-relay", with(pipelineParameters(), "WithPipeline", "false", "TargetName", "shop"))
	var action struct {
		Name          string
		Configuration struct{ FunctionName, UserParameters string }
		RunOrder      int
	}
	if err := json.Unmarshal([]byte(outputs["Action"]), &action); err != nil {
		t.Fatalf("the action is not JSON: %v\n%s", err, outputs["Action"])
	}
	if action.Configuration.FunctionName != "<JobFunction>" || action.RunOrder != 2 {
		t.Errorf("action %+v", action)
	}
	checkUserParameters(t, action.Configuration.UserParameters, "shop")
	var document struct{ Statement []policyStatement }
	if err := json.Unmarshal([]byte(outputs["ActionPolicy"]), &document); err != nil {
		t.Fatalf("the policy is not JSON: %v", err)
	}
	if s := document.Statement[0]; s.Action != "lambda:InvokeFunction" || s.Resource != "<JobFunction.Arn>" {
		t.Errorf("first statement %+v", s)
	}
}

// checkUserParameters holds the job's contract: strict JSON of under 1,000 characters that names targets and release.
func checkUserParameters(t *testing.T, text, target string) {
	t.Helper()
	var parameters map[string]any
	if err := json.Unmarshal([]byte(text), &parameters); err != nil || len(text) >= 1000 {
		t.Fatalf("UserParameters of %d characters: %v\n%s", len(text), err, text)
	}
	want := map[string]any{"targets": []any{target}, "release": "#{codepipeline.PipelineExecutionId}"}
	got, _ := json.Marshal(parameters)
	wanted, _ := json.Marshal(want)
	if string(got) != string(wanted) {
		t.Errorf("UserParameters %s, want %s", got, wanted)
	}
}
