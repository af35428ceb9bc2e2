package infra

import (
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// TargetProps describes the delivery side of a route to one distribution. What a route does not mention is left alone.
// ARNs of the pipeline account follow from Name and PipelineAccount where they are not given.
type TargetProps struct {
	Name         string // prefix of the names of what is made; default "unstale", the same on both sides
	Route        Route  // default [Assume]
	Distribution string // needed: ID of the distribution, in the account of the stack

	// PipelineAccount is the account of the pipeline; all routes but [Relay] need it, unless every ARN below is given.
	PipelineAccount string

	// JobRoleARN is the one role that may use the target. [Assume]: need not exist. [Relay]: has to exist.
	JobRoleARN string
	// ExternalID is what the job function has to present; [Assume] needs it, one per target. It is no secret: it keeps a
	// job function that serves many targets from being talked into using one for another. 2 to 1224 of A-Za-z0-9_+=,.@:/-
	ExternalID string

	// MachineRoleARN and MachineARN are the state machine that may use the target. [States].
	MachineRoleARN, MachineARN string

	// PipelineRoleARN is the one role that may start the job function here, by way of the action role. [Direct] needs it.
	PipelineRoleARN string
	// CallbackRoleARN is what the job function here answers through. [Direct].
	CallbackRoleARN string
	// ArtifactBucketARN and ArtifactKeyARN are what the action role may read: the release. [Direct] needs them. The
	// bucket's and the key's own policies must admit the action role as well, see [NewArtifacts].
	ArtifactBucketARN, ArtifactKeyARN string
	// SiteBucketARN is the bucket that the distribution reads, whose objects the purging role may then read: nothing is purged
	// before it holds the release. Empty: a release that is planned fails, naming the grant, unless the distribution reads no
	// bucket. Not for [States].
	SiteBucketARN string
	hasSite       awscdk.CfnCondition // says at deployment whether there is such a bucket; nil: there is

	TargetName string // [Direct]: name that UserParameters select the target by; default "site"
	Median     string // [Direct]: see [InvalidateActionProps]

	Code Code // [Relay] needs the invalidator, [Direct] the job function
}

// Target is the delivery side of a route.
type Target struct {
	constructs.Construct
	// InvalidatorARN is the invalidator's alias: what the pipeline account invokes, and nothing else. [Relay].
	InvalidatorARN string
	// RoleARN is the role that the pipeline account takes on: the purge role of [Assume] and [States], the action role of
	// [Direct].
	RoleARN string
	// Function is the job function of [Direct].
	Function awslambda.CfnFunction
	run      run // [Direct]: how a pipeline runs it
}

// NewTarget makes what lets one role of the pipeline account invalidate one distribution of the delivery account:
//
//   - [Assume]: a role that lists the distribution, trusts JobRoleARN and asks for ExternalID.
//   - [Relay]: the invalidator, whose role lists the distribution and whose alias JobRoleARN may invoke.
//   - [Direct]: the job function, whose role lists the distribution, and the role with which CodePipeline invokes it.
//   - [States]: a role that lists the distribution, trusts MachineRoleARN and asks for MachineARN.
//
// With all but [States] that role may also read the objects of SiteBucketARN, and nothing else. The job function of [Direct]
// keeps in a bucket of its own, which nobody else can write, what was deployed. NewTarget panics, as CDK's constructs do, where a property that the route needs is missing, and see [requireEnvironment].
func NewTarget(scope constructs.Construct, id string, props TargetProps) Target {
	what := "target " + id
	requireEnvironment(scope, what)
	props = props.withDefaults()
	build := map[Route]func(constructs.Construct, string, TargetProps) Target{
		Assume: newAssumeTarget, Relay: newRelayTarget, Direct: newDirectTarget, States: newStatesTarget,
	}[props.Route]
	if build == nil {
		refuseRoute(what, props.Route, crossing()) // with same-account there is no other side
	}
	demand(what, props.Route, need{"Distribution", props.Distribution})
	return build(constructs.NewConstruct(scope, jsii.String(id)), what, props)
}

func (p TargetProps) withDefaults() TargetProps {
	p.Route = p.Route.orDefault()
	p.Name = firstOf(p.Name, defaultName)
	p.TargetName = firstOf(p.TargetName, defaultTargetName)
	if p.PipelineAccount == "" {
		return p
	}
	p.JobRoleARN = firstOf(p.JobRoleARN, JobRoleARN(p.Name, p.PipelineAccount))
	p.MachineRoleARN = firstOf(p.MachineRoleARN, MachineRoleARN(p.Name, p.PipelineAccount))
	p.MachineARN = firstOf(p.MachineARN, MachineARN(p.Name, p.PipelineAccount))
	p.CallbackRoleARN = firstOf(p.CallbackRoleARN, CallbackRoleARN(p.Name, p.PipelineAccount))
	return p
}

// externalIDPattern and its lengths are STS's own (AssumeRole, ExternalId); \w is ASCII there.
const (
	externalIDPattern = `[A-Za-z0-9_+=,.@:/-]*`
	externalIDMin     = 2
	externalIDMax     = 1224
)

// checkExternalID refuses an external ID that STS would refuse, at synthesis if it is known then.
func checkExternalID(what, id string) {
	if id == "" || isToken(id) {
		return
	}
	if len(id) < externalIDMin || len(id) > externalIDMax || !regexp.MustCompile("^"+externalIDPattern+"$").MatchString(id) {
		panic("make " + what + ": ExternalID is not 2 to 1224 letters, digits and _+=,.@:/-")
	}
}
