package infra

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/jsii-runtime-go"
)

// run is how a pipeline runs the purge: the action, and what the pipeline's role needs for it. Its texts hold placeholders
// such as ${Function}, because each is written twice: into a pipeline of ours, and as JSON to paste into another.
type run struct {
	provider      string            // of category Invoke
	configuration map[string]string // with placeholders
	announcement  map[string]string // the configuration of the action before the deploy, with placeholders; nil: there is none
	roleARN       string            // with placeholders; empty: the pipeline's own role
	release       bool              // takes the release as input artifact
	grants        []statement       // to the pipeline's role; resources with placeholders
	values        map[string]string // of the placeholders
}

// The names of the actions. The Announce action runs the same function as the Purge action, before the deploy.
const (
	purgeAction    = "Purge"
	announceAction = "Announce"
)

// userParameters selects a target and names the release. CodePipeline puts the execution's ID into it.
const userParameters = `{"targets":["${Target}"],"release":"#{codepipeline.PipelineExecutionId}"}`

// lambdaGrants is what a role needs to run a Lambda action: CodePipeline lists functions before it invokes one
// (CodePipeline User Guide, actions-invoke-lambda-function). lambda:ListFunctions has no resource level.
func lambdaGrants(functionARN string) []statement {
	return []statement{
		{sid: "InvokeJob", actions: []string{"lambda:InvokeFunction"}, resources: []string{functionARN}},
		{sid: "FindJob", actions: []string{"lambda:ListFunctions"}, resources: []string{"*"}},
	}
}

// allTargets selects every target that the job function has.
const allTargets = `{"release":"#{codepipeline.PipelineExecutionId}"}`

// runsJob is the configuration of the Lambda action that purges, and of the one that announces.
func runsJob(parameters string) (purge, announcement map[string]string) {
	announcing := strings.TrimSuffix(parameters, "}") + `,"announce":true}`
	return map[string]string{"FunctionName": "${Function}", "UserParameters": parameters},
		map[string]string{"FunctionName": "${Function}", "UserParameters": announcing}
}

// lambdaRun runs a job function of the pipeline's own account, for one target, or for all if target is empty.
func lambdaRun(functionName, functionARN, target string) run {
	selected := userParameters
	if target == "" {
		selected = allTargets
	}
	purge, announcement := runsJob(selected)
	return run{
		provider:      "Lambda",
		configuration: purge,
		announcement:  announcement,
		release:       true,
		grants:        lambdaGrants("${FunctionARN}"),
		values:        map[string]string{"Function": functionName, "FunctionARN": functionARN, "Target": target},
	}
}

// directRun runs a job function of the delivery account. The action names it without its account: the action's role says
// whose it is. Nor does it name an alias, which CodePipeline's guide does not mention.
func directRun(actionRoleARN, functionName, target string) run {
	purge, announcement := runsJob(userParameters)
	return run{
		provider:      "Lambda",
		configuration: purge,
		announcement:  announcement,
		roleARN:       "${ActionRole}",
		release:       true,
		grants: []statement{
			{sid: "AssumeActionRole", actions: []string{"sts:AssumeRole"}, resources: []string{"${ActionRole}"}},
		},
		values: map[string]string{"Function": functionName, "ActionRole": actionRoleARN, "Target": target},
	}
}

func (r run) declaration(name string, texts map[string]string, artifact string, runOrder int) *awscodepipeline.CfnPipeline_ActionDeclarationProperty {
	configuration := make(map[string]string, len(texts))
	for key, text := range texts {
		configuration[key] = fill(text, r.values)
	}
	action := &awscodepipeline.CfnPipeline_ActionDeclarationProperty{
		Name:          jsii.String(name),
		ActionTypeId:  actionType("Invoke", r.provider),
		Configuration: configuration,
		RunOrder:      jsii.Number(runOrder),
	}
	if r.release {
		action.InputArtifacts = []*awscodepipeline.CfnPipeline_InputArtifactProperty{{Name: jsii.String(artifact)}}
	}
	if r.roleARN != "" {
		action.RoleArn = jsii.String(fill(r.roleARN, r.values))
	}
	return action
}

func (r run) statements() []statement {
	filled := make([]statement, 0, len(r.grants))
	for _, s := range r.grants {
		resources := make([]string, 0, len(s.resources))
		for _, text := range s.resources {
			resources = append(resources, fill(text, r.values))
		}
		s.resources = resources
		filled = append(filled, s)
	}
	return filled
}

// actionJSON is an action as `aws codepipeline update-pipeline` takes it, for a pipeline that exists already.
// BUILD-OUTPUT and the run order are for its owner to set.
func (r run) actionJSON(name string, configuration map[string]string, runOrder int) string {
	action := map[string]any{
		"name":          name,
		"actionTypeId":  map[string]string{"category": "Invoke", "owner": "AWS", "provider": r.provider, "version": "1"},
		"configuration": configuration,
		"runOrder":      runOrder,
	}
	if r.release {
		action["inputArtifacts"] = []map[string]string{{"name": "BUILD-OUTPUT"}}
	}
	if r.roleARN != "" {
		action["roleArn"] = r.roleARN
	}
	return r.pasteable(action)
}

// policyJSON is the policy to attach to the role of a pipeline that exists already.
func (r run) policyJSON() string { return r.pasteable(document(r.grants...)) }

func (r run) pasteable(value any) string {
	body, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encode the %s action: %v", r.provider, err))
	}
	return fill(string(body), r.values)
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z]+)\}`)

// fill puts values into a text: a placeholder alone becomes its value, anything else [sub] with the values it mentions.
func fill(text string, values map[string]string) string {
	mentioned := map[string]string{}
	for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
		value, ok := values[match[1]]
		if !ok {
			panic(fmt.Sprintf("fill %q: nothing says what ${%s} is", text, match[1]))
		}
		if match[0] == text {
			return value
		}
		mentioned[match[1]] = value
	}
	if len(mentioned) == 0 {
		return text
	}
	return sub(text, mentioned)
}
