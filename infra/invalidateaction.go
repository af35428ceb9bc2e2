package infra

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// defaultTargetName is how UserParameters select the target where no name is given.
const defaultTargetName = "site"

// InvalidateActionProps describes the pipeline side of a route to one target. What a route does not mention is left alone.
// ARNs of the delivery account follow from Name and DeliveryAccount where they are not given.
type InvalidateActionProps struct {
	Name         string // prefix of the names of what is made; default "unstale", the same on both sides
	Route        Route  // default [Assume]
	TargetName   string // the name by which a pipeline's UserParameters select the target; default "site"
	Distribution string // needed, except by [Direct]: ID of the distribution

	// DeliveryAccount is the account of the distribution; needed unless the ARN below that the route takes is given.
	DeliveryAccount string

	// RoleARN is the role of the delivery account that is taken on: the purge role of [Assume] and [States], the action
	// role of [Direct]. The pipeline side may take on this role and no other.
	RoleARN string
	// ExternalID is what the purge role asks for; [Assume] needs it.
	ExternalID string
	// InvalidatorARN is the alias of the invalidator, the one function that the job function may invoke. [Relay].
	InvalidatorARN string
	// SiteBucketARN is the bucket that the distribution reads, whose objects the job function may then read: nothing is purged
	// before it holds the release. Empty: the release fails, naming the grant. [SameAccount]; elsewhere [TargetProps] has it.
	SiteBucketARN string
	// FunctionName is the job function of the delivery account; default NAME-job. [Direct].
	FunctionName string

	// RoleName is a role that exists already, made by [NewJobRole], [NewMachineRole] or [NewCallbackRole]; its power is
	// attached here. Empty: the role is made here too. With [Relay] the delivery side cannot be deployed before it exists.
	RoleName string

	// Median is how long an invalidation takes to complete, as a Go duration: where waiting begins; default "10s".
	// Not for [States], whose waits are fixed, nor for [Direct], where [TargetProps] has it.
	Median string
	// Code is the job function; [Assume], [Relay] and [SameAccount] need it.
	Code Code
}

// InvalidateAction is the pipeline side of a route. Of Function and Machine there is one, with [Direct] neither.
type InvalidateAction struct {
	constructs.Construct
	Function awslambda.CfnFunction
	Machine  awsstepfunctions.CfnStateMachine
	// Policy is the role's: a pipeline that starts at once has to depend on it. With [Direct] there is none.
	Policy awsiam.CfnRolePolicy
	run    run
}

// NewInvalidateAction makes what the Purge action of a pipeline runs, and gives its role exactly the power for one target:
//
//   - [Assume]: the job function, which may assume the target's purge role.
//   - [Relay]: the job function, which may invoke the target's invalidator.
//   - [SameAccount]: the job function, which may invalidate the distribution and read SiteBucketARN.
//   - [Direct]: the callback role, through which the target's job function may answer jobs.
//   - [States]: the state machine, which may take on the target's purge role.
//
// Job functions may also answer jobs, write their log, and keep in a bucket of their own, which nobody else can write, what
// was deployed. Targets are part of the function's or the machine's own configuration: who may edit the pipeline selects
// among them and gains no other. It panics, as CDK's constructs do, where a property that the route needs is missing, and
// see [requireEnvironment].
func NewInvalidateAction(scope constructs.Construct, id string, props InvalidateActionProps) InvalidateAction {
	what := "invalidate action " + id
	requireEnvironment(scope, what)
	props = props.withDefaults()
	build := map[Route]func(constructs.Construct, string, InvalidateActionProps) InvalidateAction{
		Assume: newJobAction, Relay: newJobAction, SameAccount: newJobAction, Direct: newDirectAction, States: newStatesAction,
	}[props.Route]
	if build == nil {
		refuseRoute(what, props.Route, Routes())
	}
	return build(constructs.NewConstruct(scope, jsii.String(id)), what, props)
}

func (p InvalidateActionProps) withDefaults() InvalidateActionProps {
	p.Route = p.Route.orDefault()
	p.Name = firstOf(p.Name, defaultName)
	p.TargetName = firstOf(p.TargetName, defaultTargetName)
	p.FunctionName = firstOf(p.FunctionName, p.Name+"-job")
	if p.DeliveryAccount == "" {
		return p
	}
	p.InvalidatorARN = firstOf(p.InvalidatorARN, InvalidatorARN(p.Name, p.DeliveryAccount))
	if p.Route == Direct {
		p.RoleARN = firstOf(p.RoleARN, ActionRoleARN(p.Name, p.DeliveryAccount))
	}
	p.RoleARN = firstOf(p.RoleARN, PurgeRoleARN(p.Name, p.DeliveryAccount))
	return p
}

