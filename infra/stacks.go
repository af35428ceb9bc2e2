package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newStack makes one of the stacks that become a template. Its environment is explicit, as the constructs demand, but
// leaves no trace: everything that depends on it is a pseudo parameter. There is no bootstrap to check for and there are no
// assets, so that the template can be deployed by anything into any account.
func newStack(scope constructs.Construct, name, description string, env *awscdk.Environment) (awscdk.Stack, parameters) {
	stack := awscdk.NewStack(scope, jsii.String(name), &awscdk.StackProps{
		Description: jsii.String(description),
		Env:         env,
		Synthesizer: awscdk.NewBootstraplessSynthesizer(nil),
	})
	awscdk.Validations_Of(stack).Acknowledge(&awscdk.Acknowledgment{
		Id:     jsii.String("CloudFormation-Validate::W1001"),
		Reason: jsii.String("it overlooks that the reference stands in an Fn::If of that very condition; a test of ours does not"),
	})
	return stack, parameters{stack}
}

// newPipelineBase is what the delivery account has to name: the roles, the artifact bucket and its key.
func newPipelineBase(scope constructs.Construct, env *awscdk.Environment) {
	stack, p := newStack(scope, "pipeline-base",
		"unstale, pipeline account, first of three stacks: the roles, artifact bucket and key that the delivery account names", env)
	name := p.name()
	delivery := p.account("DeliveryAccount", "Account of the site")
	makePipeline := condition(stack, "MakePipeline", equals(
		p.withPipeline("false if there is a pipeline already: then only the job function's role is made"), "true"))

	jobRole := NewJobRole(stack, "JobRole", name)
	pipelineRole := newRole(stack, "PipelineRole", name+"-pipeline", "What the pipeline may do: run its actions",
		"CodePipelineAssumes", "codepipeline.amazonaws.com")
	artifacts := NewArtifacts(stack, "Artifacts", ArtifactsProps{Name: name, DeliveryAccount: delivery})
	onlyIf(makePipeline, pipelineRole)
	onlyIf(makePipeline, artifacts)

	output(stack, "PipelineAccount", "This account", *awscdk.Aws_ACCOUNT_ID(), nil)
	output(stack, "JobRoleArn", "Role of the job function", *jobRole.AttrArn(), nil)
	output(stack, "PipelineRoleArn", "Role of the pipeline", *pipelineRole.AttrArn(), makePipeline)
	output(stack, "ArtifactBucketName", "Bucket of the artifacts", *artifacts.Bucket.Ref(), makePipeline)
	output(stack, "ArtifactBucketArn", "Bucket of the artifacts", *artifacts.Bucket.AttrArn(), makePipeline)
	output(stack, "ArtifactKeyArn", "Key of the artifacts", *artifacts.Key.AttrArn(), makePipeline)
	readableIDs(stack)
}

