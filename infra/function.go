package infra

import (
	"crypto/sha256"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// logDays is how long the log of a function or build is kept.
const logDays = 30

// Code says where the zip of a Lambda lies and for which processor it was built. The bucket is in the account and region of
// the function. Use a new key for every build: CloudFormation sees a new key, not new content.
type Code struct {
	Bucket, Key  string
	Architecture string // "arm64" (default) or "x86_64"
}

func (c Code) architecture() string { return firstOf(c.Architecture, "arm64") }

// program is what differs between our two functions; all run the Go binary "bootstrap" on provided.al2023.
type program struct {
	name        string
	description string
	roleARN     string
	code        Code
	memory      float64 // MiB
	timeout     float64 // seconds
	environment map[string]string
}

// settings is a short fingerprint of what is fixed here. A published version freezes it, so it must be part of what makes
// CloudFormation publish another.
func (p program) settings() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v %v", p.memory, p.timeout))
	return fmt.Sprintf("%x", sum[:4])
}

// newLog makes the log group of a function or build ahead of its first line, with an end to its retention. Left to Lambda,
// the group would be kept for ever and the role would need logs:CreateLogGroup.
func newLog(scope constructs.Construct, name string) awslogs.CfnLogGroup {
	return awslogs.NewCfnLogGroup(scope, jsii.String("Log"), &awslogs.CfnLogGroupProps{
		LogGroupName:    name,
		RetentionInDays: jsii.Number(logDays),
	})
}

func newFunction(scope constructs.Construct, p program, log awslogs.CfnLogGroup) awslambda.CfnFunction {
	return awslambda.NewCfnFunction(scope, jsii.String("Function"), &awslambda.CfnFunctionProps{
		FunctionName:  jsii.String(p.name),
		Description:   jsii.String(p.description),
		Runtime:       jsii.String("provided.al2023"),
		Handler:       jsii.String("bootstrap"),
		Architectures: jsii.Strings(p.code.architecture()),
		Code: &awslambda.CfnFunction_CodeProperty{
			S3Bucket: jsii.String(p.code.Bucket),
			S3Key:    jsii.String(p.code.Key),
		},
		Role:          p.roleARN,
		MemorySize:    jsii.Number(p.memory),
		Timeout:       jsii.Number(p.timeout),
		Environment:   &awslambda.CfnFunction_EnvironmentProperty{Variables: p.environment},
		LoggingConfig: &awslambda.CfnFunction_LoggingConfigProperty{LogGroup: log.Ref()},
	})
}
