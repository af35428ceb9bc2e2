package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// operations is all that the doctor ever calls. AssumeRole gives credentials and leaves nothing behind;
// Invoke is let through as a dry run only (Lambda API Reference, Invoke, InvocationType).
var operations = map[string][]string{
	"cloudformation": {"DescribeStacks", "DescribeStackEvents"},
	"cloudfront":     {"GetDistribution", "GetOriginAccessControl", "ListInvalidations", "GetInvalidation"},
	"codepipeline":   {"GetPipeline"},
	"iam": {
		"GetRole", "ListRolePolicies", "GetRolePolicy", "ListAttachedRolePolicies", "GetPolicy", "GetPolicyVersion",
		"GetUser", "ListUserPolicies", "GetUserPolicy", "ListAttachedUserPolicies", "ListGroupsForUser", "SimulatePrincipalPolicy",
	},
	"kms":    {"GetKeyPolicy"},
	"lambda": {"GetFunctionConfiguration", "GetAlias", "GetPolicy", "Invoke"},
	"s3":     {"GetBucketPolicy"},
	"states": {"DescribeStateMachine"},
	"sts":    {"GetCallerIdentity", "AssumeRole"},
}

// Actions lists what a profile has to be allowed so that nothing about a pipeline is unknown to it, sorted.
// An operator's own target needs sts:AssumeRole or lambda:InvokeFunction besides, as a purge does.
func Actions() []string {
	var out []string
	for service, names := range operations {
		for _, name := range names {
			if name != "Invoke" && name != "AssumeRole" {
				out = append(out, service+":"+name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// side is the calls into one account.
type side struct {
	cfg          aws.Config
	account, arn string
	userID       string // "AROA...:session", "AIDA..." or the account of a root
	region       string
	sts          *sts.Client
	iam          *awsiam.Client
	lambda       *lambda.Client
	s3           *s3.Client
	states       *sfn.Client
	stacks       *cloudformation.Client
	pipelines    *codepipeline.Client
	cloudfront   *cloudfront.Client
}

func newSide(ctx context.Context, cfg aws.Config) (*side, error) {
	s := &side{
		cfg: cfg, region: cfg.Region,
		sts: sts.NewFromConfig(guarded(cfg, "sts")), iam: awsiam.NewFromConfig(guarded(cfg, "iam")),
		lambda: lambda.NewFromConfig(guarded(cfg, "lambda")), s3: s3.NewFromConfig(guarded(cfg, "s3")),
		states: sfn.NewFromConfig(guarded(cfg, "states")), stacks: cloudformation.NewFromConfig(guarded(cfg, "cloudformation")),
		pipelines: codepipeline.NewFromConfig(guarded(cfg, "codepipeline")), cloudfront: cloudfront.NewFromConfig(guarded(cfg, "cloudfront")),
	}
	who, err := s.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, err
	}
	s.account, s.arn, s.userID = aws.ToString(who.Account), aws.ToString(who.Arn), aws.ToString(who.UserId)
	return s, nil
}

// guarded makes a service's client refuse, before anything is sent, whatever is not in the table.
func guarded(cfg aws.Config, service string) aws.Config {
	cfg = cfg.Copy()
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), func(stack *middleware.Stack) error {
		if !slices.Contains(operations[service], stack.ID()) {
			return fmt.Errorf("call %s:%s: the doctor only reads", service, stack.ID())
		}
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("DryRunOnly", dryRunOnly), middleware.Before)
	})
	return cfg
}

func dryRunOnly(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	if call, ok := in.Parameters.(*lambda.InvokeInput); ok && call.InvocationType != "DryRun" {
		return middleware.InitializeOutput{}, middleware.Metadata{}, errors.New("call lambda:Invoke: the doctor only makes dry runs")
	}
	return next.HandleInitialize(ctx, in)
}

// code is AWS's error code, "" when AWS did not answer.
func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// errEmpty is an answer of AWS's that lacks what was asked for.
var errEmpty = errors.New("the answer is empty")

// gone reports whether AWS says that something does not exist.
func gone(err error) bool {
	switch code(err) {
	case "NoSuchEntity", "NoSuchEntityException", "ResourceNotFoundException", "NoSuchBucket", "NoSuchBucketPolicy",
		"NoSuchDistribution", "PipelineNotFoundException", "StateMachineDoesNotExist", "NotFoundException":
		return true
	case "ValidationError": // CloudFormation has no code of its own for it
		return strings.Contains(err.Error(), "does not exist")
	}
	return false
}

// brief is an error without the SDK's wrapping of what AWS said.
func brief(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return strings.TrimSuffix(fmt.Sprintf("%s: %s", e.ErrorCode(), e.ErrorMessage()), ": ")
	}
	return err.Error()
}
