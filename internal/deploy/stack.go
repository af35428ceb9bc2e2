package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/internal/plural"
)

// look finds a stack by name or ID; nil when there is none. CloudFormation has no code of its own for
// that: it is a ValidationError whose text says so.
func (d *Deployer) look(ctx context.Context, name string) (*types.Stack, error) {
	out, err := d.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(name)})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist") {
		return nil, nil //nolint:nilnil // none is an answer here, and every caller asks
	}
	if err != nil {
		return nil, fmt.Errorf("look at stack %s: %w", name, err)
	}
	if len(out.Stacks) != 1 {
		return nil, fmt.Errorf("look at stack %s: CloudFormation answered %s", name, plural.Of(len(out.Stacks), "stack"))
	}
	return &out.Stacks[0], nil
}

// busy says whether CloudFormation is at work on a stack. One in review waits for people.
func busy(s types.StackStatus) bool {
	return strings.HasSuffix(string(s), "_IN_PROGRESS") && s != types.StackStatusReviewInProgress
}

// follow waits until CloudFormation is done with a stack, by its ID, and shows the events after one.
func (d *Deployer) follow(ctx context.Context, id, after string, show func(Event)) (*types.Stack, error) {
	status := "being worked on"
	for {
		st, fresh, err := d.advance(ctx, id, after)
		if err != nil && ctx.Err() != nil {
			return nil, &GoesOn{nameOf(id), status, err}
		}
		if err != nil {
			return nil, err
		}
		for _, e := range fresh {
			after = aws.ToString(e.EventId)
			show(newEvent(e))
		}
		if !busy(st.StackStatus) {
			return st, nil
		}
		status = string(st.StackStatus)
		if err := d.pause(ctx); err != nil {
			return nil, &GoesOn{nameOf(id), status, err}
		}
	}
}

// advance is one look at a stack and at its events after one.
func (d *Deployer) advance(ctx context.Context, id, after string) (*types.Stack, []types.StackEvent, error) {
	st, err := d.look(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if st == nil {
		return nil, nil, fmt.Errorf("wait for stack %s: it does not exist any more", id)
	}
	fresh, err := d.eventsAfter(ctx, id, after)
	return st, fresh, err
}

// nameOf is a stack's name by its ID, arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/UNIQUE.
func nameOf(id string) string {
	parts := strings.Split(id, "/")
	return parts[min(1, len(parts)-1)]
}

// GoesOn is a stack that CloudFormation was at work on when the wait for it was broken off.
type GoesOn struct {
	Stack, Status string
	Err           error
}

func (g *GoesOn) Error() string {
	return fmt.Sprintf("wait for stack %s, which is %s and goes on at AWS: %v", g.Stack, g.Status, g.Err)
}

func (g *GoesOn) Unwrap() error { return g.Err }

func (d *Deployer) pause(ctx context.Context) error {
	t := time.NewTimer(d.step)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func newEvent(e types.StackEvent) Event {
	return Event{
		Time: aws.ToTime(e.Timestamp), Stack: aws.ToString(e.StackName), LogicalID: aws.ToString(e.LogicalResourceId),
		Type: aws.ToString(e.ResourceType), Status: string(e.ResourceStatus), Text: aws.ToString(e.ResourceStatusReason),
	}
}

// eventsAfter lists a stack's events after one, oldest first; all when after is empty.
func (d *Deployer) eventsAfter(ctx context.Context, id, after string) ([]types.StackEvent, error) {
	var found []types.StackEvent
	pages := cloudformation.NewDescribeStackEventsPaginator(d.stacks, &cloudformation.DescribeStackEventsInput{StackName: aws.String(id)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the events of stack %s: %w", id, err)
		}
		for _, e := range page.StackEvents { // newest first
			if aws.ToString(e.EventId) == after {
				slices.Reverse(found)
				return found, nil
			}
			found = append(found, e)
		}
	}
	slices.Reverse(found)
	return found, nil
}

// lastEvent is the ID of a stack's newest event.
func (d *Deployer) lastEvent(ctx context.Context, id string) (string, error) {
	out, err := d.stacks.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: aws.String(id)})
	if err != nil {
		return "", fmt.Errorf("read the events of stack %s: %w", id, err)
	}
	if len(out.StackEvents) == 0 {
		return "", nil
	}
	return aws.ToString(out.StackEvents[0].EventId), nil
}

// reasons collects why resources failed after an event, leaving out those that were only cancelled by
// another's failure.
func (d *Deployer) reasons(ctx context.Context, id, after string) error {
	events, err := d.eventsAfter(ctx, id, after)
	if err != nil {
		return err
	}
	var found []error
	for _, e := range events {
		reason := aws.ToString(e.ResourceStatusReason)
		if strings.HasSuffix(string(e.ResourceStatus), "_FAILED") && aws.ToString(e.PhysicalResourceId) != aws.ToString(e.StackId) &&
			!strings.Contains(reason, "cancelled") {
			found = append(found, fmt.Errorf("%s: %s", aws.ToString(e.LogicalResourceId), reason))
		}
	}
	if len(found) == 0 {
		return errors.New("no resource says why")
	}
	return errors.Join(found...)
}

// remove deletes a stack and waits until it is gone.
func (d *Deployer) remove(ctx context.Context, id string, show func(Event)) error {
	after, err := d.lastEvent(ctx, id)
	if err != nil {
		return err
	}
	if _, err := d.stacks.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String(id)}); err != nil {
		return fmt.Errorf("delete stack %s: %w", id, err)
	}
	st, err := d.follow(ctx, id, after, show)
	if err != nil {
		return err
	}
	if st.StackStatus != types.StackStatusDeleteComplete {
		return fmt.Errorf("delete stack %s: %s: %w", aws.ToString(st.StackName), st.StackStatus, d.reasons(ctx, id, after))
	}
	return nil
}
