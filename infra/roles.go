package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newRole makes a role for an AWS service, without any power yet.
// Others name it; the stack that knows what it needs attaches the policy.
func newRole(scope constructs.Construct, id, name, description, sid, principal string) awsiam.CfnRole {
	return awsiam.NewCfnRole(scope, jsii.String(id), &awsiam.CfnRoleProps{
		RoleName:                 jsii.String(name),
		Description:              jsii.String(description),
		AssumeRolePolicyDocument: assumedBy(sid, principal),
	})
}

// NewJobRole makes the role of the job function. With [Relay] the delivery account's Lambda permission names it, and AWS
// refuses a permission for a role that does not exist: then make it first. [NewInvalidateAction] gives it its power.
func NewJobRole(scope constructs.Construct, id, name string) awsiam.CfnRole {
	return newRole(scope, id, name+"-job", "What the job function may do: reach its targets and answer its jobs",
		"LambdaAssumes", "lambda.amazonaws.com")
}

func newPipelineRole(scope constructs.Construct, name string) awsiam.CfnRole {
	return newRole(scope, "PipelineRole", name+"-pipeline", "What the pipeline may do: run its actions",
		"CodePipelineAssumes", "codepipeline.amazonaws.com")
}

// attach gives a role a policy, under a condition that may be nil.
func attach(scope constructs.Construct, id string, role awsiam.CfnRole, name string, condition awscdk.CfnCondition,
	statements ...statement,
) awsiam.CfnRolePolicy {
	policy := awsiam.NewCfnRolePolicy(scope, jsii.String(id), &awsiam.CfnRolePolicyProps{
		RoleName: role.Ref(), PolicyName: jsii.String(name), PolicyDocument: document(statements...),
	})
	if condition != nil {
		onlyIf(condition, policy)
	}
	return policy
}

// NewMachineRole makes the role of the state machine of [States]. [NewInvalidateAction] gives it its power.
func NewMachineRole(scope constructs.Construct, id, name string) awsiam.CfnRole {
	return newRole(scope, id, name+"-machine", "What the state machine may do: take on the purge role of its target",
		"StepFunctionsAssumes", "states.amazonaws.com")
}

// NewCallbackRole makes the role of the pipeline account through which the job function of [Direct], in deliveryAccount,
// answers its jobs. It may report results and nothing else, and only that function's role may take it on. What remains:
// results have no resource level, so the delivery account can answer any job of this account whose ID it learns.
func NewCallbackRole(scope constructs.Construct, id, name, deliveryAccount string) awsiam.CfnRole {
	return awsiam.NewCfnRole(scope, jsii.String(id), &awsiam.CfnRoleProps{
		RoleName:    jsii.String(name + "-callback"),
		Description: jsii.String("What the job function of the delivery account may do here: answer its jobs"),
		AssumeRolePolicyDocument: document(statement{
			sid: "JobRoleAssumes", principal: accountRoot(deliveryAccount),
			actions: []string{"sts:AssumeRole"}, when: onlyRole(JobRoleARN(name, deliveryAccount)),
		}),
		Policies: []*awsiam.CfnRole_PolicyProperty{{
			PolicyName: jsii.String("callback"), PolicyDocument: document(answerJob()),
		}},
	})
}

// answerJob: PutJob*Result have no resource level (Service Authorization Reference, AWS CodePipeline), hence "*".
func answerJob() statement {
	return statement{
		sid:       "AnswerJob",
		actions:   []string{"codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"},
		resources: []string{"*"},
	}
}
