package test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	_ "github.com/aws/aws-sdk-go-v2/config" // the handlers in testdata need it, where go mod tidy does not look
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/deploy"
	"github.com/unstale/unstale/test/stage"
)

// This project began with an article that tried to clear a cache across accounts. These are its
// ways, on the rehearsal: why they fail, and that ours takes its configuration as it is.

// crossAccount is what AWS says to the article's first idea.
const crossAccount = "Cross-account pass role is not allowed."

// functionTemplate makes a function of account A with a given role.
const functionTemplate = `{
  "Parameters": {"Role": {"Type": "String"}, "Architecture": {"Type": "String"}},
  "Resources": {"Invalidator": {"Type": "AWS::Lambda::Function", "Properties": {
    "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": {"Ref": "Role"}, "Architectures": [{"Ref": "Architecture"}],
    "Code": {"S3Bucket": "article-code", "S3Key": "invalidator.zip"}
  }}}
}`

// A function of A with a role of B is refused, by the API and in a template; with a role of its own
// account the same function is made.
func TestArticleRoleOfAnotherAccount(t *testing.T) {
	t.Parallel()
	stage := set(t, story.Options{Empty: true, Source: static.Files})
	zip := functionZip(t)
	a := stage.Config(story.PipelineAccount)
	deployer := deploy.New(a, 10*time.Millisecond)
	if err := deployer.Code(t.Context(), "article-code", "invalidator.zip", zip); err != nil {
		t.Fatal(err)
	}
	for account, name := range map[string]string{story.PipelineAccount: "own", story.DeliveryAccount: "foreign"} {
		role := makeRole(t, stage.Config(account), name)
		_, byAPI := lambda.NewFromConfig(a).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
			FunctionName: &name, Role: &role, Runtime: lambdatypes.RuntimeProvidedal2023, Handler: aws.String("bootstrap"),
			Architectures: []lambdatypes.Architecture{lambdatypes.Architecture(story.Architecture())}, Code: &lambdatypes.FunctionCode{ZipFile: zip},
		})
		_, byTemplate := deployer.Create(t.Context(), deploy.Stack{
			Name: name, Template: []byte(functionTemplate), Parameters: map[string]string{"Role": role, "Architecture": story.Architecture()},
		})
		if account == story.PipelineAccount {
			if err := errors.Join(byAPI, byTemplate); err != nil {
				t.Errorf("a role of the function's own account: %v", err)
			}
			continue
		}
		var e smithy.APIError
		if !errors.As(byAPI, &e) || e.ErrorCode() != "AccessDeniedException" || e.ErrorMessage() != crossAccount {
			t.Errorf("a role of another account by the API: %v", byAPI)
		}
		if byTemplate == nil || !strings.Contains(byTemplate.Error(), "Invalidator: "+crossAccount) || !strings.Contains(byTemplate.Error(), "ROLLBACK_COMPLETE") {
			t.Errorf("a role of another account in a template: %v", byTemplate)
		}
	}
}

func functionZip(t *testing.T) []byte {
	t.Helper()
	zip, err := os.ReadFile(filepath.Join(stage.Lambdas(t), "invalidator_"+story.Architecture()+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	return zip
}

// makeRole makes a role that Lambda may take on and returns its ARN.
func makeRole(t *testing.T, cfg aws.Config, name string) string {
	t.Helper()
	const trust = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}`
	out, err := iam.NewFromConfig(cfg).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust)})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Role.Arn
}

// articleEnvironment leaves the job function the article's variable alone, and its action the
// article's configuration: a function name. The invalidator's is DISTRIBUTION_ID alone anyway. The article's
// function keeps nothing, so its pipeline announces nothing.
func articleEnvironment(t *testing.T) func(name string, text []byte) []byte {
	return func(name string, text []byte) []byte {
		switch name {
		case "delivery-relay":
			if n := bytes.Count(text, []byte(`"Variables"`)); n != 1 || !bytes.Contains(text, []byte(`"DISTRIBUTION_ID"`)) {
				t.Errorf("the invalidator's environment is no longer DISTRIBUTION_ID alone")
			}
		case "pipeline-relay":
			return rewrite(t, stage.WithoutAnnounce(text), func(resources map[string]any) {
				member(resources, "JobFunction", "Properties", "Environment")["Variables"] = map[string]any{"TARGET_LAMBDA_ARN": map[string]any{"Ref": "InvalidatorArn"}}
				stages := member(resources, "Pipeline", "Properties")["Stages"].([]any)
				actions := stages[2].(map[string]any)["Actions"].([]any)
				delete(member(actions[1].(map[string]any), "Configuration"), "UserParameters")
			})
		}
		return text
	}
}

func member(of map[string]any, path ...string) map[string]any {
	for _, name := range path {
		of = of[name].(map[string]any)
	}
	return of
}

// The article's relay clears the cache, and yet its pipeline hangs for 20 minutes and fails, since
// nobody answers. That is why this project exists.
func TestArticleRelayHangsUntilTheSilenceTimeout(t *testing.T) {
	t.Parallel()
	stage := set(t, story.Options{Source: static.Files, Lambdas: stage.Zips(t, "./test/testdata/article/pipeline-job", "./test/testdata/article/invalidator"), Template: articleEnvironment(t)})
	began := time.Now()
	execution, err := stage.Release(deadline(t), "1", nil)
	if err != nil {
		t.Fatal(err)
	}
	wall := time.Since(began)
	deploy, purge := execution.Stages[2].Actions[0], execution.Stages[2].Actions[1]
	if execution.Status != "Failed" || deploy.Status != "Succeeded" || purge.Status != "Failed" {
		t.Fatalf("execution %s, deploy %s, purge %+v", execution.Status, deploy.Status, purge)
	}
	const silence = "The AWS Lambda function unstale-job failed to return a result. Check the function to verify that it has permission to call " +
		"the PutJobSuccessResult action and that it made a call to PutJobSuccessResult."
	if purge.Message != silence {
		t.Errorf("the action says %q", purge.Message)
	}
	if took := purge.Updated.Sub(purge.Start); took < 20*time.Minute || took > 21*time.Minute {
		t.Errorf("the action hung for %v, not the 20 minutes that AWS waits", took)
	}
	if wall > time.Minute {
		t.Errorf("the rehearsal took %v for it", wall)
	}
	// What the pipeline waits for was done all the time.
	i := stage.Invalidation()
	if i.Status != "Completed" || len(i.Items) != 1 || i.Items[0] != "/*" || i.Created.Sub(purge.Start) > time.Minute {
		t.Errorf("invalidation %+v", i)
	}
	for _, c := range stage.World.Journal().Calls() {
		if strings.HasPrefix(c.Action, "codepipeline:PutJob") {
			t.Errorf("somebody answered: %+v", c)
		}
	}
}

// Our functions in the article's place, with the article's two variables and nothing else.
func TestArticleEnvironmentAloneDelivers(t *testing.T) {
	t.Parallel()
	stage := set(t, story.Options{Source: static.Files, Template: articleEnvironment(t)})
	report, err := stage.Run(deadline(t), story.Narrator{})
	if err != nil {
		t.Fatalf("%v: %+v", err, report.Pipeline)
	}
	if report.Pipeline.Status != "Succeeded" || report.Invalidation.Status != "Completed" || !strings.Contains(report.Pipeline.Stages[2].Actions[1].Message, "default: ") {
		t.Errorf("%+v %+v", report.Pipeline, report.Invalidation)
	}
	for _, v := range report.Viewer.After {
		if v.Release != "2" {
			t.Errorf("a viewer gets %+v", v)
		}
	}
}
