package infra

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

func newApp(t *testing.T) (awscdk.App, string) {
	t.Helper()
	dir := t.TempDir()
	return awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), Outdir: jsii.String(dir)}), dir
}

func environment(account, region string) *awscdk.Environment {
	env := &awscdk.Environment{}
	if account != "" {
		env.Account = jsii.String(account)
	}
	if region != "" {
		env.Region = jsii.String(region)
	}
	return env
}

// exampleTarget and exampleAction give what a route needs and leave the rest to the defaults.
func exampleTarget(scope constructs.Construct, route Route) Target {
	return NewTarget(scope, "Target", TargetProps{
		Name: "shop", Route: route, Distribution: "E1", PipelineAccount: "111111111111", ExternalID: "shop-1",
		PipelineRoleARN: "arn:aws:iam::111111111111:role/own", ArtifactBucketARN: "arn:aws:s3:::own",
		ArtifactKeyARN: "arn:aws:kms:us-east-1:111111111111:key/own", Code: Code{Bucket: "code", Key: "1.zip"},
	})
}

func exampleAction(scope constructs.Construct, route Route) InvalidateAction {
	return NewInvalidateAction(scope, "Invalidate", InvalidateActionProps{
		Name: "shop", Route: route, Distribution: "E1", DeliveryAccount: "222222222222", ExternalID: "shop-1",
		Code: Code{Bucket: "code", Key: "1.zip"},
	})
}

// refusal runs make and returns what it panics with.
func refusal(make func()) (message string) {
	defer func() {
		if r := recover(); r != nil {
			message = fmt.Sprint(r)
		}
	}()
	make()
	return ""
}

func TestUnknownEnvironmentIsRefused(t *testing.T) {
	for _, c := range []struct{ name, account, region, missing string }{
		{"agnostic", "", "", "its account and region is unknown"},
		{"no region", "111111111111", "", "its region is unknown"},
		{"no account", "", "us-east-1", "its account is unknown"},
		{"explicit", "111111111111", "us-east-1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			app, _ := newApp(t)
			stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{Env: environment(c.account, c.region)})
			for what, make := range map[string]func(){
				"target":            func() { exampleTarget(stack, Relay) },
				"invalidate action": func() { exampleAction(stack, Relay) },
				"deploy role":       func() { NewDeployRole(stack, "Deploy", DeployRoleProps{Name: "shop"}) },
			} {
				message := refusal(make)
				if c.missing == "" {
					if message != "" {
						t.Errorf("%s: refused: %s", what, message)
					}
					continue
				}
				for _, part := range []string{what, "stack Shop", c.missing, "StackProps.Env, Account and Region"} {
					if !strings.Contains(message, part) {
						t.Errorf("%s: message %q does not say %q", what, message, part)
					}
				}
			}
		})
	}
}

func TestUnknownRouteIsRefused(t *testing.T) {
	app, _ := newApp(t)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{Env: environment("111111111111", "us-east-1")})
	for _, c := range []struct {
		make func()
		says string
	}{
		{func() { exampleTarget(stack, "tunnel") }, "is not one of: assume, relay, direct, states"},
		{func() { exampleTarget(stack, SameAccount) }, "is not one of: assume, relay, direct, states"},
		{func() { exampleAction(stack, "tunnel") }, "is not one of: assume, relay, direct, states, same-account"},
	} {
		if message := refusal(c.make); !strings.HasSuffix(message, c.says) {
			t.Errorf("message %q does not end in %q", message, c.says)
		}
	}
}

func TestWhatARouteNeedsIsNamed(t *testing.T) {
	app, _ := newApp(t)
	stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{Env: environment("111111111111", "us-east-1")})
	target := func(props TargetProps) func() { return func() { NewTarget(stack, "T", props) } }
	action := func(props InvalidateActionProps) func() { return func() { NewInvalidateAction(stack, "I", props) } }
	for _, c := range []struct {
		make func()
		says string
	}{
		{target(TargetProps{}), "make target T: route assume needs Distribution"},
		{target(TargetProps{Distribution: "E1"}), "make target T: route assume needs PipelineAccount, ExternalID"},
		{target(TargetProps{Distribution: "E1", Route: Relay}), "make target T: route relay needs JobRoleARN or PipelineAccount, Code"},
		{target(TargetProps{Distribution: "E1", Route: States}), "make target T: route states needs PipelineAccount"},
		{
			target(TargetProps{Distribution: "E1", Route: Direct, PipelineAccount: "111111111111"}),
			"make target T: route direct needs PipelineRoleARN, ArtifactBucketARN, ArtifactKeyARN, Code",
		},
		{action(InvalidateActionProps{}), "make invalidate action I: route assume needs Distribution, Code"},
		{
			action(InvalidateActionProps{Distribution: "E1", Code: Code{Key: "1.zip"}}),
			"make invalidate action I: route assume needs RoleARN or DeliveryAccount, ExternalID",
		},
		{
			action(InvalidateActionProps{Distribution: "E1", Route: Relay, Code: Code{Key: "1.zip"}}),
			"make invalidate action I: route relay needs InvalidatorARN or DeliveryAccount",
		},
		{action(InvalidateActionProps{Route: Direct}), "make invalidate action I: route direct needs RoleARN or DeliveryAccount"},
		{action(InvalidateActionProps{Route: Direct, RoleARN: "arn:r"}), "make invalidate action I: route direct needs DeliveryAccount"},
		{action(InvalidateActionProps{Route: States}), "make invalidate action I: route states needs Distribution, RoleARN or DeliveryAccount"},
		{action(InvalidateActionProps{Route: SameAccount}), "make invalidate action I: route same-account needs Distribution, Code"},
		{
			target(TargetProps{Distribution: "E1", PipelineAccount: "111111111111", ExternalID: "one two"}),
			"make target T: ExternalID is not 2 to 1224 letters, digits and _+=,.@:/-",
		},
	} {
		if message := refusal(c.make); message != c.says {
			t.Errorf("message %q, want %q", message, c.says)
		}
		for _, id := range []string{"T", "I"} {
			stack.Node().TryRemoveChild(jsii.String(id))
		}
	}
}

