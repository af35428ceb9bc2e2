package codepipeline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/fronttest"
)

// codeOf is the error code that a client of AWS got.
func codeOf(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// pipeline is the story's as GetPipeline answers it.
func (s *story) pipeline(client *api.Client) *types.PipelineDeclaration {
	s.t.Helper()
	got, err := client.GetPipeline(s.t.Context(), &api.GetPipelineInput{Name: aws.String("site")})
	if err != nil {
		s.t.Fatal(err)
	}
	return got.Pipeline
}

// user may do what a policy says, in account A.
func (s *story) user(name, policy string) *api.Client {
	s.t.Helper()
	u, err := s.directory.AddUser(accountA, name, document(s.t, policy))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.client(u)
}

// TestEditByHand puts an action into a pipeline as its owner does: get it, edit it, give it back.
func TestEditByHand(t *testing.T) {
	s := newStory(t)
	root, _ := s.directory.Root(accountA)
	client, before := s.client(root), len(s.service.Executions(pipelineARN))
	p := s.pipeline(client)
	announce := p.Stages[2].Actions[1]
	announce.Name, announce.Namespace, announce.RunOrder = aws.String("Announce"), nil, aws.Int32(1)
	p.Stages[2].Actions[0].RunOrder, p.Stages[2].Actions[1].RunOrder = aws.Int32(2), aws.Int32(3)
	p.Stages[2].Actions = append([]types.ActionDeclaration{announce}, p.Stages[2].Actions...)
	out, err := client.UpdatePipeline(t.Context(), &api.UpdatePipelineInput{Pipeline: p})
	if err != nil || *out.Pipeline.Version != 2 || out.Pipeline.ExecutionMode != types.ExecutionModeSuperseded || out.Pipeline.PipelineType != types.PipelineTypeV1 {
		t.Fatalf("%+v %v", out, err)
	}
	got := s.pipeline(client)
	names := []string{}
	for _, a := range got.Stages[2].Actions {
		names = append(names, *a.Name)
	}
	if *got.Version != 2 || !slices.Equal(names, []string{"Announce", "Deploy", "Purge"}) {
		t.Errorf("version %d, actions %q", *got.Version, names)
	}
	if runs := s.service.Executions(pipelineARN); len(runs) != before {
		t.Errorf("an edit started an execution: %+v", runs)
	}
	if list, err := client.ListPipelines(t.Context(), &api.ListPipelinesInput{}); err != nil || !list.Pipelines[0].Updated.After(*list.Pipelines[0].Created) {
		t.Errorf("%+v %v", list, err)
	}
}

// TestMakeAndDeleteByHand: what is made starts by itself, and what is gone may be deleted again.
func TestMakeAndDeleteByHand(t *testing.T) {
	s := newStory(t)
	root, _ := s.directory.Root(accountA)
	client, ctx := s.client(root), t.Context()
	p := s.pipeline(client)
	if _, err := client.CreatePipeline(ctx, &api.CreatePipelineInput{Pipeline: p}); codeOf(err) != "PipelineNameInUseException" {
		t.Errorf("a name that is taken: %v", err)
	}
	p.Name = aws.String("other")
	if _, err := client.UpdatePipeline(ctx, &api.UpdatePipelineInput{Pipeline: p}); codeOf(err) != "PipelineNotFoundException" {
		t.Errorf("update what there is not: %v", err)
	}
	p.Version = aws.Int32(7)
	out, err := client.CreatePipeline(ctx, &api.CreatePipelineInput{Pipeline: p})
	if err != nil || *out.Pipeline.Version != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	runs := s.service.Executions(strings.TrimSuffix(pipelineARN, "site") + "other")
	if len(runs) != 1 || runs[0].Trigger.Type != "CreatePipeline" {
		t.Errorf("executions %+v", runs)
	}
	for range 2 {
		if _, err := client.DeletePipeline(ctx, &api.DeletePipelineInput{Name: p.Name}); err != nil {
			t.Error(err)
		}
	}
	if _, err := client.GetPipeline(ctx, &api.GetPipelineInput{Name: p.Name}); codeOf(err) != "PipelineNotFoundException" {
		t.Errorf("get what is deleted: %v", err)
	}
	if _, err := client.CreatePipeline(ctx, &api.CreatePipelineInput{Pipeline: p, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}); codeOf(err) != "NotEmulated" {
		t.Errorf("tags: %v", err)
	}
}

// TestEditsThatAreRefused: each leaves the pipeline as it was.
func TestEditsThatAreRefused(t *testing.T) {
	s := newStory(t)
	root, _ := s.directory.Root(accountA)
	const update = "codepipeline:UpdatePipeline"
	onAnother := strings.Replace(allow(update, "iam:PassRole"), `"Resource":"*"`, `"Resource":"`+pipelineARN+`2"`, 1)
	passesAnother := strings.Replace(allow(update, "iam:PassRole"), `"Resource":"*"`, `"Resource":["`+pipelineARN+`","`+deployRole+`"]`, 1)
	for _, tt := range []struct {
		name   string
		client *api.Client
		change func(*types.PipelineDeclaration)
		code   string
	}{
		{"may not update", s.user("passes", allow("iam:PassRole")), nil, "AccessDeniedException"},
		{"may update another", s.user("another", onAnother), nil, "AccessDeniedException"},
		{"may not pass", s.user("updates", allow(update)), nil, "AccessDeniedException"},
		{"may pass another role", s.user("passes-another", passesAnother), nil, "AccessDeniedException"},
		{"role of another account", s.client(root), func(p *types.PipelineDeclaration) { p.RoleArn = aws.String(deployRole) }, "ValidationException"},
		{"role that is not there", s.client(root), func(p *types.PipelineDeclaration) { p.RoleArn = aws.String(pipelineRole + "2") }, "InvalidStructureException"},
		{"action role that does not trust", s.client(root), func(p *types.PipelineDeclaration) {
			p.Stages[2].Actions[0].RoleArn = aws.String("arn:aws:iam::222222222222:role/none")
		}, "InvalidStructureException"},
		{"action name twice", s.client(root), func(p *types.PipelineDeclaration) {
			p.Stages[2].Actions = append(p.Stages[2].Actions, p.Stages[2].Actions[1])
		}, "InvalidStructureException"},
		{"input of nowhere", s.client(root), func(p *types.PipelineDeclaration) {
			p.Stages[2].Actions[1].InputArtifacts = []types.InputArtifact{{Name: aws.String("BUILD-OUTPUT")}}
		}, "InvalidStructureException"},
		{"one stage", s.client(root), func(p *types.PipelineDeclaration) { p.Stages = p.Stages[:1] }, "InvalidStructureException"},
		{"no function", s.client(root), func(p *types.PipelineDeclaration) { delete(p.Stages[2].Actions[1].Configuration, "FunctionName") }, "InvalidActionDeclarationException"},
		{"name", s.client(root), func(p *types.PipelineDeclaration) { p.Name = aws.String("a b") }, "ValidationException"},
		{"another region", s.client(root), func(p *types.PipelineDeclaration) { p.Stages[2].Actions[1].Region = aws.String("eu-west-1") }, "NotEmulated"},
		{"an approval", s.client(root), func(p *types.PipelineDeclaration) {
			p.Stages[2].Actions[1].ActionTypeId.Provider = aws.String("Manual")
		}, "NotEmulated"},
		{"triggers", s.client(root), func(p *types.PipelineDeclaration) {
			p.Triggers = []types.PipelineTriggerDeclaration{{
				ProviderType: types.PipelineTriggerProviderTypeCodeStarSourceConnection, GitConfiguration: &types.GitConfiguration{SourceActionName: aws.String("Commit")},
			}}
		}, "NotEmulated"},
		{"a time limit", s.client(root), func(p *types.PipelineDeclaration) { p.Stages[2].Actions[1].TimeoutInMinutes = aws.Int32(5) }, "NotEmulated"},
	} {
		p := s.pipeline(s.client(root))
		if tt.change != nil {
			tt.change(p)
		}
		if _, err := tt.client.UpdatePipeline(t.Context(), &api.UpdatePipelineInput{Pipeline: p}); codeOf(err) != tt.code {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
		}
	}
	enough := strings.Replace(allow(update, "iam:PassRole"), `"Resource":"*"`, `"Resource":["`+pipelineARN+`","`+pipelineRole+`"]`, 1)
	out, err := s.user("enough", enough).UpdatePipeline(t.Context(), &api.UpdatePipelineInput{Pipeline: s.pipeline(s.client(root))})
	if err != nil || *out.Pipeline.Version != 2 {
		t.Errorf("what is refused has left a trace: %+v %v", out, err)
	}
}

// TestRequestsThatNoClientSends are refused like those of curl.
func TestRequestsThatNoClientSends(t *testing.T) {
	s := newStory(t)
	root, _ := s.directory.Root(accountA)
	nobody, err := s.directory.AddUser(accountA, "nobody", document(t, allow("s3:GetObject")))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		who             accounts.Credentials
		operation, body string
		status          int
		want            string
	}{
		{root, "UpdatePipeline", `{}`, 400, "Value null at 'pipeline'"},
		{root, "UpdatePipeline", `{"pipeline":{"name":"site"},"metadata":{"created":1}}`, 501, `metadata`},
		{root, "UpdatePipeline", `{"pipeline":{"name":"site","stages":{}}}`, 400, "SerializationException"},
		{root, "CreatePipeline", `{"pipeline":{}}`, 400, "pipeline.name"},
		{root, "DeletePipeline", `{}`, 400, "Value null at 'name'"},
		{root, "DeletePipeline", `{"name":"a b"}`, 400, "ValidationException"},
		{nobody, "DeletePipeline", `{"name":"site"}`, 403, "AccessDeniedException"},
	} {
		status, out := fronttest.Call(t, s.url, tt.who, codepipeline.SigningName, "CodePipeline_20150709."+tt.operation, tt.body)
		if status != tt.status || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s %s: %d %s, want %d %q", tt.operation, tt.body, status, out, tt.status, tt.want)
		}
	}
}

