package infra

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

// CodePipeline's own kind of stage, as far as order matters.
type declaredStage struct {
	Name    string
	Actions []struct {
		Name                            string
		ActionTypeId                    struct{ Category, Provider, Version string }
		Configuration                   map[string]string
		InputArtifacts, OutputArtifacts []struct{ Name string }
		RunOrder                        int
		RoleArn                         string
	}
}

func renderedStages(t *testing.T) []declaredStage {
	t.Helper()
	made, _ := render(t, "pipeline-relay", pipelineParameters())
	body, err := json.Marshal(made["Pipeline"].Properties["Stages"])
	if err != nil {
		t.Fatal(err)
	}
	var stages []declaredStage
	if err := json.Unmarshal(body, &stages); err != nil {
		t.Fatal(err)
	}
	return stages
}

func TestDeployAndPurgeShareOneStageInOrder(t *testing.T) {
	stages := renderedStages(t)
	if len(stages) != 3 || stages[0].Name != "Source" || stages[1].Name != "Build" || stages[2].Name != "Deliver" {
		t.Fatalf("stages %+v", stages)
	}
	actions := stages[2].Actions
	if len(actions) != 2 {
		t.Fatalf("%d actions in Deliver", len(actions))
	}
	deploy, purge := actions[0], actions[1]
	if deploy.Name != "Deploy" || deploy.ActionTypeId.Provider != "S3" || deploy.RunOrder != 1 {
		t.Errorf("first action %+v", deploy)
	}
	if purge.Name != "Purge" || purge.ActionTypeId.Provider != "Lambda" || purge.RunOrder != 2 {
		t.Errorf("second action %+v", purge)
	}
	if deploy.InputArtifacts[0] != purge.InputArtifacts[0] {
		t.Errorf("deploys %v, purges %v", deploy.InputArtifacts, purge.InputArtifacts)
	}
	if deploy.RoleArn != pipelineParameters()["DeployRoleArn"] || purge.RoleArn != "" {
		t.Errorf("roles %q and %q", deploy.RoleArn, purge.RoleArn)
	}
	want := map[string]string{"BucketName": "site", "Extract": "true", "CacheControl": "public, max-age=0, s-maxage=31536000"}
	if !reflect.DeepEqual(deploy.Configuration, want) {
		t.Errorf("deploy %v, want %v", deploy.Configuration, want)
	}
	if purge.Configuration["FunctionName"] != "<JobFunction>" {
		t.Errorf("purge invokes %s", purge.Configuration["FunctionName"])
	}
	checkUserParameters(t, purge.Configuration["UserParameters"], "site")
}

func TestArtifactsAreProducedBeforeTheyAreUsed(t *testing.T) {
	produced := map[string]bool{}
	for _, stage := range renderedStages(t) {
		for _, action := range stage.Actions {
			for _, in := range action.InputArtifacts {
				if !produced[in.Name] {
					t.Errorf("%s uses %s, which nobody has produced", action.Name, in.Name)
				}
			}
			for _, out := range action.OutputArtifacts {
				if produced[out.Name] {
					t.Errorf("%s is produced twice", out.Name)
				}
				produced[out.Name] = true
			}
		}
	}
}

func TestPipelineWaitsForItsPower(t *testing.T) {
	dependencies := load(t, "pipeline-relay").Resources["Pipeline"].DependsOn
	for _, policy := range []string{"JobPolicy", "PipelinePolicy"} {
		if !slices.Contains(dependencies, policy) {
			t.Errorf("the pipeline may be created before %s", policy)
		}
	}
}

func TestPushToTheBranchStartsThePipeline(t *testing.T) {
	made, _ := render(t, "pipeline-relay", with(pipelineParameters(), "Branch", "release"))
	rule := made["PipelineStartRule"].Properties
	if branches := at(t, rule, "EventPattern", "detail", "referenceName"); !reflect.DeepEqual(branches, []any{"release"}) {
		t.Errorf("branches %v", branches)
	}
	if repositories := at(t, rule, "EventPattern", "resources"); !reflect.DeepEqual(repositories, []any{"<PipelineRepository.Arn>"}) {
		t.Errorf("repositories %v", repositories)
	}
	arn := "arn:aws:codepipeline:ap-southeast-1:333333333333:<Pipeline>"
	target := at(t, rule, "Targets", 0).(map[string]any)
	if target["Arn"] != arn || target["RoleArn"] != "<PipelineStartRole.Arn>" {
		t.Errorf("target %v", target)
	}
	granted := at(t, made["PipelineStartRole"].Properties, "Policies", 0, "PolicyDocument", "Statement", 0)
	if at(t, granted, "Resource") != arn || at(t, granted, "Action") != "codepipeline:StartPipelineExecution" {
		t.Errorf("the rule may %v", granted)
	}
	source := renderedStages(t)[0].Actions[0].Configuration
	if source["PollForSourceChanges"] != "false" {
		t.Errorf("source %v", source)
	}
}

