package s3_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/unstale/unstale/rehearsal/wire"
)

func TestBucketNamesAreGlobal(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	a, b := w.client(w.Root(accountA)), w.client(w.Root(accountB))
	create := func(c *s3.Client, name string) error {
		_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(name)})
		return err
	}
	wantCode(t, create(a, "site-a"), "")
	wantCode(t, create(a, "site-a"), "") // us-east-1 only
	wantCode(t, create(b, "site-a"), "BucketAlreadyExists")
	err := w.s3.CreateBucket(ctx, w.Root(accountA).Caller, region, "site-a")
	if wire.AsError(err).Code != "BucketAlreadyOwnedByYou" {
		t.Errorf("in process: %v", err)
	}
	wantCode(t, create(b, "site-b"), "")
	list, err := b.ListBuckets(ctx, &s3.ListBucketsInput{})
	wantCode(t, err, "")
	if len(list.Buckets) != 1 || aws.ToString(list.Buckets[0].Name) != "site-b" {
		t.Errorf("B lists %+v", list.Buckets)
	}
	_, err = b.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("site-b")})
	wantCode(t, err, "")
	_, err = b.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("site-b"), Key: aws.String("k")})
	wantCode(t, err, "NoSuchBucket")
	for _, bad := range []string{"ab", "Site-a", "a..b", "192.168.0.1", "-ab", "xn--a", "a_b", strings.Repeat("a", 64)} {
		err := w.s3.CreateBucket(ctx, w.Root(accountA).Caller, region, bad)
		if wire.AsError(err).Code != "InvalidBucketName" {
			t.Errorf("name %q: %v", bad, err)
		}
	}
}

func TestRegions(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	europe := w.client(w.Root(accountA), func(o *s3.Options) { o.Region = "eu-west-1" })
	_, err := europe.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("site-eu")})
	wantCode(t, err, "IllegalLocationConstraintException")
	_, err = europe.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("site-eu"), CreateBucketConfiguration: &types.CreateBucketConfiguration{
		LocationConstraint: types.BucketLocationConstraintEuWest1,
	}})
	wantCode(t, err, "")
	c := w.client(w.Root(accountA))
	_, err = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("site-eu")})
	wantCode(t, err, "AuthorizationHeaderMalformed")
	where, err := c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("site-eu")})
	wantCode(t, err, "")
	if where.LocationConstraint != types.BucketLocationConstraintEuWest1 {
		t.Errorf("location %q", where.LocationConstraint)
	}
	_, err = europe.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("site-eu"), ExpectedBucketOwner: aws.String(accountB)})
	wantCode(t, err, "Forbidden")
	_, err = europe.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("site-eu"), ExpectedBucketOwner: aws.String(accountA)})
	wantCode(t, err, "")
}

