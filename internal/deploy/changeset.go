package deploy

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// ours begins the name of every change set that this package makes.
const ours = "unstale-"

// Change is what a change set would do to one resource.
type Change struct {
	Action      string // "Add", "Modify", "Remove"
	LogicalID   string
	PhysicalID  string // of one that exists
	Type        string
	Replacement string   // of a Modify: "True", "Conditional", "False"
	Properties  []string // of a Modify: what of it changes
}

// changeSet is a change set that waits for its execution.
type changeSet struct {
	name    string
	stack   string // ID
	create  bool
	changes []Change
}

// request is a stack with what a change set says of it besides.
type request struct {
	Stack
	previous []string // parameters that keep their values
	tags     map[string]string
}

// propose makes a change set; nil when the stack is what it asks for already.
func (d *Deployer) propose(ctx context.Context, r request, create bool) (*changeSet, error) {
	name := ours + strings.ToLower(rand.Text())
	in := &cloudformation.CreateChangeSetInput{
		StackName: aws.String(r.Name), ChangeSetName: aws.String(name), ChangeSetType: types.ChangeSetTypeUpdate,
		TemplateBody: aws.String(string(r.Template)), Parameters: values(r.Parameters),
		Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
	}
	if create {
		in.ChangeSetType = types.ChangeSetTypeCreate
	}
	for _, k := range r.previous {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: aws.String(k), UsePreviousValue: aws.Bool(true)})
	}
	for _, k := range slices.Sorted(maps.Keys(r.tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(k), Value: aws.String(r.tags[k])})
	}
	made, err := d.stacks.CreateChangeSet(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("make a change set of stack %s: %w", r.Name, err)
	}
	set := &changeSet{name: name, stack: aws.ToString(made.StackId), create: create}
	return d.read(ctx, r.Name, set)
}

// read waits until CloudFormation knows what a change set would do.
func (d *Deployer) read(ctx context.Context, stack string, set *changeSet) (*changeSet, error) {
	in := &cloudformation.DescribeChangeSetInput{StackName: aws.String(set.stack), ChangeSetName: aws.String(set.name)}
	for {
		out, err := d.stacks.DescribeChangeSet(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("read the change set of stack %s: %w", stack, err)
		}
		switch out.Status {
		case types.ChangeSetStatusCreateComplete:
			for _, c := range out.Changes {
				if c.ResourceChange != nil {
					set.changes = append(set.changes, newChange(c.ResourceChange))
				}
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return set, nil
			}
			continue
		case types.ChangeSetStatusFailed:
			reason := aws.ToString(out.StatusReason)
			if err := d.withdraw(ctx, set); err != nil {
				return nil, err
			}
			// There is no code for it. The texts are those that the AWS CLI's deploy looks for.
			if strings.Contains(reason, "didn't contain changes") || strings.Contains(reason, "No updates are to be performed") {
				return nil, nil //nolint:nilnil // no change is an answer here
			}
			return nil, fmt.Errorf("make a change set of stack %s: %s", stack, reason)
		}
		if err := d.pause(ctx); err != nil {
			return nil, fmt.Errorf("wait for the change set of stack %s: %w", stack, err)
		}
	}
}

func newChange(c *types.ResourceChange) Change {
	out := Change{
		Action: string(c.Action), LogicalID: aws.ToString(c.LogicalResourceId), PhysicalID: aws.ToString(c.PhysicalResourceId),
		Type: aws.ToString(c.ResourceType), Replacement: string(c.Replacement),
	}
	for _, detail := range c.Details {
		if detail.Target == nil {
			continue
		}
		name := aws.ToString(detail.Target.Name)
		if name == "" {
			name = string(detail.Target.Attribute)
		}
		if !slices.Contains(out.Properties, name) {
			out.Properties = append(out.Properties, name)
		}
	}
	return out
}

// withdraw deletes a change set, and the stack if that was only opened for it.
func (d *Deployer) withdraw(ctx context.Context, set *changeSet) error {
	_, err := d.stacks.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{StackName: aws.String(set.stack), ChangeSetName: aws.String(set.name)})
	if err != nil {
		return fmt.Errorf("delete the change set %s: %w", set.name, err)
	}
	if set.create {
		return d.remove(ctx, set.stack, func(Event) {})
	}
	return nil
}

// execute carries a change set out and waits; it returns the stack as it is then.
func (d *Deployer) execute(ctx context.Context, set *changeSet, show func(Event)) (*types.Stack, error) {
	after, err := d.lastEvent(ctx, set.stack)
	if err != nil {
		return nil, err
	}
	_, err = d.stacks.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{StackName: aws.String(set.stack), ChangeSetName: aws.String(set.name)})
	if err != nil {
		return nil, fmt.Errorf("execute the change set %s: %w", set.name, err)
	}
	st, err := d.follow(ctx, set.stack, after, show)
	if err != nil {
		return nil, err
	}
	switch st.StackStatus {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete:
		return st, nil
	}
	return nil, fmt.Errorf("stack %s is %s: %w", aws.ToString(st.StackName), st.StackStatus, d.reasons(ctx, set.stack, after))
}

// others names the change sets of a stack, our own unless foreign.
func (d *Deployer) others(ctx context.Context, stack string) (own, foreign []string, err error) {
	pages := cloudformation.NewListChangeSetsPaginator(d.stacks, &cloudformation.ListChangeSetsInput{StackName: aws.String(stack)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("list the change sets of stack %s: %w", stack, err)
		}
		for _, s := range page.Summaries {
			name := aws.ToString(s.ChangeSetName)
			switch {
			case !strings.HasPrefix(name, ours):
				foreign = append(foreign, name)
			case s.ExecutionStatus != types.ExecutionStatusExecuteComplete && s.ExecutionStatus != types.ExecutionStatusExecuteFailed:
				own = append(own, name)
			}
		}
	}
	return own, foreign, nil
}
