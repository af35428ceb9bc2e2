package codepipeline_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/codebuild"
	"github.com/unstale/unstale/rehearsal/codecommit"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/events"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/kms"
	"github.com/unstale/unstale/rehearsal/logs"
	"github.com/unstale/unstale/rehearsal/s3"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

// story is the services of a pipeline as they are really wired, behind the front door, in real time. Only
// the function is the test's own.
type story struct {
	*world
	repositories *codecommit.Service
	url          string
	invoked      chan event
}

func (s *story) List(context.Context, accounts.Caller, string) error { return nil }

func (s *story) InvokeEvent(ctx context.Context, c accounts.Caller, region, function string, payload []byte) error {
	err := s.functions.InvokeEvent(ctx, c, region, function, payload)
	j, _ := s.functions.job()
	s.invoked <- j
	return err
}

func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{world: &world{t: t, clock: clock.New(true), journal: &journal.Journal{}, functions: &functions{}}, invoked: make(chan event, 10)}
	t.Cleanup(s.clock.Close)
	s.directory = accounts.New(s.clock, s.journal)
	for _, id := range []string{accountA, accountB} {
		if _, err := s.directory.Add(id); err != nil {
			t.Fatal(err)
		}
	}
	s.root = s.rootOf(accountA)
	door, err := front.Listen("", s.directory, s.clock, s.journal)
	if err != nil {
		t.Fatal(err)
	}
	s.url, s.sessions = door.URL(), sts.New(s.directory)
	s.buckets = s3.New(s3.Deps{Directory: s.directory, Clock: s.clock, Journal: s.journal, Keys: kms.New(s.directory, s.clock)})
	rules := events.New(events.Deps{Directory: s.directory, Clock: s.clock, Journal: s.journal, Sessions: s.sessions})
	if s.repositories, err = codecommit.New(codecommit.Deps{Directory: s.directory, Clock: s.clock, Bus: rules, Dir: t.TempDir(), URL: door.URL}); err != nil {
		t.Fatal(err)
	}
	runs := codebuild.New(codebuild.Deps{
		Directory: s.directory, Clock: s.clock, Journal: s.journal, Sessions: s.sessions, Store: objects{s.buckets}, Dir: t.TempDir(),
		Logs: logs.New(logs.Deps{Directory: s.directory, Clock: s.clock}), URL: door.URL, Options: codebuild.Options{Host: os.Environ()},
	})
	s.service = codepipeline.New(codepipeline.Deps{
		Directory: s.directory, Clock: s.clock, Journal: s.journal, Sessions: s.sessions, Store: objects{s.buckets},
		Repositories: s.repositories, Builds: runs, Functions: s,
	})
	rules.Pipelines = s.service
	door.Handle(codepipeline.SigningName, s.service, wire.WriteJSONError)
	door.Handle(codebuild.SigningName, runs, wire.WriteJSONError)
	door.HandlePath(codecommit.GitPath, s.repositories.GitHandler())
	served := make(chan error, 1)
	go func() { served <- door.Serve() }()
	t.Cleanup(func() {
		if err := errors.Join(s.service.Close(), runs.Close(), door.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	s.roles()
	s.deploy(runs, rules)
	return s
}

// deploy makes the resources as a template would.
func (s *story) deploy(runs *codebuild.Service, rules *events.Service) {
	s.role(accountA, "build", trust(`{"Service":"codebuild.amazonaws.com"}`), allow("*"))
	s.role(accountA, "start", trust(`{"Service":"events.amazonaws.com"}`), allow("codepipeline:StartPipelineExecution"))
	if _, err := s.repositories.Create(s.t.Context(), s.root, region, "site", ""); err != nil {
		s.t.Fatal(err)
	}
	s.create(runs.ResourceTypes()[0], map[string]any{
		"Name": "site", "ServiceRole": "arn:aws:iam::111111111111:role/build",
		"Artifacts": map[string]any{"Type": "CODEPIPELINE"}, "Source": map[string]any{"Type": "CODEPIPELINE"},
		"Environment": map[string]any{"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL", "Image": "standard"},
	})
	s.declare(nil)
	s.create(rules.ResourceTypes()[0], map[string]any{
		"Name": "push", "EventPattern": map[string]any{
			"source": []any{"aws.codecommit"}, "detail": map[string]any{"referenceName": []any{"main"}},
		},
		"Targets": []any{map[string]any{"Id": "p", "Arn": pipelineARN, "RoleArn": "arn:aws:iam::111111111111:role/start"}},
	})
}

func (s *story) create(kind templates.Type, properties map[string]any) {
	s.t.Helper()
	_, err := kind.Create(s.t.Context(), templates.Request{Caller: s.root, Account: accountA, Region: region, Properties: properties})
	if err != nil {
		s.t.Fatal(err)
	}
}

// push makes a commit on main and pushes it with git.
func (s *story) push() {
	s.t.Helper()
	dir := s.t.TempDir()
	spec := "version: 0.2\nphases: {build: {commands: ['mkdir dist', 'echo \"release $CODEBUILD_RESOLVED_SOURCE_VERSION\" >dist/index.html']}}\n" +
		"artifacts: {base-directory: dist, files: ['**/*']}\n"
	if err := os.WriteFile(filepath.Join(dir, "buildspec.yml"), []byte(spec), 0o600); err != nil {
		s.t.Fatal(err)
	}
	user, password := s.repositories.GitCredentials(s.root)
	remote := strings.Replace(s.url, "http://", "http://"+url.UserPassword(user, password).String()+"@", 1) + codecommit.GitPath + "site"
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"add", "."},
		{"-c", "user.name=Ada", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "release"},
		{"push", "--quiet", remote, "main"},
	} {
		cmd := exec.CommandContext(s.t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
		if out, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
}

// client is AWS's own for a caller's credentials.
func (s *story) client(cred accounts.Credentials) *api.Client {
	return api.New(api.Options{
		Region: region, BaseEndpoint: aws.String(s.url), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: cred.AccessKeyID, SecretAccessKey: cred.SecretAccessKey, SessionToken: cred.SessionToken}, nil
		}),
	})
}

