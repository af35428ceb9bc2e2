package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
)

// newDelivery is the delivery account's side of a route: the site, the target, the deploy role.
func newDelivery(scope constructs.Construct, route Route, env *awscdk.Environment) {
	stack, p := newStack(scope, "delivery-"+string(route),
		"delivery account, second of three stacks: the site, and what lets the pipeline account invalidate it", env)
	props := TargetProps{Name: p.name(), Route: route, PipelineAccount: p.account("PipelineAccount", "Account of the pipeline")}
	p.pipelineOf(&props)
	distribution := p.optional("ExistingDistributionId", "A distribution of this account. Empty: a site is made.")
	bucket := p.optional("ExistingBucketName", "The bucket of ExistingDistributionId, if the pipeline is to deploy to it and its releases are to be checked")
	makeSite := condition(stack, "MakeSite", equals(distribution, ""))
	makeRole := condition(stack, "MakeDeployRole", awscdk.Fn_ConditionAnd(
		awscdk.Fn_ConditionNot(equals(props.PipelineRoleARN, "")),
		awscdk.Fn_ConditionOr(makeSite, awscdk.Fn_ConditionNot(equals(bucket, "")))))

	site := NewSite(stack, "Site", SiteProps{Name: props.Name, errorSeconds: p.errorSeconds()})
	onlyIf(makeSite, site)
	props.Distribution = either(makeSite, *site.Distribution.Ref(), distribution)
	bucketName := either(makeSite, *site.Bucket.Ref(), bucket)
	p.targetOf(&props)
	if route != States {
		props.hasSite = condition(stack, "HasSiteBucket", awscdk.Fn_ConditionOr(makeSite, awscdk.Fn_ConditionNot(equals(bucket, ""))))
		props.SiteBucketARN = sub("arn:${AWS::Partition}:s3:::${Bucket}", map[string]string{"Bucket": bucketName})
	}
	target := NewTarget(stack, targetIDs[route], props)
	deploy := NewDeployRole(stack, "DeployRole", DeployRoleProps{
		Name: props.Name, PipelineAccount: props.PipelineAccount, PipelineRoleARN: props.PipelineRoleARN,
		ArtifactBucketARN: props.ArtifactBucketARN, ArtifactKeyARN: props.ArtifactKeyARN, SiteBucket: bucketName,
	})
	onlyIf(makeRole, deploy)

	output(stack, "DeliveryAccount", "This account", *awscdk.Aws_ACCOUNT_ID(), nil)
	output(stack, "DistributionId", "The distribution", props.Distribution, nil)
	output(stack, "DistributionDomain", "Where viewers find the site", *site.Distribution.AttrDomainName(), makeSite)
	output(stack, "SiteBucketName", "Bucket of the site", bucketName, nil)
	output(stack, "DeployRoleArn", "Role that the deploy action takes on", *deploy.AttrArn(), makeRole)
	targetOutputs(stack, route, target)
	readableIDs(stack)
}

// targetIDs begin the logical IDs of what a target is made of.
var targetIDs = map[Route]string{Assume: "Purge", Relay: "Invalidator", Direct: "Job", States: "Purge"}

// pipelineOf declares what the delivery side has to know of the pipeline. Only direct cannot do without: there the pipeline
// itself reaches over the border.
func (p parameters) pipelineOf(props *TargetProps) {
	declare, empty, without := p.orEmpty, ". Empty: no deploy role is made.", ". Empty without PipelineRoleArn."
	if props.Route == Direct {
		declare, empty, without = p.needed, "", ""
	}
	props.PipelineRoleARN = declare("PipelineRoleArn", "Role of the pipeline, from pipeline-base"+empty)
	props.ArtifactBucketARN = declare("ArtifactBucketArn", "From pipeline-base"+without)
	props.ArtifactKeyARN = declare("ArtifactKeyArn", "From pipeline-base"+without)
}

// targetOf declares what only this route's target takes.
func (p parameters) targetOf(props *TargetProps) {
	switch props.Route {
	case Assume:
		props.JobRoleARN = p.needed("JobRoleArn", "Role of the job function, from pipeline-base")
		props.ExternalID = p.externalID("What the job function has to present. One of its own for each target, such as a UUID.")
	case Relay:
		props.JobRoleARN = p.needed("JobRoleArn", "Role of the job function, from pipeline-base; it must exist")
		props.Code = p.code("invalidator")
	case Direct:
		props.CallbackRoleARN = p.needed("CallbackRoleArn", "Role of the pipeline account through which jobs are answered, from pipeline-base")
		props.TargetName, props.Median, props.Code = p.targetName(), p.median(), p.code("job function")
	case States:
		props.MachineRoleARN = p.needed("MachineRoleArn", "Role of the state machine, from pipeline-base")
		props.MachineARN = p.needed("StateMachineArn", "The state machine, from pipeline-base")
	}
}

func targetOutputs(stack awscdk.Stack, route Route, target Target) {
	switch route {
	case Relay:
		output(stack, "InvalidatorArn", "What the job function invokes: the alias", target.InvalidatorARN, nil)
	case Direct:
		output(stack, "ActionRoleArn", "Role that the Purge action takes on", target.RoleARN, nil)
		jobOutputs(stack, InvalidateAction{Function: target.Function})
		runOutputs(stack, target.run)
	default:
		output(stack, "PurgeRoleArn", "Role that the pipeline account takes on", target.RoleARN, nil)
	}
}
