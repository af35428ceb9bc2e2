package infra

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// stateHolders are the templates with a job function, with the policy of its role that reaches its state, and the role.
var stateHolders = []struct{ template, holder, role string }{
	{"pipeline-assume", "JobPolicy", deployed["JobRoleArn"]},
	{"pipeline-relay", "JobPolicy", deployed["JobRoleArn"]},
	{"pipeline-job", "JobPolicy", "<JobRole.Arn>"},
	{"delivery-direct", "JobStatePolicy", "<JobRole.Arn>"},
	{"same-account", "JobPolicy", "<JobRole.Arn>"},
}

// What was deployed is kept where no role but the job's can write, and it may read, write and list there and nothing else.
func TestOnlyTheJobKeepsState(t *testing.T) {
	for _, c := range stateHolders {
		made, _ := render(t, c.template, given(t, c.template))
		bucket := "<JobStateBucket.Arn>"
		for _, want := range []policyStatement{
			{Sid: "KeepState", Effect: "Allow", Action: []any{"s3:GetObject", "s3:PutObject"}, Resource: bucket + "/*"},
			{Sid: "FindState", Effect: "Allow", Action: "s3:ListBucket", Resource: bucket},
		} {
			if got := statementOf(t, made[c.holder], want.Sid); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v, want %+v", c.template, got, want)
			}
		}
		want := policyStatement{
			Sid: "OnlyTheJobWrites", Effect: "Deny", Principal: "*", Action: "s3:PutObject", Resource: bucket + "/*",
			Condition: map[string]map[string]any{"ArnNotEquals": {"aws:PrincipalArn": c.role}},
		}
		if got := statementOf(t, made["JobStateBucketPolicy"], "OnlyTheJobWrites"); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", c.template, got, want)
		}
		if got := made["JobStateBucketPolicy"].Properties["Bucket"]; got != "<JobStateBucket>" {
			t.Errorf("%s: the policy is of bucket %v", c.template, got)
		}
	}
}

func TestStateIsPrivateAndVersioned(t *testing.T) {
	for _, c := range stateHolders {
		made, _ := render(t, c.template, given(t, c.template))
		properties := made["JobStateBucket"].Properties
		if status := at(t, properties, "VersioningConfiguration", "Status"); status != "Enabled" {
			t.Errorf("%s: versioning is %v", c.template, status)
		}
		for _, kind := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
			if at(t, properties, "PublicAccessBlockConfiguration", kind) != true {
				t.Errorf("%s: %s is off", c.template, kind)
			}
		}
		if name := properties["BucketName"]; name != "shop-of-the-rising-s-state-333333333333-ap-southeast-1" {
			t.Errorf("%s: the bucket is named %v", c.template, name)
		}
	}
}

// Nobody else in any template reaches a state bucket.
func TestNobodyElseReachesState(t *testing.T) {
	for _, p := range policies(t) {
		for _, s := range p.statements {
			body, err := json.Marshal(s.Resource)
			if err != nil {
				t.Fatal(err)
			}
			reaches := strings.Contains(string(body), "StateBucket")
			if expected := s.Sid == "KeepState" || s.Sid == "FindState" || p.logicalID == "JobStateBucketPolicy"; reaches != expected {
				t.Errorf("%s %s: reaches the state %v, want %v", p, s.Sid, reaches, expected)
			}
		}
	}
}

// The role that purges reads the bucket that the distribution reads and no other: ours, the one that is named, or none.
func TestPurgerReadsTheSitesBucket(t *testing.T) {
	for template, holder := range map[string]string{
		"delivery-assume": "PurgeSitePolicy", "delivery-relay": "InvalidatorSitePolicy", "delivery-direct": "JobSitePolicy",
	} {
		for bucket, pairs := range map[string][]string{
			"<SiteBucket>": nil,
			"mine":         {"ExistingDistributionId", "E9", "ExistingBucketName", "mine"},
			"":             {"ExistingDistributionId", "E9"},
		} {
			made, _ := render(t, template, with(given(t, template), pairs...))
			res, found := made[holder]
			if !found || bucket == "" {
				if found != (bucket != "") {
					t.Errorf("%s %v: %s is there: %v", template, pairs, holder, found)
				}
				continue
			}
			want := policyStatement{Sid: "ReadSite", Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::" + bucket + "/*"}
			if got := statementOf(t, res, "ReadSite"); !reflect.DeepEqual(got, want) {
				t.Errorf("%s %v: %+v, want %+v", template, pairs, got, want)
			}
		}
	}
	made, _ := render(t, "same-account", given(t, "same-account"))
	if s := statementOf(t, made["JobPolicy"], "ReadSite"); s.Action != "s3:GetObject" || s.Resource != "<SiteBucket.Arn>/*" {
		t.Errorf("same-account: %+v", s)
	}
	for _, p := range policies(t) {
		for _, s := range p.statements {
			if s.Sid == "ReadSite" && (p.template == "delivery-states" || p.template == "pipeline-states") {
				t.Errorf("%s: the machine looks at no bucket, but may read one", p)
			}
		}
	}
}

// A CDK user names the bucket, and the grant is there under no condition.
func TestSiteBucketIsReadByNameInCDK(t *testing.T) {
	for _, route := range []Route{Assume, Relay, Direct, SameAccount} {
		app, dir := newApp(t)
		stack := awscdk.NewStack(app, jsii.String("Shop"), &awscdk.StackProps{Env: environment("222222222222", "us-east-1")})
		if route == SameAccount {
			NewInvalidateAction(stack, "I", InvalidateActionProps{
				Route: route, Distribution: "E1", SiteBucketARN: "arn:aws:s3:::mine", Code: Code{Bucket: "code", Key: "1.zip"},
			})
		} else {
			NewTarget(stack, "T", TargetProps{
				Route: route, Distribution: "E1", SiteBucketARN: "arn:aws:s3:::mine", PipelineAccount: "111111111111", ExternalID: "shop-1",
				PipelineRoleARN: "arn:aws:iam::111111111111:role/own", ArtifactBucketARN: "arn:aws:s3:::own",
				ArtifactKeyARN: "arn:aws:kms:us-east-1:111111111111:key/own", Code: Code{Bucket: "code", Key: "1.zip"},
			})
		}
		found := 0
		for id, res := range synthesizedStack(t, app, dir, "Shop").Resources {
			collectPolicies(t, res.Properties, func(_ string, statements []policyStatement) {
				for _, s := range statements {
					if s.Sid != "ReadSite" {
						continue
					}
					if found++; s.Resource != "arn:aws:s3:::mine/*" || res.Condition != "" {
						t.Errorf("%s: %s has %+v under condition %q", route, id, s, res.Condition)
					}
				}
			})
		}
		if found != 1 {
			t.Errorf("%s: %d statements ReadSite, want 1", route, found)
		}
	}
}
