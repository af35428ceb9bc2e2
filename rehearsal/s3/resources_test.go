package s3_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

// resource is a type that templates may use, by name.
func (w *world) resource(name string) templates.Type {
	w.T.Helper()
	for _, typ := range w.s3.ResourceTypes() {
		if typ.Name == name {
			return typ
		}
	}
	w.T.Fatalf("no resource type %s", name)
	return templates.Type{}
}

// request is what the template engine asks of a type, for the root of B.
func (w *world) request(properties string) templates.Request {
	w.T.Helper()
	r := templates.Request{Caller: w.Root(accountB).Caller, Account: accountB, Region: region, Stack: "Unstale", LogicalID: "SiteBucket"}
	if err := json.Unmarshal([]byte(properties), &r.Properties); err != nil {
		w.T.Fatal(err)
	}
	return r
}

func (w *world) existing(made templates.Resource, properties string) templates.Existing {
	w.T.Helper()
	return templates.Existing{
		Caller: w.Root(accountB).Caller, Account: accountB, Region: region, Resource: made, Properties: w.request(properties).Properties,
	}
}

func TestBucketTemplates(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	const full = `{"BucketName":"site-b","BucketEncryption":{"ServerSideEncryptionConfiguration":[{"ServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]},
		"OwnershipControls":{"Rules":[{"ObjectOwnership":"BucketOwnerEnforced"}]},
		"PublicAccessBlockConfiguration":{"BlockPublicAcls":true,"BlockPublicPolicy":"true","IgnorePublicAcls":true,"RestrictPublicBuckets":true}}`
	bucket := w.resource("AWS::S3::Bucket")
	made, err := bucket.Create(ctx, w.request(full))
	if err != nil {
		t.Fatal(err)
	}
	if made.Ref != "site-b" || made.Attributes["Arn"] != "arn:aws:s3:::site-b" || made.Attributes["RegionalDomainName"] != "site-b.s3.us-east-1.amazonaws.com" {
		t.Errorf("made %+v", made)
	}
	for _, a := range bucket.Attributes {
		if made.Attributes[a] == "" {
			t.Errorf("no value for the attribute %s", a)
		}
	}
	for properties, want := range map[string]string{
		`{"BucketName":"site-x","WebsiteConfiguration":{}}`: "NotEmulated",
		`{"BucketName":"site-b"}`:                           "BucketAlreadyOwnedByYou",
		`{"BucketName":"site-x","OwnershipControls":{"Rules":[{"ObjectOwnership":"ObjectWriter"}]}}`: "NotEmulated",
		`{"BucketName":"site-x","VersioningConfiguration":{"Status":"On"}}`:                          "MalformedXML",
		`{"BucketName":"site-x","BucketEncryption":{"ServerSideEncryptionConfiguration":[]}}`:        "ValidationError",
	} {
		if _, err := bucket.Create(ctx, w.request(properties)); wire.AsError(err).Code != want {
			t.Errorf("%s: %v, want %s", properties, err, want)
		}
	}
	if _, err := w.s3.HeadBucket(ctx, w.Root(accountB).Caller, "site-x"); wire.AsError(err).Code != "NoSuchBucket" {
		t.Errorf("a bucket that failed is left behind: %v", err)
	}
	generated, err := bucket.Create(ctx, w.request(`{}`))
	if err != nil || !strings.HasPrefix(generated.Ref, "unstale-sitebucket-") {
		t.Errorf("generated %q, %v", generated.Ref, err)
	}

	existing := w.existing(made, full)
	if _, err := bucket.Update(ctx, w.request(strings.Replace(full, `{"BucketName"`, `{"VersioningConfiguration":{"Status":"Enabled"},"BucketName"`, 1)), existing); err != nil {
		t.Error(err)
	}
	if status, err := w.s3.Versioning(ctx, w.Root(accountB).Caller, "site-b"); status != "Enabled" || err != nil {
		t.Errorf("versioning after the update: %q, %v", status, err)
	}
	if _, err := bucket.Update(ctx, w.request(strings.Replace(full, "site-b", "site-z", 1)), existing); wire.AsError(err).Code != "NotEmulated" {
		t.Errorf("renaming: %v", err)
	}
	for range 2 { // the second time there is nothing left, which is no error
		if err := bucket.Delete(ctx, existing); err != nil {
			t.Error(err)
		}
	}
}

func TestPolicyTemplates(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.bucket(accountB, "site-b")
	policy := w.resource("AWS::S3::BucketPolicy")
	const document = `{"Bucket":"site-b","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Sid":"Edge","Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},
		"Action":"s3:GetObject","Resource":"arn:aws:s3:::site-b/*","Condition":{"StringEquals":{"AWS:SourceArn":"arn:aws:cloudfront::222222222222:distribution/E1"}}}]}}`
	attached, err := policy.Create(ctx, w.request(document))
	if err != nil {
		t.Fatal(err)
	}
	was := w.existing(attached, document)
	if _, err := policy.Update(ctx, w.request(strings.Replace(document, "E1", "E2", 1)), was); err != nil {
		t.Error(err)
	}
	if text, _ := w.s3.BucketPolicy(ctx, w.Root(accountB).Caller, "site-b"); !strings.Contains(string(text), "distribution/E2") {
		t.Errorf("after the update: %s", text)
	}
	for range 2 { // the second time there is nothing left, which is no error
		if err := policy.Delete(ctx, was); err != nil {
			t.Error(err)
		}
	}
}

// TestTemplatesActAsTheirCaller: a deployer without the permission makes nothing.
func TestTemplatesActAsTheirCaller(t *testing.T) {
	w := newWorld(t)
	_, err := w.resource("AWS::S3::Bucket").Create(t.Context(), templates.Request{
		Caller: w.Role(accountB, "nobody", "").Caller, Account: accountB, Region: region, Properties: map[string]any{"BucketName": "site-b"},
	})
	if wire.AsError(err).Code != "AccessDenied" {
		t.Errorf("create: %v", err)
	}
	if _, err := w.s3.HeadBucket(t.Context(), w.Root(accountB).Caller, "site-b"); wire.AsError(err).Code != "NoSuchBucket" {
		t.Error(err)
	}
}