// newJobAction makes the job function of the routes whose job function runs in the pipeline account.
func newJobAction(c constructs.Construct, what string, props InvalidateActionProps) InvalidateAction {
	demand(what, props.Route, need{"Distribution", props.Distribution}, need{"Code", props.Code.Key})
	targets, power := props.crossing(what)
	roleName, roleARN := props.RoleName, ownRoleARN(props.RoleName)
	if roleName == "" {
		role := NewJobRole(c, "Role", props.Name)
		roleName, roleARN = *role.Ref(), *role.AttrArn()
	}
	log := newJobLog(c, props.Name)
	state := newState(c, props.Name, roleARN)
	policy := awsiam.NewCfnRolePolicy(c, jsii.String("Policy"), &awsiam.CfnRolePolicyProps{
		RoleName:       jsii.String(roleName),
		PolicyName:     jsii.String("job"),
		PolicyDocument: document(slices.Concat(power, keepsState(state), []statement{answerJob(), writeOwnLog(*log.AttrArn())})...),
	})
	function := newJob(c, job{
		name: props.Name, roleARN: roleARN, code: props.Code, targets: targets, median: props.Median, state: *state.Ref(),
	}, log)
	return InvalidateAction{
		Construct: c, Function: function, Policy: policy,
		run: lambdaRun(*function.Ref(), *function.AttrArn(), props.TargetName),
	}
}

// crossing is where the three routes of a job function in the pipeline account differ: the target as the function is told
// of it, and the grants that reach it.
func (p InvalidateActionProps) crossing(what string) (targets string, power []statement) {
	switch p.Route {
	case Relay:
		demand(what, Relay, need{"InvalidatorARN or DeliveryAccount", p.InvalidatorARN})
		return sub(`{"${Target}":{"route":"relay","function":"${Function}","distribution":"${Distribution}"}}`,
				map[string]string{"Target": p.TargetName, "Function": p.InvalidatorARN, "Distribution": p.Distribution}),
			[]statement{{
				sid: "InvokeInvalidator", actions: []string{"lambda:InvokeFunction"}, resources: []string{p.InvalidatorARN},
			}}
	case Assume:
		demand(what, Assume, need{"RoleARN or DeliveryAccount", p.RoleARN}, need{"ExternalID", p.ExternalID})
		checkExternalID(what, p.ExternalID)
		return sub(`{"${Target}":{"route":"assume","role":"${Role}","externalId":"${ExternalID}","distribution":"${Distribution}"}}`,
				map[string]string{
					"Target": p.TargetName, "Role": p.RoleARN, "ExternalID": p.ExternalID, "Distribution": p.Distribution,
				}),
			[]statement{assumePurgeRole(p.RoleARN)}
	default:
		return sameAccountTarget(p.TargetName, p.Distribution),
			append(readsSite(p.SiteBucketARN), invalidates(p.Distribution, watched))
	}
}

func assumePurgeRole(roleARN string) statement {
	return statement{sid: "AssumePurgeRole", actions: []string{"sts:AssumeRole"}, resources: []string{roleARN}}
}

// newDirectAction makes the pipeline account's side of a job function that runs in the delivery account.
func newDirectAction(c constructs.Construct, what string, props InvalidateActionProps) InvalidateAction {
	demand(what, Direct, need{"RoleARN or DeliveryAccount", props.RoleARN})
	if props.RoleName == "" {
		demand(what, Direct, need{"DeliveryAccount", props.DeliveryAccount})
		NewCallbackRole(c, "CallbackRole", props.Name, props.DeliveryAccount)
	}
	return InvalidateAction{Construct: c, run: directRun(props.RoleARN, props.FunctionName, props.TargetName)}
}

// Declaration is the action for a stage of a pipeline. Deploy and purge belong into one stage, one after the other by
// runOrder: two stages would let another release slip between. Artifact is the release that was deployed; [States] takes
// none.
func (a InvalidateAction) Declaration(artifact string, runOrder int) *awscodepipeline.CfnPipeline_ActionDeclarationProperty {
	return a.run.declaration(purgeAction, a.run.configuration, artifact, runOrder)
}

// Announcement is the action to run before the deploy, in the same stage: it records the release and tries the way to the
// target, so that a release whose purge is never run is known to the next one, and nothing is deployed to what cannot be reached. It
// is nil for [States], which keeps no history.
func (a InvalidateAction) Announcement(artifact string, runOrder int) *awscodepipeline.CfnPipeline_ActionDeclarationProperty {
	if a.run.announcement == nil {
		return nil
	}
	return a.run.declaration(announceAction, a.run.announcement, artifact, runOrder)
}

// PipelinePolicy is the policy that the pipeline's role needs to run the action, for [awsiam.CfnRolePolicyProps].
func (a InvalidateAction) PipelinePolicy() map[string]any { return document(a.run.statements()...) }
