package codepipeline_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/codebuild"
	"github.com/unstale/unstale/rehearsal/codecommit"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/kms"
	"github.com/unstale/unstale/rehearsal/s3"
	"github.com/unstale/unstale/rehearsal/sts"
)

const (
	accountA = "111111111111"
	accountB = "222222222222"
	region   = "us-east-1"

	pipelineRole = "arn:aws:iam::111111111111:role/pipeline"
	deployRole   = "arn:aws:iam::222222222222:role/deploy"
	pipelineARN  = "arn:aws:codepipeline:us-east-1:111111111111:site"
)

// world is two accounts with a pipeline whose repositories, builds and functions are scripted; the
// accounts, sessions and buckets are the rehearsal's own.
type world struct {
	t         *testing.T
	clock     *clock.Clock
	journal   *journal.Journal
	directory *accounts.Directory
	sessions  *sts.Service
	buckets   *s3.Service
	service   *codepipeline.Service
	source    *repositories
	builds    *builds
	functions *functions
	root      accounts.Caller
}

func newWorld(t *testing.T, o codepipeline.Options) *world {
	t.Helper()
	return newWorldWith(t, o, nil)
}

// newWorldWith has Step Functions too.
func newWorldWith(t *testing.T, o codepipeline.Options, m codepipeline.Machines) *world {
	t.Helper()
	w := &world{t: t, clock: clock.New(false), journal: &journal.Journal{}, source: &repositories{}, functions: &functions{}}
	t.Cleanup(w.clock.Close)
	w.directory = accounts.New(w.clock, w.journal)
	for _, id := range []string{accountA, accountB} {
		if _, err := w.directory.Add(id); err != nil {
			t.Fatal(err)
		}
	}
	w.root = w.rootOf(accountA)
	w.sessions = sts.New(w.directory)
	w.buckets = s3.New(s3.Deps{Directory: w.directory, Clock: w.clock, Journal: w.journal, Keys: kms.New(w.directory, w.clock)})
	store := objects{w.buckets}
	w.builds = &builds{store: store}
	o.IdleOnCreate = true
	w.service = codepipeline.New(codepipeline.Deps{
		Directory: w.directory, Clock: w.clock, Journal: w.journal, Sessions: w.sessions, Store: store,
		Repositories: w.source, Builds: w.builds, Functions: w.functions, Machines: m, Options: o,
	})
	t.Cleanup(func() {
		if err := w.service.Close(); err != nil {
			t.Error(err)
		}
	})
	w.roles()
	return w
}

func (w *world) rootOf(account string) accounts.Caller {
	c, ok := w.directory.Root(account)
	if !ok {
		w.t.Fatalf("no account %s", account)
	}
	return c.Caller
}

func (w *world) roles() {
	ctx := context.Background()
	w.role(accountA, "pipeline", trust(`{"Service": "codepipeline.amazonaws.com"}`), allow("*"))
	w.role(accountB, "deploy", trust(`{"AWS": "arn:aws:iam::111111111111:root"}`), allow("s3:*"))
	for bucket, owner := range map[string]string{"artifacts": accountA, "site-bucket": accountB} {
		if err := w.buckets.CreateBucket(ctx, w.rootOf(owner), region, bucket); err != nil {
			w.t.Fatal(err)
		}
	}
	policy := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},
		"Action":"s3:GetObject","Resource":"arn:aws:s3:::artifacts/*"}}`
	if err := w.buckets.PutBucketPolicy(ctx, w.root, "artifacts", []byte(policy)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) role(account, name, trust, policy string) string {
	w.t.Helper()
	r, err := w.directory.CreateRole(accounts.Role{
		Name: name, Account: account, Trust: document(w.t, trust), Inline: map[string]iam.Document{"p": document(w.t, policy)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.ARN
}

func document(t *testing.T, text string) iam.Document {
	t.Helper()
	d, err := iam.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func trust(principal string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"}}`
}

