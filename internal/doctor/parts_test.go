package doctor

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// No client of the doctor sends anything that is not in its table, and all that is there reads.
func TestGuard(t *testing.T) {
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	}
	functions, roles, buckets := lambda.NewFromConfig(guarded(cfg, "lambda")), awsiam.NewFromConfig(guarded(cfg, "iam")), s3.NewFromConfig(guarded(cfg, "s3"))
	name := aws.String("x")
	calls := map[string]func() error{
		"lambda:Invoke": func() error {
			_, err := functions.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: name})
			return err
		},
		"lambda:UpdateFunctionCode": func() error {
			_, err := functions.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: name})
			return err
		},
		"iam:PutRolePolicy": func() error {
			_, err := roles.PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{RoleName: name, PolicyName: name, PolicyDocument: name})
			return err
		},
		"s3:GetObject": func() error {
			_, err := buckets.GetObject(t.Context(), &s3.GetObjectInput{Bucket: name, Key: name})
			return err
		},
	}
	for action, call := range calls {
		if err := call(); err == nil || !strings.Contains(err.Error(), "call "+action+": the doctor only") {
			t.Errorf("%s: %v", action, err)
		}
	}
	_, err := functions.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: name, InvocationType: "DryRun"})
	if err == nil || strings.Contains(err.Error(), "only") {
		t.Errorf("a dry run: %v", err)
	}
	for service, names := range maps.All(operations) {
		for _, op := range names {
			reads := slices.ContainsFunc([]string{"Get", "List", "Describe", "Simulate"}, func(prefix string) bool { return strings.HasPrefix(op, prefix) })
			if !reads && service+op != "lambdaInvoke" && service+op != "stsAssumeRole" {
				t.Errorf("%s:%s does not look like reading", service, op)
			}
		}
	}
}

func TestGone(t *testing.T) {
	for code, want := range map[string]bool{"NoSuchEntity": true, "NoSuchDistribution": true, "AccessDenied": false, "": false} {
		if got := gone(&smithy.GenericAPIError{Code: code}); got != want {
			t.Errorf("%q: %v", code, got)
		}
	}
	stack := &smithy.GenericAPIError{Code: "ValidationError", Message: "Stack with id x does not exist"}
	if !gone(stack) || gone(&smithy.GenericAPIError{Code: "ValidationError", Message: "bad name"}) || gone(errors.New("no route to host")) {
		t.Error("a stack that is not there")
	}
	if got := brief(stack); got != "ValidationError: Stack with id x does not exist" {
		t.Error(got)
	}
}

func TestPurges(t *testing.T) {
	const create = `"Resource":"arn:aws:states:::aws-sdk:cloudfront:createInvalidation"`
	for definition, want := range map[string][]task{
		`{`:                                nil,
		`{"States":{"A":{"Type":"Pass"}}}`: nil,
		`{"States":{"A":{` + create + `,"Parameters":{"DistributionId":"E1"}}}}`:                                                   {{"", "E1"}},
		`{"States":{"A":{` + create + `,"Arguments":{"DistributionId":"E1"},"Credentials":{"RoleArn":"` + roleB + `"}}}}`:          {{roleB, "E1"}},
		`{"States":{"A":{` + create + `,"Parameters":{"DistributionId.$":"$.id"}}}}`:                                               nil,
		`{"States":{"A":{` + create + `,"Parameters":{"DistributionId":"E1"},"Credentials":{"RoleArn":"{% $r %}"}}}}`:              nil,
		`{"States":{"M":{"Branches":[{"States":{"A":{` + create + `,"Parameters":{"DistributionId":"E2"}}}}]}}}`:                   {{"", "E2"}},
		`{"States":{"A":{"Resource":"arn:aws:states:::aws-sdk:cloudfront:getInvalidation","Parameters":{"DistributionId":"E1"}}}}`: nil,
		`{"States":{"A":{` + create + `}}}`: nil,
	} {
		if got := purges(definition); !slices.Equal(got, want) {
			t.Errorf("%s: %v", definition, got)
		}
	}
}

func TestBucketHost(t *testing.T) {
	for host, want := range map[string]string{
		"site.s3.amazonaws.com":                       "site",
		"site.s3.us-east-1.amazonaws.com":             "site",
		"site.s3-eu-west-1.amazonaws.com":             "site",
		"my.site.com.s3.eu-central-1.amazonaws.com":   "my.site.com",
		"site.s3.cn-north-1.amazonaws.com.cn":         "site",
		"site.s3-website-us-east-1.amazonaws.com":     "",
		"www.example.com":                             "",
		"api.execute-api.us-east-1.amazonaws.com":     "",
		"site.s3.us-east-1.amazonaws.com.example.com": "",
	} {
		got := bucketOf(host)
		if got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

func TestKeyPolicyAnswers(t *testing.T) {
	tests := []struct {
		status       int
		answer, want string
		fails        string
	}{
		{200, `{"Policy":"p"}`, "p", ""},
		{200, `{}`, "", "no policy"},
		{200, `<html>`, "", "not JSON"},
		{400, `{"__type":"com.amazonaws.kms#NotFoundException","message":"no key"}`, "", "NotFoundException"},
		{400, `{"__type":"AccessDeniedException","Message":"no"}`, "", "AccessDeniedException"},
	}
	for _, tt := range tests {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.answer) // the client tells when it fails
		}))
		s := &side{cfg: aws.Config{BaseEndpoint: &server.URL, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}, nil
		})}}
		got, err := s.getKeyPolicy(t.Context(), "us-east-1", "arn:aws:kms:us-east-1:111111111111:key/k")
		if got != tt.want || (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%s: %q, %v", tt.answer, got, err)
		}
		server.Close()
	}
}

func TestCode(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	if err := zip.NewWriter(&b).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pipeline-job_arm64.zip"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Code(dir)
	if err != nil || len(got) != 1 || got["hznHbmgfkAkjuQDJ3w73XPQh05yrtUZQxLmtGbanbYU="] != "pipeline-job" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestDocument(t *testing.T) {
	encoded := "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22a%3AB%22%2C%22Resource%22%3A%22*%22%7D%5D%7D"
	p, err := document("role/r policy p", &encoded)
	if err != nil || p.Name != "role/r policy p" || len(p.Document.Statements) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{"%zz", "{}", ""} {
		if _, err := document("role/r policy p", &bad); err == nil || !strings.Contains(err.Error(), "role/r policy p") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestActions(t *testing.T) {
	got := Actions()
	if !slices.IsSorted(got) || len(got) < 20 || slices.Contains(got, "lambda:Invoke") || slices.Contains(got, "sts:AssumeRole") {
		t.Errorf("%v", got)
	}
}