// TestPushToPurge is the whole way: git push, rule, source, build, deploy into the other account, job,
// continuation, answer; and what the API says of it, by AWS's own client.
func TestPushToPurge(t *testing.T) {
	s := newStory(t)
	ended := make(chan codepipeline.ExecutionStateChange, 10)
	s.journal.OnEvent(func(e journal.Event) {
		if c, ok := e.Data.(codepipeline.ExecutionStateChange); ok && c.Status != codepipeline.InProgress {
			ended <- c
		}
	})
	s.push()
	root, _ := s.directory.Root(accountA)
	client, ctx := s.client(root), t.Context()
	var j event
	for j.Job.ID == "" {
		select {
		case j = <-s.invoked:
		case c := <-ended: // the execution that creating the pipeline started finds no branch
			if c.Trigger.Type != "CreatePipeline" {
				t.Fatalf("ended: %+v: %s", c, describe(s.execution(c.Execution)))
			}
		}
	}
	if _, err := client.PutJobSuccessResult(ctx, &api.PutJobSuccessResultInput{
		JobId: &j.Job.ID, ContinuationToken: aws.String("t"), ExecutionDetails: &types.ExecutionDetails{Summary: aws.String("waiting")},
	}); err != nil {
		t.Fatal(err)
	}
	j = <-s.invoked // the clock skips the interval
	if _, err := client.PutJobSuccessResult(ctx, &api.PutJobSuccessResultInput{JobId: &j.Job.ID, OutputVariables: map[string]string{"Items": "1"}}); err != nil {
		t.Fatal(err)
	}
	done := <-ended
	for done.Trigger.Type == "CreatePipeline" {
		done = <-ended
	}
	if done.Status != codepipeline.Succeeded || done.Trigger.Type != "CloudWatchEvent" {
		t.Fatalf("%+v: %s", done, describe(s.execution(done.Execution)))
	}
	var again *types.InvalidJobStateException
	if _, err := client.PutJobSuccessResult(ctx, &api.PutJobSuccessResultInput{JobId: &j.Job.ID}); !errors.As(err, &again) {
		t.Errorf("a second answer: %v", err)
	}
	s.views(ctx, client, done.Execution)
	o, err := s.buckets.GetObject(ctx, s.rootOf(accountB), "site-bucket", "index.html")
	if err != nil || !strings.HasPrefix(string(o.Body), "release ") {
		t.Errorf("deployed %q %v", o.Body, err)
	}
}

