package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

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

// NotOurs is a repository with the name of one that a stack leaves, though nothing says that one did.
type NotOurs struct{ Account, Region, Name, About string }

func (n *NotOurs) Error() string {
	return fmt.Sprintf("account %s: repository %s is of no stack, and its description is not %q, so it is left alone", n.Account, n.Name, n.About)
}

// leftovers looks for what the stacks that are gone may have left: it has the names that their templates
// give. Who may not look is not held up by that.
func (d *Deployment) leftovers(ctx context.Context, gone []templates.Step, there []Doomed, also []string) ([]Leftover, error) {
	var out []Leftover
	seen := map[string]bool{}
	for _, step := range gone {
		at := d.sides[step.Side]
		body, err := Template(step.Template)
		if err != nil {
			return nil, err
		}
		lasting, err := d.lasting(at, body)
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", step.Template, err)
		}
		for _, l := range lasting {
			key := at.account + " " + l.Type + " " + l.Name
			if seen[key] || used(there, at.account, l) {
				continue
			}
			seen[key] = true
			left, err := at.leftover(ctx, l, also)
			if err != nil {
				return nil, fmt.Errorf("account %s: %w", at.account, err)
			}
			if left != nil {
				out = append(out, *left)
			}
		}
	}
	return out, nil
}

// leftover describes what has a name that a stack gives; nil when there is none that a stack left.
func (s *side) leftover(ctx context.Context, l Taken, also []string) (*Leftover, error) {
	is, ours, err := s.find(ctx, l)
	if err != nil {
		return nil, fmt.Errorf("look for %s %s: %w", word(l.Type), l.Name, err)
	}
	i := Item{LogicalID: l.LogicalID, PhysicalID: l.Name, Type: l.Type, Name: l.Name}
	goes := i.among(also)
	switch {
	case is && !ours && goes:
		return nil, &NotOurs{s.account, s.region, l.Name, l.about}
	case !is || !ours:
		return nil, nil //nolint:nilnil // none is an answer here
	}
	if goes && l.Type == bucketType {
		if i.Objects, err = s.count(ctx, l.Name); err != nil {
			return nil, err
		}
	}
	return &Leftover{Account: s.account, Region: s.region, Item: i, Goes: goes, at: s}, nil
}

// used says whether a stack that is there has something, or works with it.
func used(there []Doomed, account string, l Taken) bool {
	return slices.ContainsFunc(there, func(s Doomed) bool {
		has := func(i Item) bool { return i.Type == l.Type && i.Name == l.Name }
		return s.Account == account && (slices.ContainsFunc(s.Goes, has) || slices.ContainsFunc(s.Stays, has) ||
			l.Type == bucketType && s.parameters["ExistingBucketName"] == l.Name)
	})
}

// find says whether there is a bucket or a repository of a name, and whether it is one that a stack left. A
// bucket's name has the account in it; a repository's is a word that others might use, so that its
// description counts.
func (s *side) find(ctx context.Context, l Taken) (is, ours bool, err error) {
	if l.Type == bucketType {
		_, err := s.files.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &l.Name, ExpectedBucketOwner: &s.account})
		if err != nil && statusOf(err) == 0 {
			return false, false, err
		}
		return err == nil, err == nil, nil
	}
	var out struct {
		Metadata struct {
			About string `json:"repositoryDescription"`
		} `json:"repositoryMetadata"`
	}
	err = s.repositories("GetRepository").Call(ctx, s.cfg, s.region, map[string]string{"repositoryName": l.Name}, &out)
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return false, false, nil
	}
	return err == nil, out.Metadata.About == l.about, err
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
