package deploy

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/deploy"
	"github.com/unstale/unstale/rehearsal/accounts"
)

const mine = `{"Resources":{
"Bucket":{"Type":"AWS::S3::Bucket","Properties":{"BucketName":"site-of-mine"}},
"Distribution":{"Type":"AWS::CloudFront::Distribution","Properties":{"DistributionConfig":{"Enabled":true,
	"Origins":[{"Id":"s3","DomainName":{"Fn::GetAtt":["Bucket","RegionalDomainName"]},"S3OriginConfig":{}}],
	"DefaultCacheBehavior":{"TargetOriginId":"s3","ViewerProtocolPolicy":"redirect-to-https","CachePolicyId":"658327ea-f89d-4fab-a63d-7e88639e58f6"}}}}
},"Outputs":{"Id":{"Value":{"Ref":"Distribution"}}}}`

// siteOfMine makes a distribution and its bucket, site-of-mine, as people have them before there is anything of
// ours, and returns the distribution's ID.
func (w *world) siteOfMine(account string) string {
	w.t.Helper()
	outputs, err := deploy.New(w.config(account), time.Millisecond).Create(w.t.Context(), deploy.Stack{Name: "mine", Template: []byte(mine)})
	if err != nil {
		w.t.Fatal(err)
	}
	return outputs["Id"]
}

// denied is a user who may do everything but some actions.
func (w *world) denied(account string, actions ...string) accounts.Credentials {
	w.t.Helper()
	policy, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":["` +
		strings.Join(actions, `","`) + `"],"Resource":"*"}]}`))
	if err != nil {
		w.t.Fatal(err)
	}
	user, err := w.aws.Directory().AddUser(account, "operator", policy)
	if err != nil {
		w.t.Fatal(err)
	}
	return user
}

// What a parameter names is looked for before anything is made.
func TestNamedThingsHaveToBeThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.siteOfMine(accountB)
	before := w.left()
	give := func(parameters map[string]string) func(*deploy.Options) {
		return func(o *deploy.Options) { o.OwnPipeline, o.Parameters = true, parameters }
	}
	for _, tt := range []struct {
		route      string
		parameters map[string]string
		want       string
	}{
		{"states", map[string]string{"ExistingDistributionId": "E0EXAMPLE"}, "account 222222222222 has no distribution E0EXAMPLE, which parameter ExistingDistributionId names"},
		{"states", map[string]string{"ExistingDistributionId": id, "ExistingBucketName": "nobodys"}, "account 222222222222 has no bucket nobodys, which parameter ExistingBucketName names"},
		{sameOnly, map[string]string{"DistributionArns": "arn:aws:cloudfront::111111111111:distribution/" + id}, "111111111111"},
		{sameOnly, map[string]string{"SiteObjectArns": "arn:aws:s3:::nobodys/*", "Targets": "{}"}, "account 111111111111 has no bucket arn:aws:s3:::nobodys/*, which parameter SiteObjectArns names"},
	} {
		var unusable *deploy.Unusable
		if _, err := w.open(tt.route, give(tt.parameters)).Run(t.Context()); !errors.As(err, &unusable) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.parameters, err, tt.want)
		}
	}
	operator := w.as(w.denied(accountB, "cloudfront:GetDistribution"))
	var unusable *deploy.Unusable
	_, err := w.open("states", give(map[string]string{"ExistingDistributionId": id}), func(o *deploy.Options) { o.Delivery = operator }).Run(t.Context())
	if !errors.As(err, &unusable) || unusable.Action != "cloudfront:GetDistribution" || unusable.Account != accountB {
		t.Errorf("a distribution that may not be read: %v", err)
	}
	if left := slices.DeleteFunc(w.left(), func(s string) bool { return strings.Contains(s, "operator") }); !slices.Equal(before, left) {
		t.Errorf("something was made: %q", left)
	}
	// A bucket of another name may be the one, behind an access point.
	w.put(accountB, "site-of-mine", "index.html")
	if _, err := s3.NewFromConfig(w.config(accountB)).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("other")}); err != nil {
		t.Fatal(err)
	}
	for bucket, doubt := range map[string]bool{"site-of-mine": false, "other": true} {
		w.reset()
		w.run(w.open("states", give(map[string]string{"ExistingDistributionId": id, "ExistingBucketName": bucket})))
		if got := w.hasSaid("no origin of distribution " + id + " is called after bucket " + bucket); got != doubt {
			t.Errorf("bucket %s: said %q", bucket, w.said)
		}
	}
}

// What an earlier stack left stands in the way of the next: that is said before anything is made, and once
// it is out of the way, everything is.
func TestWhatStaysStandsInTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.open("states"))
	if _, err := w.open("states").Destroy(t.Context(), []string{"PipelineRepository"}); err != nil {
		t.Fatal(err)
	}
	before := w.left()
	const bucket = "unstale-site-222222222222-us-east-1"
	var taken *deploy.Taken
	for _, route := range []string{"states", "relay"} {
		if _, err := w.open(route).Run(t.Context()); !errors.As(err, &taken) || taken.Name != bucket || taken.Elsewhere {
			t.Errorf("route %s again: %v", route, err)
		}
	}
	if left := w.left(); !slices.Equal(before, left) {
		t.Errorf("something was made: %q", left)
	}
	operator := w.as(w.denied(accountB, "s3:ListBucket"))
	if _, err := w.open("states", func(o *deploy.Options) { o.Delivery = operator }).Run(t.Context()); !errors.As(err, &taken) || !taken.Elsewhere {
		t.Errorf("a bucket that may not be seen: %v", err)
	}
	if _, err := s3.NewFromConfig(w.config(accountB)).DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	w.run(w.open("states"))
	if _, err := w.open("states").Destroy(t.Context(), []string{"SiteBucket"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.open("states").Run(t.Context()); !errors.As(err, &taken) || taken.Type != "AWS::CodeCommit::Repository" || taken.Account != accountA {
		t.Errorf("a repository that stayed: %v", err)
	}
}
