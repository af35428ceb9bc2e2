package plan

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// printed is what `aws cloudfront get-distribution-config` prints, shortened where nothing is read.
const printed = `{
  "ETag": "E2QWRUHAPOMQZL",
  "DistributionConfig": {
    "CallerReference": "1", "Comment": "", "PriceClass": "PriceClass_All", "HttpVersion": "http2", "Enabled": true,
    "Aliases": {"Quantity": 1, "Items": ["www.example.com"]},
    "DefaultRootObject": "index.html",
    "Origins": {"Quantity": 3, "Items": [
      {"Id": "site", "DomainName": "b.s3.us-east-1.amazonaws.com", "OriginPath": "/live", "S3OriginConfig": {"OriginAccessIdentity": ""}},
      {"Id": "web", "DomainName": "w.x.s3-website-us-east-1.amazonaws.com", "OriginPath": ""},
      {"Id": "api", "DomainName": "api.example.com", "OriginPath": "", "CustomOriginConfig": {"HTTPPort": 80}}
    ]},
    "OriginGroups": {"Quantity": 1, "Items": [{"Id": "both", "FailoverCriteria": {}, "Members": {"Quantity": 2, "Items": [{"OriginId": "site"}, {"OriginId": "web"}]}}]},
    "DefaultCacheBehavior": {
      "TargetOriginId": "both", "ViewerProtocolPolicy": "redirect-to-https", "Compress": true,
      "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
      "FunctionAssociations": {"Quantity": 1, "Items": [{"FunctionARN": "arn:aws:cloudfront::222222222222:function/routes", "EventType": "viewer-request"}]},
      "LambdaFunctionAssociations": {"Quantity": 1, "Items": [{"LambdaFunctionARN": "arn:aws:lambda:us-east-1:222222222222:function:headers:7", "EventType": "origin-response", "IncludeBody": false}]}
    },
    "CacheBehaviors": {"Quantity": 2, "Items": [
      {"PathPattern": "/api/*", "TargetOriginId": "api", "CachePolicyId": "00000000-0000-0000-0000-000000000000",
        "TrustedSigners": {"Enabled": false, "Quantity": 0}, "TrustedKeyGroups": {"Enabled": true, "Quantity": 1, "Items": ["1"]}},
      {"PathPattern": "old/*", "TargetOriginId": "site", "MinTTL": 5, "ForwardedValues": {"QueryString": true, "QueryStringCacheKeys": {"Quantity": 1, "Items": ["v"]}, "Cookies": {"Forward": "none"}}}
    ]},
    "CustomErrorResponses": {"Quantity": 2, "Items": [
      {"ErrorCode": 403, "ResponsePagePath": "/index.html", "ResponseCode": "200", "ErrorCachingMinTTL": 300},
      {"ErrorCode": 500, "ResponsePagePath": "", "ResponseCode": ""}
    ]},
    "CacheTagConfig": {"HeaderName": "x-amz-meta-cache-tag"},
    "Staging": false
  }
}`

func want() Distribution {
	optimized, _ := managed("658327ea-f89d-4fab-a63d-7e88639e58f6")
	return Distribution{
		ETag: "E2QWRUHAPOMQZL", Aliases: []string{"www.example.com"}, DefaultRootObject: "index.html", Enabled: true,
		CacheTagHeader: "x-amz-meta-cache-tag",
		Origins: []Origin{
			{ID: "site", Domain: "b.s3.us-east-1.amazonaws.com", Path: "/live", Bucket: "b"},
			{ID: "web", Domain: "w.x.s3-website-us-east-1.amazonaws.com", Bucket: "w.x", Website: true},
			{ID: "api", Domain: "api.example.com"},
		},
		Default: Behavior{
			PathPattern: "*", Origins: []string{"site", "web"}, Policy: optimized, Compress: true, Functions: []Function{
				{ARN: "arn:aws:cloudfront::222222222222:function/routes", Event: "viewer-request"},
				{ARN: "arn:aws:lambda:us-east-1:222222222222:function:headers:7", Event: "origin-response"},
			},
		},
		Behaviors: []Behavior{
			{PathPattern: "/api/*", Origins: []string{"api"}, Policy: Policy{ID: "00000000-0000-0000-0000-000000000000", Unknown: true, QueryStrings: QueryAll}, Restricted: true},
			{PathPattern: "old/*", Origins: []string{"site"}, Policy: Policy{MinTTL: 5 * time.Second, DefaultTTL: 24 * time.Hour, MaxTTL: year, QueryStrings: QueryWhitelist}},
		},
		Errors: []ErrorResponse{
			{Code: 403, PagePath: "/index.html", ResponseCode: 200, CachingMinTTL: 300 * time.Second},
			{Code: 500, CachingMinTTL: 10 * time.Second},
		},
	}
}

