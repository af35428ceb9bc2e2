package s3

import (
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// question is one S3 action to decide on a bucket or, with a key, on an object of it.
type question struct {
	caller  accounts.Caller
	action  string // without "s3:"
	bucket  *bucket
	key     string
	context map[string][]string // condition keys that the request carries
}

// allow decides q by the caller's policies and the bucket's.
func (s *Service) allow(q question) error {
	s.mu.Lock()
	policy, restricted := q.bucket.policy, q.bucket.block.RestrictPublicBuckets
	owner, name := q.bucket.account, q.bucket.name
	s.mu.Unlock()
	resource := bucketARN(name)
	if q.key != "" {
		resource += "/" + q.key
	}
	check := accounts.Check{
		Caller: q.caller, Action: "s3:" + q.action, Resource: resource, Account: owner, Kind: iam.ResourcePolicy,
		Context: requestContext(owner, q.context),
	}
	if policy != nil && !s.rootRescue(q, owner) {
		check.Policy = &iam.Policy{Name: "bucket " + name, Document: *policy}
	}
	if err := s.directory.Authorize(check); err != nil {
		e := *wire.AsError(err)
		// S3 alone puts the ARN in quotes (observed).
		e.Message = strings.Replace(e.Message, "on resource: "+resource, fmt.Sprintf("on resource: %q", resource), 1)
		return &e
	}
	// Source: S3 User Guide, "Blocking public access", RestrictPublicBuckets: a bucket whose policy is
	// public serves only AWS services and its owner's account (AWS-documented).
	if restricted && policy != nil && isPublic(*policy) && q.caller.Service == "" && q.caller.Account != owner {
		return wire.Denied("User: %s is not authorized to perform: s3:%s on resource: %q because public policies are "+
			"blocked by the RestrictPublicBuckets block public access setting", q.caller.Name(), q.action, resource)
	}
	return nil
}

// rootRescue says whether q is the owner's root mending a bucket policy that shut everyone out:
// AWS lets it through whatever the policy says. Source: S3 API Reference, PutBucketPolicy
// (AWS-documented).
func (s *Service) rootRescue(q question, owner string) bool {
	switch q.action {
	case "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy":
		return q.caller.ARN == "arn:aws:iam::"+owner+":root"
	}
	return false
}

// requestContext adds what every S3 request carries. The rehearsal's endpoint is plain HTTP on the
// loopback interface; it stands for AWS's HTTPS endpoints, so aws:SecureTransport is true.
func requestContext(owner string, extra map[string][]string) map[string][]string {
	out := map[string][]string{
		"aws:SecureTransport": {"true"},
		"s3:ResourceAccount":  {owner},
		"s3:signatureversion": {"AWS4-HMAC-SHA256"},
	}
	maps.Copy(out, extra)
	return out
}

// headerKeys are the condition keys that a write takes from its headers. Source: Service
// Authorization Reference, "Actions, resources, and condition keys for Amazon S3" (AWS-documented).
func headerKeys(h http.Header) map[string][]string {
	out := map[string][]string{}
	for _, name := range []string{
		"x-amz-acl", "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
		"x-amz-copy-source", "x-amz-metadata-directive", "x-amz-storage-class", "x-amz-object-ownership",
	} {
		if v := h.Get(name); v != "" {
			out["s3:"+name] = []string{v}
		}
	}
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if v := h.Get(name); v != "" {
			out["s3:"+map[string]string{"If-Match": "if-match", "If-None-Match": "if-none-match"}[name]] = []string{v}
		}
	}
	return out
}

func bucketARN(name string) string { return "arn:aws:s3:::" + name }

func noSuchBucket(name string) error {
	return &wire.Error{Status: http.StatusNotFound, Code: "NoSuchBucket", Message: "The specified bucket does not exist", Cause: "bucket " + name}
}

func noSuchKey(bucket, key string) error {
	return &wire.Error{Status: http.StatusNotFound, Code: "NoSuchKey", Message: "The specified key does not exist.", Cause: "s3://" + bucket + "/" + key}
}
