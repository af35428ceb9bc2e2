package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/templates"
)

// The tags that CloudFormation gives what it makes. Source: User Guide, "CloudFormation resource tagging" (H).
// Nobody else can give or take a tag that begins with aws: (same place; S3 answers InvalidTag, H), and those of a
// bucket outlive its stack: nothing says that they do not, and of other types it is reported (M). Should AWS take
// them off with the stack, a bucket is not ours, which errs on the side of keeping it.
const (
	stackTag   = "aws:cloudformation:stack-name"
	logicalTag = "aws:cloudformation:logical-id"
)

// readTags is the permission without which nobody can tell who made a bucket.
const readTags = "s3:GetBucketTagging"

// NotOurs is a bucket or a repository with the name of one that a stack leaves, though nothing says that one
// of ours did.
type NotOurs struct {
	Account, Region, Type, Name string
	Side                        templates.Side // of the account
	// Of a repository: the description that ours has.
	About string
	// Of a bucket: the stack that made it, and as what. Both are empty where none did.
	Stack, As string
	Action    string // that was denied, so that nobody can tell; "": none was
	Err       error  // of the service, where it was denied

	logicalID string // of what our stacks would make
}

func (n *NotOurs) Error() string {
	what := fmt.Sprintf("account %s: %s %s", n.Account, word(n.Type), n.Name)
	switch {
	case n.Action != "":
		return fmt.Sprintf("%s may be anybody's, so it is left alone: its tags, which say who made it, may not be read: %s: %v", what, n.Action, n.Err)
	case n.Type != bucketType:
		return fmt.Sprintf("%s is of no stack, and its description is not %q, so it is left alone", what, n.About)
	case n.Stack == "":
		return fmt.Sprintf("%s was made by no stack (it has no tag %s), so it is left alone", what, stackTag)
	}
	return fmt.Sprintf("%s was made by another stack (its tag %s is %s, and %s is %s), so it is left alone", what, stackTag, n.Stack, logicalTag, n.As)
}

func (n *NotOurs) Unwrap() error { return n.Err }

func (s *side) notOurs(t *trace) *NotOurs {
	return &NotOurs{Account: s.account, Region: s.region, Type: t.Type, Name: t.Name, Side: s.name, About: t.about, logicalID: t.LogicalID}
}

// findBucket says whether there is a bucket of a name in the account, and why it is not ours. The name proves
// nothing: anybody may have taken it, before any stack or after the last. The tags do.
func (s *side) findBucket(ctx context.Context, t *trace) (is bool, other *NotOurs, err error) {
	_, err = s.files.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &t.Name, ExpectedBucketOwner: &s.account})
	if err != nil {
		if statusOf(err) == 0 {
			return false, nil, err
		}
		return false, nil, nil
	}
	other = s.notOurs(t)
	out, err := s.files.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &t.Name, ExpectedBucketOwner: &s.account})
	var refused smithy.APIError
	switch {
	case err == nil:
	case errors.As(err, &refused) && refused.ErrorCode() == "NoSuchTagSet": // S3 API Reference, GetBucketTagging
		return true, other, nil
	case statusOf(err) == http.StatusForbidden:
		other.Action, other.Err = readTags, err
		return true, other, nil
	case statusOf(err) == http.StatusNotFound:
		return false, nil, nil
	default:
		return false, nil, err
	}
	for _, tag := range out.TagSet {
		switch aws.ToString(tag.Key) {
		case stackTag:
			other.Stack = aws.ToString(tag.Value)
		case logicalTag:
			other.As = aws.ToString(tag.Value)
		}
	}
	if id, known := t.makers[other.Stack]; known && id == other.As {
		t.LogicalID = id
		return true, nil, nil
	}
	return true, other, nil
}

// findRepository says whether there is a repository of a name, and why it is not ours: the name is a word that
// others might use, so that the description, which the templates give, counts.
func (s *side) findRepository(ctx context.Context, t *trace) (is bool, other *NotOurs, err error) {
	var out struct {
		Metadata struct {
			About string `json:"repositoryDescription"`
		} `json:"repositoryMetadata"`
	}
	err = s.repositories("GetRepository").Call(ctx, s.cfg, s.region, map[string]string{"repositoryName": t.Name}, &out)
	var refused smithy.APIError
	switch {
	case errors.As(err, &refused):
		return false, nil, nil
	case err != nil:
		return false, nil, err
	case out.Metadata.About != t.about:
		return true, s.notOurs(t), nil
	}
	return true, nil, nil
}