func allow(actions ...string) string {
	raw, _ := json.Marshal(actions)
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":` + string(raw) + `,"Resource":"*"}}`
}

// declare makes the pipeline of the stories; change may alter it first.
func (w *world) declare(change func(*codepipeline.Declaration)) {
	w.t.Helper()
	d := site()
	if change != nil {
		change(&d)
	}
	if _, err := w.service.Put(context.Background(), w.root, region, d, "CreatePipeline"); err != nil {
		w.t.Fatal(err)
	}
}

// site is source, build, and a last stage that deploys into B and then purges.
func site() codepipeline.Declaration {
	return codepipeline.Declaration{
		Name: "site", RoleARN: pipelineRole, ArtifactStore: codepipeline.ArtifactStore{Type: "S3", Location: "artifacts"},
		Stages: []codepipeline.Stage{
			{Name: "Source", Actions: []codepipeline.Action{{
				Name: "Commit", Type: kind("Source", "CodeCommit"), Outputs: named("Source"), Namespace: "src",
				Configuration: config("RepositoryName", "site", "BranchName", "main", "PollForSourceChanges", "false"),
			}}},
			{Name: "Build", Actions: []codepipeline.Action{{
				Name: "Build", Type: kind("Build", "CodeBuild"), Inputs: named("Source"), Outputs: named("Site"),
				Configuration: config("ProjectName", "site"),
			}}},
			{Name: "Deliver", Actions: []codepipeline.Action{
				{
					Name: "Deploy", Type: kind("Deploy", "S3"), Inputs: named("Site"), RunOrder: 1, RoleARN: deployRole,
					Configuration: config("BucketName", "site-bucket", "Extract", "true", "CacheControl", "max-age=0"),
				},
				{
					Name: "Purge", Type: kind("Invoke", "Lambda"), Inputs: named("Site"), RunOrder: 2, Namespace: "purge",
					Configuration: config("FunctionName", "job", "UserParameters", `{"release":"#{codepipeline.PipelineExecutionId}","commit":"#{src.CommitId}"}`),
				},
			}},
		},
	}
}

func kind(category, provider string) codepipeline.ActionType {
	return codepipeline.ActionType{Category: category, Owner: "AWS", Provider: provider, Version: "1"}
}

func named(names ...string) []codepipeline.Artifact {
	var out []codepipeline.Artifact
	for _, n := range names {
		out = append(out, codepipeline.Artifact{Name: n})
	}
	return out
}

func config(pairs ...string) map[string]codepipeline.Text {
	out := map[string]codepipeline.Text{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = codepipeline.Text(pairs[i+1])
	}
	return out
}

func (w *world) start() string {
	w.t.Helper()
	id, err := w.service.Start(context.Background(), w.root, region, "site", "")
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	return id
}

// execution finds one run; status renders it as "Source=Succeeded(Commit=Succeeded) ...".
func (w *world) execution(id string) codepipeline.Execution {
	w.t.Helper()
	for _, e := range w.service.Executions(pipelineARN) {
		if e.ID == id {
			return e
		}
	}
	w.t.Fatalf("no execution %s", id)
	return codepipeline.Execution{}
}

func (w *world) action(id, name string) codepipeline.ActionState {
	w.t.Helper()
	for _, st := range w.execution(id).Stages {
		for _, a := range st.Actions {
			if a.Name == name {
				return a
			}
		}
	}
	w.t.Fatalf("no action %s", name)
	return codepipeline.ActionState{}
}

func (w *world) want(id, status string) {
	w.t.Helper()
	if e := w.execution(id); e.Status != status {
		w.t.Fatalf("execution is %s, want %s: %s", e.Status, status, describe(e))
	}
}

func describe(e codepipeline.Execution) string {
	var b strings.Builder
	for _, st := range e.Stages {
		fmt.Fprintf(&b, "%s=%s", st.Name, st.Status)
		for _, a := range st.Actions {
			fmt.Fprintf(&b, " %s=%s %s", a.Name, a.Status, a.Message)
		}
		b.WriteString("; ")
	}
	return b.String()
}

