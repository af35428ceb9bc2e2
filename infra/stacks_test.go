package infra

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// deployed is what the parameters of a deployment are given, by name. The stack rendered is always in account 333333333333,
// which for the delivery templates is the delivery account; the tests only look whether a value arrives.
var deployed = map[string]string{
	"Name": "shop-of-the-rising-s", "PipelineAccount": "333333333333", "DeliveryAccount": "222222222222",
	"CodeBucket": "code", "CodeKey": "code-1.zip", "DistributionId": "E1", "ExternalId": "shop/7f3a:1", "SiteBucketName": "site",
	"JobRoleArn":         "arn:aws:iam::333333333333:role/shop-of-the-rising-s-job",
	"PipelineRoleArn":    "arn:aws:iam::333333333333:role/shop-of-the-rising-s-pipeline",
	"CallbackRoleArn":    "arn:aws:iam::333333333333:role/shop-of-the-rising-s-callback",
	"MachineRoleArn":     "arn:aws:iam::333333333333:role/shop-of-the-rising-s-machine",
	"StateMachineArn":    "arn:aws:states:ap-southeast-1:333333333333:stateMachine:shop-of-the-rising-s-purge",
	"ArtifactBucketName": "artifacts", "ArtifactBucketArn": "arn:aws:s3:::artifacts",
	"ArtifactKeyArn":  "arn:aws:kms:ap-southeast-1:333333333333:key/k",
	"DeployRoleArn":   "arn:aws:iam::222222222222:role/shop-of-the-rising-s-deploy",
	"PurgeRoleArn":    "arn:aws:iam::222222222222:role/shop-of-the-rising-s-purge",
	"ActionRoleArn":   "arn:aws:iam::222222222222:role/shop-of-the-rising-s-action",
	"JobFunctionName": "shop-of-the-rising-s-job",
	"InvalidatorArn":  "arn:aws:lambda:ap-southeast-1:222222222222:function:shop-of-the-rising-s-invalidator:live",
	"Targets":         `{"shop":{"route":"same-account","distribution":"E1"}}`,
}

// given are the parameters of a template that have no default.
func given(t *testing.T, name string) map[string]string {
	t.Helper()
	parameters := map[string]string{}
	for id, p := range load(t, name).Parameters {
		if value, ok := deployed[id]; ok && (p.Default == nil || id == "Name") {
			parameters[id] = value
		}
	}
	return parameters
}

func with(parameters map[string]string, pairs ...string) map[string]string {
	for i := 0; i < len(pairs); i += 2 {
		parameters[pairs[i]] = pairs[i+1]
	}
	return parameters
}

const (
	siteResources     = " SiteAccess SiteBucket SiteBucketPolicy SiteDistribution"
	pipelineResources = " Pipeline PipelineBuildLog PipelineBuildProject PipelineBuildRole PipelinePolicy PipelineRepository" +
		" PipelineStartRole PipelineStartRule"
	artifactResources    = "ArtifactsBucket ArtifactsBucketPolicy ArtifactsKey ArtifactsKeyAlias"
	stateResources       = " JobStateBucket JobStateBucketPolicy"
	jobResources         = "JobFunction JobLog JobPolicy JobRetries" + stateResources
	invalidatorResources = "InvalidatorAlias InvalidatorFunction InvalidatorLog InvalidatorPermission InvalidatorRole InvalidatorVersion"
	directResources      = "JobActionRole JobFunction JobLog JobRetries JobRole JobStatePolicy" + stateResources
)

func TestWhatEachDeploymentMakes(t *testing.T) {
	noPipeline := []string{"PipelineRoleArn", "", "ArtifactBucketArn", "", "ArtifactKeyArn", ""}
	noSite := []string{"ExistingDistributionId", "E9"}
	ownSite := []string{"ExistingDistributionId", "E9", "ExistingBucketName", "mine"}
	for _, c := range []struct {
		template string
		changed  []string
		want     string
	}{
		{"pipeline-base", nil, artifactResources + " JobRole PipelineRole"},
		{"pipeline-base", []string{"Route", "relay"}, artifactResources + " JobRole PipelineRole"},
		{"pipeline-base", []string{"Route", "direct"}, artifactResources + " CallbackRole PipelineRole"},
		{"pipeline-base", []string{"Route", "states"}, artifactResources + " MachineRole PipelineRole"},
		{"delivery-assume", nil, "DeployRole PurgeRole PurgeSitePolicy" + siteResources},
		{"delivery-assume", noPipeline, "PurgeRole PurgeSitePolicy" + siteResources},
		{"delivery-assume", noSite, "PurgeRole"},
		{"delivery-relay", nil, "DeployRole InvalidatorSitePolicy " + invalidatorResources + siteResources},
		{"delivery-relay", noPipeline, "InvalidatorSitePolicy " + invalidatorResources + siteResources},
		{"delivery-relay", ownSite, "DeployRole InvalidatorSitePolicy " + invalidatorResources},
		{"delivery-relay", noSite, invalidatorResources},
		{"delivery-direct", nil, "DeployRole JobSitePolicy " + directResources + siteResources},
		{"delivery-direct", noSite, directResources},
		{"delivery-states", nil, "DeployRole PurgeRole" + siteResources},
		{"delivery-states", ownSite, "DeployRole PurgeRole"},
		{"pipeline-assume", nil, jobResources + pipelineResources},
		{"pipeline-relay", nil, jobResources + pipelineResources},
		{"pipeline-direct", nil, strings.TrimSpace(pipelineResources)},
		{"pipeline-states", nil, strings.TrimSpace(pipelineResources) + " PurgeMachine PurgePolicy"},
		{"same-account", nil, artifactResources + " " + jobResources + " JobRole" + pipelineResources + " PipelineRole" + siteResources},
		{"pipeline-job", nil, jobResources + " JobRole"},
		{"pipeline-job", []string{"AssumableRoleArns", "arn:a, arn:b"}, "JobAssumePolicy " + jobResources + " JobRole"},
		{"pipeline-job", []string{"InvocableFunctionArns", "arn:a"}, "JobInvokePolicy " + jobResources + " JobRole"},
		{"pipeline-job", []string{"DistributionArns", "arn:a"}, "JobInvalidatePolicy " + jobResources + " JobRole"},
		{"pipeline-job", []string{"SiteObjectArns", "arn:a"}, "JobReadPolicy " + jobResources + " JobRole"},
		{"pipeline-machine", nil, "PurgeMachine PurgePolicy PurgeRole"},
		{"pipeline-callback", nil, "CallbackRole"},
	} {
		t.Run(c.template+" "+strings.Join(c.changed, " "), func(t *testing.T) {
			made, _ := render(t, c.template, with(given(t, c.template), c.changed...))
			want := strings.Fields(c.want)
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(made)); !slices.Equal(got, want) {
				t.Errorf("makes %s\nwant  %s", got, want)
			}
		})
	}
}

func TestNamesFit(t *testing.T) {
	limits := map[string]int{"BucketName": 63, "RoleName": 64, "FunctionName": 64, "AliasName": 256, "LogGroupName": 512, "RepositoryName": 100, "StateMachineName": 80}
	for _, template := range templateNames {
		made, _ := render(t, template, given(t, template))
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