func TestJobFunctionHasItsTargetsInItsOwnConfiguration(t *testing.T) {
	made, _ := render(t, "pipeline-relay", with(pipelineParameters(), "TargetName", "shop", "Median", "250ms"))
	variables := at(t, made["JobFunction"].Properties, "Environment", "Variables").(map[string]any)
	var targets map[string]map[string]string
	if err := json.Unmarshal([]byte(variables["UNSTALE_TARGETS"].(string)), &targets); err != nil {
		t.Fatalf("UNSTALE_TARGETS: %v", err)
	}
	want := map[string]map[string]string{"shop": {
		"route": "relay", "function": pipelineParameters()["InvalidatorArn"], "distribution": "E1",
	}}
	if !reflect.DeepEqual(targets, want) {
		t.Errorf("targets %v, want %v", targets, want)
	}
	if variables["UNSTALE_MEDIAN"] != "250ms" || len(variables) != 2 {
		t.Errorf("environment %v", variables)
	}
	timeout := made["JobFunction"].Properties["Timeout"].(float64)
	delivery, _ := render(t, "delivery-relay", deliveryParameters())
	if invalidator := delivery["InvalidatorFunction"].Properties["Timeout"].(float64); timeout <= invalidator {
		t.Errorf("the job function ends after %v s, before the invalidator's %v s", timeout, invalidator)
	}
	retries := made["JobRetries"].Properties
	if retries["MaximumRetryAttempts"] != 2.0 || retries["Qualifier"] != "$LATEST" || retries["FunctionName"] != "<JobFunction>" {
		t.Errorf("retries %v", retries)
	}
}

func TestJobRoleInvokesExactlyTheAlias(t *testing.T) {
	made, _ := render(t, "pipeline-relay", pipelineParameters())
	statement := at(t, made["JobPolicy"].Properties, "PolicyDocument", "Statement", 0)
	if at(t, statement, "Action") != "lambda:InvokeFunction" || at(t, statement, "Resource") != pipelineParameters()["InvalidatorArn"] {
		t.Errorf("the job role may %v", statement)
	}
	base, outputs := render(t, "pipeline-base", baseParameters())
	if role := made["JobPolicy"].Properties["RoleName"]; role != base["JobRole"].Properties["RoleName"] {
		t.Errorf("the policy is for role %v", role)
	}
	if role := made["PipelinePolicy"].Properties["RoleName"]; role != base["PipelineRole"].Properties["RoleName"] {
		t.Errorf("the pipeline's policy is for role %v", role)
	}
	if outputs["PipelineAccount"] != "333333333333" || outputs["JobRoleArn"] != "<JobRole.Arn>" {
		t.Errorf("outputs %v", outputs)
	}
}

// The key that AWS manages for S3 cannot be opened to the delivery account, so every writer has to use ours.
func TestEverythingIsEncryptedWithTheSharedKey(t *testing.T) {
	made, _ := render(t, "pipeline-relay", pipelineParameters())
	key := pipelineParameters()["ArtifactKeyArn"]
	if got := made["PipelineBuildProject"].Properties["EncryptionKey"]; got != key {
		t.Errorf("the build encrypts with %v", got)
	}
	if got := at(t, made["Pipeline"].Properties, "ArtifactStore", "EncryptionKey"); !reflect.DeepEqual(got, map[string]any{"Id": key, "Type": "KMS"}) {
		t.Errorf("the pipeline encrypts with %v", got)
	}
	base, _ := render(t, "pipeline-base", baseParameters())
	rule := at(t, base["ArtifactsBucket"].Properties, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault")
	if !reflect.DeepEqual(rule, map[string]any{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "<ArtifactsKey.Arn>"}) {
		t.Errorf("the bucket encrypts with %v", rule)
	}
}
