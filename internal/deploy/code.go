package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
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
	_, err := d.files.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(zip)})
	if err != nil {
		return fmt.Errorf("upload %s to bucket %s: %w", key, bucket, err)
	}
	return nil
}
