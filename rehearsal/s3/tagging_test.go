package s3_test

import (
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/unstale/unstale/rehearsal/wire"
)

// ofStack are the tags that the engine hands on, with more of the stack's own.
func ofStack(own ...string) map[string]string {
	out := map[string]string{"aws:cloudformation:stack-name": "Unstale", "aws:cloudformation:logical-id": "SiteBucket", "aws:cloudformation:stack-id": "arn:aws:cloudformation:us-east-1:222222222222:stack/Unstale/1"}
	for i := 0; i < len(own); i += 2 {
		out[own[i]] = own[i+1]
	}
	return out
}

func TestBucketsOfStacksAreTagged(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	root := w.client(w.Root(accountB))
	tags := func(c *s3.Client, bucket, owner string) (map[string]string, string) {
		in := &s3.GetBucketTaggingInput{Bucket: &bucket}
		if owner != "" {
			in.ExpectedBucketOwner = &owner
		}
		out, err := c.GetBucketTagging(ctx, in)
		got := map[string]string{}
		if err == nil {
			for _, tag := range out.TagSet {
				got[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
			}
		}
		return got, code(err)
	}
	kind := w.resource("AWS::S3::Bucket")
	r := w.request(`{"BucketName":"site-b"}`)
	r.Tags = ofStack("team", "web")
	made, err := kind.Create(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if got, refused := tags(root, "site-b", accountB); !maps.Equal(got, r.Tags) || refused != "" {
		t.Errorf("tags %v, %s", got, refused)
	}
	if _, refused := tags(root, "site-b", accountA); refused != "AccessDenied" {
		t.Errorf("a bucket that is to be another account's: %s", refused)
	}
	r.Tags = ofStack("team", "shop")
	if _, err := kind.Update(ctx, r, w.existing(made, `{"BucketName":"site-b"}`)); err != nil {
		t.Fatal(err)
	}
	if got, _ := tags(root, "site-b", ""); !maps.Equal(got, r.Tags) {
		t.Errorf("tags after an update %v", got)
	}
	w.bucket(accountB, "by-hand")
	if _, refused := tags(root, "by-hand", ""); refused != "NoSuchTagSet" {
		t.Errorf("a bucket without tags: %s", refused)
	}
	reader := w.Role(accountB, "reader", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetBucketTagging","Resource":"*"}}`)
	if got, refused := tags(w.client(reader), "site-b", ""); len(got) != 4 || refused != "" {
		t.Errorf("who may read tags: %v, %s", got, refused)
	}
	stranger := w.Role(accountB, "stranger", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:ListBucket","s3:GetObjectTagging"],"Resource":"*"}}`)
	if _, refused := tags(w.client(stranger), "site-b", ""); refused != "AccessDenied" {
		t.Errorf("who may not read tags: %s", refused)
	}
	// Nobody makes a bucket one of a stack by hand.
	_, err = root.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: aws.String("by-hand"), Tagging: &types.Tagging{
		TagSet: []types.Tag{{Key: aws.String("aws:cloudformation:stack-name"), Value: aws.String("Unstale")}},
	}})
	wantCode(t, err, "NotEmulated")
}

// A stack's own tags are put by whoever deploys; those of AWS are not.
func TestTagsNeedAPermission(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	kind := w.resource("AWS::S3::Bucket")
	maker := w.Role(accountB, "maker", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:CreateBucket","s3:DeleteBucket"],"Resource":"*"}}`)
	for name, tt := range map[string]struct {
		tags map[string]string
		want string
	}{
		"its own": {ofStack("team", "web"), "AccessDenied"},
		"of AWS":  {ofStack(), ""},
	} {
		r := w.request(`{"BucketName":"site-b"}`)
		r.Caller, r.Tags = maker.Caller, tt.tags
		_, err := kind.Create(ctx, r)
		if got := wire.AsError(err); (err == nil) != (tt.want == "") || err != nil && got.Code != tt.want {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if _, err := w.s3.HeadBucket(ctx, w.Root(accountB).Caller, "site-b"); (err == nil) != (tt.want == "") {
			t.Errorf("%s: the bucket: %v", name, err)
		}
		if err == nil {
			if err := w.s3.DeleteBucket(ctx, maker.Caller, "site-b"); err != nil {
				t.Fatal(err)
			}
		}
	}
}