// newDelivery is the delivery account's side of a route: the site, the target, the deploy role.
func newDelivery(scope constructs.Construct, route Route, env *awscdk.Environment) {
	stack, p := newStack(scope, "delivery-"+string(route),
		"unstale, delivery account, second of three stacks: the site, and what lets the pipeline account invalidate it", env)
	name := p.name()
	pipeline := p.account("PipelineAccount", "Account of the pipeline")
	jobRole := p.needed("JobRoleArn", "Role of the job function, from pipeline-base; it must exist")
	pipelineRole := p.orEmpty("PipelineRoleArn", "Role of the pipeline, from pipeline-base. Empty: no deploy role is made.")
	artifactBucket := p.orEmpty("ArtifactBucketArn", "From pipeline-base. Empty without PipelineRoleArn.")
	artifactKey := p.orEmpty("ArtifactKeyArn", "From pipeline-base. Empty without PipelineRoleArn.")
	distribution := p.optional("ExistingDistributionId", "A distribution of this account. Empty: a site is made.")
	bucket := p.optional("ExistingBucketName", "The bucket of ExistingDistributionId, if the pipeline is to deploy to it")
	code := p.code("invalidator")

	makeSite := condition(stack, "MakeSite", equals(distribution, ""))
	makeRole := condition(stack, "MakeDeployRole", awscdk.Fn_ConditionAnd(
		awscdk.Fn_ConditionNot(equals(pipelineRole, "")),
		awscdk.Fn_ConditionOr(makeSite, awscdk.Fn_ConditionNot(equals(bucket, "")))))

	site := NewSite(stack, "Site", SiteProps{Name: name})
	onlyIf(makeSite, site)
	distributionID := either(makeSite, *site.Distribution.Ref(), distribution)
	bucketName := either(makeSite, *site.Bucket.Ref(), bucket)
	target := NewTarget(stack, "Invalidator", TargetProps{
		Name: name, Route: route, Distribution: distributionID, JobRoleARN: jobRole, Code: code,
	})
	deploy := NewDeployRole(stack, "DeployRole", DeployRoleProps{
		Name: name, PipelineAccount: pipeline, PipelineRoleARN: pipelineRole,
		ArtifactBucketARN: artifactBucket, ArtifactKeyARN: artifactKey, SiteBucket: bucketName,
	})
	onlyIf(makeRole, deploy)

	output(stack, "DeliveryAccount", "This account", *awscdk.Aws_ACCOUNT_ID(), nil)
	output(stack, "DistributionId", "The distribution", distributionID, nil)
	output(stack, "DistributionDomain", "Where viewers find the site", *site.Distribution.AttrDomainName(), makeSite)
	output(stack, "SiteBucketName", "Bucket of the site", bucketName, nil)
	output(stack, "InvalidatorArn", "What the job function invokes: the alias", target.InvalidatorARN, nil)
	output(stack, "DeployRoleArn", "Role that the deploy action takes on", *deploy.AttrArn(), makeRole)
	readableIDs(stack)
}

// newPipelineSide is the pipeline account's side of a route: the job function and, unless there is one, the pipeline.
func newPipelineSide(scope constructs.Construct, route Route, env *awscdk.Environment) {
	stack, p := newStack(scope, "pipeline-"+string(route),
		"unstale, pipeline account, third of three stacks: the job function and the pipeline", env)
	name := p.name()
	makePipeline := condition(stack, "MakePipeline", equals(
		p.withPipeline("false if there is a pipeline already: then only the job function is made, and the outputs tell what to add to the pipeline"), "true"))
	job := NewInvalidateAction(stack, "Job", InvalidateActionProps{
		Name: name, Route: route, JobRoleName: name + "-job", TargetName: p.targetName(),
		Distribution:   p.needed("DistributionId", "From delivery-"+string(route)),
		InvalidatorARN: p.needed("InvalidatorArn", "From delivery-"+string(route)+": the alias"),
		Median:         p.median(), Code: p.code("job function"),
	})
	pipeline := NewPipeline(stack, "Pipeline", PipelineProps{
		Name: name, PipelineRoleName: name + "-pipeline", Purge: job,
		Branch: p.add("Branch", awscdk.CfnParameterProps{
			Description: jsii.String("Branch whose pushes are released"), Default: jsii.String("main"), MinLength: jsii.Number(1),
		}),
		ArtifactBucketName: p.orEmpty("ArtifactBucketName", "From pipeline-base. Empty without a pipeline."),
		ArtifactKeyARN:     p.orEmpty("ArtifactKeyArn", "From pipeline-base. Empty without a pipeline."),
		SiteBucket:         p.orEmpty("SiteBucketName", "From delivery-"+string(route)+". Empty without a pipeline."),
		DeployRoleARN:      p.orEmpty("DeployRoleArn", "From delivery-"+string(route)+". Empty without a pipeline."),
	})
	onlyIf(makePipeline, pipeline)

	output(stack, "JobFunctionArn", "What the Purge action invokes", *job.Function.AttrArn(), nil)
	output(stack, "JobFunctionName", "What the Purge action names", *job.Function.Ref(), nil)
	output(stack, "Action", "The action to add to a pipeline of your own, after the one that deploys and in the same stage", job.actionJSON(), nil)
	output(stack, "ActionPolicy", "The policy to add to that pipeline's role", job.grantsJSON(), nil)
	output(stack, "PipelineName", "The pipeline", *pipeline.Pipeline.Ref(), makePipeline)
	output(stack, "RepositoryName", "The repository", *pipeline.Repository.AttrName(), makePipeline)
	output(stack, "RepositoryCloneUrl", "Where to push", *pipeline.Repository.AttrCloneUrlHttp(), makePipeline)
	readableIDs(stack)
}
