package lambdaconfig_test

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/lambdaconfig"
)

// function is what Lambda sets for every function.
func function() map[string]string {
	return map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
	}
}

func load(env map[string]string) (aws.Config, error) {
	return lambdaconfig.Load(func(name string) string { return env[name] })
}

func TestLoad(t *testing.T) {
	cfg, err := load(function())
	if err != nil {
		t.Fatal(err)
	}
	got, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || got.AccessKeyID != "ASIAEXAMPLE" || got.SecretAccessKey != "secret" || got.SessionToken != "token" || got.CanExpire {
		t.Errorf("credentials %+v, %v", got, err)
	}
	if cfg.Region != "eu-west-1" || cfg.BaseEndpoint != nil || cfg.HTTPClient == nil || cfg.Retryer != nil {
		t.Errorf("%+v", cfg)
	}
}

func TestLoadTakesAnEndpoint(t *testing.T) {
	env := function()
	env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:4566"
	if cfg, err := load(env); err != nil || aws.ToString(cfg.BaseEndpoint) != "http://127.0.0.1:4566" {
		t.Errorf("%v, %v", cfg.BaseEndpoint, err)
	}
	for _, bad := range []string{"127.0.0.1:4566", "localhost", "ftp://localhost", "http://", "://", "%"} {
		env["AWS_ENDPOINT_URL"] = bad
		if _, err := load(env); err == nil || !strings.Contains(err.Error(), "is not an HTTP URL") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestLoadNamesWhatIsMissing(t *testing.T) {
	if _, err := load(nil); err == nil || !strings.Contains(err.Error(), "AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY not set") {
		t.Error(err)
	}
	for name := range maps.Keys(function()) {
		env := function()
		delete(env, name)
		_, err := load(env)
		if optional := name == "AWS_SESSION_TOKEN"; optional != (err == nil) || !optional && !strings.Contains(err.Error(), name+" not set") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// What this package is for: a function links no client that it does not use. Lambda's own is used by
// neither; see invoke.go of package gateway.
func TestFunctionsLinkNoClientTheyDoNotUse(t *testing.T) {
	everywhere := []string{"config", "service/sso", "service/signin", "feature/ec2/imds", "service/lambda"}
	for function, unwanted := range map[string][]string{
		"pipeline-job": everywhere,
		"invalidator":  append([]string{"service/sts", "service/s3", "service/codepipeline", "service/sfn"}, everywhere...),
	} {
		out, err := exec.Command("go", "list", "-deps", "github.com/unstale/unstale/cmd/"+function).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		linked := strings.Split(string(out), "\n")
		if !slices.Contains(linked, "github.com/aws/aws-sdk-go-v2/aws") {
			t.Fatalf("%s links no SDK at all: %s", function, out)
		}
		for _, name := range unwanted {
			if slices.Contains(linked, "github.com/aws/aws-sdk-go-v2/"+name) {
				t.Errorf("%s links %s", function, name)
			}
		}
	}
}
