package infra

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// bothSides synthesises a route with as few properties as it takes, and returns the stack of each account as JSON with
// everything evaluated that does not depend on a deployment.
func bothSides(t *testing.T, route Route) map[string]string {
	t.Helper()
	app, dir := newApp(t)
	delivery := awscdk.NewStack(app, jsii.String("Delivery"), &awscdk.StackProps{Env: environment("222222222222", "us-east-1")})
	exampleTarget(delivery, route)
	pipeline := awscdk.NewStack(app, jsii.String("Pipeline"), &awscdk.StackProps{Env: environment("111111111111", "us-east-1")})
	action := exampleAction(pipeline, route)
	ownPipeline(pipeline, action)
	awsiam.NewCfnRolePolicy(pipeline, jsii.String("OfPipeline"), &awsiam.CfnRolePolicyProps{
		RoleName: jsii.String("own"), PolicyName: jsii.String("purge"), PolicyDocument: action.PipelinePolicy(),
	})
	app.Synth(nil)
	sides := map[string]string{}
	for account, name := range map[string]string{"222222222222": "Delivery", "111111111111": "Pipeline"} {
		var loaded template
		if err := json.Unmarshal([]byte(readOnly(t, dir, name+templateSuffix)), &loaded); err != nil {
			t.Fatal(err)
		}
		r := rendering{t: t, template: loaded, values: map[string]string{
			"AWS::Partition": "aws", "AWS::AccountId": account, "AWS::Region": "us-east-1",
		}}
		properties := map[string]any{}
		for id, res := range loaded.Resources {
			properties[id] = r.value(res.Properties)
		}
		body, err := pretty(properties)
		if err != nil {
			t.Fatal(err)
		}
		sides[account] = strings.ReplaceAll(string(body), `\"`, `"`)
	}
	return sides
}

// With two accounts and an external ID given, whatever one side names of the other is there under that name.
func TestDefaultsOfBothSidesMeet(t *testing.T) {
	named := regexp.MustCompile(`arn:aws:(iam|lambda|states):[a-z0-9-]*:(\d{12}):(?:role/|function:|stateMachine:)([a-z-]+)`)
	property := map[string]string{"iam": "RoleName", "lambda": "FunctionName", "states": "StateMachineName"}
	for _, route := range crossing() {
		t.Run(string(route), func(t *testing.T) {
			sides := bothSides(t, route)
			crossed := map[string][]string{}
			for account, body := range sides {
				for _, match := range named.FindAllStringSubmatch(body, -1) {
					service, owner, name := match[1], match[2], match[3]
					if name == "own" { // the pipeline's, which its owner made
						continue
					}
					if !strings.Contains(sides[owner], `"`+property[service]+`": "`+name+`"`) {
						t.Errorf("account %s names %s, which account %s does not make", account, match[0], owner)
					}
					if owner != account {
						crossed[account] = append(crossed[account], name)
					}
				}
			}
			want := map[Route][2][]string{ // what the pipeline account names, what the delivery account names
				Assume: {{"shop-purge"}, {"shop-job"}},
				Relay:  {{"shop-invalidator"}, {"shop-job"}},
				Direct: {{"shop-action", "shop-job"}, {"shop-callback"}},
				States: {{"shop-purge"}, {"shop-machine", "shop-purge"}},
			}[route]
			for i, account := range []string{"111111111111", "222222222222"} {
				slices.Sort(crossed[account])
				if got := slices.Compact(crossed[account]); !slices.Equal(got, want[i]) {
					t.Errorf("account %s names %q of the other, want %q", account, got, want[i])
				}
			}
		})
	}
}

func TestDefaultsAreSafe(t *testing.T) {
	sides := bothSides(t, Assume)
	for _, part := range []string{
		`{"site":{"route":"assume","role":"arn:aws:iam::222222222222:role/shop-purge","externalId":"shop-1","distribution":"E1"}}`,
		`"UNSTALE_MEDIAN": "10s"`, `"arm64"`, `"Sid": "FindJob"`,
	} {
		if !strings.Contains(sides["111111111111"], part) {
			t.Errorf("the pipeline side does not say %s", part)
		}
	}
	if !strings.Contains(sides["222222222222"], `"sts:ExternalId": "shop-1"`) {
		t.Error("the delivery side asks for no external ID")
	}
}
