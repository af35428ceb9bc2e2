package cloudfront_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudfront"

	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/templates"
)

func TestRefusedDistributions(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	w.site(map[string]any{"Aliases": []any{"taken.example.com"}, "ViewerCertificate": map[string]any{"AcmCertificateArn": "arn:aws:acm:us-east-1:222222222222:certificate/c"}})
	behavior := func(more ...any) map[string]any {
		b := map[string]any{"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": cloudfront.CachingOptimized}
		for i := 0; i < len(more); i += 2 {
			b[more[i].(string)] = more[i+1]
		}
		return b
	}
	origin := func(more ...any) []any {
		o := map[string]any{"Id": "site", "DomainName": "b.s3.us-east-1.amazonaws.com", "S3OriginConfig": map[string]any{"OriginAccessIdentity": ""}}
		for i := 0; i < len(more); i += 2 {
			o[more[i].(string)] = more[i+1]
		}
		return []any{o}
	}
	failure := func(more ...any) []any {
		e := map[string]any{"ErrorCode": 404.0}
		for i := 0; i < len(more); i += 2 {
			e[more[i].(string)] = more[i+1]
		}
		return []any{e}
	}
	for _, tt := range []struct {
		what  string
		name  string
		value any
		want  string
	}{
		{"unknown property", "WebACLId", "w", `NotEmulated: the rehearsal does not emulate the property "WebACLId"`},
		{"unknown in a behavior", "DefaultCacheBehavior", behavior("FunctionAssociations", []any{}), `NotEmulated: the rehearsal does not emulate the property "FunctionAssociations"`},
		{"no policy", "DefaultCacheBehavior", behavior("CachePolicyId", ""), "NotEmulated"},
		{"another managed policy", "DefaultCacheBehavior", behavior("CachePolicyId", "b2884449-e4de-46a7-ac36-70bc7f1ddd6d"), "NotEmulated"},
		{"no such policy", "DefaultCacheBehavior", behavior("CachePolicyId", "x"), "NoSuchCachePolicy"},
		{"no such origin", "DefaultCacheBehavior", behavior("TargetOriginId", "x"), "NoSuchOrigin"},
		{"protocol policy", "DefaultCacheBehavior", behavior("ViewerProtocolPolicy", "x"), "InvalidArgument"},
		{"pattern twice", "CacheBehaviors", []any{behavior("PathPattern", "/a"), behavior("PathPattern", "/a")}, "InvalidArgument"},
		{"custom origin", "Origins", origin("DomainName", "example.com"), "NotEmulated"},
		{"website endpoint", "Origins", origin("DomainName", "b.s3-website-us-east-1.amazonaws.com"), "NotEmulated"},
		{"origin access identity", "Origins", origin("S3OriginConfig", map[string]any{"OriginAccessIdentity": "origin-access-identity/cloudfront/E1"}), "NotEmulated"},
		{"no S3OriginConfig", "Origins", origin("S3OriginConfig", nil), "NotEmulated"},
		{"no such access control", "Origins", origin("OriginAccessControlId", "E0"), "InvalidOriginAccessControl"},
		{"origin path", "Origins", origin("OriginPath", "dir/"), "InvalidArgument"},
		{"no origins", "Origins", []any{}, "InvalidArgument"},
		{"root object", "DefaultRootObject", "/index.html", "InvalidDefaultRootObject"},
		{"HTTP version", "HttpVersion", "http9", "InvalidArgument"},
		{"price class", "PriceClass", "free", "InvalidArgument"},
		{"comment", "Comment", strings.Repeat("x", 129), "InvalidArgument"},
		{"alias without certificate", "Aliases", []any{"a.example.com"}, "InvalidViewerCertificate"},
		{"error code", "CustomErrorResponses", failure("ErrorCode", 418.0), "InvalidErrorCode"},
		{"error code twice", "CustomErrorResponses", append(failure(), failure()...), "InvalidErrorCode"},
		{"response code", "CustomErrorResponses", failure("ResponseCode", 201.0, "ResponsePagePath", "/x"), "InvalidResponseCode"},
		{"code without page", "CustomErrorResponses", failure("ResponseCode", 200.0), "InvalidArgument"},
		{"relative page", "CustomErrorResponses", failure("ResponseCode", 200.0, "ResponsePagePath", "x"), "InvalidArgument"},
		{"negative TTL", "CustomErrorResponses", failure("ErrorCachingMinTTL", -1.0), "InvalidArgument"},
		{"not a boolean", "Enabled", "maybe", "ValidationError"},
	} {
		_, err := w.make("AWS::CloudFront::Distribution", w.siteProperties(map[string]any{tt.name: tt.value}))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.what, err, tt.want)
		}
	}
	taken := w.siteProperties(map[string]any{"Aliases": []any{"TAKEN.example.com"}, "ViewerCertificate": map[string]any{"AcmCertificateArn": "a"}})
	if _, err := w.make("AWS::CloudFront::Distribution", taken); err == nil || !strings.HasPrefix(err.Error(), "CNAMEAlreadyExists") {
		t.Errorf("a taken alias: %v", err)
	}
	if _, err := w.make("AWS::CloudFront::Distribution", map[string]any{}); err == nil {
		t.Error("an empty distribution was made")
	}
}

