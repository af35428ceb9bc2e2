package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newState makes the bucket in which the job function keeps what later releases have to know: what was deployed, what was
// planned, and what came of it. Whoever could write there could make a purge leave something out, so nobody but the job's
// role may, whatever other policies say. It is versioned, for whoever has to look back.
func newState(c constructs.Construct, name, roleARN string) awss3.CfnBucket {
	c = constructs.NewConstruct(c, jsii.String("State"))
	bucket := newPrivateBucket(c, name, "state", &awss3.CfnBucket_ServerSideEncryptionByDefaultProperty{
		SseAlgorithm: jsii.String("AES256"),
	})
	bucket.SetVersioningConfiguration(&awss3.CfnBucket_VersioningConfigurationProperty{Status: jsii.String("Enabled")})
	awss3.NewCfnBucketPolicy(c, jsii.String("BucketPolicy"), &awss3.CfnBucketPolicyProps{
		Bucket: bucket.Ref(),
		PolicyDocument: document(denyInsecureTransport(*bucket.AttrArn()), statement{
			sid: "OnlyTheJobWrites", deny: true, principal: anyone, actions: []string{"s3:PutObject"},
			resources: []string{*bucket.AttrArn() + "/*"},
			when:      map[string]map[string]any{"ArnNotEquals": {"aws:PrincipalArn": roleARN}},
		}),
	})
	return bucket
}

// keepsState lets the job function use the bucket. Without s3:ListBucket S3 does not tell a missing object from a forbidden
// one (S3 API Reference, GetObject); the paths that were used this month are counted by listing.
func keepsState(bucket awss3.CfnBucket) []statement {
	return []statement{
		{sid: "KeepState", actions: []string{"s3:GetObject", "s3:PutObject"}, resources: []string{*bucket.AttrArn() + "/*"}},
		{sid: "FindState", actions: []string{"s3:ListBucket"}, resources: []string{*bucket.AttrArn()}},
	}
}
