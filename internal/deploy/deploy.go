// Package deploy puts the project's CloudFormation templates, and the Lambda code that they name, into
// the accounts of a route, changes them by change sets, and takes them away again. A [Deployer] speaks
// for one account and region; a [Deployment] is all the stacks of a route.
package deploy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Deployer makes and removes stacks with one set of credentials. Make it with New.
type Deployer struct {
	stacks *cloudformation.Client
	files  *s3.Client
	who    *sts.Client
	sites  *cloudfront.Client
	cfg    aws.Config
	region string
	step   time.Duration
}

// Stack is what to deploy.
type Stack struct {
	Name       string
	Template   []byte
	Parameters map[string]string // those the template does not declare are refused by CloudFormation
}

// Event is something that happened to a stack or to one of its resources.
type Event struct {
	Time                                 time.Time
	Stack, LogicalID, Type, Status, Text string // Text is CloudFormation's reason, or empty
}

// New makes a Deployer; step is the time between two looks at a stack that is being made, 2 s when 0.
func New(cfg aws.Config, step time.Duration) *Deployer {
	if step == 0 {
		step = 2 * time.Second
	}
	return &Deployer{
		stacks: cloudformation.NewFromConfig(cfg), files: s3.NewFromConfig(cfg), who: sts.NewFromConfig(cfg),
		sites: cloudfront.NewFromConfig(cfg), cfg: cfg, region: cfg.Region, step: step,
	}
}

// Create makes a stack and waits for it; it returns the stack's outputs. When the stack fails, the
// error carries the reason of every resource that failed by itself.
func (d *Deployer) Create(ctx context.Context, s Stack) (map[string]string, error) {
	in := &cloudformation.CreateStackInput{
		StackName: aws.String(s.Name), TemplateBody: aws.String(string(s.Template)), Parameters: values(s.Parameters),
		Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
	}
	made, err := d.stacks.CreateStack(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("create stack %s: %w", s.Name, err)
	}
	st, err := d.follow(ctx, aws.ToString(made.StackId), "", func(Event) {})
	if err != nil {
		return nil, err
	}
	if st.StackStatus != types.StackStatusCreateComplete {
		return nil, fmt.Errorf("create stack %s: %s: %w", s.Name, st.StackStatus, d.reasons(ctx, aws.ToString(st.StackId), ""))
	}
	return outputs(st), nil
}

func values(parameters map[string]string) []types.Parameter {
	var out []types.Parameter
	for _, k := range slices.Sorted(maps.Keys(parameters)) {
		out = append(out, types.Parameter{ParameterKey: aws.String(k), ParameterValue: aws.String(parameters[k])})
	}
	return out
}

func outputs(st *types.Stack) map[string]string {
	out := map[string]string{}
	for _, o := range st.Outputs {
		out[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return out
}

// identity is whom the credentials belong to: the ARN's partition and the account.
func (d *Deployer) identity(ctx context.Context) (partition, account string, err error) {
	out, err := d.who.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", "", fmt.Errorf("ask who the credentials belong to: %w", err)
	}
	parts := strings.SplitN(aws.ToString(out.Arn), ":", 3)
	if len(parts) < 3 || aws.ToString(out.Account) == "" {
		return "", "", fmt.Errorf("ask who the credentials belong to: the answer %q is no ARN", aws.ToString(out.Arn))
	}
	return parts[1], aws.ToString(out.Account), nil
}
