package deploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/internal/awsjson"
	"github.com/unstale/unstale/internal/plural"
	"github.com/unstale/unstale/templates"
)

// Leftover is a bucket or a repository that a stack of this name left when it went.
type Leftover struct {
	Account, Region string
	Item
	Goes bool // it was named

	at *side
}

// leftovers looks for what the stacks that are gone may have left: it has the names that their templates
// give. What has such a name, and was made by none of them or by nobody knows whom, is told apart. Who may not
// look is not held up by that.
func (d *Deployment) leftovers(ctx context.Context, gone []templates.Step, there []Doomed, also []string) ([]Leftover, []*NotOurs, error) {
	traces, err := d.traces(gone, there)
	if err != nil {
		return nil, nil, err
	}
	var out []Leftover
	var others []*NotOurs
	for _, t := range traces {
		if used(there, t.at.account, t.Taken) {
			continue
		}
		left, other, err := t.at.leftover(ctx, t, also)
		if err != nil {
			return nil, nil, fmt.Errorf("account %s: %w", t.at.account, err)
		}
		if other != nil {
			others = append(others, other)
		}
		if left != nil {
			out = append(out, *left)
		}
	}
	return out, others, nil
}

// trace is a name by which something may be there that a stack left.
type trace struct {
	Taken
	at     *side
	makers map[string]string // the stacks that give the name, and the logical ID that it has in them
}

// traces are the names that stacks which are gone give. The same name is given by several routes' stacks, and
// by those that are there, any of which may have made what has it.
func (d *Deployment) traces(gone []templates.Step, there []Doomed) ([]*trace, error) {
	steps := slices.Clone(gone)
	for _, s := range there { // a former stack of its name may have made it
		steps = append(steps, s.step)
	}
	var out []*trace
	by := map[string]*trace{}
	for n, step := range steps {
		lasting, err := d.lastingOf(step)
		if err != nil {
			return nil, err
		}
		at := d.sides[step.Side]
		for _, l := range lasting {
			key := at.account + " " + l.Type + " " + l.Name
			if by[key] == nil && n < len(gone) {
				by[key] = &trace{Taken: l, at: at, makers: map[string]string{}}
				out = append(out, by[key])
			}
			if by[key] != nil {
				by[key].makers[d.stackName(step.Template)] = l.LogicalID
			}
		}
	}
	return out, nil
}

// lastingOf is what a step's stack keeps under names of its own when it goes.
func (d *Deployment) lastingOf(step templates.Step) ([]Taken, error) {
	body, err := Template(step.Template)
	if err != nil {
		return nil, err
	}
	lasting, err := d.lasting(d.sides[step.Side], body)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", step.Template, err)
	}
	return lasting, nil
}

// leftover describes what has a name that a stack gives: as left by a stack, or as not ours. Neither: there is
// nothing of that name.
func (s *side) leftover(ctx context.Context, t *trace, also []string) (*Leftover, *NotOurs, error) {
	look := s.findRepository
	if t.Type == bucketType {
		look = s.findBucket
	}
	is, other, err := look(ctx, t)
	if err != nil {
		return nil, nil, fmt.Errorf("look for %s %s: %w", word(t.Type), t.Name, err)
	}
	if !is || other != nil {
		return nil, other, nil
	}
	i := Item{LogicalID: t.LogicalID, PhysicalID: t.Name, Type: t.Type, Name: t.Name}
	goes := i.among(also)
	if goes && t.Type == bucketType {
		if i.Objects, err = s.count(ctx, t.Name); err != nil {
			return nil, nil, err
		}
	}
	return &Leftover{Account: s.account, Region: s.region, Item: i, Goes: goes, at: s}, nil, nil
}

// used says whether a stack that is there has something, or works with it.
func used(there []Doomed, account string, l Taken) bool {
	return slices.ContainsFunc(there, func(s Doomed) bool {
		has := func(i Item) bool { return i.Type == l.Type && i.Name == l.Name }
		return s.Account == account && (slices.ContainsFunc(s.Goes, has) || slices.ContainsFunc(s.Stays, has) ||
			l.Type == bucketType && s.parameters["ExistingBucketName"] == l.Name)
	})
}

// erase deletes what an earlier stack left, with all that is in it.
func (d *Deployment) erase(ctx context.Context, l Leftover) error {
	if l.Type == bucketType {
		d.options.Say(fmt.Sprintf("%s: delete bucket %s (%s)", l.Account, l.Name, plural.Of(l.Objects, "object")))
		if err := l.at.empty(ctx, l.Name); err != nil {
			return err
		}
		if _, err := l.at.files.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String(l.Name), ExpectedBucketOwner: &l.Account}); err != nil {
			return fmt.Errorf("delete bucket %s: %w", l.Name, err)
		}
		return nil
	}
	d.options.Say(fmt.Sprintf("%s: delete repository %s", l.Account, l.Name))
	var out struct{}
	if err := l.at.repositories("DeleteRepository").Call(ctx, l.at.cfg, l.Region, map[string]string{"repositoryName": l.Name}, &out); err != nil {
		return fmt.Errorf("delete repository %s: %w", l.Name, err)
	}
	return nil
}

func (s *side) repositories(operation string) awsjson.Operation {
	return awsjson.Operation{Service: "codecommit", Target: "CodeCommit_20150413." + operation}
}
