package s3_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/unstale/unstale/rehearsal/accounts"
	rs3 "github.com/unstale/unstale/rehearsal/s3"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	readSite = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::site-b/*"}}`
	anyKey   = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::site-b/*"},
		{"Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*"}]}`
)

func bucketPolicy(statement string) string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"NoPlainHTTP","Effect":"Deny","Principal":"*","Action":"s3:*",
		"Resource":["arn:aws:s3:::site-b","arn:aws:s3:::site-b/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}` + statement + `]}`
}

// TestWhoMayRead is the matrix of AWS-documented evaluation across accounts: the caller's own policy,
// the bucket's, and for an encrypted object the key's; each may be missing.
func TestWhoMayRead(t *testing.T) {
	grant := func(principal, condition string) string {
		return fmt.Sprintf(`,{"Sid":"Read","Effect":"Allow","Principal":{"AWS":"%s"},"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::site-b/*"%s}`, principal, condition)
	}
	const roleA = "arn:aws:iam::" + accountA + ":role/reader"
	onlyReader := `,"Condition":{"ArnEquals":{"aws:PrincipalArn":"` + roleA + `"}}`
	onlyOther := `,"Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::` + accountA + `:role/other"}}`
	tests := []struct {
		name, account, identity, bucket, key string
		want                                 string // in the message; empty: allowed
	}{
		{name: "same account, identity only", account: accountB, identity: readSite},
		{name: "same account, bucket only", account: accountB, bucket: grant("arn:aws:iam::"+accountB+":role/reader", "")},
		{name: "same account, neither", account: accountB, want: "no identity-based policy allows the s3:GetObject action"},
		{name: "across, identity only", account: accountA, identity: readSite, want: "no resource-based policy allows the s3:GetObject action"},
		{name: "across, bucket only", account: accountA, bucket: grant(roleA, ""), want: "no identity-based policy allows the s3:GetObject action"},
		{name: "across, both", account: accountA, identity: readSite, bucket: grant(roleA, "")},
		{name: "across, root with condition", account: accountA, identity: readSite, bucket: grant("arn:aws:iam::"+accountA+":root", onlyReader)},
		{name: "across, root with another's condition", account: accountA, identity: readSite, bucket: grant("arn:aws:iam::"+accountA+":root", onlyOther), want: "no resource-based policy"},
		{name: "encrypted, key missing", account: accountA, identity: anyKey, bucket: grant(roleA, ""), key: "none", want: "kms:Decrypt"},
		{name: "encrypted, identity for the key missing", account: accountA, identity: readSite, bucket: grant(roleA, ""), key: roleA, want: "kms:Decrypt"},
		{name: "encrypted, all three", account: accountA, identity: anyKey, bucket: grant(roleA, ""), key: roleA},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			w.bucket(accountB, "site-b")
			session := w.Role(tt.account, "reader", tt.identity)
			if err := w.s3.PutBucketPolicy(ctx, w.Root(accountB).Caller, "site-b", []byte(bucketPolicy(tt.bucket))); err != nil {
				t.Fatal(err)
			}
			if tt.key != "" {
				w.encrypt("site-b", tt.key)
			}
			w.put(accountB, "site-b", "k", "v")
			out, err := w.client(session).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("site-b"), Key: aws.String("k")})
			if tt.want == "" {
				wantCode(t, err, "")
				if tt.key != "" && (out.ServerSideEncryption != types.ServerSideEncryptionAwsKms || !strings.HasPrefix(aws.ToString(out.SSEKMSKeyId), "arn:aws:kms:")) {
					t.Errorf("answered encryption %q with key %q", out.ServerSideEncryption, aws.ToString(out.SSEKMSKeyId))
				}
				return
			}
			wantCode(t, err, "AccessDenied")
			if !strings.Contains(fmt.Sprint(err), tt.want) || !strings.Contains(fmt.Sprint(err), session.Caller.ARN) {
				t.Errorf("message %v, want it to name %s and the caller", err, tt.want)
			}
		})
	}
}

// encrypt gives a bucket of B a key of B's that serves reader through S3 ("none": nobody but B).
func (w *world) encrypt(bucket, reader string) {
	w.T.Helper()
	statement := ""
	if reader != "none" {
		statement = `,{"Effect":"Allow","Principal":{"AWS":"` + reader + `"},"Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*",
			"Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com","kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::` + bucket + `/k"}}}`
	}
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + accountB + `:root"},"Action":"kms:*","Resource":"*"}` + statement + `]}`
	key, err := w.kms.Create(w.Root(accountB).Caller, region, "test", []byte(policy), false)
	if err != nil {
		w.T.Fatal(err)
	}
	if err := w.s3.PutEncryption(w.T.Context(), w.Root(accountB).Caller, bucket, rs3.Encryption{Algorithm: "aws:kms", KeyID: key.ID}); err != nil {
		w.T.Fatal(err)
	}
}

// TestMissingObjectIsSecret: only who may list a bucket learns that an object is not there.
func TestMissingObjectIsSecret(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountB, "site-b")
	reader := w.Role(accountB, "reader", readSite)
	lister := w.Role(accountB, "lister", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::site-b","arn:aws:s3:::site-b/*"]}}`)
	for name, tt := range map[string]struct {
		who        accounts.Credentials
		get, head  string
		headStatus int
	}{
		"get only": {reader, "AccessDenied", "Forbidden", 403},
		"may list": {lister, "NoSuchKey", "NotFound", 404},
	} {
		_, err := w.client(tt.who).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("site-b"), Key: aws.String("no")})
		if got := code(err); got != tt.get {
			t.Errorf("%s: get answers %q, want %q", name, got, tt.get)
		}
		_, err = w.client(tt.who).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("site-b"), Key: aws.String("no")})
		if got := code(err); got != tt.head {
			t.Errorf("%s: head answers %q, want %q", name, got, tt.head)
		}
	}
}

// TestOriginAccess is what CloudFront does: a service reads with the distribution as its source.
func TestOriginAccess(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountB, "site-b")
	w.put(accountB, "site-b", "index.html", "hi")
	const distribution = "arn:aws:cloudfront::" + accountB + ":distribution/EDFDVBD6EXAMPLE"
	err := w.s3.PutBucketPolicy(t.Context(), w.Root(accountB).Caller, "site-b", []byte(bucketPolicy(
		`,{"Sid":"Edge","Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject",
		"Resource":"arn:aws:s3:::site-b/*","Condition":{"StringEquals":{"AWS:SourceArn":"`+distribution+`"}}}`)))
	if err != nil {
		t.Fatal(err)
	}
	edge := accounts.ServiceCaller("cloudfront.amazonaws.com", accountB, distribution)
	o, err := w.s3.GetObject(t.Context(), edge, "site-b", "index.html")
	if err != nil || string(o.Body) != "hi" {
		t.Errorf("read %q, %v", o.Body, err)
	}
	if _, err := w.s3.GetObject(t.Context(), edge, "site-b", "no"); wire.AsError(err).Status != 403 {
		t.Errorf("a missing object answers %v, want 403", err)
	}
	other := accounts.ServiceCaller("cloudfront.amazonaws.com", accountB, distribution+"X")
	if _, err := w.s3.GetObject(t.Context(), other, "site-b", "index.html"); wire.AsError(err).Code != "AccessDenied" {
		t.Errorf("another distribution reads: %v", err)
	}
}

// TestActions: every operation asks for the action and resource that the Service Authorization
// Reference lists for it.
func TestActions(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountB, "site-b")
	w.put(accountB, "site-b", "k", "v")
	c, ctx := w.client(w.Role(accountB, "nobody", "")), t.Context()
	b, k := aws.String("site-b"), aws.String("k")
	tests := []struct {
		want string
		call func() error
	}{
		{"s3:ListAllMyBuckets *", func() error { _, err := c.ListBuckets(ctx, &s3.ListBucketsInput{}); return err }},
		{"s3:CreateBucket arn:aws:s3:::site-c", func() error {
			_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("site-c")})
			return err
		}},
		{"s3:DeleteBucket arn:aws:s3:::site-b", func() error { _, err := c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: b}); return err }},
		{"s3:ListBucket arn:aws:s3:::site-b", func() error { _, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: b}); return err }},
		{"s3:ListBucket arn:aws:s3:::site-b", func() error { _, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: b}); return err }},
		{"s3:ListBucketVersions arn:aws:s3:::site-b", func() error { _, err := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: b}); return err }},
		{"s3:GetBucketLocation arn:aws:s3:::site-b", func() error { _, err := c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: b}); return err }},
		{"s3:GetBucketVersioning arn:aws:s3:::site-b", func() error {
			_, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: b})
			return err
		}},
		{"s3:GetEncryptionConfiguration arn:aws:s3:::site-b", func() error {
			_, err := c.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: b})
			return err
		}},
		{"s3:GetBucketPublicAccessBlock arn:aws:s3:::site-b", func() error {
			_, err := c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: b})
			return err
		}},
		{"s3:GetBucketPolicy arn:aws:s3:::site-b", func() error { _, err := c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: b}); return err }},
		{"s3:GetObject arn:aws:s3:::site-b/k", func() error { _, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k}); return err }},
		{"s3:GetObject arn:aws:s3:::site-b/k", func() error { _, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: k}); return err }},
		{"s3:GetObjectVersion arn:aws:s3:::site-b/k", func() error {
			_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: k, VersionId: aws.String("null")})
			return err
		}},
		{"s3:PutObject arn:aws:s3:::site-b/k", func() error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: k, Body: strings.NewReader("v")})
			return err
		}},
		{"s3:PutObject arn:aws:s3:::site-b/k", func() error {
			_, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: k})
			return err
		}},
		{"s3:AbortMultipartUpload arn:aws:s3:::site-b/k", func() error {
			_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: b, Key: k, UploadId: aws.String("u")})
			return err
		}},
		{"s3:ListMultipartUploadParts arn:aws:s3:::site-b/k", func() error {
			_, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: b, Key: k, UploadId: aws.String("u")})
			return err
		}},
		{"s3:ListBucketMultipartUploads arn:aws:s3:::site-b", func() error {
			_, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: b})
			return err
		}},
		{"s3:DeleteObject arn:aws:s3:::site-b/k", func() error { _, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: k}); return err }},
		{"s3:DeleteObjectVersion arn:aws:s3:::site-b/k", func() error {
			_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: k, VersionId: aws.String("null")})
			return err
		}},
	}
	for _, tt := range tests {
		err := tt.call()
		if err == nil {
			t.Errorf("%s: allowed to nobody", tt.want)
		}
		calls := w.Journal.Calls()
		last := calls[len(calls)-1]
		if got := last.Action + " " + last.Resource; got != tt.want || last.Decision != "deny" || last.Account != accountB {
			t.Errorf("journal says %s %s in %s, want a denied %s", last.Decision, got, last.Account, tt.want)
		}
	}
}

func TestListingByPrefix(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountB, "site-b")
	c := w.client(w.Role(accountB, "lister", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::site-b",
		"Condition":{"StringLike":{"s3:prefix":"mine/*"}}}}`))
	for prefix, want := range map[string]string{"mine/": "", "mine/a": "", "yours/": "AccessDenied", "": "AccessDenied"} {
		in := &s3.ListObjectsV2Input{Bucket: aws.String("site-b")}
		if prefix != "" {
			in.Prefix = aws.String(prefix)
		}
		_, err := c.ListObjectsV2(t.Context(), in)
		if got := code(err); got != want {
			t.Errorf("prefix %q: %q, want %q", prefix, got, want)
		}
	}
}

// TestWritingEncrypted: a writer needs kms:GenerateDataKey, and kms:Decrypt for the parts of an upload.
func TestWritingEncrypted(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountB, "site-b")
	w.encrypt("site-b", "none")
	ctx := t.Context()
	write := func(name, actions string) accounts.Credentials {
		return w.Role(accountB, name, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Allow","Action":[`+actions+`],"Resource":"*"}]}`)
	}
	none, generate := write("none", `"kms:DescribeKey"`), write("generate", `"kms:GenerateDataKey"`)
	put := func(c accounts.Credentials) error {
		_, err := w.client(c).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("site-b"), Key: aws.String("k"), Body: strings.NewReader("v")})
		return err
	}
	wantCode(t, put(none), "AccessDenied")
	wantCode(t, put(generate), "")
	_, err := w.client(generate).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("site-b"), Key: aws.String("k")})
	wantCode(t, err, "AccessDenied")
	head, err := w.client(generate).HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("site-b"), Key: aws.String("k")})
	wantCode(t, err, "") // HeadObject decrypts nothing
	if aws.ToString(head.ETag) == `"9e3669d19b675bd57058fd4664205d2a"` {
		t.Error("the ETag of an SSE-KMS object is its MD5")
	}
	up, err := w.client(generate).CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("site-b"), Key: aws.String("m")})
	wantCode(t, err, "")
	_, err = w.client(generate).UploadPart(ctx, &s3.UploadPartInput{
		Bucket: aws.String("site-b"), Key: aws.String("m"), UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("v"),
	})
	wantCode(t, err, "AccessDenied")
}
