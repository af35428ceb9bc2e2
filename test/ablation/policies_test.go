package ablation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
)

// bucketOf is the bucket of a bucket policy, by the policy's logical ID.
func (w *world) bucketOf(t *testing.T, policy string) string {
	t.Helper()
	if policy == "JobStateBucketPolicy" { // which no other stack has to know
		return "unstale-state-" + w.jobAccount() + "-" + story.Region
	}
	bucket := w.Outputs[map[string]string{"ArtifactsBucketPolicy": "ArtifactBucketName", "SiteBucketPolicy": "SiteBucketName"}[policy]]
	if bucket == "" {
		t.Fatalf("no output of route %s names the bucket of %s", w.route, policy)
	}
	return bucket
}

// jobAccount is where the job function runs.
func (w *world) jobAccount() string {
	pipeline, delivery := story.AccountsOf(w.route)
	if w.route == "direct" {
		return delivery
	}
	return pipeline
}

// bucketPolicy is a bucket's policy, as its account's root reads it.
func (w *world) bucketPolicy(t *testing.T, account, bucket string) iam.Document {
	t.Helper()
	out, err := s3.NewFromConfig(w.Config(account), func(o *s3.Options) { o.UsePathStyle = true }).
		GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, *out.Policy)
}

// keyPolicy is a key's policy, as its account's root reads it, over HTTP: nothing else here needs the
// SDK's client for KMS.
func (w *world) keyPolicy(t *testing.T, account, key string) iam.Document {
	t.Helper()
	body, err := json.Marshal(map[string]string{"KeyId": key, "PolicyName": "default"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.Config(account)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, aws.ToString(cfg.BaseEndpoint), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "TrentService.GetKeyPolicy")
	credentials, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, req, hex.EncodeToString(sum[:]), "kms", story.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or the error below says so
	answer, err := io.ReadAll(resp.Body)
	var out struct{ Policy string }
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(answer, &out) != nil {
		t.Fatalf("kms:GetKeyPolicy: %s: %v: %s", resp.Status, err, answer)
	}
	return parsed(t, out.Policy)
}

func parsed(t *testing.T, text string) iam.Document {
	t.Helper()
	document, err := iam.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return document
}
