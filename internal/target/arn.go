package target

import (
	"fmt"
	"strings"
)

// Function is an AWS Lambda function ARN in its parts.
type Function struct {
	Region    string // e.g. "us-east-1"
	Account   string // 12 digits
	Name      string
	Qualifier string // alias or version; "" when there is none
}

// ParseFunction takes apart a function's ARN,
// arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]. Names alone are refused: a function in
// another account can only be called by its ARN (Lambda developer guide, "Granting Lambda function
// access to other accounts").
func ParseFunction(arn string) (Function, error) {
	parts := strings.Split(arn, ":")
	if len(parts) != 7 && len(parts) != 8 {
		return Function{}, fmt.Errorf("parse function %q: not an ARN such as "+
			"arn:aws:lambda:us-east-1:222222222222:function:invalidator:live", arn)
	}
	f := Function{Region: parts[3], Account: parts[4], Name: parts[6]}
	if len(parts) == 8 {
		f.Qualifier = parts[7]
	}
	switch {
	case parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "lambda" || parts[5] != "function":
		return Function{}, fmt.Errorf("parse function %q: not the ARN of a Lambda function", arn)
	case f.Region == "" || f.Name == "" || !validAccount(f.Account):
		return Function{}, fmt.Errorf("parse function %q: it lacks a region, a 12-digit account or a name", arn)
	case len(parts) == 8 && f.Qualifier == "":
		return Function{}, fmt.Errorf("parse function %q: nothing follows the last colon", arn)
	}
	return f, nil
}

// Role is an IAM role's ARN in its parts.
type Role struct {
	Partition string // e.g. "aws"
	Account   string // 12 digits
	Name      string // without its path
}

// ParseRole takes apart a role's ARN, arn:aws:iam::ACCOUNT:role/[PATH/]NAME. Names have 1 to 64
// letters, digits and any of _+=,.@- (IAM API reference, CreateRole).
func ParseRole(arn string) (Role, error) {
	fail := func(why string) (Role, error) {
		return Role{}, fmt.Errorf("parse role %q: %s, such as arn:aws:iam::222222222222:role/unstale-purge", arn, why)
	}
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "iam" || parts[3] != "" {
		return fail("not the ARN of a role")
	}
	path, isRole := strings.CutPrefix(parts[5], "role/")
	r := Role{Partition: parts[1], Account: parts[4], Name: path[strings.LastIndexByte(path, '/')+1:]}
	if !isRole || !validAccount(r.Account) || !within(r.Name, 64, nameCharacter) {
		return fail("it lacks a 12-digit account or the name of a role")
	}
	return r, nil
}

// StateMachine is a state machine's ARN in its parts.
type StateMachine struct {
	Partition string // e.g. "aws"
	Region    string // e.g. "us-east-1"
	Account   string // 12 digits
	Name      string
}

// ParseStateMachine takes apart a state machine's ARN, arn:aws:states:REGION:ACCOUNT:stateMachine:NAME.
// Versions and aliases are refused: their executions cannot be listed by what is in progress.
func ParseStateMachine(arn string) (StateMachine, error) {
	fail := func(why string) (StateMachine, error) {
		return StateMachine{}, fmt.Errorf("parse state machine %q: %s, such as "+
			"arn:aws:states:us-east-1:111111111111:stateMachine:unstale-purge", arn, why)
	}
	parts := strings.Split(arn, ":")
	if len(parts) != 7 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "states" || parts[5] != "stateMachine" {
		return fail("not the ARN of a state machine without version or alias")
	}
	m := StateMachine{Partition: parts[1], Region: parts[3], Account: parts[4], Name: parts[6]}
	if m.Region == "" || !validAccount(m.Account) || !within(m.Name, 80, nameCharacter) {
		return fail("it lacks a region, a 12-digit account or a name")
	}
	return m, nil
}

// ExecutionARN is the ARN of the machine's execution of a name.
func (m StateMachine) ExecutionARN(name string) string {
	return strings.Join([]string{"arn", m.Partition, "states", m.Region, m.Account, "execution", m.Name, name}, ":")
}

// ValidExternalID reports whether s can be an ExternalId: 2 to 1,224 letters, digits and any of
// _+=,.@:/- (STS API reference, AssumeRole).
func ValidExternalID(s string) bool {
	return len(s) >= 2 && within(s, 1224, func(c byte) bool { return nameCharacter(c) || c == ':' || c == '/' })
}

// nameCharacter is what IAM takes in names of roles and sessions.
func nameCharacter(c byte) bool {
	return digit(c) || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.IndexByte("_+=,.@-", c) >= 0
}
