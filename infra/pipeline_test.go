package infra

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// CodePipeline's own kind of stage, as far as order matters.
type declaredStage struct {
	Name    string
	Actions []declaredAction
}

type declaredAction struct {
	Name                            string
	ActionTypeId                    struct{ Category, Provider, Version string }
	Configuration                   map[string]string
	InputArtifacts, OutputArtifacts []struct{ Name string }
	RunOrder                        int
	RoleArn                         string
}

func renderedStages(t *testing.T, template string) []declaredStage {
	t.Helper()
	made, _ := render(t, template, given(t, template))
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

// withPipeline are the templates that make a pipeline.
var withPipeline = []string{"pipeline-assume", "pipeline-relay", "pipeline-direct", "pipeline-states", "same-account"}

func TestAnnounceDeployAndPurgeShareOneStageInOrder(t *testing.T) {
	for _, template := range withPipeline {
		stages := renderedStages(t, template)
		if len(stages) != 3 || stages[0].Name != "Source" || stages[1].Name != "Build" || stages[2].Name != "Deliver" {
			t.Fatalf("%s: stages %+v", template, stages)
		}
		actions := stages[2].Actions
		if template != "pipeline-states" { // it keeps no history
			announce := actions[0]
			if announce.Name != "Announce" || announce.ActionTypeId.Category != "Invoke" || announce.RunOrder != 1 {
				t.Errorf("%s: first action %+v", template, announce)
			}
			actions = actions[1:]
		}
		if len(actions) != 2 {
			t.Fatalf("%s: %d actions in Deliver besides the announcement", template, len(actions))
		}
		deploy, purge := actions[0], actions[1]
		if deploy.Name != "Deploy" || deploy.ActionTypeId.Provider != "S3" || deploy.RunOrder != 2 {
			t.Errorf("%s: deploys by %+v", template, deploy)
		}
		if purge.Name != "Purge" || purge.ActionTypeId.Category != "Invoke" || purge.RunOrder != 3 {
			t.Errorf("%s: purges by %+v", template, purge)
		}
		bucket, role := "site", deployed["DeployRoleArn"]
		if template == "same-account" {
			bucket, role = "<SiteBucket>", ""
		}
		want := map[string]string{"BucketName": bucket, "Extract": "true", "CacheControl": "public, max-age=0, s-maxage=31536000"}
		if !reflect.DeepEqual(deploy.Configuration, want) || deploy.RoleArn != role {
			t.Errorf("%s: deploy %v as %q, want %v as %q", template, deploy.Configuration, deploy.RoleArn, want, role)
		}
	}
}

func TestWhatTheActionsRun(t *testing.T) {
	for _, c := range []struct{ template, provider, name, role string }{
		{"pipeline-assume", "Lambda", "<JobFunction>", ""},
		{"pipeline-relay", "Lambda", "<JobFunction>", ""},
		{"pipeline-direct", "Lambda", "shop-of-the-rising-s-job", deployed["ActionRoleArn"]},
		{"same-account", "Lambda", "<JobFunction>", ""},
	} {
		actions := renderedStages(t, c.template)[2].Actions
		announce, deploy, purge := actions[0], actions[1], actions[2]
		for _, a := range []declaredAction{announce, purge} {
			if a.ActionTypeId.Provider != c.provider || a.Configuration["FunctionName"] != c.name || a.RoleArn != c.role {
				t.Errorf("%s: the action is %+v", c.template, a)
			}
			if !reflect.DeepEqual(a.InputArtifacts, deploy.InputArtifacts) {
				t.Errorf("%s: deploys %v, and %s takes %v", c.template, deploy.InputArtifacts, a.Name, a.InputArtifacts)
			}
		}
		checkUserParameters(t, purge.Configuration["UserParameters"], "site")
		parameters, announces := strings.CutSuffix(announce.Configuration["UserParameters"], `,"announce":true}`)
		if !announces || parameters+"}" != purge.Configuration["UserParameters"] {
			t.Errorf("%s: announces %s, purges %s", c.template, announce.Configuration["UserParameters"], purge.Configuration["UserParameters"])
		}
	}
	purge := renderedStages(t, "pipeline-states")[2].Actions[1]
	want := map[string]string{
		"StateMachineArn": "<PurgeMachine>", "InputType": "Literal",
		"Input": `{"items":["/*"],"release":"#{codepipeline.PipelineExecutionId}"}`,
	}
	if purge.ActionTypeId.Provider != "StepFunctions" || !reflect.DeepEqual(purge.Configuration, want) || purge.RoleArn != "" || len(purge.InputArtifacts) != 0 {
		t.Errorf("pipeline-states: the action is %+v", purge)
	}
}

func TestArtifactsAreProducedBeforeTheyAreUsed(t *testing.T) {
	for _, template := range withPipeline {
		produced := map[string]bool{}
		for _, stage := range renderedStages(t, template) {
			for _, action := range stage.Actions {
				for _, in := range action.InputArtifacts {
					if !produced[in.Name] {
						t.Errorf("%s: %s uses %s, which nobody has produced", template, action.Name, in.Name)
					}
				}
				for _, out := range action.OutputArtifacts {
					if produced[out.Name] {
						t.Errorf("%s: %s is produced twice", template, out.Name)
					}
					produced[out.Name] = true
				}
			}
		}
	}
}

func TestPipelineWaitsForItsPower(t *testing.T) {
	for template, policies := range map[string][]string{
		"pipeline-assume": {"JobPolicy", "PipelinePolicy"},
		"pipeline-relay":  {"JobPolicy", "PipelinePolicy"},
		"pipeline-direct": {"PipelinePolicy"},
		"pipeline-states": {"PurgePolicy", "PipelinePolicy"},
		"same-account":    {"JobPolicy", "PipelinePolicy"},
	} {
		dependencies := load(t, template).Resources["Pipeline"].DependsOn
		for _, policy := range policies {
			if !slices.Contains(dependencies, policy) {
				t.Errorf("%s: the pipeline may be created before %s", template, policy)
			}
		}
	}
}

func TestPushToTheBranchStartsThePipeline(t *testing.T) {
	made, _ := render(t, "pipeline-relay", with(given(t, "pipeline-relay"), "Branch", "release"))
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
	source := renderedStages(t, "pipeline-relay")[0].Actions[0].Configuration
	if source["PollForSourceChanges"] != "false" {
		t.Errorf("source %v", source)
	}
}

// The key that AWS manages for S3 cannot be opened to the delivery account, so every writer has to use ours.
func TestEverythingIsEncryptedWithTheSharedKey(t *testing.T) {
	made, _ := render(t, "pipeline-relay", given(t, "pipeline-relay"))
	key := deployed["ArtifactKeyArn"]
	if got := made["PipelineBuildProject"].Properties["EncryptionKey"]; got != key {
		t.Errorf("the build encrypts with %v", got)
	}
	if got := at(t, made["Pipeline"].Properties, "ArtifactStore", "EncryptionKey"); !reflect.DeepEqual(got, map[string]any{"Id": key, "Type": "KMS"}) {
		t.Errorf("the pipeline encrypts with %v", got)
	}
	base, _ := render(t, "pipeline-base", given(t, "pipeline-base"))
	rule := at(t, base["ArtifactsBucket"].Properties, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault")
	if !reflect.DeepEqual(rule, map[string]any{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "<ArtifactsKey.Arn>"}) {
		t.Errorf("the bucket encrypts with %v", rule)
	}
}