// pass lets d of time go by and everything settle.
func pass(d time.Duration) {
	time.Sleep(d) // a bubble's time: costs nothing
	synctest.Wait()
}

type objects struct{ s3 *s3.Service }

func (o objects) Fetch(ctx context.Context, c accounts.Caller, at artifact.Location) ([]byte, error) {
	got, err := o.s3.GetObject(ctx, c, at.Bucket, at.Key)
	return got.Body, err
}

func (o objects) Keep(ctx context.Context, c accounts.Caller, in artifact.Object) error {
	h := http.Header{}
	h.Set("Content-Type", in.ContentType)
	if in.CacheControl != "" {
		h.Set("Cache-Control", in.CacheControl)
	}
	_, err := o.s3.PutObject(ctx, c, in.Bucket, in.Key, in.Body, h)
	return err
}

type repositories struct {
	mu      sync.Mutex
	commits int
	err     error
}

func (r *repositories) Archive(context.Context, accounts.Caller, string, string, string) (codecommit.Source, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commits++
	return codecommit.Source{
		Commit: fmt.Sprintf("%040d", r.commits), Author: "ada", AuthorDate: "2026-01-02T03:04:05Z", Message: "release", Zip: zipped("a", "b"),
	}, r.err
}

// builds answers with a site at once, or after hold is closed.
type builds struct {
	store  objects
	mu     sync.Mutex
	hold   chan struct{}
	status string
	inputs []codebuild.StartInput
}

func (b *builds) Start(ctx context.Context, c accounts.Caller, _ string, in codebuild.StartInput) (codebuild.Build, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inputs = append(b.inputs, in)
	err := b.store.Keep(ctx, c, artifact.Object{Location: *in.Output, Body: zipped("index.html", "<html>", "assets/app.js", "1", "x.bin", "2")})
	return codebuild.Build{ID: fmt.Sprintf("site:%d", len(b.inputs))}, err
}

func (b *builds) Wait(ctx context.Context, _ accounts.Caller, id string) (codebuild.Build, error) {
	b.mu.Lock()
	hold, status := b.hold, b.status
	b.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return codebuild.Build{ID: id, Status: "STOPPED"}, nil
		}
	}
	if status == "" {
		status = codebuild.StatusSucceeded
	}
	return codebuild.Build{ID: id, Status: status, Phase: "BUILD", Message: "npm failed"}, nil
}

// functions keeps the events that it was invoked with.
type functions struct {
	mu      sync.Mutex
	events  []event
	raw     []string
	callers []accounts.Caller
	err     error
}

type event struct {
	Job struct {
		ID, AccountID string
		Data          struct {
			ActionConfiguration struct{ Configuration map[string]string }
			InputArtifacts      []struct {
				Name     string
				Revision *string
				Location struct {
					Type       string
					S3Location struct{ BucketName, ObjectKey string }
				}
			}
			ArtifactCredentials struct {
				AccessKeyID, SecretAccessKey, SessionToken string
				ExpirationTime                             int64
			}
			ContinuationToken *string
		}
	} `json:"CodePipeline.job"`
}

func (f *functions) List(context.Context, accounts.Caller, string) error { return nil }

func (f *functions) InvokeEvent(_ context.Context, c accounts.Caller, _, _ string, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return err
	}
	f.events, f.raw, f.callers = append(f.events, e), append(f.raw, string(payload)), append(f.callers, c)
	return f.err
}

// job is the latest one and how many there were.
func (f *functions) job() (event, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.events) == 0 {
		return event{}, 0
	}
	return f.events[len(f.events)-1], len(f.events)
}

func zipped(pairs ...string) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := 0; i < len(pairs); i += 2 {
		if f, err := z.Create(pairs[i]); err == nil {
			_, _ = f.Write([]byte(pairs[i+1]))
		}
	}
	_ = z.Close()
	return out.Bytes()
}
