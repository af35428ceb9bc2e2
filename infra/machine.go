package infra

import (
	"bytes"
	_ "embed" // the state machine's definition
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// purgeDefinition is the state machine of [States] in Amazon States Language (JSONPath), with placeholders such as
// ${Distribution} that CloudFormation fills in.
//
// Errors of SDK integrations are named by service and exception in Pascal case, always with the suffix Exception (Step
// Functions Developer Guide, supported-services-awssdk). What CloudFront's model does not name, as 503 and throttling,
// arrives as CloudFront.CloudFrontException: that is seen in use, not documented. Names are therefore matched with and
// without the suffix. Every call may be repeated: the reference is a function of the execution.
//
// The integrations are those of the partition aws; cfn-lint takes no other.
//
//go:embed asl/purge.asl.json
var purgeDefinition []byte

// compactDefinition is purgeDefinition without its white space: a definition may have 1 MiB, a template 51,200 bytes.
func compactDefinition() string {
	var b bytes.Buffer
	if err := json.Compact(&b, purgeDefinition); err != nil {
		panic(fmt.Sprintf("compact the state machine's definition: %v", err))
	}
	return b.String()
}

// statesInput is what the pipeline gives the state machine: everything is purged, since nothing plans. The release is there
// for those who read the execution.
const statesInput = `{"items":["/*"],"release":"#{codepipeline.PipelineExecutionId}"}`

// newStatesAction makes the state machine. It is STANDARD: its history is kept for 90 days without a log, whose delivery
// would need grants on all logs of the account; and an execution may take longer than the five minutes of EXPRESS.
func newStatesAction(c constructs.Construct, what string, props InvalidateActionProps) InvalidateAction {
	demand(what, States, need{"Distribution", props.Distribution}, need{"RoleARN or DeliveryAccount", props.RoleARN})
	roleName, roleARN := props.RoleName, ownRoleARN(props.RoleName)
	if roleName == "" {
		role := NewMachineRole(c, "Role", props.Name)
		roleName, roleARN = *role.Ref(), *role.AttrArn()
	}
	policy := awsiam.NewCfnRolePolicy(c, jsii.String("Policy"), &awsiam.CfnRolePolicyProps{
		RoleName:       jsii.String(roleName),
		PolicyName:     jsii.String("machine"),
		PolicyDocument: document(assumePurgeRole(props.RoleARN)),
	})
	machine := awsstepfunctions.NewCfnStateMachine(c, jsii.String("Machine"), &awsstepfunctions.CfnStateMachineProps{
		StateMachineName: jsii.String(props.Name + "-purge"),
		StateMachineType: jsii.String("STANDARD"),
		RoleArn:          jsii.String(roleARN),
		DefinitionString: jsii.String(compactDefinition()),
		DefinitionSubstitutions: map[string]string{
			"PurgeRole":    props.RoleARN,
			"Distribution": props.Distribution,
			"MachineRole":  roleARN,
			"Machine":      MachineARN(props.Name, *awscdk.Aws_ACCOUNT_ID()),
		},
	})
	return InvalidateAction{Construct: c, Machine: machine, Policy: policy, run: statesRun(*machine.Ref(), props.Name)}
}

// statesRun runs the state machine and waits for it. The execution is named after the action's execution, so a retried
// stage is a new execution with a new reference (CodePipeline User Guide, action-reference-StepFunctions).
func statesRun(machineARN, name string) run {
	execution := "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${Name}-purge:*"
	return run{
		provider:      "StepFunctions",
		configuration: map[string]string{"StateMachineArn": "${Machine}", "InputType": "Literal", "Input": statesInput},
		grants: []statement{
			{sid: "StartMachine", actions: []string{"states:StartExecution"}, resources: []string{"${Machine}"}},
			{sid: "WatchMachine", actions: []string{"states:DescribeExecution"}, resources: []string{execution}},
			{sid: "MachineAsDocumented", actions: documentedMachine, resources: []string{"${Machine}"}},
		},
		values: map[string]string{"Machine": machineARN, "Name": name},
	}
}