func TestFromConfig(t *testing.T) {
	got, err := FromConfig([]byte(printed))
	if diff := cmp.Diff(want(), got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal([]byte(printed), &file); err != nil {
		t.Fatal(err)
	}
	bare := want()
	bare.ETag = ""
	got, err = FromConfig(file["DistributionConfig"])
	if diff := cmp.Diff(bare, got); err != nil || diff != "" {
		t.Error("a bare config:", err, diff)
	}
	whole := want()
	whole.ID, whole.Account, whole.Domain, whole.Status = "E1", "222222222222", "d1.cloudfront.net", "Deployed"
	got, err = FromConfig([]byte(`{"ETag": "E2QWRUHAPOMQZL", "Distribution": {"Id": "E1", "ARN": "arn:aws:cloudfront::222222222222:distribution/E1",
		"Status": "Deployed", "DomainName": "d1.cloudfront.net", "DistributionConfig": ` + string(file["DistributionConfig"]) + `}}`))
	if diff := cmp.Diff(whole, got); err != nil || diff != "" {
		t.Error("get-distribution:", err, diff)
	}
}

// Viewers need a signature where the first behavior that matches says so.
func TestRestricted(t *testing.T) {
	d := Distribution{Behaviors: []Behavior{{PathPattern: "/open/*"}, {PathPattern: "*.pdf", Restricted: true}, {PathPattern: "old/?", Restricted: true}}}
	for path, want := range map[string]bool{
		"/": false, "/index.html": false, "/a.pdf": true, "/a.pdf?x=/open/": true, "/open/a.pdf": false, "/old/1": true, "/old/12": false,
	} {
		if got := d.Restricted(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	d.Default.Restricted = true
	if !d.Restricted("/") || !d.Restricted("/x") || d.Restricted("/open/x") {
		t.Error("the default behavior's restriction is not heard")
	}
	signers, err := FromConfig([]byte(strings.Replace(printed, `"TrustedSigners": {"Enabled": false`, `"TrustedSigners": {"Enabled": true`, 1)))
	if err != nil || !signers.Restricted("/api/x") || signers.Restricted("/old/x") {
		t.Error("trusted signers are not heard", err)
	}
}

func TestFromConfigRefuses(t *testing.T) {
	for _, tt := range []struct{ old, new, says string }{
		{printed, ``, "unexpected end"},
		{printed, `{}`, "there is no DistributionConfig"},
		{printed, `[]`, "cannot unmarshal"},
		{printed, `{"DistributionConfig": {"Origins": {}}}`, "there is no DistributionConfig"},
		{printed, printed[:len(printed)-2], "unexpected end"},
		{printed, "\xff\xfe{\x00}\x00", "not UTF-8"},
		{`"PathPattern": "old/*"`, "\"PathPattern\": \"\xff/*\"", "not UTF-8"},
		{`"Enabled": true`, `"Enabled": null`, "Enabled"},
		{`"Quantity": 3`, `"Quantity": 4`, "Origins has 3 items and says that they are 4"},
		{`"OriginPath": "/live"`, `"OriginPath": "live"`, "does not begin with a slash"},
		{`{"OriginId": "web"}`, `{"OriginId": "gone"}`, `member "gone"`},
		{`"TargetOriginId": "api"`, `"TargetOriginId": "gone"`, `cache behavior 1 (/api/*): its target "gone" is no origin`},
		{`"TargetOriginId": "both"`, `"TargetOriginId": ""`, "default cache behavior: its target"},
		{`"PathPattern": "old/*"`, `"PathPattern": ""`, "no PathPattern"},
		{`"ForwardedValues"`, `"Ignored"`, "neither CachePolicyId nor ForwardedValues"},
		{`"MinTTL": 5`, `"MinTTL": -5`, "MinTTL is -5"},
		{`"MinTTL": 5`, `"MinTTL": 9, "MaxTTL": 5`, "MinTTL 9s is more than MaxTTL 5s"},
		{`"MinTTL": 5`, `"MinTTL": "5"`, "cannot unmarshal"},
		{`"EventType": "viewer-request"`, `"EventType": "whenever"`, `event "whenever"`},
		{`"ErrorCode": 403`, `"ErrorCode": 200`, "no error code 200"},
		{`"ResponseCode": "200"`, `"ResponseCode": "OK"`, `"OK"`},
		{`"ResponsePagePath": "/index.html"`, `"ResponsePagePath": "index.html"`, "does not begin with a slash"},
		{`"ErrorCachingMinTTL": 300`, `"ErrorCachingMinTTL": -1`, "-1 seconds"},
		{`"ErrorCachingMinTTL": 300`, `"ErrorCachingMinTTL": 9999999999999`, "9999999999999 seconds"},
	} {
		text := strings.Replace(printed, tt.old, tt.new, 1)
		d, err := FromConfig([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), "read distribution config: ") || !strings.Contains(err.Error(), tt.says) || d.Origins != nil {
			t.Errorf("%.40s -> %.40s: %v; want %q", tt.old, tt.new, err, tt.says)
		}
	}
}

func TestFromConfigSkipsAByteOrderMark(t *testing.T) {
	got, err := FromConfig([]byte("\ufeff" + printed))
	if diff := cmp.Diff(want(), got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// A configuration that was cut is never taken for a smaller one.
func TestFromConfigOfDamage(t *testing.T) {
	for i := range printed {
		if d, err := FromConfig([]byte(printed[:i])); err == nil {
			t.Fatalf("cut to %d of %d bytes it gives %+v", i, len(printed), d)
		}
	}
}

func TestFromConfigUsesGivenPolicies(t *testing.T) {
	p, err := FromPolicy([]byte(`{"ETag": "E", "CachePolicy": {"Id": "00000000-0000-0000-0000-000000000000", "LastModifiedTime": "2026-01-01", "CachePolicyConfig": {
		"Name": "mine", "MinTTL": 0, "DefaultTTL": 60, "MaxTTL": 3600, "ParametersInCacheKeyAndForwardedToOrigin": {
		"QueryStringsConfig": {"QueryStringBehavior": "allExcept", "QueryStrings": {"Quantity": 1, "Items": ["utm"]}}}}}}`))
	wantPolicy := Policy{ID: "00000000-0000-0000-0000-000000000000", Name: "mine", DefaultTTL: time.Minute, MaxTTL: time.Hour, QueryStrings: QueryAllExcept}
	if diff := cmp.Diff(wantPolicy, p); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	d, err := FromConfig([]byte(printed), p)
	if err != nil || d.Behaviors[0].Policy != wantPolicy {
		t.Errorf("%v, %+v", err, d.Behaviors)
	}
	for _, tt := range []struct{ text, says string }{
		{``, "unexpected end"},
		{`{}`, "no CachePolicy with Id"},
		{"\xff\xfe{\x00}\x00", "read cache policy: it is not UTF-8"},
		{`{"CachePolicy": {"Id": "x", "CachePolicyConfig": {"MinTTL": -1}}}`, "read cache policy x: MinTTL is -1"},
		{`{"CachePolicy": {"Id": "x", "CachePolicyConfig": {"ParametersInCacheKeyAndForwardedToOrigin": {}}}}`, `no query string behavior ""`},
	} {
		if _, err := FromPolicy([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v; want %q", tt.text, err, tt.says)
		}
	}
}

func TestBucketOf(t *testing.T) {
	for _, tt := range []struct {
		domain, bucket string
		website        bool
	}{
		{"b.s3.amazonaws.com", "b", false},
		{"b.s3.eu-west-1.amazonaws.com", "b", false},
		{"b.s3-eu-west-1.amazonaws.com", "b", false},
		{"www.example.com.s3.us-east-1.amazonaws.com", "www.example.com", false},
		{"b.s3.cn-north-1.amazonaws.com.cn", "b", false},
		{"b.s3-website-us-east-1.amazonaws.com", "b", true},
		{"b.s3-website.eu-central-1.amazonaws.com", "b", true},
		{"api.example.com", "", false},
		{"x.execute-api.us-east-1.amazonaws.com", "", false},
		{"s3.amazonaws.com", "", false},
		{"", "", false},
	} {
		if bucket, website := bucketOf(tt.domain); bucket != tt.bucket || website != tt.website {
			t.Errorf("%q: %q, %v", tt.domain, bucket, website)
		}
	}
}

func TestManaged(t *testing.T) {
	for id, name := range map[string]string{
		"658327ea-f89d-4fab-a63d-7e88639e58f6": "CachingOptimized", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": "CachingDisabled",
		"b2884449-e4de-46a7-ac36-70bc7f1ddd6d": "CachingOptimizedForUncompressedObjects", "83da9c7e-98b4-4e11-a168-04f0df8e2c65": "UseOriginCacheControlHeaders",
		"4cc15a8a-d715-48a4-82b8-cc0b614638fe": "UseOriginCacheControlHeaders-QueryStrings", "08627262-05a9-4f76-9ded-b50ca2e3a84f": "Elemental-MediaPackage",
	} {
		if p, found := managed(id); !found || p.Name != name || p.MaxTTL == 0 != (name == "CachingDisabled") {
			t.Errorf("%s: %+v", id, p)
		}
	}
}

func TestLifetime(t *testing.T) {
	optimized, _ := managed("658327ea-f89d-4fab-a63d-7e88639e58f6")
	disabled, _ := managed("4135ea2d-6df8-44a3-9df3-4b5a84be39ad")
	origin, _ := managed("83da9c7e-98b4-4e11-a168-04f0df8e2c65")
	short := Policy{MaxTTL: time.Minute}
	for _, tt := range []struct {
		policy Policy
		header string
		want   time.Duration
	}{
		{optimized, "", 24 * time.Hour},
		{optimized, "no-cache", time.Second},
		{optimized, "private, max-age=600", time.Second},
		{optimized, "max-age=0", time.Second},
		{optimized, "public, max-age=60", time.Minute},
		{optimized, "max-age=60, s-maxage=120", 2 * time.Minute},
		{optimized, "s-maxage=120, max-age=60", 2 * time.Minute},
		{optimized, `max-age="60"`, time.Minute},
		{optimized, "max-age=soon", 24 * time.Hour},
		{optimized, "max-age=-1", 24 * time.Hour},
		{optimized, "max-age=99999999999", year},
		{optimized, "Max-Age=60, Stale-While-Revalidate=30", 90 * time.Second},
		{optimized, "stale-while-revalidate=30", 24*time.Hour + 30*time.Second},
		{disabled, "max-age=60", 0},
		{origin, "", 0},
		{origin, "no-store", 0},
		{origin, "max-age=5", 5 * time.Second},
		{short, "max-age=600", time.Minute},
		{Policy{Unknown: true}, "no-store", forever},
	} {
		if got := tt.policy.lifetime(tt.header, true); got != tt.want {
			t.Errorf("%s, %q: %s; want %s", tt.policy.Name, tt.header, got, tt.want)
		}
	}
	if optimized.lifetime("", false) != forever || disabled.lifetime("", false) != 0 {
		t.Error("what is not known is cacheable, unless nothing is")
	}
}

func FuzzFromPolicy(f *testing.F) {
	f.Add([]byte(`{"CachePolicy": {"Id": "x", "CachePolicyConfig": {"Name": "mine", "MinTTL": 5, "MaxTTL": 3600, "ParametersInCacheKeyAndForwardedToOrigin": {"QueryStringsConfig": {"QueryStringBehavior": "all"}}}}}`))
	f.Add([]byte("\ufeff" + `{"CachePolicy": {"Id": "x", "CachePolicyConfig": {"DefaultTTL": 3153600000}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := FromPolicy(data)
		if err != nil {
			if p != (Policy{}) {
				t.Fatal("a policy besides an error")
			}
			return
		}
		if p.ID == "" || p.MinTTL < 0 || p.MaxTTL < p.MinTTL || p.DefaultTTL < 0 || p.lifetime("max-age=60", true) < 0 {
			t.Fatalf("%+v", p)
		}
		d, err := FromConfig([]byte(printed), p)
		if err != nil || d.Default.Policy.ID == p.ID && d.Default.Policy != p {
			t.Fatal(err)
		}
	})
}

func FuzzFromConfig(f *testing.F) {
	f.Add([]byte(printed))
	f.Add([]byte(`{"Distribution": {"DistributionConfig": {"Enabled": false, "Origins": {"Items": [{"Id": ""}]}, "DefaultCacheBehavior": {"CachePolicyId": "x"}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := FromConfig(data)
		if err != nil {
			if len(d.Origins) > 0 {
				t.Fatal("a distribution besides an error")
			}
			return
		}
		for _, b := range append(d.Behaviors, d.Default) {
			if len(b.Origins) == 0 || b.Policy.MinTTL < 0 || b.Policy.MaxTTL < b.Policy.MinTTL {
				t.Fatalf("%+v", b)
			}
		}
		in := Input{Distribution: d, Release: listOf("index.html", "2", "a/b~c", "1"), Known: []snapshotOf{listOf("index.html", "1")}, Deletes: true}
		if _, err := Build(in); err != nil {
			t.Fatal(err)
		}
	})
}
