package codepipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/templates"
)

func TestStructure(t *testing.T) {
	type D = codepipeline.Declaration
	const structure, declaration, validation, unknown = "InvalidStructureException", "InvalidActionDeclarationException", "ValidationException", "NotEmulated"
	for _, tt := range []struct {
		name   string
		change func(*D)
		code   string
	}{
		{"the story's", func(*D) {}, ""},
		{"pipeline name", func(d *D) { d.Name = "a b" }, validation},
		{"role", func(d *D) { d.RoleARN = "pipeline" }, validation},
		{"role of another account", func(d *D) { d.RoleARN = deployRole }, validation},
		{"role that does not exist", func(d *D) { d.RoleARN += "2" }, structure},
		{"action role that does not trust", func(d *D) { d.Stages[2].Actions[0].RoleARN = "arn:aws:iam::222222222222:role/none" }, structure},
		{"store type", func(d *D) { d.ArtifactStore.Type = "GCS" }, validation},
		{"key without ID", func(d *D) { d.ArtifactStore.EncryptionKey = &codepipeline.EncryptionKey{Type: "KMS"} }, validation},
		{"queued", func(d *D) { d.ExecutionMode = "QUEUED" }, unknown},
		{"type V3", func(d *D) { d.PipelineType = "V3" }, validation},
		{"one stage", func(d *D) { d.Stages = d.Stages[:1] }, structure},
		{"51 stages", func(d *D) {
			for i := len(d.Stages); i < 51; i++ {
				st := d.Stages[1]
				st.Name = fmt.Sprint("S", i)
				d.Stages = append(d.Stages, st)
			}
		}, structure},
		{"stage without actions", func(d *D) { d.Stages[1].Actions = nil }, structure},
		{"stage name", func(d *D) { d.Stages[1].Name = "a b" }, validation},
		{"stage name twice", func(d *D) { d.Stages[1].Name = "Source" }, structure},
		{"source later", func(d *D) { d.Stages[1].Actions = d.Stages[0].Actions }, structure},
		{"first stage builds", func(d *D) { d.Stages = d.Stages[1:] }, structure},
		{"action name", func(d *D) { d.Stages[1].Actions[0].Name = "a/b" }, validation},
		{"action name twice", func(d *D) { d.Stages[2].Actions[1].Name = "Deploy" }, structure},
		{"run order 1000", func(d *D) { d.Stages[1].Actions[0].RunOrder = 1000 }, validation},
		{"run order -1", func(d *D) { d.Stages[1].Actions[0].RunOrder = -1 }, validation},
		{"artifact made twice", func(d *D) { d.Stages[1].Actions[0].Outputs = named("Source") }, structure},
		{"artifact never made", func(d *D) { d.Stages[1].Actions[0].Inputs = named("Other") }, structure},
		{"artifact of the same run order", func(d *D) {
			d.Stages[1].Actions = append(d.Stages[1].Actions, codepipeline.Action{
				Name: "Too", Type: kind("Invoke", "Lambda"), Inputs: named("Site"), Configuration: config("FunctionName", "f"),
			})
		}, structure},
		{"artifact name", func(d *D) { d.Stages[1].Actions[0].Outputs = named("a.b") }, validation},
		{"namespace twice", func(d *D) { d.Stages[2].Actions[1].Namespace = "src" }, structure},
		{"namespace reserved", func(d *D) { d.Stages[2].Actions[1].Namespace = "codepipeline" }, declaration},
		{"another region", func(d *D) { d.Stages[1].Actions[0].Region = "eu-west-1" }, unknown},
		{"unknown provider", func(d *D) { d.Stages[1].Actions[0].Type.Provider = "Jenkins" }, unknown},
		{"approval", func(d *D) { d.Stages[1].Actions[0].Type = kind("Approval", "Manual") }, unknown},
		{"custom owner", func(d *D) { d.Stages[1].Actions[0].Type.Owner = "Custom" }, unknown},
		{"source with input", func(d *D) { d.Stages[0].Actions[0].Inputs = named("Site") }, declaration},
		{"build with two inputs", func(d *D) { d.Stages[1].Actions[0].Inputs = named("Source", "Source") }, unknown},
		{"deploy with output", func(d *D) { d.Stages[2].Actions[0].Outputs = named("X") }, declaration},
		{"value of 1001", func(d *D) {
			d.Stages[2].Actions[1].Configuration["UserParameters"] = codepipeline.Text(strings.Repeat("x", 1001))
		}, declaration},
		{"value of 1000", func(d *D) {
			d.Stages[2].Actions[1].Configuration["UserParameters"] = codepipeline.Text(strings.Repeat("x", 1000))
		}, ""},
		{"malformed reference", func(d *D) { d.Stages[2].Actions[1].Configuration["UserParameters"] = "#{x}" }, declaration},
		{"unknown reserved variable", func(d *D) { d.Stages[2].Actions[1].Configuration["UserParameters"] = "#{codepipeline.X}" }, declaration},
		{"polling", func(d *D) { delete(d.Stages[0].Actions[0].Configuration, "PollForSourceChanges") }, unknown},
		{"full clone", func(d *D) { d.Stages[0].Actions[0].Configuration["OutputArtifactFormat"] = "CODEBUILD_CLONE_REF" }, unknown},
		{"missing configuration", func(d *D) { delete(d.Stages[1].Actions[0].Configuration, "ProjectName") }, declaration},
		{"unknown configuration", func(d *D) { d.Stages[2].Actions[0].Configuration["CannedACL"] = "public-read" }, unknown},
		{"no extract and no key", func(d *D) { d.Stages[2].Actions[0].Configuration["Extract"] = "false" }, declaration},
		{"secret build variable", func(d *D) {
			d.Stages[1].Actions[0].Configuration["EnvironmentVariables"] = `[{"name":"A","value":"b","type":"SECRETS_MANAGER"}]`
		}, unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, codepipeline.Options{}, func(w *world) {
				d := site()
				tt.change(&d)
				_, err := w.service.Put(context.Background(), w.root, region, d, "CreatePipeline")
				if code(err) != tt.code || tt.code == "" && err != nil {
					t.Errorf("got %v, want %q", err, tt.code)
				}
			})
		})
	}
}

