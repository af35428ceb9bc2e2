package infra

import (
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// parameters declares the parameters of a stack. Each method declares one and returns a reference to its value. A parameter has the name of the output of an earlier stack that it takes, so that outputs are passed on by name.
type parameters struct{ stack awscdk.Stack }

func (p parameters) add(name string, props awscdk.CfnParameterProps) string {
	props.Type = jsii.String("String")
	return *awscdk.NewCfnParameter(p.stack, jsii.String(name), &props).ValueAsString()
}

// needed is a parameter without a default.
func (p parameters) needed(name, description string) string {
	return p.add(name, awscdk.CfnParameterProps{Description: jsii.String(description), MinLength: jsii.Number(1)})
}

// orEmpty is a parameter that has to be given, but may be given as empty: forgetting it must not quietly leave half out.
func (p parameters) orEmpty(name, description string) string {
	return p.add(name, awscdk.CfnParameterProps{Description: jsii.String(description)})
}

// optional is a parameter that is empty unless it is given.
func (p parameters) optional(name, description string) string {
	return p.add(name, awscdk.CfnParameterProps{Description: jsii.String(description), Default: jsii.String("")})
}

func (p parameters) account(name, description string) string {
	return p.add(name, awscdk.CfnParameterProps{
		Description:           jsii.String(description),
		AllowedPattern:        jsii.String("[0-9]{12}"),
		ConstraintDescription: jsii.String("must be the 12 digits of an account"),
	})
}

// name is the prefix of all names. All stacks of a route must agree on it: each names roles of the other account before they exist.
func (p parameters) name() string {
	return p.add("Name", awscdk.CfnParameterProps{
		Description:           jsii.String("Prefix of the names of what is made. The same in all stacks of both accounts."),
		Default:               jsii.String("unstale"),
		AllowedPattern:        jsii.String("[a-z][a-z0-9-]{0,18}[a-z0-9]"),
		ConstraintDescription: jsii.String("must be 2 to 20 small letters, digits and hyphens, since buckets are named after it"),
	})
}

// route is asked for where one template serves all routes.
func (p parameters) route() string {
	return p.add("Route", awscdk.CfnParameterProps{
		Description:   jsii.String("The way the border is crossed: what the delivery account has to name depends on it"),
		Default:       jsii.String(string(Assume)),
		AllowedValues: jsii.Strings(string(Assume), string(Relay), string(Direct), string(States)),
	})
}

func (p parameters) externalID(description string) string {
	return p.add("ExternalId", awscdk.CfnParameterProps{
		Description:    jsii.String(description),
		AllowedPattern: jsii.String(externalIDPattern),
		MinLength:      jsii.Number(externalIDMin), MaxLength: jsii.Number(externalIDMax),
		ConstraintDescription: jsii.String("must be 2 to 1224 letters, digits and _+=,.@:/-"),
	})
}

func (p parameters) branch() string {
	return p.add("Branch", awscdk.CfnParameterProps{
		Description: jsii.String("Branch whose pushes are released"), Default: jsii.String("main"), MinLength: jsii.Number(1),
	})
}

// list is a parameter of many values, none unless given, and the condition that there is one. An empty list is a list of
// one empty text, which no policy takes.
func (p parameters) list(name, description string) ([]string, awscdk.CfnCondition) {
	list := awscdk.NewCfnParameter(p.stack, jsii.String(name), &awscdk.CfnParameterProps{
		Type: jsii.String("CommaDelimitedList"), Description: jsii.String(description), Default: jsii.String(""),
	}).ValueAsList()
	values := make([]string, 0, len(*list))
	for _, value := range *list {
		values = append(values, *value)
	}
	return values, condition(p.stack, "Has"+name,
		awscdk.Fn_ConditionNot(equals(*awscdk.Fn_Join(jsii.String(""), list), "")))
}

// code declares where the zip of the stack's function lies.
func (p parameters) code(function string) Code {
	return Code{
		Bucket: p.needed("CodeBucket", "Bucket of this account and region that holds the "+function+"'s zip"),
		Key: p.add("CodeKey", awscdk.CfnParameterProps{
			Description: jsii.String("Key of the " + function + "'s zip. A new key for every build."),
			MinLength:   jsii.Number(1), MaxLength: jsii.Number(128), // it goes into a description of at most 256 characters
		}),
		Architecture: p.add("Architecture", awscdk.CfnParameterProps{
			Description:   jsii.String("Processor that the zip was built for"),
			Default:       jsii.String("arm64"),
			AllowedValues: jsii.Strings("arm64", "x86_64"),
		}),
	}
}

func (p parameters) median() string {
	return p.add("Median", awscdk.CfnParameterProps{
		Description:           jsii.String("How long an invalidation usually takes to complete; the job function first looks at about half of it"),
		Default:               jsii.String("10s"),
		AllowedPattern:        jsii.String("[0-9]+(ms|s|m)"),
		ConstraintDescription: jsii.String("must be a duration such as 10s"),
	})
}

// errorSeconds is how long an edge keeps the fallback page.
func (p parameters) errorSeconds() *float64 {
	return awscdk.NewCfnParameter(p.stack, jsii.String("ErrorCachingSeconds"), &awscdk.CfnParameterProps{
		Type: jsii.String("Number"), Default: strconv.Itoa(errorCachingSeconds),
		Description: jsii.String("How long an edge keeps the fallback page under an address; up to a minute is waited out, more takes a /*"),
	}).ValueAsNumber()
}

func (p parameters) targetName() string {
	return p.add("TargetName", awscdk.CfnParameterProps{
		Description:           jsii.String("Name by which the pipeline's UserParameters select the distribution"),
		Default:               jsii.String("site"),
		AllowedPattern:        jsii.String("[A-Za-z0-9][A-Za-z0-9_-]{0,63}"),
		ConstraintDescription: jsii.String("must be letters, digits, hyphens and underscores"),
	})
}

// output declares an output; condition may be nil.
func output(stack awscdk.Stack, name, description, value string, condition awscdk.CfnCondition) {
	awscdk.NewCfnOutput(stack, jsii.String(name), &awscdk.CfnOutputProps{
		Description: jsii.String(description),
		Value:       jsii.String(value),
		Condition:   condition,
	})
}

func condition(stack awscdk.Stack, name string, expression awscdk.ICfnConditionExpression) awscdk.CfnCondition {
	return awscdk.NewCfnCondition(stack, jsii.String(name), &awscdk.CfnConditionProps{Expression: expression})
}

func equals(a, b string) awscdk.ICfnRuleConditionExpression { return awscdk.Fn_ConditionEquals(a, b) }

// either is Fn::If as a string.
func either(condition awscdk.CfnCondition, yes, no string) string {
	return *awscdk.Fn_ConditionIf(condition.LogicalId(), yes, no).ToString()
}