func TestUpdateAndDelete(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	made := w.site(nil)
	d, _ := w.service.ByHost(made.Attributes["DomainName"])
	control := d.Config.Origins[0].AccessControl.ID
	root, _ := w.directory.Root(deliveryAccount)
	existing := templates.Existing{Caller: root.Caller, Account: deliveryAccount, Resource: made}
	kind := w.resourceType("AWS::CloudFront::Distribution")
	access := templates.Existing{Caller: root.Caller, Resource: templates.Resource{Ref: control}}
	deleteControl := w.resourceType("AWS::CloudFront::OriginAccessControl").Delete
	if err := deleteControl(t.Context(), access); err == nil || !strings.HasPrefix(err.Error(), "OriginAccessControlInUse") {
		t.Errorf("an access control in use: %v", err)
	}
	updated, err := kind.Update(t.Context(), templates.Request{
		Caller: root.Caller, Account: deliveryAccount, Properties: w.siteProperties(map[string]any{"Comment": "new"}),
	}, existing)
	if err != nil || updated.Ref != made.Ref {
		t.Fatalf("%+v, %v", updated, err)
	}
	out, err := w.client(deliveryAccount).GetDistribution(t.Context(), &sdk.GetDistributionInput{Id: &made.Ref})
	if err != nil || aws.ToString(out.Distribution.DistributionConfig.Comment) != "new" || aws.ToString(out.ETag) == d.ETag ||
		aws.ToString(out.Distribution.DistributionConfig.CallerReference) != d.Config.CallerReference {
		t.Errorf("%+v, %v", out, err)
	}
	for range 2 { // the second finds nothing, which is no error
		if err := kind.Delete(t.Context(), existing); err != nil {
			t.Error(err)
		}
		if err := deleteControl(t.Context(), access); err != nil {
			t.Error(err)
		}
	}
	if _, ok := w.service.ByHost(made.Attributes["DomainName"]); ok {
		t.Error("the distribution still answers")
	}
}

func TestCreatingIsAuthorised(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	properties := w.siteProperties(nil)
	w.user(deliveryAccount, "reader", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudfront:Get*","Resource":"*"}]}`)
	root, _ := w.directory.Root(deliveryAccount)
	reader := root.Caller
	reader.ARN, reader.UniqueID = "arn:aws:iam::222222222222:user/reader", "AIDAREADER"
	for _, r := range w.service.ResourceTypes() {
		p := properties
		switch r.Name {
		case "AWS::CloudFront::OriginAccessControl":
			p = map[string]any{"OriginAccessControlConfig": map[string]any{
				"Name": "n", "OriginAccessControlOriginType": "s3", "SigningBehavior": "always", "SigningProtocol": "sigv4",
			}}
		case "AWS::CloudFront::CachePolicy":
			p = map[string]any{"CachePolicyConfig": map[string]any{"Name": "n"}}
		case "AWS::CloudFront::PublicKey":
			p = keyConfig("n", "")
		case "AWS::CloudFront::KeyGroup":
			p = groupConfig("n")
		}
		_, err := r.Create(t.Context(), templates.Request{Caller: reader, Account: deliveryAccount, Properties: p})
		if got := "AccessDenied: User: arn:aws:iam::222222222222:user/reader is not authorized to perform: cloudfront:Create"; err == nil || !strings.HasPrefix(err.Error(), got) {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
}
