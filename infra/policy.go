package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// statement is one entry of a policy document. Principal is nil in an identity policy. When maps a condition operator to
// its keys and values.
type statement struct {
	sid       string
	deny      bool
	principal any
	actions   []string
	resources []string
	when      map[string]map[string]any
}

// document renders a policy. Trust policies have no resources: the role itself is the resource.
func document(statements ...statement) map[string]any {
	rendered := make([]any, 0, len(statements))
	for _, s := range statements {
		rendered = append(rendered, s.render())
	}
	return map[string]any{"Version": "2012-10-17", "Statement": rendered}
}

func (s statement) render() map[string]any {
	effect := "Allow"
	if s.deny {
		effect = "Deny"
	}
	m := map[string]any{"Sid": s.sid, "Effect": effect, "Action": oneOrMany(s.actions)}
	if s.principal != nil {
		m["Principal"] = s.principal
	}
	if len(s.resources) > 0 {
		m["Resource"] = oneOrMany(s.resources)
	}
	if len(s.when) > 0 {
		m["Condition"] = s.conditions()
	}
	return m
}

func (s statement) conditions() map[string]any {
	operators := make(map[string]any, len(s.when))
	for operator, keys := range s.when {
		operators[operator] = keys
	}
	return operators
}

// oneOrMany is a single value as such. A list that is known at deployment only looks like one value and stays a list.
func oneOrMany(values []string) any {
	if len(values) == 1 && !isToken(values) {
		return values[0]
	}
	list := make([]any, 0, len(values))
	for _, v := range values {
		list = append(list, v)
	}
	return list
}

// anyone is the principal of the denials: everybody, with or without credentials.
const anyone = "*"

func service(name string) map[string]any { return map[string]any{"Service": name} }

// accountRoot stands for every identity of an account; it is always narrowed by [onlyRole]. Naming the role instead would
// make AWS refuse the policy until the role exists, and would turn it into a dead unique ID when the role is recreated.
func accountRoot(account string) map[string]any {
	return map[string]any{"AWS": sub("arn:${AWS::Partition}:iam::${Account}:root", map[string]string{"Account": account})}
}

// onlyRole narrows [accountRoot] to one role, or to a list of them. aws:PrincipalArn is the role's ARN for each of its
// sessions.
func onlyRole(arn any) map[string]map[string]any {
	return map[string]map[string]any{"ArnEquals": {"aws:PrincipalArn": arn}}
}

// assumedBy is the trust policy of a role for an AWS service.
func assumedBy(sid, principal string) map[string]any {
	return document(statement{sid: sid, principal: service(principal), actions: []string{"sts:AssumeRole"}})
}

// denyInsecureTransport belongs to every bucket: S3 answers plain HTTP too.
func denyInsecureTransport(bucketARN string) statement {
	return statement{
		sid: "DenyInsecureTransport", deny: true, principal: anyone, actions: []string{"s3:*"},
		resources: []string{bucketARN, bucketARN + "/*"},
		when:      map[string]map[string]any{"Bool": {"aws:SecureTransport": "false"}},
	}
}

// writeOwnLog lets a function or build write to its log group, which the stack has made: it may not create another.
// logGroupARN is the group's Arn attribute, which ends in ":*" and so covers the streams.
func writeOwnLog(logGroupARN string) statement {
	return statement{
		sid:       "WriteOwnLog",
		actions:   []string{"logs:CreateLogStream", "logs:PutLogEvents"},
		resources: []string{logGroupARN},
	}
}

// isToken reports whether a value, a string or a list of them, is known at deployment only.
func isToken(value any) bool {
	if list, ok := value.([]string); ok {
		return *awscdk.Token_IsUnresolved(jsii.Strings(list...))
	}
	return *awscdk.Token_IsUnresolved(value)
}

// sub is Fn::Sub: pseudo parameters by name, everything else through values. An explicit map, unlike a logical ID in the
// body, stays right when the construct is used in another stack.
func sub(body string, values map[string]string) string {
	if len(values) == 0 {
		return *awscdk.Fn_Sub(jsii.String(body), nil)
	}
	variables := make(map[string]*string, len(values))
	for name, value := range values {
		variables[name] = jsii.String(value)
	}
	return *awscdk.Fn_Sub(jsii.String(body), &variables)
}
