// Package history holds the stories that prove why a purge remembers what was deployed: releases that
// were never purged, releases that overlap, and a history that is damaged, each with real functions.
package history

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	pipelines "github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/release"
	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/test/schema"
	"github.com/unstale/unstale/test/stage"
)

func TestMain(m *testing.M) { stage.Main(m) }

const (
	first, second = "unstale", "second" // the pipelines, which deploy into one bucket
	patience      = 30 * time.Second
)

// content is a site: what each page shows, by path. Every page is there in every release.
type content map[string]string

// world is a rehearsal with two pipelines that deliver to one distribution.
type world struct {
	*testing.T
	*story.Stage
	script *faults.Script

	mu      sync.Mutex
	changed chan struct{} // closed and made anew with everything that happens
	sites   map[string]content
	ended   map[string]string // status by execution
	created []string          // items of each invalidation
	delays  []time.Duration   // of the points of presence
	held    bool              // a call waits for the test

	afterDeploy func() // called when a deploy action has succeeded; nil: nothing is
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		T: t, script: &faults.Script{Who: who}, changed: make(chan struct{}), sites: map[string]content{}, ended: map[string]string{},
		delays: []time.Duration{20 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond},
	}
	set, err := story.Set(t.Context(), story.Options{
		Source: static.Files, Lambdas: stage.Lambdas(t), Packages: stage.Packages(t), Median: 60 * time.Millisecond, Template: twoPipelines,
		Observe: func(r *rehearsal.World) { r.Journal().OnEvent(w.event) },
		World: func(o *rehearsal.Options) {
			o.Faults = w.script
			o.Invalidation.Delays = func(n int) []time.Duration {
				w.mu.Lock()
				defer w.mu.Unlock()
				return cloudfront.Fixed(w.delays...)(n)
			}
			o.Pipelines.Runners = map[string]codepipeline.Runner{"Source/CodeCommit": source{}, "Build/CodeBuild": build{w}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Stage = set
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Errorf("close the stage: %v", err)
		}
	})
	return w
}

// who knows the job function behind the role that it takes on in the delivery account.
func who(x front.Exchange) string {
	if x.Service == "cloudfront" && strings.Contains(x.Call.Caller.ARN, ":assumed-role/") {
		return "unstale-job"
	}
	return ""
}

// twoPipelines puts a second pipeline beside the template's own, which differs in its name.
func twoPipelines(name string, text []byte) []byte {
	if name != "pipeline-assume" {
		return text
	}
	var template map[string]any
	if err := json.Unmarshal(text, &template); err != nil {
		panic(err)
	}
	resources := template["Resources"].(map[string]any)
	other := maps.Clone(resources["Pipeline"].(map[string]any))
	other["Properties"] = maps.Clone(other["Properties"].(map[string]any))
	other["Properties"].(map[string]any)["Name"] = second
	resources["SecondPipeline"] = other
	text, err := json.Marshal(template)
	if err != nil {
		panic(err)
	}
	return text
}

func (w *world) event(e journal.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch data := e.Data.(type) {
	case codepipeline.ExecutionStateChange:
		w.ended[data.Execution] = data.Status
	case codepipeline.ActionStateChange:
		if data.Action.Name == "Deploy" && data.Action.Status == codepipeline.Succeeded && w.afterDeploy != nil {
			w.afterDeploy()
		}
		return
	case cloudfront.InvalidationCreated:
		w.created = append(w.created, strings.Join(data.Invalidation.Items, " "))
	default:
		return
	}
	w.signal()
}

// signal says, under the lock, that something happened.
func (w *world) signal() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// await returns once done, which is asked under the lock, says so.
func (w *world) await(what string, done func() bool) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	for {
		w.mu.Lock()
		ok, changed := done(), w.changed
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			w.Fatalf("%s: it does not come", what)
		}
	}
}

// start begins a release of a site.
func (w *world) start(pipeline string, c content) (execution string) {
	w.Helper()
	w.mu.Lock()
	w.sites[pipeline] = c
	w.mu.Unlock()
	client := pipelines.NewFromConfig(w.Config(story.PipelineAccount))
	out, err := client.StartPipelineExecution(w.Context(), &pipelines.StartPipelineExecutionInput{Name: &pipeline})
	if err != nil {
		w.Fatal(err)
	}
	return *out.PipelineExecutionId
}

// end waits for a release and gives its status, with what the purge said.
func (w *world) end(pipeline, execution string) (status, says string) {
	w.Helper()
	w.await("the end of "+execution, func() bool {
		return w.ended[execution] != "" && w.ended[execution] != codepipeline.InProgress
	})
	for _, e := range w.World.Executions(story.PipelineAccount, pipeline) {
		for _, s := range e.Stages {
			for _, a := range s.Actions {
				if e.ID == execution && a.Name == "Purge" {
					says = a.Message + a.Summary
				}
			}
		}
	}
	return w.ended[execution], says
}

// deliver takes a release through the first pipeline, which has to succeed, and gives its evidence.
func (w *world) deliver(c content) release.Evidence {
	w.Helper()
	execution := w.start(first, c)
	if status, says := w.end(first, execution); status != codepipeline.Succeeded {
		w.Fatalf("release %v: %s: %s", c, status, says)
	}
	return w.evidence(execution)
}