func TestACLsAreOff(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountA, "site-a")
	c := w.client(w.Root(accountA))
	for acl, want := range map[types.ObjectCannedACL]string{
		types.ObjectCannedACLBucketOwnerFullControl: "", types.ObjectCannedACLPublicRead: "AccessControlListNotSupported",
		types.ObjectCannedACLPrivate: "AccessControlListNotSupported",
	} {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("site-a"), Key: aws.String("k"), ACL: acl})
		if got := code(err); got != want {
			t.Errorf("%s: %q, want %q", acl, got, want)
		}
	}
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("site-a"), Key: aws.String("k"), GrantRead: aws.String("id=x")})
	wantCode(t, err, "AccessControlListNotSupported")
	// Naming the ACL needs s3:PutObjectAcl besides.
	writer := w.Role(accountA, "writer", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}}`)
	_, err = w.client(writer).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("site-a"), Key: aws.String("k"), ACL: types.ObjectCannedACLBucketOwnerFullControl})
	wantCode(t, err, "AccessDenied")
}

func TestPoliciesThatAWSRefuses(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountB, "site-b")
	admin := w.Role(accountA, "admin", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	statement := func(principal, action, resource string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"` + action + `","Resource":"` + resource + `"}]}`
	}
	tests := []struct{ name, policy, want string }{
		{"fine", statement(`{"AWS":"arn:aws:iam::111111111111:role/admin"}`, "s3:GetObject", "arn:aws:s3:::site-b/*"), ""},
		{"not JSON", `{`, "MalformedPolicy"},
		{"nobody", statement(`{"AWS":"arn:aws:iam::111111111111:role/nobody"}`, "s3:GetObject", "arn:aws:s3:::site-b/*"), "MalformedPolicy"},
		{"unknown account", statement(`{"AWS":"333333333333"}`, "s3:GetObject", "arn:aws:s3:::site-b/*"), "MalformedPolicy"},
		{"another bucket", statement(`{"AWS":"111111111111"}`, "s3:GetObject", "arn:aws:s3:::site-c/*"), "MalformedPolicy"},
		{"prefix of the name", statement(`{"AWS":"111111111111"}`, "s3:GetObject", "arn:aws:s3:::site-b2/*"), "MalformedPolicy"},
		{"wildcard in the name", statement(`{"AWS":"111111111111"}`, "s3:GetObject", "arn:aws:s3:::site-*/*"), ""},
		{"another service", statement(`{"AWS":"111111111111"}`, "sqs:SendMessage", "arn:aws:s3:::site-b/*"), "MalformedPolicy"},
		{"no principal", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::site-b/*"}]}`, "MalformedPolicy"},
		{"public", statement(`"*"`, "s3:GetObject", "arn:aws:s3:::site-b/*"), "AccessDenied"},
		{"too long", `{"Version":"2012-10-17","Id":"` + strings.Repeat("x", 20<<10) + `","Statement":[]}`, "MalformedPolicy"},
	}
	c := w.client(w.Root(accountB))
	for _, tt := range tests {
		_, err := c.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("site-b"), Policy: aws.String(tt.policy)})
		if got := code(err); got != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	// Even allowed, another account does not write the policy.
	_, err := c.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("site-b"), Policy: aws.String(statement(`{"AWS":"111111111111"}`, "s3:*", "arn:aws:s3:::site-b"))})
	wantCode(t, err, "")
	_, err = w.client(admin).DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String("site-b")})
	wantCode(t, err, "MethodNotAllowed")
}

func TestPolicyShowsThePrincipalUntilItIsDeleted(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountB, "site-b")
	w.Role(accountA, "reader", readSite)
	root := w.Root(accountB).Caller
	const arn = "arn:aws:iam::" + accountA + ":role/reader"
	err := w.s3.PutBucketPolicy(t.Context(), root, "site-b", []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+arn+`"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::site-b/*"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := w.s3.BucketPolicy(t.Context(), root, "site-b")
	if err != nil || !strings.Contains(string(text), arn) {
		t.Errorf("live: %s, %v", text, err)
	}
	if err := w.Directory.DeleteRole(arn); err != nil {
		t.Fatal(err)
	}
	if text, err = w.s3.BucketPolicy(t.Context(), root, "site-b"); err != nil || !strings.Contains(string(text), "AROA") {
		t.Errorf("deleted: %s, %v", text, err)
	}
	// A new role of the same name is not the one that was trusted.
	again := w.Role(accountA, "reader", readSite)
	w.put(accountB, "site-b", "k", "v")
	_, err = w.client(again).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("site-b"), Key: aws.String("k")})
	wantCode(t, err, "AccessDenied")
}

func TestRootMendsItsPolicy(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountB, "site-b")
	c := w.client(w.Root(accountB))
	_, err := c.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("site-b"), Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::site-b","arn:aws:s3:::site-b/*"]}]}`)})
	wantCode(t, err, "")
	_, err = c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("site-b")})
	wantCode(t, err, "AccessDenied")
	_, err = c.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String("site-b")})
	wantCode(t, err, "")
	_, err = c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("site-b")})
	wantCode(t, err, "")
}

func TestPublicBucketsAreRestricted(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountB, "site-b")
	w.put(accountB, "site-b", "k", "v")
	c, ctx := w.client(w.Root(accountB)), t.Context()
	block := func(policy, restrict bool) {
		t.Helper()
		_, err := c.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: aws.String("site-b"), PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicPolicy: aws.Bool(policy), RestrictPublicBuckets: aws.Bool(restrict),
		}})
		wantCode(t, err, "")
	}
	block(false, false)
	_, err := c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: aws.String("site-b")})
	wantCode(t, err, "NoSuchPublicAccessBlockConfiguration")
	_, err = c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String("site-b"), Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::site-b/*"}]}`)})
	wantCode(t, err, "")
	status, err := c.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: aws.String("site-b")})
	wantCode(t, err, "")
	if !aws.ToBool(status.PolicyStatus.IsPublic) {
		t.Error("the policy is not called public")
	}
	reader := w.client(w.Role(accountA, "reader", readSite))
	read := func() error {
		_, err := reader.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("site-b"), Key: aws.String("k")})
		return err
	}
	wantCode(t, read(), "")
	block(true, true)
	wantCode(t, read(), "AccessDenied")
	_, err = c.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: aws.String("site-b")})
	wantCode(t, err, "")
	wantCode(t, read(), "")
}

func TestBucketSettings(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountA, "site-a")
	key, err := w.kms.Create(w.Root(accountA).Caller, region, "", nil, false)
	if err != nil {
		t.Fatal(err)
	}
	c, ctx, name := w.client(w.Root(accountA)), t.Context(), aws.String("site-a")
	encrypt := func(algorithm types.ServerSideEncryption, id string) error {
		by := &types.ServerSideEncryptionByDefault{SSEAlgorithm: algorithm}
		if id != "" {
			by.KMSMasterKeyID = aws.String(id)
		}
		_, err := c.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: name, ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
			Rules: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: by, BucketKeyEnabled: aws.Bool(true)}},
		}})
		return err
	}
	wantCode(t, encrypt(types.ServerSideEncryptionAwsKms, ""), "NotEmulated")
	wantCode(t, encrypt(types.ServerSideEncryptionAes256, key.ARN), "InvalidArgument")
	wantCode(t, encrypt(types.ServerSideEncryptionAwsKms, key.ARN), "")
	put, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: aws.String("k")})
	wantCode(t, err, "")
	if aws.ToString(put.SSEKMSKeyId) != key.ARN || !aws.ToBool(put.BucketKeyEnabled) {
		t.Errorf("put under %q, bucket key %v", aws.ToString(put.SSEKMSKeyId), aws.ToBool(put.BucketKeyEnabled))
	}
	wantCode(t, encrypt(types.ServerSideEncryptionAwsKms, "alias/none"), "")
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: aws.String("k")})
	wantCode(t, err, "KMS.NotFoundException")
	_, err = c.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: name})
	wantCode(t, err, "")
	e, err := c.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: name})
	wantCode(t, err, "")
	if got := e.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm; got != types.ServerSideEncryptionAes256 {
		t.Errorf("after deleting: %q", got)
	}
	owner, err := c.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: name})
	wantCode(t, err, "")
	if owner.OwnershipControls.Rules[0].ObjectOwnership != types.ObjectOwnershipBucketOwnerEnforced {
		t.Errorf("ownership %+v", owner.OwnershipControls)
	}
	_, err = c.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: name, OwnershipControls: &types.OwnershipControls{
		Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipObjectWriter}},
	}})
	wantCode(t, err, "NotEmulated")
	_, err = c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: name, VersioningConfiguration: &types.VersioningConfiguration{MFADelete: types.MFADeleteEnabled}})
	wantCode(t, err, "NotEmulated")
	_, err = c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: name})
	wantCode(t, err, "NoSuchBucketPolicy")
}
