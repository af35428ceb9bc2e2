// Package deploy puts the project's CloudFormation templates, and the Lambda code that they name,
// into an account. One Deployer speaks for one account and region.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Deployer makes and removes stacks with one set of credentials. Make it with New.
type Deployer struct {
	stacks *cloudformation.Client
	files  *s3.Client
	region string
	step   time.Duration
}

// Stack is what to deploy.
type Stack struct {
	Name       string
	Template   []byte
	Parameters map[string]string // those the template does not declare are refused by CloudFormation
}

// New makes a Deployer; step is the time between two looks at a stack that is being made, 2 s when 0.
func New(cfg aws.Config, step time.Duration) *Deployer {
	if step == 0 {
		step = 2 * time.Second
	}
	return &Deployer{
		stacks: cloudformation.NewFromConfig(cfg), files: s3.NewFromConfig(cfg), region: cfg.Region, step: step,
	}
}

// Create makes a stack and waits for it; it returns the stack's outputs. When the stack fails, the
// error carries the reason of every resource that failed by itself.
func (d *Deployer) Create(ctx context.Context, s Stack) (map[string]string, error) {
	in := &cloudformation.CreateStackInput{
		StackName: aws.String(s.Name), TemplateBody: aws.String(string(s.Template)),
		Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
	}
	for _, k := range slices.Sorted(maps.Keys(s.Parameters)) {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: aws.String(k), ParameterValue: aws.String(s.Parameters[k])})
	}
	if _, err := d.stacks.CreateStack(ctx, in); err != nil {
		return nil, fmt.Errorf("create stack %s: %w", s.Name, err)
	}
	return d.wait(ctx, s.Name)
}

func (d *Deployer) wait(ctx context.Context, name string) (map[string]string, error) {
	for {
		out, err := d.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(name)})
		if err != nil {
			return nil, fmt.Errorf("look at stack %s: %w", name, err)
		}
		if len(out.Stacks) != 1 {
			return nil, fmt.Errorf("look at stack %s: CloudFormation answered %d stacks", name, len(out.Stacks))
		}
		switch status := out.Stacks[0].StackStatus; {
		case status == types.StackStatusCreateComplete:
			outputs := map[string]string{}
			for _, o := range out.Stacks[0].Outputs {
				outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
			}
			return outputs, nil
		case !strings.HasSuffix(string(status), "_IN_PROGRESS"):
			return nil, fmt.Errorf("create stack %s: %s: %w", name, status, d.reasons(ctx, name))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for stack %s: %w", name, ctx.Err())
		case <-time.After(d.step):
		}
	}
}

// reasons collects why resources failed, leaving out those that were only cancelled by another's failure.
func (d *Deployer) reasons(ctx context.Context, name string) error {
	var found []error
	pages := cloudformation.NewDescribeStackEventsPaginator(d.stacks, &cloudformation.DescribeStackEventsInput{StackName: aws.String(name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("read the events: %w", err)
		}
		for _, e := range page.StackEvents {
			reason := aws.ToString(e.ResourceStatusReason)
			if e.ResourceStatus == types.ResourceStatusCreateFailed && !strings.Contains(reason, "cancelled") {
				found = append(found, fmt.Errorf("%s: %s", aws.ToString(e.LogicalResourceId), reason))
			}
		}
	}
	if len(found) == 0 {
		return errors.New("no resource says why")
	}
	slices.Reverse(found) // events come newest first
	return errors.Join(found...)
}