// update replaces the pipeline of the stories by itself.
func (w *world) update() {
	w.t.Helper()
	if _, err := w.service.Put(context.Background(), w.root, region, site(), "UpdatePipeline"); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// TestEditDuringAnExecution: the action that runs is completed, and then all that was under way is cancelled,
// also what waits for a stage. The next execution is of the new version, and the stages are free for it.
func TestEditDuringAnExecution(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		purging := w.start() // waits for its job's answer
		waiting := w.start() // waits for the last stage
		w.update()
		w.want(waiting, codepipeline.Cancelled)
		w.want(purging, codepipeline.InProgress)
		if err := w.succeed(nil); err != nil {
			t.Fatal(err)
		}
		w.want(purging, codepipeline.Cancelled)
		e := w.execution(purging)
		if a := w.action(purging, "Purge"); a.Status != codepipeline.Succeeded || e.Stages[2].Status != codepipeline.Cancelled || !strings.Contains(e.Summary, "updated before") {
			t.Errorf("purge %+v, execution %+v", a, e)
		}
		if err := w.service.RetryStage(w.root, region, "site", "Deliver", purging, "ALL_ACTIONS"); code(err) != "StageNotRetryableException" {
			t.Errorf("retry: %v", err)
		}
		next := w.start()
		if err := w.succeed(nil); err != nil {
			t.Fatal(err)
		}
		w.want(next, codepipeline.Succeeded)
		w.update()
		w.want(next, codepipeline.Succeeded)
	})
}

// TestEditThenStop: who stops an execution that is being cancelled has stopped it.
func TestEditThenStop(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		id := w.start()
		w.update()
		if err := w.service.StopExecution(w.root, region, "site", id, "enough", true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.want(id, codepipeline.Stopped)
	})
}
