package infra

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Route is the way the border between the accounts is crossed.
type Route string

// Relay: the job function in the pipeline account invokes the invalidator in the delivery account.
const Relay Route = "relay"

// liveAlias is the alias through which the invalidator is invoked: the permission hangs on it alone.
const liveAlias = "live"

// TargetProps describes the delivery side of a route to one distribution. Every field is needed.
type TargetProps struct {
	Name         string // prefix of the names of what is made
	Route        Route
	Distribution string // ID of the distribution, in the account of the stack
	JobRoleARN   string // the one role of the pipeline account that may use the target; it must exist
	Code         Code   // the invalidator
}

// Target is the delivery side of a route.
type Target struct {
	constructs.Construct
	// InvalidatorARN is the ARN of the invalidator's alias: what the pipeline account invokes, and nothing else.
	InvalidatorARN string
}

// NewTarget makes what lets JobRoleARN of the pipeline account invalidate one distribution of the delivery account, and
// grants no more: the invalidator's role lists that one distribution, and only the alias may be invoked, only by that role.
func NewTarget(scope constructs.Construct, id string, props TargetProps) Target {
	if props.Route != Relay {
		panic(fmt.Sprintf("make target %s: route %q is not one of: %s", id, props.Route, Relay))
	}
	requireEnvironment(scope, "target "+id)
	c := constructs.NewConstruct(scope, jsii.String(id))
	log := newLog(c, "/aws/lambda/"+props.Name+"-invalidator")
	function := newInvalidator(c, props, log)
	alias := newAlias(c, props, function)
	awslambda.NewCfnPermission(c, jsii.String("Permission"), &awslambda.CfnPermissionProps{
		FunctionName: alias.Ref(),
		Action:       jsii.String("lambda:InvokeFunction"),
		Principal:    props.JobRoleARN,
	})
	return Target{Construct: c, InvalidatorARN: *alias.Ref()}
}

func invalidatorProgram(props TargetProps, roleARN string) program {
	return program{
		name:        props.Name + "-invalidator",
		description: "Invalidates one distribution for the pipeline account",
		roleARN:     roleARN,
		code:        props.Code,
		memory:      128,
		timeout:     30,
		environment: map[string]string{"DISTRIBUTION_ID": props.Distribution},
	}
}

func newInvalidator(c constructs.Construct, props TargetProps, log awslogs.CfnLogGroup) awslambda.CfnFunction {
	distribution := sub("arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${Distribution}",
		map[string]string{"Distribution": props.Distribution})
	role := awsiam.NewCfnRole(c, jsii.String("Role"), &awsiam.CfnRoleProps{
		RoleName:                 jsii.String(props.Name + "-invalidator"),
		Description:              jsii.String("What the invalidator may do: invalidate one distribution"),
		AssumeRolePolicyDocument: assumedBy("LambdaAssumes", "lambda.amazonaws.com"),
		Policies: []*awsiam.CfnRole_PolicyProperty{{
			PolicyName: jsii.String("invalidate"),
			PolicyDocument: document(
				statement{
					sid: "InvalidateDistribution",
					actions: []string{
						"cloudfront:CreateInvalidation", "cloudfront:GetInvalidation",
						"cloudfront:ListInvalidations", "cloudfront:GetDistribution",
					},
					resources: []string{distribution},
				},
				writeOwnLog(*log.AttrArn()),
			),
		}},
	})
	return newFunction(c, invalidatorProgram(props, *role.AttrArn()), log)
}

// newAlias publishes the function. A version is immutable and a change of its Description replaces it, so the description
// carries all that a version freezes: code, architecture, distribution and the fixed settings. Otherwise the alias would
// go on serving the old code after an update.
func newAlias(c constructs.Construct, props TargetProps, function awslambda.CfnFunction) awslambda.CfnAlias {
	version := awslambda.NewCfnVersion(c, jsii.String("Version"), &awslambda.CfnVersionProps{
		FunctionName: function.Ref(),
		Description: jsii.String(sub("${Key} ${Architecture} ${Distribution} "+invalidatorProgram(props, "").settings(),
			map[string]string{
				"Key": props.Code.Key, "Architecture": props.Code.Architecture, "Distribution": props.Distribution,
			})),
	})
	return awslambda.NewCfnAlias(c, jsii.String("Alias"), &awslambda.CfnAliasProps{
		FunctionName:    function.Ref(),
		FunctionVersion: version.AttrVersion(),
		Name:            jsii.String(liveAlias),
	})
}
