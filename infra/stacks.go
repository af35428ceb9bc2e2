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
		Description: jsii.String("unstale, " + description),
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
		"pipeline account, first of three stacks: the roles, artifact bucket and key that the delivery account names", env)
	name, delivery, route := p.name(), p.account("DeliveryAccount", "Account of the site"), p.route()
	is := func(id string, r Route) awscdk.CfnCondition { return condition(stack, id, equals(route, string(r))) }
	direct, states := is("IsDirect", Direct), is("IsStates", States)
	hasJob := condition(stack, "HasJobRole", awscdk.Fn_ConditionOr(equals(route, string(Assume)), equals(route, string(Relay))))

	jobRole := NewJobRole(stack, "JobRole", name)
	onlyIf(hasJob, jobRole)
	callbackRole := NewCallbackRole(stack, "CallbackRole", name, delivery)
	onlyIf(direct, callbackRole)
	machineRole := NewMachineRole(stack, "MachineRole", name)
	onlyIf(states, machineRole)
	pipelineRole := newPipelineRole(stack, name)
	deployRole, actionRole := DeployRoleARN(name, delivery), ActionRoleARN(name, delivery)
	artifacts := newArtifacts(stack, "Artifacts", name, readers{
		delivery, awscdk.Fn_ConditionIf(direct.LogicalId(), []any{deployRole, actionRole}, deployRole),
	})

	output(stack, "PipelineAccount", "This account", *awscdk.Aws_ACCOUNT_ID(), nil)
	output(stack, "JobRoleArn", "Role of the job function", *jobRole.AttrArn(), hasJob)
	output(stack, "CallbackRoleArn", "Role through which the delivery account answers jobs", *callbackRole.AttrArn(), direct)
	output(stack, "MachineRoleArn", "Role of the state machine", *machineRole.AttrArn(), states)
	output(stack, "StateMachineArn", "The state machine that pipeline-states makes",
		MachineARN(name, *awscdk.Aws_ACCOUNT_ID()), states)
	output(stack, "PipelineRoleArn", "Role of the pipeline", *pipelineRole.AttrArn(), nil)
	output(stack, "ArtifactBucketName", "Bucket of the artifacts", *artifacts.Bucket.Ref(), nil)
	output(stack, "ArtifactBucketArn", "Bucket of the artifacts", *artifacts.Bucket.AttrArn(), nil)
	output(stack, "ArtifactKeyArn", "Key of the artifacts", *artifacts.Key.AttrArn(), nil)
	readableIDs(stack)
}

// newSameAccount is everything in one account: one stack, no border.
func newSameAccount(scope constructs.Construct, env *awscdk.Environment) {
	stack, p := newStack(scope, string(SameAccount), "one account, one stack: the site and the pipeline that delivers it", env)
	name := p.name()
	site := NewSite(stack, "Site", SiteProps{Name: name, errorSeconds: p.errorSeconds()})
	pipelineRole := newPipelineRole(stack, name)
	artifacts := NewArtifacts(stack, "Artifacts", ArtifactsProps{Name: name})
	job := NewInvalidateAction(stack, "Job", InvalidateActionProps{
		Name: name, Route: SameAccount, TargetName: p.targetName(), Distribution: *site.Distribution.Ref(),
		Median: p.median(), Code: p.code("job function"), SiteBucketARN: *site.Bucket.AttrArn(),
	})
	pipeline := NewPipeline(stack, "Pipeline", PipelineProps{
		Name: name, Branch: p.branch(), Purge: job,
		PipelineRoleName:   *pipelineRole.Ref(),
		ArtifactBucketName: *artifacts.Bucket.Ref(), ArtifactKeyARN: *artifacts.Key.AttrArn(),
		SiteBucket: *site.Bucket.Ref(),
	})
	output(stack, "DistributionId", "The distribution", *site.Distribution.Ref(), nil)
	output(stack, "DistributionDomain", "Where viewers find the site", *site.Distribution.AttrDomainName(), nil)
	output(stack, "SiteBucketName", "Bucket of the site", *site.Bucket.Ref(), nil)
	output(stack, "ArtifactBucketName", "Bucket of the artifacts", *artifacts.Bucket.Ref(), nil)
	jobOutputs(stack, job)
	pipelineOutputs(stack, pipeline)
	readableIDs(stack)
}

func jobOutputs(stack awscdk.Stack, job InvalidateAction) {
	output(stack, "JobFunctionArn", "What the Purge action invokes", *job.Function.AttrArn(), nil)
	output(stack, "JobFunctionName", "What the Purge action names", *job.Function.Ref(), nil)
}

func pipelineOutputs(stack awscdk.Stack, pipeline Pipeline) {
	output(stack, "PipelineName", "The pipeline", *pipeline.Pipeline.Ref(), nil)
	output(stack, "RepositoryName", "The repository", *pipeline.Repository.AttrName(), nil)
	output(stack, "RepositoryCloneUrl", "Where to push", *pipeline.Repository.AttrCloneUrlHttp(), nil)
}

// runOutputs are for a pipeline of one's own.
func runOutputs(stack awscdk.Stack, r run) {
	if r.announcement != nil {
		output(stack, "AnnounceAction", "The action to add to a pipeline of your own, before the one that deploys and in the same stage",
			r.actionJSON(announceAction, r.announcement, 1), nil)
	}
	output(stack, "Action", "The action to add to a pipeline of your own, after the one that deploys and in the same stage",
		r.actionJSON(purgeAction, r.configuration, 3), nil)
	output(stack, "ActionPolicy", "The policy to add to that pipeline's role", r.policyJSON(), nil)
}
