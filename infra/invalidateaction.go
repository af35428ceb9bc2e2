package infra

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// InvalidateActionProps describes the pipeline side of a route to one target. Every field is needed.
type InvalidateActionProps struct {
	Name           string // prefix of the names of what is made
	Route          Route
	TargetName     string // the name by which a pipeline's UserParameters select the target
	Distribution   string // ID of the distribution in the delivery account
	InvalidatorARN string // [Target.InvalidatorARN], the alias
	JobRoleName    string // role made by [NewJobRole]
	Median         string // how long an invalidation takes to complete, as a Go duration: where waiting begins
	Code           Code   // the job function
}

// InvalidateAction is the pipeline side of a route.
type InvalidateAction struct {
	constructs.Construct
	Function awslambda.CfnFunction
	Policy   awsiam.CfnRolePolicy // the job role's: a pipeline that starts at once has to depend on it
	target   string
}

// NewInvalidateAction makes the job function that a pipeline's Lambda action invokes, and gives the job role its power: to
// invoke the target's invalidator, to answer the job, to write its log. Targets are part of the function's configuration:
// who may edit the pipeline selects among them and gains no other.
func NewInvalidateAction(scope constructs.Construct, id string, props InvalidateActionProps) InvalidateAction {
	if props.Route != Relay {
		panic(fmt.Sprintf("make invalidate action %s: route %q is not one of: %s", id, props.Route, Relay))
	}
	requireEnvironment(scope, "invalidate action "+id)
	c := constructs.NewConstruct(scope, jsii.String(id))
	log := newLog(c, "/aws/lambda/"+props.Name+"-job")
	policy := awsiam.NewCfnRolePolicy(c, jsii.String("Policy"), &awsiam.CfnRolePolicyProps{
		RoleName:       jsii.String(props.JobRoleName),
		PolicyName:     jsii.String("job"),
		PolicyDocument: jobPolicy(props.InvalidatorARN, *log.AttrArn()),
	})
	function := newFunction(c, jobProgram(props), log)
	// The action's event is delivered asynchronously. The handler fails only when its answer was not accepted; then Lambda
	// tries again. An event older than the 20 minutes of CodePipeline's patience belongs to a stage that has failed.
	awslambda.NewCfnEventInvokeConfig(c, jsii.String("Retries"), &awslambda.CfnEventInvokeConfigProps{
		FunctionName:             function.Ref(),
		Qualifier:                jsii.String("$LATEST"),
		MaximumRetryAttempts:     jsii.Number(2),
		MaximumEventAgeInSeconds: jsii.Number(1200),
	})
	return InvalidateAction{Construct: c, Function: function, Policy: policy, target: props.TargetName}
}

func jobProgram(props InvalidateActionProps) program {
	targets := sub(`{"${Target}":{"route":"`+string(props.Route)+
		`","function":"${Function}","distribution":"${Distribution}"}}`,
		map[string]string{
			"Target": props.TargetName, "Function": props.InvalidatorARN, "Distribution": props.Distribution,
		})
	role := sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Role}", map[string]string{"Role": props.JobRoleName})
	return program{
		name:        props.Name + "-job",
		description: "Purges a release's targets for CodePipeline and answers the job",
		roleARN:     role,
		code:        props.Code,
		memory:      256,
		timeout:     90, // longer than it waits for one completion (25 s) and for viewers, before it hands over by token
		environment: map[string]string{"UNSTALE_TARGETS": targets, "UNSTALE_MEDIAN": props.Median},
	}
}

// jobPolicy: PutJob*Result have no resource level (Service Authorization Reference, AWS CodePipeline), hence "*".
func jobPolicy(invalidatorARN, logARN string) map[string]any {
	return document(
		statement{
			sid: "InvokeInvalidator", actions: []string{"lambda:InvokeFunction"}, resources: []string{invalidatorARN},
		},
		statement{
			sid:       "AnswerJob",
			actions:   []string{"codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"},
			resources: []string{"*"},
		},
		writeOwnLog(logARN),
	)
}

// Declaration is the action for a stage of a pipeline. Deploy and purge belong into one stage, one after the other by
// runOrder: two stages would let another release slip between. Artifact is the release that was deployed.
func (a InvalidateAction) Declaration(artifact string, runOrder int) *awscodepipeline.CfnPipeline_ActionDeclarationProperty {
	return &awscodepipeline.CfnPipeline_ActionDeclarationProperty{
		Name:           jsii.String("Purge"),
		ActionTypeId:   actionType("Invoke", "Lambda"),
		Configuration:  map[string]string{"FunctionName": *a.Function.Ref(), "UserParameters": a.userParameters()},
		InputArtifacts: []*awscodepipeline.CfnPipeline_InputArtifactProperty{{Name: jsii.String(artifact)}},
		RunOrder:       jsii.Number(runOrder),
	}
}

// userParameters selects the target and names the release. CodePipeline puts the execution's ID into it.
func (a InvalidateAction) userParameters() string {
	return sub(`{"targets":["${Target}"],"release":"#{codepipeline.PipelineExecutionId}"}`,
		map[string]string{"Target": a.target})
}

// grants is what the pipeline's role, or the role of its action, needs to run the action. lambda:ListFunctions has no
// resource level.
func (a InvalidateAction) grants() []statement {
	return []statement{
		{sid: "InvokeJob", actions: []string{"lambda:InvokeFunction"}, resources: []string{*a.Function.AttrArn()}},
		{sid: "FindJobAsDocumented", actions: documentedJob, resources: []string{"*"}},
	}
}

// actionJSON is the action as `aws codepipeline update-pipeline` takes it, for a pipeline that exists already.
// BUILD-OUTPUT and the run order are for its owner to set.
func (a InvalidateAction) actionJSON() string {
	parameters := `{"targets":["${Target}"],"release":"#{codepipeline.PipelineExecutionId}"}`
	return a.pasteable(map[string]any{
		"name":           "Purge",
		"actionTypeId":   map[string]string{"category": "Invoke", "owner": "AWS", "provider": "Lambda", "version": "1"},
		"configuration":  map[string]string{"FunctionName": "${Function}", "UserParameters": parameters},
		"inputArtifacts": []map[string]string{{"name": "BUILD-OUTPUT"}},
		"runOrder":       2,
	}, map[string]string{"Function": *a.Function.Ref(), "Target": a.target})
}

// grantsJSON is the policy to attach to the role of a pipeline that exists already.
func (a InvalidateAction) grantsJSON() string {
	invoke, find := a.grants()[0], a.grants()[1]
	invoke.resources = []string{"${FunctionARN}"}
	return a.pasteable(document(invoke, find), map[string]string{"FunctionARN": *a.Function.AttrArn()})
}

func (a InvalidateAction) pasteable(value any, values map[string]string) string {
	body, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encode the action of %s: %v", *a.Node().Path(), err))
	}
	return sub(string(body), values)
}
