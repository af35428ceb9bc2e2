package cloudfront_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

func TestDistributionRoundTrip(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	made := w.site(map[string]any{
		"CacheTagConfig": map[string]any{"HeaderName": "x-amz-meta-cache-tag"},
		"Aliases":        []any{"www.example.com"},
		"ViewerCertificate": map[string]any{
			"AcmCertificateArn": "arn:aws:acm:us-east-1:222222222222:certificate/c", "SslSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021",
		},
		"CacheBehaviors": []any{map[string]any{
			"PathPattern": "/api/*", "TargetOriginId": "site", "ViewerProtocolPolicy": "https-only", "CachePolicyId": cloudfront.CachingDisabled,
		}},
	})
	c := w.client(deliveryAccount)
	out, err := c.GetDistribution(t.Context(), &sdk.GetDistributionInput{Id: &made.Ref})
	if err != nil {
		t.Fatal(err)
	}
	d, config := out.Distribution, out.Distribution.DistributionConfig
	got := map[string]any{
		"etag": aws.ToString(out.ETag) != "", "domain": aws.ToString(d.DomainName) == made.Attributes["DomainName"],
		"arn": aws.ToString(d.ARN), "status": aws.ToString(d.Status), "root": aws.ToString(config.DefaultRootObject),
		"enabled": aws.ToBool(config.Enabled), "http": config.HttpVersion, "ipv6": aws.ToBool(config.IsIPV6Enabled),
		"aliases": config.Aliases.Items, "tags": aws.ToString(config.CacheTagConfig.HeaderName),
		"origin": aws.ToString(config.Origins.Items[0].DomainName), "control": aws.ToString(config.Origins.Items[0].OriginAccessControlId) != "",
		"policy": aws.ToString(config.DefaultCacheBehavior.CachePolicyId), "compress": aws.ToBool(config.DefaultCacheBehavior.Compress),
		"methods": config.DefaultCacheBehavior.AllowedMethods.Items, "pattern": aws.ToString(config.CacheBehaviors.Items[0].PathPattern),
		"error": aws.ToString(config.CustomErrorResponses.Items[0].ResponsePagePath), "errorTTL": aws.ToInt64(config.CustomErrorResponses.Items[0].ErrorCachingMinTTL),
		"certificate": aws.ToString(config.ViewerCertificate.ACMCertificateArn), "price": config.PriceClass,
	}
	want := map[string]any{
		"etag": true, "domain": true, "arn": "arn:aws:cloudfront::222222222222:distribution/" + made.Ref, "status": "Deployed",
		"root": "index.html", "enabled": true, "http": types.HttpVersionHttp2and3, "ipv6": true,
		"aliases": []string{"www.example.com"}, "tags": "x-amz-meta-cache-tag",
		"origin": "site-bucket.s3.eu-west-1.amazonaws.com", "control": true,
		"policy": cloudfront.CachingOptimized, "compress": true, "methods": []types.Method{"HEAD", "GET"}, "pattern": "/api/*",
		"error": "/index.html", "errorTTL": int64(60),
		"certificate": "arn:aws:acm:us-east-1:222222222222:certificate/c", "price": types.PriceClassPriceClassAll,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	conf, err := c.GetDistributionConfig(t.Context(), &sdk.GetDistributionConfigInput{Id: &made.Ref})
	if err != nil || aws.ToString(conf.ETag) != aws.ToString(out.ETag) || aws.ToString(conf.DistributionConfig.Comment) != "site" {
		t.Errorf("%+v, %v", conf, err)
	}
	control, err := c.GetOriginAccessControl(t.Context(), &sdk.GetOriginAccessControlInput{Id: config.Origins.Items[0].OriginAccessControlId})
	if err != nil || control.OriginAccessControl.OriginAccessControlConfig.SigningBehavior != "always" {
		t.Errorf("%+v, %v", control, err)
	}
	if _, ok := w.service.ByHost("WWW.example.com"); !ok {
		t.Error("the alias leads nowhere")
	}
}

func TestListDistributions(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	var want []string
	for range 5 {
		want = append(want, w.site(nil).Ref)
	}
	var got []string
	pages := sdk.NewListDistributionsPaginator(w.client(deliveryAccount), &sdk.ListDistributionsInput{MaxItems: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.DistributionList.Items {
			got = append(got, aws.ToString(d.Id))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	out, err := w.client(pipelineAccount).ListDistributions(t.Context(), &sdk.ListDistributionsInput{})
	if err != nil || aws.ToInt32(out.DistributionList.Quantity) != 0 {
		t.Errorf("the other account sees %+v, %v", out.DistributionList, err)
	}
}

func TestCachePolicies(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	made, err := w.make("AWS::CloudFront::CachePolicy", map[string]any{"CachePolicyConfig": map[string]any{
		"Name": "by-version", "MinTTL": 0.0, "DefaultTTL": "60", "MaxTTL": 3600.0,
		"ParametersInCacheKeyAndForwardedToOrigin": map[string]any{
			"EnableAcceptEncodingGzip": true, "EnableAcceptEncodingBrotli": false,
			"QueryStringsConfig": map[string]any{"QueryStringBehavior": "whitelist", "QueryStrings": []any{"v"}},
			"HeadersConfig":      map[string]any{"HeaderBehavior": "none"},
			"CookiesConfig":      map[string]any{"CookieBehavior": "none"},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := w.client(deliveryAccount)
	out, err := c.GetCachePolicy(t.Context(), &sdk.GetCachePolicyInput{Id: &made.Ref})
	if err != nil {
		t.Fatal(err)
	}
	p := out.CachePolicy.CachePolicyConfig
	if key := p.ParametersInCacheKeyAndForwardedToOrigin; aws.ToInt64(p.MaxTTL) != 3600 || key.QueryStringsConfig.QueryStrings.Items[0] != "v" {
		t.Errorf("%+v", p)
	}
	managed, err := c.GetCachePolicy(t.Context(), &sdk.GetCachePolicyInput{Id: aws.String(cloudfront.CachingOptimized)})
	if err != nil {
		t.Fatal(err)
	}
	if m := managed.CachePolicy.CachePolicyConfig; aws.ToInt64(m.MinTTL) != 1 || aws.ToInt64(m.DefaultTTL) != 86400 || aws.ToInt64(m.MaxTTL) != 31536000 {
		t.Errorf("%+v", m)
	}
	list, err := c.ListCachePolicies(t.Context(), &sdk.ListCachePoliciesInput{})
	if err != nil || aws.ToInt32(list.CachePolicyList.Quantity) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	_, err = c.GetCachePolicy(t.Context(), &sdk.GetCachePolicyInput{Id: aws.String("b2884449-e4de-46a7-ac36-70bc7f1ddd6d")})
	if got, _ := code(err); got != "NotEmulated" {
		t.Errorf("another managed policy: %v", err)
	}
}

func TestInvalidationRoundTrip(t *testing.T) {
	w := newWorld(t, cloudfront.Options{Delays: cloudfront.Fixed(2*time.Second, time.Second, 3*time.Second)})
	id, c := w.site(nil).Ref, w.client(deliveryAccount)
	inv, err := create(t.Context(), c, id, "r1", "/index.html", "/a&b/*")
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(inv.Status) != "InProgress" || inv.CreateTime == nil || aws.ToString(inv.InvalidationBatch.CallerReference) != "r1" ||
		!cmp.Equal(inv.InvalidationBatch.Paths.Items, []string{"/index.html", "/a&b/*"}) {
		t.Errorf("%+v", inv)
	}
	status := func() string {
		out, err := c.GetInvalidation(t.Context(), &sdk.GetInvalidationInput{DistributionId: &id, Id: inv.Id})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(out.Invalidation.Status)
	}
	for i, pop := range []string{"IAD89-C2", "FRA56-P1", "NRT57-P3"} {
		if got := status(); got != "InProgress" {
			t.Errorf("before %s: %s", pop, got)
		}
		w.clock.Advance(time.Second)
		e := w.wait("PopPurged").Data.(cloudfront.PopPurged)
		if e.POP != pop || e.Left != 2-i || e.Removed != 2 {
			t.Errorf("%+v, want %s", e, pop)
		}
	}
	if e := w.wait("InvalidationCompleted").Data.(cloudfront.InvalidationCompleted); e.Invalidation.ID != aws.ToString(inv.Id) {
		t.Errorf("%+v", e)
	}
	if got := status(); got != "Completed" {
		t.Error(got)
	}
}

func TestListInvalidationsNewestFirst(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	id, c := w.site(nil).Ref, w.client(deliveryAccount)
	var want []string
	for i := range 7 {
		inv, err := create(t.Context(), c, id, fmt.Sprint(i), "/x")
		if err != nil {
			t.Fatal(err)
		}
		want = append([]string{aws.ToString(inv.Id)}, want...)
	}
	var got, sizes []string
	pages := sdk.NewListInvalidationsPaginator(c, &sdk.ListInvalidationsInput{DistributionId: &id, MaxItems: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, fmt.Sprint(len(page.InvalidationList.Items)))
		for _, s := range page.InvalidationList.Items {
			got = append(got, aws.ToString(s.Id))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || strings.Join(sizes, " ") != "3 3 1" {
		t.Error(sizes, diff)
	}
	_, err := c.ListInvalidations(t.Context(), &sdk.ListInvalidationsInput{DistributionId: &id, Marker: aws.String("nothing")})
	if got, _ := code(err); got != "InvalidArgument" {
		t.Error(err)
	}
}

func TestReferences(t *testing.T) {
	for _, tt := range []struct {
		reuse           cloudfront.Reuse
		same, different string // error codes; "" means the old one is returned
	}{
		{cloudfront.ReuseDocumented, "", "InvalidationBatchAlreadyExists"},
		{cloudfront.ReuseInvalidArgument, "InvalidArgument", "InvalidArgument"},
		{cloudfront.ReuseAlreadyExists, "InvalidationBatchAlreadyExists", "InvalidationBatchAlreadyExists"},
	} {
		w := newWorld(t, cloudfront.Options{Reuse: tt.reuse})
		id, c := w.site(nil).Ref, w.client(deliveryAccount)
		first, err := create(t.Context(), c, id, "r", "/a", "/b")
		if err != nil {
			t.Fatal(err)
		}
		again, err := create(t.Context(), c, id, "r", "/b", "/a")
		if got, _ := code(err); got != tt.same {
			t.Errorf("%v, same items: %v", tt.reuse, err)
		}
		if tt.same == "" && aws.ToString(again.Id) != aws.ToString(first.Id) {
			t.Errorf("%v: made another invalidation", tt.reuse)
		}
		_, err = create(t.Context(), c, id, "r", "/c")
		if got, _ := code(err); got != tt.different {
			t.Errorf("%v, other items: %v", tt.reuse, err)
		}
		// A reference belongs to its distribution.
		if _, err := create(t.Context(), c, w.site(nil).Ref, "r", "/c"); err != nil {
			t.Error(err)
		}
	}
}
