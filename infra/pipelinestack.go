package infra

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newPipelineSide is the pipeline account's side of a route: what purges, and the pipeline.
func newPipelineSide(scope constructs.Construct, route Route, env *awscdk.Environment) {
	stack, p := newStack(scope, "pipeline-"+string(route), "pipeline account, third of three stacks: what purges, and the pipeline", env)
	props := InvalidateActionProps{Name: p.name(), Route: route}
	p.actionOf(&props)
	id := "Job"
	if route == States {
		id = "Purge"
	}
	purge := NewInvalidateAction(stack, id, props)
	from := "From delivery-" + string(route)
	pipeline := NewPipeline(stack, "Pipeline", PipelineProps{
		Name: props.Name, PipelineRoleName: props.Name + "-pipeline", Purge: purge, Branch: p.branch(),
		ArtifactBucketName: p.needed("ArtifactBucketName", "From pipeline-base"),
		ArtifactKeyARN:     p.needed("ArtifactKeyArn", "From pipeline-base"),
		SiteBucket:         p.needed("SiteBucketName", from),
		DeployRoleARN:      p.needed("DeployRoleArn", from),
	})
	if purge.Function != nil {
		jobOutputs(stack, purge)
	}
	if purge.Machine != nil {
		output(stack, "StateMachineArn", "What the Purge action starts", *purge.Machine.Ref(), nil)
	}
	pipelineOutputs(stack, pipeline)
	readableIDs(stack)
}

// actionOf declares what this route's action takes. The role stands in pipeline-base, because the delivery account names it.
func (p parameters) actionOf(props *InvalidateActionProps) {
	from := "From delivery-" + string(props.Route)
	if props.Route == Direct {
		props.RoleName = props.Name + "-callback"
		props.TargetName = p.targetName()
		props.RoleARN = p.needed("ActionRoleArn", from)
		props.FunctionName = p.needed("JobFunctionName", from)
		return
	}
	props.Distribution = p.needed("DistributionId", from)
	if props.Route == States {
		props.RoleName = props.Name + "-machine"
		props.RoleARN = p.needed("PurgeRoleArn", from)
		return
	}
	props.RoleName = props.Name + "-job"
	props.TargetName = p.targetName()
	if props.Route == Relay {
		props.InvalidatorARN = p.needed("InvalidatorArn", from+": the alias")
	} else {
		props.RoleARN = p.needed("PurgeRoleArn", from)
		props.ExternalID = p.externalID("The one that was given to delivery-assume")
	}
	props.Median, props.Code = p.median(), p.code("job function")
}

// newOwnJob is the job function alone, for a pipeline that exists already and any number of targets. It is one stack with
// its role. Which targets there are, and which roles, functions and distributions the function may reach for them, are said
// apart: a target that no list covers is denied.
func newOwnJob(scope constructs.Construct, env *awscdk.Environment) {
	stack, p := newStack(scope, "pipeline-job", "pipeline account, for a pipeline of your own: the job function of the routes assume, relay and same-account", env)
	name := p.name()
	targets := p.add("Targets", awscdk.CfnParameterProps{
		Description: jsii.String(`JSON of names to targets, such as {"shop":{"route":"assume","role":"arn:...","externalId":"...","distribution":"E..."}}`),
		// All variables of a function may have 4 KB (Lambda, Quotas).
		AllowedPattern: jsii.String(`\{[\s\S]*\}`), MaxLength: jsii.Number(3500),
	})
	c := constructs.NewConstruct(stack, jsii.String("Job"))
	role, log := NewJobRole(c, "Role", name), newJobLog(c, name)
	state := newState(c, name, *role.AttrArn())
	attach(c, "Policy", role, "job", nil, append(keepsState(state), answerJob(), writeOwnLog(*log.AttrArn()))...)
	for _, power := range []struct {
		parameter, description, name, sid string
		actions                           []string
	}{
		{
			"AssumableRoleArns", "Purge roles of the delivery accounts, for targets of route assume",
			"Assume", "AssumePurgeRole",
			[]string{"sts:AssumeRole"},
		},
		{
			"InvocableFunctionArns", "Aliases of invalidators, for targets of route relay",
			"Invoke", "InvokeInvalidator",
			[]string{"lambda:InvokeFunction"},
		},
		{
			"DistributionArns", "Distributions of this account, for targets of route same-account",
			"Invalidate", "InvalidateDistribution", watched,
		},
		{
			"SiteObjectArns", "Objects of the sites' buckets in this account, such as arn:aws:s3:::my-site/*, for targets of route same-account",
			"Read", "ReadSite",
			[]string{"s3:GetObject"},
		},
	} {
		list, some := p.list(power.parameter, power.description+", with commas between them")
		attach(c, power.name+"Policy", role, strings.ToLower(power.name), some,
			statement{sid: power.sid, actions: power.actions, resources: list})
	}
	function := newJob(c, job{
		name: name, roleARN: *role.AttrArn(), code: p.code("job function"), targets: targets, median: p.median(), state: *state.Ref(),
	}, log)
	output(stack, "JobRoleArn", "Role of the job function", *role.AttrArn(), nil)
	jobOutputs(stack, InvalidateAction{Function: function})
	runOutputs(stack, lambdaRun(*function.Ref(), *function.AttrArn(), ""))
	readableIDs(stack)
}

// newOwnMachine is the state machine alone, for a pipeline that exists already.
func newOwnMachine(scope constructs.Construct, env *awscdk.Environment) {
	stack, p := newStack(scope, "pipeline-machine", "pipeline account, for a pipeline of your own: the state machine of the route states", env)
	machine := NewInvalidateAction(stack, "Purge", InvalidateActionProps{
		Name: p.name(), Route: States,
		Distribution: p.needed("DistributionId", "From delivery-states"), RoleARN: p.needed("PurgeRoleArn", "From delivery-states"),
	})
	output(stack, "StateMachineArn", "What the Purge action starts", *machine.Machine.Ref(), nil)
	runOutputs(stack, machine.run)
	readableIDs(stack)
}

// newOwnCallback is the callback role alone, for a pipeline that exists already.
func newOwnCallback(scope constructs.Construct, env *awscdk.Environment) {
	stack, p := newStack(scope, "pipeline-callback", "pipeline account, for a pipeline of your own: the callback role of the route direct", env)
	role := NewCallbackRole(stack, "CallbackRole", p.name(), p.account("DeliveryAccount", "Account of the site"))
	output(stack, "CallbackRoleArn", "Role through which the delivery account answers jobs", *role.AttrArn(), nil)
	output(stack, "PipelineAccount", "This account", *awscdk.Aws_ACCOUNT_ID(), nil)
	readableIDs(stack)
}
