package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// defaultMedian is where waiting begins if nobody has measured: CloudFront completes most invalidations within 25 s.
const defaultMedian = "10s"

// job is the job function of every route that has one, in whichever account.
type job struct {
	name, roleARN string
	code          Code
	targets       string // UNSTALE_TARGETS
	median        string // UNSTALE_MEDIAN
	callbackRole  string // UNSTALE_CALLBACK_ROLE, if jobs belong to another account
	state         string // UNSTALE_STATE
}

// newJobLog makes the job function's log group, which its role's policy names.
func newJobLog(c constructs.Construct, name string) awslogs.CfnLogGroup {
	return newLog(c, "/aws/lambda/"+name+"-job")
}

func newJob(c constructs.Construct, j job, log awslogs.CfnLogGroup) awslambda.CfnFunction {
	environment := map[string]string{
		"UNSTALE_TARGETS": j.targets, "UNSTALE_MEDIAN": firstOf(j.median, defaultMedian), "UNSTALE_STATE": j.state,
	}
	if j.callbackRole != "" {
		environment["UNSTALE_CALLBACK_ROLE"] = j.callbackRole
	}
	function := newFunction(c, program{
		name:        j.name + "-job",
		description: "Purges a release's targets for CodePipeline and answers the job",
		roleARN:     j.roleARN,
		code:        j.code,
		memory:      512, // planning a site of a million files takes 300 MiB
		timeout:     90,  // longer than it waits for one completion (50 s) and for viewers, before it hands over by token
		environment: environment,
	}, log)
	// The action's event is delivered asynchronously. The handler fails only when its answer was not accepted; then Lambda
	// tries again. An event older than the 20 minutes of CodePipeline's patience belongs to a stage that has failed.
	awslambda.NewCfnEventInvokeConfig(c, jsii.String("Retries"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName:             function.Ref(),
		Qualifier:                jsii.String("$LATEST"),
		MaximumRetryAttempts:     jsii.Number(2),
		MaximumEventAgeInSeconds: jsii.Number(1200),
	})
	return function
}

// sameAccountTarget is the UNSTALE_TARGETS of a job function that runs beside its distribution.
func sameAccountTarget(name, distribution string) string {
	return sub(`{"${Target}":{"route":"same-account","distribution":"${Distribution}"}}`,
		map[string]string{"Target": name, "Distribution": distribution})
}

// watched is what a gateway does to a distribution: read its configuration, create, get, list what is in progress.
var watched = []string{
	"cloudfront:CreateInvalidation", "cloudfront:GetInvalidation",
	"cloudfront:ListInvalidations", "cloudfront:GetDistribution",
}

// readsSite lets a role look whether a site's bucket holds a release before it is purged. bucketARN is empty where there is
// no bucket to look at.
func readsSite(bucketARN string) []statement {
	if bucketARN == "" {
		return nil
	}
	return []statement{{sid: "ReadSite", actions: []string{"s3:GetObject"}, resources: []string{bucketARN + "/*"}}}
}

// invalidates lets a role do actions to one distribution of its own account. Distributions have no resource policy, so this
// list is what bounds every route.
func invalidates(distribution string, actions []string) statement {
	return statement{sid: "InvalidateDistribution", actions: actions, resources: []string{distributionARN(distribution)}}
}
