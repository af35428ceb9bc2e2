package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// liveAlias is the alias through which the invalidator is invoked: the permission hangs on it alone.
const liveAlias = "live"

// newRelayTarget makes the invalidator. A Lambda permission cannot carry an aws:PrincipalArn condition, so it names the
// role itself, which therefore has to exist.
func newRelayTarget(c constructs.Construct, what string, props TargetProps) Target {
	demand(what, Relay, need{"JobRoleARN or PipelineAccount", props.JobRoleARN}, need{"Code", props.Code.Key})
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
	role := awsiam.NewCfnRole(c, jsii.String("Role"), &awsiam.CfnRoleProps{
		RoleName:                 jsii.String(props.Name + "-invalidator"),
		Description:              jsii.String("What the invalidator may do: invalidate one distribution"),
		AssumeRolePolicyDocument: assumedBy("LambdaAssumes", "lambda.amazonaws.com"),
		Policies: []*awsiam.CfnRole_PolicyProperty{{
			PolicyName:     jsii.String("invalidate"),
			PolicyDocument: document(invalidates(props.Distribution, watched), writeOwnLog(*log.AttrArn())),
		}},
	})
	props.lookAtSite(c, role)
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
				"Key": props.Code.Key, "Architecture": props.Code.architecture(), "Distribution": props.Distribution,
			})),
	})
	return awslambda.NewCfnAlias(c, jsii.String("Alias"), &awslambda.CfnAliasProps{
		FunctionName:    function.Ref(),
		FunctionVersion: version.AttrVersion(),
		Name:            jsii.String(liveAlias),
	})
}