func (s *story) views(ctx context.Context, client *api.Client, id string) {
	t := s.t
	state, err := client.GetPipelineState(ctx, &api.GetPipelineStateInput{Name: aws.String("site")})
	if err != nil {
		t.Fatal(err)
	}
	purge := state.StageStates[2].ActionStates[1].LatestExecution
	if len(state.StageStates) != 3 || state.StageStates[2].LatestExecution.Status != types.StageExecutionStatusSucceeded || purge.Status != types.ActionExecutionStatusSucceeded {
		t.Errorf("state %+v", state.StageStates)
	}
	run, err := client.GetPipelineExecution(ctx, &api.GetPipelineExecutionInput{PipelineName: aws.String("site"), PipelineExecutionId: &id})
	if err != nil || run.PipelineExecution.Status != types.PipelineExecutionStatusSucceeded || len(run.PipelineExecution.ArtifactRevisions) != 1 {
		t.Errorf("execution %+v %v", run, err)
	}
	actions, err := client.ListActionExecutions(ctx, &api.ListActionExecutionsInput{
		PipelineName: aws.String("site"), Filter: &types.ActionExecutionFilter{PipelineExecutionId: &id},
	})
	if err != nil || len(actions.ActionExecutionDetails) != 4 || actions.ActionExecutionDetails[0].Output.OutputVariables["Items"] != "1" {
		t.Errorf("actions %+v %v", actions, err)
	}
	list, err := client.ListPipelineExecutions(ctx, &api.ListPipelineExecutionsInput{PipelineName: aws.String("site"), MaxResults: aws.Int32(1)})
	if err != nil || len(list.PipelineExecutionSummaries) != 1 || *list.PipelineExecutionSummaries[0].PipelineExecutionId != id || list.NextToken == nil {
		t.Errorf("executions %+v %v", list, err)
	}
	got, err := client.GetPipeline(ctx, &api.GetPipelineInput{Name: aws.String("site")})
	if err != nil || *got.Pipeline.Stages[2].Actions[0].RoleArn != deployRole || *got.Pipeline.Version != 1 {
		t.Errorf("pipeline %+v %v", got, err)
	}
	if all, err := client.ListPipelines(ctx, &api.ListPipelinesInput{}); err != nil || len(all.Pipelines) != 1 {
		t.Errorf("pipelines %+v %v", all, err)
	}
	s.refusals(ctx, client, id)
}

func (s *story) refusals(ctx context.Context, client *api.Client, id string) {
	t := s.t
	var stage *types.StageNotRetryableException
	if _, err := client.RetryStageExecution(ctx, &api.RetryStageExecutionInput{
		PipelineName: aws.String("site"), PipelineExecutionId: &id, StageName: aws.String("Deliver"), RetryMode: types.StageRetryModeFailedActions,
	}); !errors.As(err, &stage) {
		t.Errorf("retry: %v", err)
	}
	var stop *types.PipelineExecutionNotStoppableException
	if _, err := client.StopPipelineExecution(ctx, &api.StopPipelineExecutionInput{PipelineName: aws.String("site"), PipelineExecutionId: &id}); !errors.As(err, &stop) {
		t.Errorf("stop: %v", err)
	}
	var missing *types.PipelineNotFoundException
	if _, err := client.StartPipelineExecution(ctx, &api.StartPipelineExecutionInput{Name: aws.String("none")}); !errors.As(err, &missing) {
		t.Errorf("start: %v", err)
	}
	if _, err := client.ListActionTypes(ctx, &api.ListActionTypesInput{}); err == nil || !strings.Contains(err.Error(), "NotEmulated") {
		t.Errorf("an operation that is not served: %v", err)
	}
	if _, err := client.StartPipelineExecution(ctx, &api.StartPipelineExecutionInput{
		Name: aws.String("site"), Variables: []types.PipelineVariable{{Name: aws.String("a"), Value: aws.String("b")}},
	}); err == nil || !strings.Contains(err.Error(), "NotEmulated") {
		t.Errorf("a parameter that is not known: %v", err)
	}
	u, err := s.directory.AddUser(accountA, "nobody", iam.Document{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.client(u).GetPipelineState(ctx, &api.GetPipelineStateInput{Name: aws.String("site")}); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("a caller without grants: %v", err)
	}
}
