package infra

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestInvalidatorIsReachedByItsAliasOnly(t *testing.T) {
	made, outputs := render(t, "delivery-relay", given(t, "delivery-relay"))
	permission := made["InvalidatorPermission"].Properties
	want := map[string]any{
		"FunctionName": "<InvalidatorAlias>", // the ARN of the alias, hence a policy of the alias
		"Action":       "lambda:InvokeFunction",
		"Principal":    "arn:aws:iam::333333333333:role/shop-of-the-rising-s-job",
	}
	if !reflect.DeepEqual(permission, want) {
		t.Errorf("permission %v, want %v", permission, want)
	}
	if outputs["InvalidatorArn"] != "<InvalidatorAlias>" {
		t.Errorf("InvalidatorArn is %s", outputs["InvalidatorArn"])
	}
	if version := made["InvalidatorAlias"].Properties["FunctionVersion"]; version != "<InvalidatorVersion.Version>" {
		t.Errorf("the alias points to %v", version)
	}
}

// A version is immutable: what it freezes has to be in its description, whose change replaces it.
func TestVersionChangesWithAllItFreezes(t *testing.T) {
	describe := func(pairs ...string) string {
		made, _ := render(t, "delivery-relay", with(given(t, "delivery-relay"), pairs...))
		return made["InvalidatorVersion"].Properties["Description"].(string)
	}
	first := describe()
	for _, pairs := range [][]string{
		{"CodeKey", "invalidator-2.zip"},
		{"Architecture", "x86_64"},
		{"ExistingDistributionId", "E9"},
	} {
		if describe(pairs...) == first {
			t.Errorf("a change of %s publishes nothing", pairs[0])
		}
	}
	if longest := describe("CodeKey", strings.Repeat("k", 128), "ExistingDistributionId", "E1234567890ABC"); len(longest) > 256 {
		t.Errorf("description has %d characters, at most 256", len(longest))
	}
	slow, fast := program{memory: 128, timeout: 30}, program{memory: 128, timeout: 31}
	if slow.settings() == fast.settings() {
		t.Error("a change of the timeout publishes nothing")
	}
}

func TestInvalidatorKnowsItsOneDistribution(t *testing.T) {
	for _, c := range []struct {
		parameters map[string]string
		id         string
	}{
		{given(t, "delivery-relay"), "<SiteDistribution>"},
		{with(given(t, "delivery-relay"), "ExistingDistributionId", "E9"), "E9"},
	} {
		made, outputs := render(t, "delivery-relay", c.parameters)
		variables := at(t, made["InvalidatorFunction"].Properties, "Environment", "Variables")
		if !reflect.DeepEqual(variables, map[string]any{"DISTRIBUTION_ID": c.id}) {
			t.Errorf("environment %v", variables)
		}
		granted := at(t, made["InvalidatorRole"].Properties, "Policies", 0, "PolicyDocument", "Statement", 0, "Resource")
		if want := "arn:aws:cloudfront::333333333333:distribution/" + c.id; granted != want {
			t.Errorf("the role may invalidate %v, want %s", granted, want)
		}
		if outputs["DistributionId"] != c.id {
			t.Errorf("output DistributionId %s, want %s", outputs["DistributionId"], c.id)
		}
	}
}

func TestFunctionsWriteToALogThatEnds(t *testing.T) {
	for _, c := range []struct{ template, function, log, role string }{
		{"delivery-relay", "InvalidatorFunction", "InvalidatorLog", "/aws/lambda/shop-of-the-rising-s-invalidator"},
		{"pipeline-relay", "JobFunction", "JobLog", "/aws/lambda/shop-of-the-rising-s-job"},
		{"pipeline-assume", "JobFunction", "JobLog", "/aws/lambda/shop-of-the-rising-s-job"},
		{"delivery-direct", "JobFunction", "JobLog", "/aws/lambda/shop-of-the-rising-s-job"},
		{"same-account", "JobFunction", "JobLog", "/aws/lambda/shop-of-the-rising-s-job"},
		{"pipeline-job", "JobFunction", "JobLog", "/aws/lambda/shop-of-the-rising-s-job"},
	} {
		made, _ := render(t, c.template, given(t, c.template))
		if group := at(t, made[c.function].Properties, "LoggingConfig", "LogGroup"); group != "<"+c.log+">" {
			t.Errorf("%s logs to %v", c.function, group)
		}
		if days := made[c.log].Properties["RetentionInDays"]; days != float64(logDays) {
			t.Errorf("%s is kept for %v days", c.log, days)
		}
		if name := made[c.log].Properties["LogGroupName"]; name != c.role {
			t.Errorf("%s is named %v", c.log, name)
		}
	}
}

