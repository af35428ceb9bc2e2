package infra

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// requireEnvironment panics, as CDK's own constructs do, when the stack around scope does not know its account and region.
// Left to itself such a stack fails late and in CDK's words: a pipeline with cross-account actions cannot name its support
// stack or bucket ("must have an explicitly set region"). A nested stack inherits its parent's environment and is fine.
func requireEnvironment(scope constructs.Construct, what string) {
	stack := awscdk.Stack_Of(scope)
	var missing string
	switch account, region := isToken(stack.Account()), isToken(stack.Region()); {
	case account && region:
		missing = "account and region"
	case account:
		missing = "account"
	case region:
		missing = "region"
	default:
		return
	}
	panic(fmt.Sprintf("place %s in stack %s: its %s is unknown; set both values of StackProps.Env, Account and Region",
		what, *stack.Node().Path(), missing))
}

// keep makes CloudFormation leave a resource behind when its stack goes or the resource is replaced. A creation that is
// rolled back still deletes it, so that a second try finds the name free.
func keep(resource awscdk.CfnResource) {
	resource.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE, nil)
}

// onlyIf puts a condition on every resource under scope, so that the constructs themselves need not know of conditions.
func onlyIf(condition awscdk.CfnCondition, scope constructs.Construct) {
	for _, node := range *scope.Node().FindAll(constructs.ConstructOrder_PREORDER) {
		if resource, ok := node.(awscdk.CfnResource); ok {
			resource.CfnOptions().SetCondition(condition)
		}
	}
}

// mainResource is the ID that a construct gives the resource it is named after; CDK leaves it out of paths as well.
const mainResource = "Resource"

// readableIDs replaces CDK's hashed logical IDs by the joined path, "Invalidator/Role" becoming "InvalidatorRole". Only for
// the stacks of this package, whose paths are known to stay distinct when joined: a clash fails the synthesis.
func readableIDs(stack awscdk.Stack) {
	for _, node := range *stack.Node().FindAll(constructs.ConstructOrder_PREORDER) {
		element, ok := node.(awscdk.CfnElement)
		if !ok {
			continue
		}
		id := ""
		for _, scope := range (*element.Node().Scopes())[2:] { // the first two are the app and the stack
			if part := *scope.Node().Id(); part != mainResource {
				id += part
			}
		}
		element.OverrideLogicalId(jsii.String(id))
	}
}
