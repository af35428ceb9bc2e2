package lambda

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"
)

func TestVersions(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker", func(in *CreateInput) { in.Environment = &Environment{map[string]string{"RELEASE": "one"}} })
	client, name := w.client(w.root[accountB]), aws.String("worker")
	publish := func(description string) string {
		t.Helper()
		out, err := client.PublishVersion(t.Context(), &api.PublishVersionInput{FunctionName: name, Description: &description})
		if err != nil {
			t.Fatal(err)
		}
		if aws.ToString(out.FunctionArn) != workerARN+":"+aws.ToString(out.Version) {
			t.Errorf("ARN %s", aws.ToString(out.FunctionArn))
		}
		return aws.ToString(out.Version)
	}
	if got := publish("first"); got != "1" {
		t.Errorf("version %s", got)
	}
	if got := publish("another description"); got != "1" {
		t.Errorf("nothing changed, but version %s was published", got)
	}
	_, err := w.lambda.UpdateConfiguration(t.Context(), w.root[accountB].Caller, region, "worker", UpdateConfigurationInput{
		Settings: Settings{Environment: &Environment{map[string]string{"RELEASE": "two"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := publish("second"); got != "2" {
		t.Errorf("version %s", got)
	}
	for function, want := range map[string]string{"worker:1": "one", "worker:2": "two", "worker": "two"} {
		if got := w.call(accountB, function, `{"do":"about"}`); got.Env["RELEASE"] != want {
			t.Errorf("%s has release %s, want %s", function, got.Env["RELEASE"], want)
		}
	}
	_, err = client.PublishVersion(t.Context(), &api.PublishVersionInput{FunctionName: name, CodeSha256: aws.String("x")})
	wantAPIError(t, err, "InvalidParameterValueException")
	if err := w.lambda.Delete(w.root[accountB].Caller, region, "worker", ""); err != nil {
		t.Fatal(err)
	}
	w.function(accountB, "worker")
	if got := publish("third"); got != "3" {
		t.Errorf("version numbers are not used again, but this is %s", got)
	}
}

func TestAliases(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker", func(in *CreateInput) { in.Publish = true })
	client, name, live := w.client(w.root[accountB]), aws.String("worker"), aws.String("live")
	made, err := client.CreateAlias(t.Context(), &api.CreateAliasInput{FunctionName: name, Name: live, FunctionVersion: aws.String("1"), Description: aws.String("d")})
	if err != nil || aws.ToString(made.AliasArn) != workerARN+":live" {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, err := client.UpdateFunctionConfiguration(t.Context(), &api.UpdateFunctionConfigurationInput{FunctionName: name, Timeout: aws.Int32(9)}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PublishVersion(t.Context(), &api.PublishVersionInput{FunctionName: name}); err != nil {
		t.Fatal(err)
	}
	if out := w.invoke(accountB, "worker:live", "{}"); out.ExecutedVersion != "1" {
		t.Errorf("version %s", out.ExecutedVersion)
	}
	moved, err := client.UpdateAlias(t.Context(), &api.UpdateAliasInput{FunctionName: name, Name: live, FunctionVersion: aws.String("2"), RevisionId: made.RevisionId})
	if err != nil || aws.ToString(moved.FunctionVersion) != "2" || aws.ToString(moved.Description) != "d" {
		t.Fatalf("%+v, %v", moved, err)
	}
	if out := w.invoke(accountB, "worker:live", "{}"); out.ExecutedVersion != "2" {
		t.Errorf("version %s", out.ExecutedVersion)
	}
	got, err := client.GetAlias(t.Context(), &api.GetAliasInput{FunctionName: name, Name: live})
	if err != nil || aws.ToString(got.RevisionId) != aws.ToString(moved.RevisionId) {
		t.Errorf("%+v, %v", got, err)
	}
	refused := map[string]func() error{
		"ResourceConflictException": func() error {
			_, err := client.DeleteFunction(t.Context(), &api.DeleteFunctionInput{FunctionName: name, Qualifier: aws.String("2")})
			return err
		},
		"PreconditionFailedException": func() error {
			_, err := client.UpdateAlias(t.Context(), &api.UpdateAliasInput{FunctionName: name, Name: live, RevisionId: made.RevisionId})
			return err
		},
		"InvalidParameterValueException": func() error {
			_, err := client.DeleteFunction(t.Context(), &api.DeleteFunctionInput{FunctionName: name, Qualifier: aws.String("$LATEST")})
			return err
		},
		"ValidationException": func() error {
			_, err := client.CreateAlias(t.Context(), &api.CreateAliasInput{FunctionName: name, Name: aws.String("12"), FunctionVersion: aws.String("1")})
			return err
		},
		"ResourceNotFoundException": func() error {
			_, err := client.CreateAlias(t.Context(), &api.CreateAliasInput{FunctionName: name, Name: aws.String("new"), FunctionVersion: aws.String("9")})
			return err
		},
	}
	for code, do := range refused {
		wantAPIError(t, do(), code)
	}
	if _, err := client.DeleteFunction(t.Context(), &api.DeleteFunctionInput{FunctionName: name, Qualifier: aws.String("1")}); err != nil {
		t.Error(err)
	}
	for range 2 { // the second time it is gone already
		if _, err := client.DeleteAlias(t.Context(), &api.DeleteAliasInput{FunctionName: name, Name: live}); err != nil {
			t.Error(err)
		}
	}
	_, err = client.GetAlias(t.Context(), &api.GetAliasInput{FunctionName: name, Name: live})
	wantAPIError(t, err, "ResourceNotFoundException")
}