// Nested stacks are where CDK's own cross-account actions used to fail: a nested stack's name is unknown until it is
// deployed, and CDK named a support stack after it. Ours name nothing after a stack.
func TestConstructsWorkInNestedStacks(t *testing.T) {
	resources := map[Route][2][]string{ // delivery side, pipeline side
		Assume:      {{"AWS::IAM::Role"}, {"AWS::Lambda::EventInvokeConfig", "AWS::IAM::Role"}},
		Relay:       {{"AWS::Lambda::Alias", "AWS::Lambda::Permission"}, {"AWS::Lambda::EventInvokeConfig"}},
		Direct:      {{"AWS::Lambda::EventInvokeConfig", "AWS::IAM::Role"}, {"AWS::IAM::Role"}},
		States:      {{"AWS::IAM::Role"}, {"AWS::StepFunctions::StateMachine"}},
		SameAccount: {nil, {"AWS::Lambda::EventInvokeConfig"}},
	}
	for _, route := range Routes() {
		t.Run(string(route), func(t *testing.T) {
			app, dir := newApp(t)
			delivery := awscdk.NewStack(app, jsii.String("Delivery"), &awscdk.StackProps{Env: environment("222222222222", "us-east-1")})
			if inner := awscdk.NewNestedStack(delivery, jsii.String("Inner"), nil); route != SameAccount {
				exampleTarget(inner, route)
			}
			pipeline := awscdk.NewStack(app, jsii.String("Pipeline"), &awscdk.StackProps{Env: environment("111111111111", "us-east-1")})
			inner := awscdk.NewNestedStack(pipeline, jsii.String("Inner"), nil)
			ownPipeline(inner, exampleAction(inner, route))
			app.Synth(nil)

			checkNested(t, dir, "DeliveryInner*.nested.template.json", resources[route][0])
			checkNested(t, dir, "PipelineInner*.nested.template.json", append(resources[route][1], "AWS::CodePipeline::Pipeline"))
			if support, _ := filepath.Glob(filepath.Join(dir, "*support*")); len(support) > 0 {
				t.Errorf("CDK made support stacks: %q", support)
			}
		})
	}
}

func checkNested(t *testing.T, dir, pattern string, types []string) {
	t.Helper()
	body := readOnly(t, dir, pattern)
	for _, resourceType := range types {
		if !strings.Contains(body, resourceType) {
			t.Errorf("%s has no %s", pattern, resourceType)
		}
	}
	if strings.Contains(body, "Token[") {
		t.Errorf("%s has an unresolved token", pattern)
	}
}

// ownPipeline is a pipeline that its owner wrote, with the action added to its last stage.
func ownPipeline(scope constructs.Construct, action InvalidateAction) {
	source := &awscodepipeline.CfnPipeline_ActionDeclarationProperty{
		Name: jsii.String("Object"), ActionTypeId: actionType("Source", "S3"),
		Configuration:   map[string]string{"S3Bucket": "sources", "S3ObjectKey": "site.zip"},
		OutputArtifacts: []*awscodepipeline.CfnPipeline_OutputArtifactProperty{{Name: jsii.String("Site")}},
	}
	awscodepipeline.NewCfnPipeline(scope, jsii.String("Own"), &awscodepipeline.CfnPipelineProps{
		RoleArn: "arn:aws:iam::111111111111:role/own",
		Stages: []*awscodepipeline.CfnPipeline_StageDeclarationProperty{
			stage("Source", source), stage("Deliver", action.Declaration("Site", 1)),
		},
		ArtifactStore: &awscodepipeline.CfnPipeline_ArtifactStoreProperty{Type: jsii.String("S3"), Location: jsii.String("own")},
	})
}

func readOnly(t *testing.T, dir, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s: files %q, error %v", pattern, paths, err)
	}
	body, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// synthesizedStack reads what a stack was synthesised to.
func synthesizedStack(t *testing.T, app awscdk.App, dir, name string) template {
	t.Helper()
	app.Synth(nil)
	var parsed template
	if err := json.Unmarshal([]byte(readOnly(t, dir, name+templateSuffix)), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestTwoTargetsInOneStack(t *testing.T) {
	app, dir := newApp(t)
	stack := awscdk.NewStack(app, jsii.String("Shops"), &awscdk.StackProps{Env: environment("222222222222", "us-east-1")})
	for _, name := range []string{"east", "west"} {
		NewTarget(stack, name, TargetProps{
			Name: name, Route: Relay, Distribution: "E-" + name, JobRoleARN: "arn:aws:iam::111111111111:role/shop-job",
			Code: Code{Bucket: "code", Key: "invalidator.zip", Architecture: "x86_64"},
		})
	}
	count := map[string]int{}
	for _, res := range synthesizedStack(t, app, dir, "Shops").Resources {
		count[res.Type]++
	}
	for _, resourceType := range []string{"AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Permission", "AWS::IAM::Role", "AWS::Logs::LogGroup"} {
		if count[resourceType] != 2 {
			t.Errorf("%d of %s, want 2", count[resourceType], resourceType)
		}
	}
}