// The fallback is cached for CloudFront's default unless a deployment says otherwise.
func TestFallbackIsCachedAsLongAsSaid(t *testing.T) {
	for _, name := range []string{"delivery-assume", "delivery-relay", "delivery-direct", "delivery-states", "same-account"} {
		for seconds, pairs := range map[string][]string{"10": nil, "1": {"ErrorCachingSeconds", "1"}} {
			made, _ := render(t, name, with(given(t, name), pairs...))
			for i := range 2 {
				if got := at(t, made["SiteDistribution"].Properties, "DistributionConfig", "CustomErrorResponses", i, "ErrorCachingMinTTL"); got != seconds {
					t.Errorf("%s with %v: fallback %d is cached for %v s, want %s", name, pairs, i, got, seconds)
				}
			}
		}
		if p := load(t, name).Parameters["ErrorCachingSeconds"]; p.Type != "Number" {
			t.Errorf("%s: ErrorCachingSeconds is a %s", name, p.Type)
		}
	}
}

func TestSiteIsPrivateAndFallsBack(t *testing.T) {
	made, _ := render(t, "delivery-relay", given(t, "delivery-relay"))
	seconds := strconv.Itoa(errorCachingSeconds) // as CloudFormation hands on a parameter
	config := at(t, made["SiteDistribution"].Properties, "DistributionConfig")
	if at(t, config, "DefaultRootObject") != "index.html" || at(t, config, "HttpVersion") != "http2and3" {
		t.Errorf("distribution %v", config)
	}
	behaviour := at(t, config, "DefaultCacheBehavior").(map[string]any)
	if behaviour["ViewerProtocolPolicy"] != "redirect-to-https" || behaviour["CachePolicyId"] != cachingOptimized || behaviour["Compress"] != true {
		t.Errorf("behaviour %v", behaviour)
	}
	for i, code := range []float64{403, 404} {
		want := map[string]any{
			"ErrorCode": code, "ResponseCode": 200.0, "ResponsePagePath": "/index.html", "ErrorCachingMinTTL": seconds,
		}
		if got := at(t, config, "CustomErrorResponses", i); !reflect.DeepEqual(got, want) {
			t.Errorf("fallback %v, want %v", got, want)
		}
	}
	if id := at(t, config, "Origins", 0, "OriginAccessControlId"); id != "<SiteAccess>" {
		t.Errorf("origin access control %v", id)
	}
	for _, s := range at(t, made["SiteBucketPolicy"].Properties, "PolicyDocument", "Statement").([]any)[1:] {
		source := at(t, s, "Condition", "StringEquals", "AWS:SourceArn")
		if source != "arn:aws:cloudfront::333333333333:distribution/<SiteDistribution>" {
			t.Errorf("%v may read for %v", at(t, s, "Sid"), source)
		}
	}
	block := made["SiteBucket"].Properties["PublicAccessBlockConfiguration"].(map[string]any)
	for _, kind := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		if block[kind] != true {
			t.Errorf("%s is %v", kind, block[kind])
		}
	}
}

// Base names the deploy role before it exists; delivery has to make it under that very name.
func TestDeployRoleIsTheOneThatBaseNames(t *testing.T) {
	delivery, _ := render(t, "delivery-relay", given(t, "delivery-relay"))
	name := delivery["DeployRole"].Properties["RoleName"].(string)
	base, _ := render(t, "pipeline-base", given(t, "pipeline-base"))
	want := "arn:aws:iam::222222222222:role/" + name
	for _, statement := range []any{
		at(t, base["ArtifactsBucketPolicy"].Properties, "PolicyDocument", "Statement", 1),
		at(t, base["ArtifactsBucketPolicy"].Properties, "PolicyDocument", "Statement", 2),
		at(t, base["ArtifactsKey"].Properties, "KeyPolicy", "Statement", 1),
		at(t, base["ArtifactsKey"].Properties, "KeyPolicy", "Statement", 2),
	} {
		if got := at(t, statement, "Condition", "ArnEquals", "aws:PrincipalArn"); got != want {
			t.Errorf("%v is for %v, want %s", at(t, statement, "Sid"), got, want)
		}
	}
	trust := at(t, delivery["DeployRole"].Properties, "AssumeRolePolicyDocument", "Statement", 0)
	if at(t, trust, "Principal", "AWS") != "arn:aws:iam::333333333333:root" ||
		at(t, trust, "Condition", "ArnEquals", "aws:PrincipalArn") != deployed["PipelineRoleArn"] {
		t.Errorf("the deploy role trusts %v", trust)
	}
}

func TestDeployRoleWritesTheRightBucket(t *testing.T) {
	for bucket, parameters := range map[string]map[string]string{
		"<SiteBucket>": given(t, "delivery-relay"),
		"mine":         with(given(t, "delivery-relay"), "ExistingDistributionId", "E9", "ExistingBucketName", "mine"),
	} {
		made, outputs := render(t, "delivery-relay", parameters)
		statement := at(t, made["DeployRole"].Properties, "Policies", 0, "PolicyDocument", "Statement", 0)
		if at(t, statement, "Action") != "s3:PutObject" || at(t, statement, "Resource") != "arn:aws:s3:::"+bucket+"/*" {
			t.Errorf("the deploy role may %v", statement)
		}
		if outputs["SiteBucketName"] != bucket {
			t.Errorf("output SiteBucketName %s, want %s", outputs["SiteBucketName"], bucket)
		}
	}
}