// shows is what each point of presence serves of a page.
func (w *world) shows(page string) string {
	w.Helper()
	views, err := w.Look(w.Context(), page)
	if err != nil {
		w.Fatal(err)
	}
	var all []string
	for _, v := range views {
		all = append(all, v.Release)
	}
	return strings.Join(all, " ")
}

// sees demands that every point of presence serves a site, and nothing else.
func (w *world) sees(c content) {
	w.Helper()
	for _, page := range slices.Sorted(maps.Keys(c)) {
		if got, want := w.shows("/"+page), strings.TrimSpace(strings.Repeat(c[page]+" ", len(w.World.POPs()))); got != want {
			w.Errorf("viewers get %q of %s; want %q", got, page, want)
		}
	}
}

// bucket is the state's, with the only role that may write there.
func (w *world) bucket() (*s3.Client, *string) {
	role, err := w.World.Directory().Role("arn:aws:iam::" + story.PipelineAccount + ":role/unstale-job")
	if err != nil {
		w.Fatal(err)
	}
	session := w.World.Directory().Session(role, "test", nil, nil, time.Hour)
	cfg := w.Config(story.PipelineAccount)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: session.SessionToken}, nil
	})
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	return client, aws.String("unstale-state-" + story.PipelineAccount + "-" + story.Region)
}

// keys lists what the state keeps under a prefix.
func (w *world) keys(under string) (all []string) {
	w.Helper()
	client, bucket := w.bucket()
	out, err := client.ListObjectsV2(w.Context(), &s3.ListObjectsV2Input{Bucket: bucket, Prefix: &under})
	if err != nil {
		w.Fatal(err)
	}
	for _, o := range out.Contents {
		all = append(all, *o.Key)
	}
	return all
}

func (w *world) read(key string) []byte {
	w.Helper()
	client, bucket := w.bucket()
	out, err := client.GetObject(w.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key})
	if err != nil {
		w.Fatal(err)
	}
	body, err := io.ReadAll(out.Body)
	if err != nil {
		w.Fatal(err)
	}
	return body
}

func (w *world) write(key string, body []byte) {
	w.Helper()
	client, bucket := w.bucket()
	if _, err := client.PutObject(w.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(body)}); err != nil {
		w.Fatal(err)
	}
}

// remove deletes as the account's root: the job itself cannot.
func (w *world) remove(keys ...string) {
	w.Helper()
	_, bucket := w.bucket()
	client := s3.NewFromConfig(w.Config(story.PipelineAccount), func(o *s3.Options) { o.UsePathStyle = true })
	for _, key := range keys {
		if _, err := client.DeleteObject(w.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: &key}); err != nil {
			w.Fatal(err)
		}
	}
}

// evidence is the record of an execution, which has to keep the published schema.
func (w *world) evidence(execution string) (e release.Evidence) {
	w.Helper()
	published := schema.Read(w, "../../docs/schemas/evidence.schema.json")
	for _, key := range w.keys("evidence/") {
		body := w.read(key)
		if err := json.Unmarshal(body, &e); err != nil {
			w.Fatal(err)
		}
		if e.Release != execution {
			continue
		}
		v := schema.Decoded(w, json.RawMessage(body))
		for _, wrong := range append(published.Check(v), published.Untold(v)...) {
			w.Errorf("the evidence does not keep its schema: %s", wrong)
		}
		return e
	}
	w.Fatalf("there is no evidence of %s", execution)
	return e
}

// items are what a record says was purged.
func items(e release.Evidence) string {
	var all []string
	for _, choice := range e.Plan.Items {
		all = append(all, string(choice.Item))
	}
	return strings.Join(all, " ")
}

// source and build stand for what a release goes through before it is deployed.
type source struct{}

func (source) Check(codepipeline.Action) error { return nil }

func (source) Run(context.Context, *codepipeline.Run) (codepipeline.Outcome, error) {
	return codepipeline.Outcome{Revision: "main"}, nil
}

type build struct{ w *world }

func (build) Check(codepipeline.Action) error { return nil }

// Run keeps a pipeline's site as the build's artifact.
func (b build) Run(ctx context.Context, run *codepipeline.Run) (codepipeline.Outcome, error) {
	out := run.Output(0)
	pipeline, _, _ := strings.Cut(out.Key, "/")
	b.w.mu.Lock()
	site := b.w.sites[pipeline]
	b.w.mu.Unlock()
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for _, page := range slices.Sorted(maps.Keys(site)) {
		f, err := z.Create(page)
		if err == nil {
			_, err = fmt.Fprintf(f, `<!doctype html><main data-release="%s">%s</main>`, site[page], page)
		}
		if err != nil {
			return codepipeline.Outcome{}, err
		}
	}
	if err := z.Close(); err != nil {
		return codepipeline.Outcome{}, err
	}
	client := s3.NewFromConfig(b.w.Config(story.PipelineAccount), func(o *s3.Options) { o.UsePathStyle = true })
	_, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &out.Bucket, Key: &out.Key, Body: bytes.NewReader(archive.Bytes()),
		ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(run.KMSKey()),
	})
	return codepipeline.Outcome{}, err
}