func TestWhoMayCreate(t *testing.T) {
	for _, tt := range []struct {
		policy string
		code   string
	}{
		{allow("codepipeline:CreatePipeline", "iam:PassRole"), ""},
		{allow("codepipeline:CreatePipeline"), "AccessDenied"},
		{allow("iam:PassRole"), "AccessDenied"},
		{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"iam:PassRole",
			"Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"codepipeline.amazonaws.com"}}}]}`, "AccessDenied"},
	} {
		in(t, codepipeline.Options{}, func(w *world) {
			_, err := w.service.Put(context.Background(), w.session(accountA, "admin", tt.policy), region, site(), "CreatePipeline")
			if code(err) != tt.code || tt.code == "" && err != nil {
				t.Errorf("%s: got %v, want %q", tt.policy, err, tt.code)
			}
		})
	}
}

// properties is the story's pipeline in CloudFormation's spelling.
func properties(t *testing.T) map[string]any {
	t.Helper()
	text := `{"Name":"site","PipelineType":"V2","RoleArn":"` + pipelineRole + `","ArtifactStore":{"Type":"S3","Location":"artifacts"},"Stages":[
		{"Name":"Source","Actions":[{"Name":"Commit","ActionTypeId":{"Category":"Source","Owner":"AWS","Provider":"CodeCommit","Version":"1"},
			"Configuration":{"RepositoryName":"site","BranchName":"main","PollForSourceChanges":false},"OutputArtifacts":[{"Name":"S"}]}]},
		{"Name":"Deliver","Actions":[{"Name":"Deploy","ActionTypeId":{"Category":"Deploy","Owner":"AWS","Provider":"S3","Version":"1"},"RunOrder":"1",
			"Configuration":{"BucketName":"site-bucket","Extract":"true"},"InputArtifacts":[{"Name":"S"}],"RoleArn":"` + deployRole + `"}]}]}`
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestResourceType(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		kind := w.service.ResourceTypes()[0]
		request := templates.Request{Caller: w.root, Account: accountA, Region: region, Stack: "s", LogicalID: "P", Properties: properties(t)}
		r, err := kind.Create(t.Context(), request)
		if err != nil || r.Ref != "site" || r.Attributes["Version"] != "1" {
			t.Fatalf("%+v %v", r, err)
		}
		if _, err := kind.Create(t.Context(), request); code(err) != "PipelineNameInUseException" {
			t.Errorf("create twice: %v", err)
		}
		existing := templates.Existing{Caller: w.root, Account: accountA, Region: region, Resource: r, Properties: request.Properties}
		if r, err = kind.Update(t.Context(), request, existing); err != nil || r.Attributes["Version"] != "2" {
			t.Errorf("update: %+v %v", r, err)
		}
		request.Properties["Triggers"] = []any{}
		if _, err := kind.Update(t.Context(), request, existing); code(err) != "NotEmulated" {
			t.Errorf("unknown property: %v", err)
		}
		if err := kind.Delete(t.Context(), existing); err != nil {
			t.Error(err)
		}
		if len(w.service.Executions(pipelineARN)) != 0 {
			t.Error("the pipeline is still there")
		}
	})
}

func FuzzPipeline(f *testing.F) {
	raw, err := json.Marshal(site())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw))
	f.Add(`{"Name":"p","Stages":[{},{}],"ArtifactStore":{"Type":"S3","Location":"bucket"},"RoleArn":"arn:aws:iam::111111111111:role/r"}`)
	f.Add(`{"stages":[{"actions":[{"runOrder":"9","configuration":{"a":true,"b":1,"c":[]}}]}]}`)
	s := codepipeline.New(codepipeline.Deps{})
	f.Fuzz(func(t *testing.T, text string) {
		var properties map[string]any
		if json.Unmarshal([]byte(text), &properties) != nil {
			return
		}
		d, err := templates.Decode[codepipeline.Declaration]("T", properties)
		if err != nil {
			return
		}
		if s.Check(d, region) != nil {
			return
		}
		// What passes keeps its promises: every input was made before, by a lower run order or stage.
		made := map[string]bool{}
		for i, st := range d.Stages {
			for _, a := range st.Actions {
				if (i == 0) != (a.Type.Category == "Source") {
					t.Fatalf("source action out of place: %s", text)
				}
				for _, o := range a.Outputs {
					if made[o.Name] {
						t.Fatalf("artifact %s made twice: %s", o.Name, text)
					}
					made[o.Name] = true
				}
			}
		}
		if account := accounts.AccountOf(d.RoleARN); len(account) != 12 {
			t.Fatalf("role %s", d.RoleARN)
		}
	})
}
