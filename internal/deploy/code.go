package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Code puts a Lambda zip into a private bucket of the account, which is made when it is missing.
// Source: S3 API Reference, CreateBucket (us-east-1 takes no location constraint).
func (d *Deployer) Code(ctx context.Context, bucket, key string, zip []byte) error {
	in := &s3.CreateBucketInput{Bucket: aws.String(bucket)}
	if d.region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(d.region)}
	}
	var owned *types.BucketAlreadyOwnedByYou
	if _, err := d.files.CreateBucket(ctx, in); err != nil && !errors.As(err, &owned) {
		return fmt.Errorf("make bucket %s: %w", bucket, err)
	}
	return d.put(ctx, bucket, key, zip)
}

func (d *Deployer) put(ctx context.Context, bucket, key string, body []byte) error {
	_, err := d.files.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(body)})
	if err != nil {
		return fmt.Errorf("upload %s to bucket %s: %w", key, bucket, err)
	}
	return nil
}

// has says whether an object is there. A HEAD has no body, so only the status tells.
func (d *Deployer) has(ctx context.Context, bucket, key string) (bool, error) {
	_, err := d.files.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	var status *awshttp.ResponseError
	if errors.As(err, &status) && status.HTTPStatusCode() == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s in bucket %s: %w", key, bucket, err)
	}
	return true, nil
}

// count is how many objects a bucket has, former versions and deletion marks among them.
func (s *side) count(ctx context.Context, bucket string) (int, error) {
	n := 0
	err := s.versions(ctx, bucket, func(page []types.ObjectIdentifier) error {
		n += len(page)
		return nil
	})
	return n, err
}

// empty deletes every version of every object of a bucket.
func (s *side) empty(ctx context.Context, bucket string) error {
	return s.versions(ctx, bucket, func(page []types.ObjectIdentifier) error {
		if len(page) == 0 {
			return nil
		}
		out, err := s.files.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: aws.String(bucket), ExpectedBucketOwner: &s.account, Delete: &types.Delete{Objects: page, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return fmt.Errorf("empty bucket %s: %w", bucket, err)
		}
		for _, e := range out.Errors { // the first tells enough
			return fmt.Errorf("empty bucket %s: delete %s: %s: %s", bucket, aws.ToString(e.Key), aws.ToString(e.Code), aws.ToString(e.Message))
		}
		return nil
	})
}

// versions visits the versions of a bucket's objects in pages of 1,000, which is also how many one
// DeleteObjects takes. A bucket that is gone has none; one that another account has by now is an error.
func (s *side) versions(ctx context.Context, bucket string, visit func([]types.ObjectIdentifier) error) error {
	pages := s3.NewListObjectVersionsPaginator(s.files, &s3.ListObjectVersionsInput{Bucket: aws.String(bucket), ExpectedBucketOwner: &s.account})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var status *awshttp.ResponseError
		if errors.As(err, &status) && status.HTTPStatusCode() == http.StatusNotFound {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list bucket %s: %w", bucket, err)
		}
		var found []types.ObjectIdentifier
		for _, v := range page.Versions {
			found = append(found, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			found = append(found, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if err := visit(found); err != nil {
			return err
		}
	}
	return nil
}
