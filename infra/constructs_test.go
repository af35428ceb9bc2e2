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

func exampleTarget(scope constructs.Construct, route Route) Target {
	return NewTarget(scope, "Target", TargetProps{
		Name: "shop", Route: route, Distribution: "E1", JobRoleARN: "arn:aws:iam::111111111111:role/shop-job",
		Code: Code{Bucket: "code", Key: "invalidator.zip", Architecture: "arm64"},
	})
}

func exampleAction(scope constructs.Construct, route Route) InvalidateAction {
	return NewInvalidateAction(scope, "Invalidate", InvalidateActionProps{
		Name: "shop", Route: route, TargetName: "site", Distribution: "E1", JobRoleName: "shop-job", Median: "10s",
		InvalidatorARN: "arn:aws:lambda:us-east-1:222222222222:function:shop-invalidator:live",
		Code:           Code{Bucket: "code", Key: "job.zip", Architecture: "arm64"},
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
	for _, make := range []func(){
		func() { exampleTarget(stack, "tunnel") },
		func() { exampleAction(stack, "") },
	} {
		if message := refusal(make); !strings.Contains(message, "is not one of: relay") {
			t.Errorf("message %q does not name the routes", message)
		}
	}
}

// Nested stacks are where CDK's own cross-account actions used to fail: a nested stack's name is unknown until it is
// deployed, and CDK named a support stack after it. Ours name nothing after a stack.
func TestConstructsWorkInNestedStacks(t *testing.T) {
	app, dir := newApp(t)
	delivery := awscdk.NewStack(app, jsii.String("Delivery"), &awscdk.StackProps{Env: environment("222222222222", "us-east-1")})
	exampleTarget(awscdk.NewNestedStack(delivery, jsii.String("Inner"), nil), Relay)
	pipeline := awscdk.NewStack(app, jsii.String("Pipeline"), &awscdk.StackProps{Env: environment("111111111111", "us-east-1")})
	inner := awscdk.NewNestedStack(pipeline, jsii.String("Inner"), nil)
	action := exampleAction(inner, Relay)
	ownPipeline(inner, action)
	app.Synth(nil)

	for name, types := range map[string][]string{
		"DeliveryInner*.nested.template.json": {"AWS::Lambda::Alias", "AWS::Lambda::Permission"},
		"PipelineInner*.nested.template.json": {"AWS::Lambda::EventInvokeConfig", "AWS::CodePipeline::Pipeline"},
	} {
		body := readOnly(t, dir, name)
		for _, resourceType := range types {
			if !strings.Contains(body, resourceType) {
				t.Errorf("%s has no %s", name, resourceType)
			}
		}
		if strings.Contains(body, "Token[") {
			t.Errorf("%s has an unresolved token", name)
		}
	}
	if support, _ := filepath.Glob(filepath.Join(dir, "*support*")); len(support) > 0 {
		t.Errorf("CDK made support stacks: %q", support)
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

func TestTwoTargetsInOneStack(t *testing.T) {
	app, dir := newApp(t)
	stack := awscdk.NewStack(app, jsii.String("Shops"), &awscdk.StackProps{Env: environment("222222222222", "us-east-1")})
	for _, name := range []string{"east", "west"} {
		NewTarget(stack, name, TargetProps{
			Name: name, Route: Relay, Distribution: "E-" + name, JobRoleARN: "arn:aws:iam::111111111111:role/shop-job",
			Code: Code{Bucket: "code", Key: "invalidator.zip", Architecture: "arm64"},
		})
	}
	app.Synth(nil)
	var parsed template
	if err := json.Unmarshal([]byte(readOnly(t, dir, "Shops.template.json")), &parsed); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, res := range parsed.Resources {
		count[res.Type]++
	}
	for _, resourceType := range []string{"AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Permission", "AWS::IAM::Role", "AWS::Logs::LogGroup"} {
		if count[resourceType] != 2 {
			t.Errorf("%d of %s, want 2", count[resourceType], resourceType)
		}
	}
}
