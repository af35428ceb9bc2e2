package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/unstale/unstale/iam"
)

// overTLS is what every request to S3 by HTTPS carries. Source: IAM User Guide, aws:SecureTransport.
func overTLS(owner string) map[string][]string {
	return map[string][]string{"aws:SecureTransport": {"true"}, "s3:ResourceAccount": {owner}}
}

// errNoBucket is a bucket that AWS says it does not have.
var errNoBucket = errors.New("there is no such bucket")

// bucketPolicy reads a bucket's policy; nil without an error: it has none.
func (w *walk) bucketPolicy(ctx context.Context, owner, bucket string) (*iam.Policy, error) {
	s, err := w.at(owner)
	if err != nil {
		return nil, err
	}
	w.read("s3:GetBucketPolicy", bucket)
	in := &s3.GetBucketPolicyInput{Bucket: &bucket}
	out, err := s.s3.GetBucketPolicy(ctx, in)
	if there := bucketRegion(err); there != "" && there != s.region {
		out, err = s.s3.GetBucketPolicy(ctx, in, func(o *s3.Options) { o.Region = there })
	}
	switch {
	case code(err) == "NoSuchBucketPolicy":
		return nil, nil
	case code(err) == "NoSuchBucket":
		return nil, fmt.Errorf("s3:GetBucketPolicy %s: %w", bucket, errNoBucket)
	case err != nil:
		return nil, fmt.Errorf("s3:GetBucketPolicy %s: %s", bucket, brief(err))
	}
	return plain("bucket "+bucket, aws.ToString(out.Policy))
}

// bucketRegion is where S3 says that a bucket is, in refusing to answer from elsewhere; "" when it does not say.
// Source: Amazon S3 User Guide, "Redirecting requests for general purpose buckets".
func bucketRegion(err error) string {
	var refused *smithyhttp.ResponseError
	if !errors.As(err, &refused) || refused.Response == nil {
		return ""
	}
	return refused.Response.Header.Get("X-Amz-Bucket-Region")
}

// objects is a link to all objects of a bucket.
func (w *walk) objects(ctx context.Context, name string, caller *role, owner, bucket string, actions ...string) link {
	policy, err := w.bucketPolicy(ctx, owner, bucket)
	arn := "arn:" + partition(caller.principal.ARN) + ":s3:::" + bucket
	return link{
		name: name, caller: caller, actions: actions, resource: arn + "/any", written: arn + "/*", account: owner,
		policy: policy, err: err, kind: iam.ResourcePolicy, context: overTLS(owner),
	}
}

// artifacts checks that a role can use the pipeline's artifacts: those of another account need the bucket
// and the key to say so too.
func (w *walk) artifacts(ctx context.Context, f facts, who string, caller *role, write bool) {
	if f.bucket == "" {
		return
	}
	verb, data, keys := "read", []string{"s3:GetObject"}, []string{"kms:Decrypt"}
	if write {
		verb, data, keys = "read and write", append(data, "s3:PutObject"), append(keys, "kms:GenerateDataKey")
	}
	w.check(w.objects(ctx, fmt.Sprintf("%s may %s artifacts", who, verb), caller, f.account, f.bucket, data...))
	name := fmt.Sprintf("%s may use the artifacts' key", who)
	switch {
	case f.key == "" && caller.principal.Account != f.account:
		w.add(Rung{
			Name: name, Account: f.account, Subject: f.bucket, State: Broken,
			Why: "the artifact store has no key of its own, and the account's default key cannot be shared with another account: " +
				"give the pipeline a customer managed key (CDK: crossAccountKeys: true)",
		})
		return
	case f.key == "":
		return // the default key is the account's
	case !strings.HasPrefix(f.key, "arn:"):
		w.add(Rung{Name: name, Account: f.account, Subject: f.key, State: Unknown, Why: "the pipeline names its key by an alias or ID, and only an ARN tells which key's policy to read"})
		return
	}
	policy, err := w.keyPolicy(ctx, f.key)
	w.check(link{
		name: name, caller: caller, actions: keys, resource: f.key, policy: policy, err: err, kind: iam.ResourceKey,
		context: map[string][]string{"kms:CallerAccount": {caller.principal.Account}, "kms:ViaService": {"s3." + w.home.region + ".amazonaws.com"}},
	})
}

func partition(arn string) string {
	if a, err := iam.ParseARN(arn); err == nil {
		return a.Partition
	}
	return "aws"
}
