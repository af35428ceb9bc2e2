package ablation

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/cloudfront"
)

// The Deny statements allow nothing that a release could miss. Each is shown to stop what it is there
// for: the bucket's policy as deployed decides a request over plain HTTP by somebody who may do
// everything, with the statement and without it.
func TestEveryDenialIsNeeded(t *testing.T) {
	t.Parallel()
	w, err := enter(t, cloudfront.ReuseDocumented, nil)
	if err != nil {
		t.Fatal(err)
	}
	buckets := map[string][2]string{
		"ArtifactsBucketPolicy": {story.PipelineAccount, w.Outputs["ArtifactBucketName"]},
		"SiteBucketPolicy":      {story.DeliveryAccount, w.Outputs["SiteBucketName"]},
	}
	for _, e := range entries(t) {
		if !e.deny {
			continue
		}
		at, known := buckets[e.resource]
		if !known {
			t.Errorf("%s: nobody shows what this Deny is for", e)
			continue
		}
		account, bucket := at[0], at[1]
		out, err := s3.NewFromConfig(w.Config(account), func(o *s3.Options) { o.UsePathStyle = true }).
			GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &bucket})
		if err != nil {
			t.Fatal(err)
		}
		policy, err := iam.Parse([]byte(*out.Policy))
		if err != nil {
			t.Fatal(err)
		}
		request := iam.Request{
			Principal: iam.Principal{ARN: "arn:aws:iam::" + account + ":root", Account: account},
			Action:    "s3:GetObject", Resource: "arn:aws:s3:::" + bucket + "/index.html", ResourceAccount: account,
			Context: map[string][]string{"aws:SecureTransport": {"false"}},
		}
		decide := func() iam.Decision {
			return iam.Decide(request, iam.Policies{Kind: iam.ResourcePolicy, Resource: &iam.Policy{Name: e.resource, Document: policy}})
		}
		if d := decide(); d.Allowed || !d.Explicit || d.Statement != e.sid {
			t.Errorf("%s: plain HTTP is decided %+v", e, d)
		}
		policy.Statements = slices.DeleteFunc(policy.Statements, func(s iam.Statement) bool { return s.Sid == e.sid })
		if d := decide(); !d.Allowed {
			t.Errorf("%s: even without it plain HTTP is refused: %s", e, d.Reason)
		}
	}
}
