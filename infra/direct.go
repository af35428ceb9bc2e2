package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newDirectTarget makes the job function beside its distribution, and the role with which CodePipeline invokes it. The
// invocation stays within this account, so the function needs no resource policy. The callback role is explicit because
// whose account may answer a job is documented nowhere, and the job's own artifact credentials were seen to be refused
// (aws-cdk issue 15235).
func newDirectTarget(c constructs.Construct, what string, props TargetProps) Target {
	demand(what, Direct,
		need{"PipelineAccount", props.PipelineAccount}, need{"PipelineRoleARN", props.PipelineRoleARN},
		need{"ArtifactBucketARN", props.ArtifactBucketARN}, need{"ArtifactKeyARN", props.ArtifactKeyARN},
		need{"Code", props.Code.Key})
	log := newJobLog(c, props.Name)
	role := awsiam.NewCfnRole(c, jsii.String("Role"), &awsiam.CfnRoleProps{
		RoleName:                 jsii.String(props.Name + "-job"),
		Description:              jsii.String("What the job function may do: invalidate one distribution and answer its jobs"),
		AssumeRolePolicyDocument: assumedBy("LambdaAssumes", "lambda.amazonaws.com"),
		Policies: []*awsiam.CfnRole_PolicyProperty{{
			PolicyName: jsii.String("job"),
			PolicyDocument: document(
				invalidates(props.Distribution, watched),
				statement{
					sid: "AssumeCallbackRole", actions: []string{"sts:AssumeRole"}, resources: []string{props.CallbackRoleARN},
				},
				writeOwnLog(*log.AttrArn()),
			),
		}},
	})
	props.lookAtSite(c, role)
	state := newState(c, props.Name, *role.AttrArn())
	attach(c, "StatePolicy", role, "state", nil, keepsState(state)...)
	function := newJob(c, job{
		name: props.Name, roleARN: *role.AttrArn(), code: props.Code, median: props.Median,
		targets: sameAccountTarget(props.TargetName, props.Distribution), callbackRole: props.CallbackRoleARN,
		state: *state.Ref(),
	}, log)
	action := newActionRole(c, props, function)
	return Target{
		Construct: c, RoleARN: *action.AttrArn(), Function: function,
		run: directRun(*action.AttrArn(), *function.Ref(), props.TargetName),
	}
}

// newActionRole makes the role that CodePipeline takes on to run the action. The job's artifact credentials are a session
// of this role, so it reads the release as well.
func newActionRole(c constructs.Construct, props TargetProps, function awslambda.CfnFunction) awsiam.CfnRole {
	statements := lambdaGrants(*function.AttrArn())
	return awsiam.NewCfnRole(c, jsii.String("ActionRole"), &awsiam.CfnRoleProps{
		RoleName:    jsii.String(props.Name + "-action"),
		Description: jsii.String("What the pipeline may do here: invoke the job function and hand it the release"),
		AssumeRolePolicyDocument: document(statement{
			sid: "PipelineRoleAssumes", principal: accountRoot(props.PipelineAccount),
			actions: []string{"sts:AssumeRole"}, when: onlyRole(props.PipelineRoleARN),
		}),
		Policies: []*awsiam.CfnRole_PolicyProperty{{
			PolicyName: jsii.String("action"),
			PolicyDocument: document(append(statements,
				readArtifacts(props.ArtifactBucketARN, props.ArtifactKeyARN)...)...),
		}},
	})
}
