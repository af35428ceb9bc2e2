package codebuild_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/codebuild"
	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/logs"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	account = "111111111111"
	region  = "us-east-1"
	role    = "arn:aws:iam::111111111111:role/build"
)

// store is a bucket in memory; the permissions on it are S3's affair.
type store struct {
	mu      sync.Mutex
	objects map[artifact.Location]artifact.Object
	callers []accounts.Caller
}

func (s *store) Fetch(_ context.Context, c accounts.Caller, at artifact.Location) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callers = append(s.callers, c)
	o, ok := s.objects[at]
	if !ok {
		return nil, wire.Errorf(404, "NoSuchKey", "no %s", at.Key)
	}
	return o.Body, nil
}

func (s *store) Keep(_ context.Context, c accounts.Caller, o artifact.Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callers = append(s.callers, c)
	s.objects[o.Location] = o
	return nil
}

type world struct {
	t         *testing.T
	directory *accounts.Directory
	service   *codebuild.Service
	logs      *logs.Service
	store     *store
	root      accounts.Caller
	dir       string
	output    *lines
}

// lines is an output that tests wait on.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
	seen map[string]chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	for want, ch := range l.seen {
		if strings.Contains(l.text.String(), want) {
			close(ch)
			delete(l.seen, want)
		}
	}
	return len(p), nil
}

func (l *lines) await(want string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := make(chan struct{})
	if strings.Contains(l.text.String(), want) {
		close(ch)
		return ch
	}
	l.seen[want] = ch
	return ch
}

func newWorld(t *testing.T, policy string) *world {
	t.Helper()
	c, j := clock.New(false), &journal.Journal{}
	t.Cleanup(c.Close)
	w := &world{
		t: t, directory: accounts.New(c, j), store: &store{objects: map[artifact.Location]artifact.Object{}}, dir: t.TempDir(),
		output: &lines{seen: map[string]chan struct{}{}},
	}
	root, err := w.directory.Add(account)
	if err != nil {
		t.Fatal(err)
	}
	w.root = root.Caller
	trust := parse(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"codebuild.amazonaws.com"},"Action":"sts:AssumeRole"}}`)
	if _, err := w.directory.CreateRole(accounts.Role{
		Name: "build", Account: account, Trust: trust, Inline: map[string]iam.Document{"p": parse(t, policy)},
	}); err != nil {
		t.Fatal(err)
	}
	w.logs = logs.New(logs.Deps{Directory: w.directory, Clock: c})
	host := []string{"PATH=" + os.Getenv("PATH"), "SECRET_OF_MINE=1", "AWS_PROFILE=mine", "HTTPS_PROXY=http://proxy", "npm_config_registry=http://r"}
	w.service = codebuild.New(codebuild.Deps{
		Directory: w.directory, Clock: c, Journal: j, Sessions: sts.New(w.directory), Store: w.store, Logs: w.logs, Dir: w.dir,
		URL: func() string { return "http://127.0.0.1:1" }, Options: codebuild.Options{Host: host, CacheDir: "/cache", Output: w.output},
	})
	t.Cleanup(func() {
		if err := w.service.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(w.dir, "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	if _, err := w.service.ResourceTypes()[0].Create(t.Context(), w.request(nil)); err != nil {
		t.Fatal(err)
	}
	return w
}

const everything = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

func parse(t *testing.T, text string) iam.Document {
	t.Helper()
	d, err := iam.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *world) request(change func(map[string]any)) templates.Request {
	var p map[string]any
	text := `{"Name":"site","ServiceRole":"` + role + `","Artifacts":{"Type":"CODEPIPELINE"},"Source":{"Type":"CODEPIPELINE"},
		"Environment":{"Type":"LINUX_CONTAINER","ComputeType":"BUILD_GENERAL1_SMALL","Image":"aws/codebuild/standard:7.0"},
		"LogsConfig":{"CloudWatchLogs":{"Status":"ENABLED","GroupName":"/builds"}},"TimeoutInMinutes":15}`
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		w.t.Fatal(err)
	}
	if change != nil {
		change(p)
	}
	return templates.Request{Caller: w.root, Account: account, Region: region, Stack: "s", LogicalID: "Build", Properties: p}
}

var (
	source = artifact.Location{Bucket: "artifacts", Key: "in"}
	made   = artifact.Location{Bucket: "artifacts", Key: "out"}
)

// begin starts a build of a source made of buildspec.yml and the other files given.
func (w *world) begin(spec string, files ...string) codebuild.Build {
	w.t.Helper()
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	for i, all := 0, append([]string{"buildspec.yml", "version: 0.2\n" + spec}, files...); i < len(all); i += 2 {
		f, err := z.Create(all[i])
		if err != nil {
			w.t.Fatal(err)
		}
		_, _ = f.Write([]byte(all[i+1]))
	}
	if err := z.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.store.objects[source] = artifact.Object{Body: zipped.Bytes()}
	b, err := w.service.Start(w.t.Context(), w.root, region, codebuild.StartInput{
		Project: "site", Initiator: "codepipeline/p", Source: source, Revision: "abc", Output: &made, KMSKey: "key",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) run(spec string, files ...string) codebuild.Build {
	w.t.Helper()
	b, err := w.service.Wait(w.t.Context(), w.root, w.begin(spec, files...).ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// artifact is the files of what the build made.
func (w *world) artifact() map[string]string {
	w.t.Helper()
	body := w.store.objects[made].Body
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			w.t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			w.t.Fatal(err)
		}
		out[f.Name] = string(text)
	}
	return out
}

func phases(b codebuild.Build) string {
	var out []string
	for _, p := range b.Phases {
		out = append(out, p.Name+" "+p.Status)
	}
	return strings.Join(out, ", ")
}

func TestBuild(t *testing.T) {
	w := newWorld(t, everything)
	b := w.run(`
env: {variables: {GREETING: hello}}
phases:
  install: {runtime-versions: {nodejs: 12}, commands: ['mkdir -p dist/sub', 'cd dist', 'export WHO=world']}
  build: {commands: ['echo "$GREETING $WHO" >index.html', 'cp ../data.txt sub/', 'env | sort >env.txt', "printf '%s\n' '%d \\n'"]}
  post_build: {commands: ['echo $CODEBUILD_BUILD_SUCCEEDING >ok']}
artifacts: {base-directory: dist, files: ['**/*']}
`, "data.txt", "data")
	if b.Status != codebuild.StatusSucceeded {
		t.Fatalf("%s: %s", b.Status, b.Message)
	}
	want := "PROVISIONING SUCCEEDED, DOWNLOAD_SOURCE SUCCEEDED, INSTALL SUCCEEDED, BUILD SUCCEEDED, POST_BUILD SUCCEEDED, UPLOAD_ARTIFACTS SUCCEEDED"
	if got := phases(b); got != want {
		t.Errorf("phases %s", got)
	}
	files := w.artifact()
	if files["index.html"] != "hello world\n" || files["sub/data.txt"] != "data" || files["ok"] != "1\n" || w.store.objects[made].KMSKey != "key" {
		t.Errorf("artifact %q", files)
	}
	env := files["env.txt"]
	for _, has := range []string{
		"HTTPS_PROXY=http://proxy", "npm_config_registry=http://r", "npm_config_cache=/cache", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=http://127.0.0.1:1",
		"AWS_ACCESS_KEY_ID=ASIA", "CODEBUILD_RESOLVED_SOURCE_VERSION=abc", "CODEBUILD_BUILD_ID=site:", "CODEBUILD_INITIATOR=codepipeline/p", "HOME=" + w.dir,
	} {
		if !strings.Contains("\n"+env, "\n"+has) {
			t.Errorf("the environment lacks %s:\n%s", has, env)
		}
	}
	for _, hasNot := range []string{"SECRET_OF_MINE", "AWS_PROFILE"} {
		if strings.Contains(env, hasNot) {
			t.Errorf("the environment has %s", hasNot)
		}
	}
	for _, c := range w.store.callers {
		if c.RoleARN != role {
			t.Errorf("S3 was asked by %s", c.Name())
		}
	}
	events, err := w.logs.Events(w.root, logs.Place{Account: account, Region: region}, "/builds", b.Stream, logs.Span{})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, e := range events {
		text.WriteString(e.Message + "\n")
	}
	if !strings.Contains(text.String(), "Running command printf '%s\n' '%d \\n'") || !strings.Contains(text.String(), "\n%d \\n\n") {
		t.Errorf("log:\n%s", text.String())
	}
}

func TestFailedBuilds(t *testing.T) {
	for _, tt := range []struct{ name, spec, message, phases, output string }{
		{
			"install", "phases: {install: {commands: ['false'], finally: ['echo tidy']}, build: {commands: ['echo never']}}",
			"Error while executing command: false. Reason: exit status 1", "INSTALL FAILED", "tidy",
		},
		{
			"build", "phases: {build: {commands: ['exit 3', 'echo never']}, post_build: {commands: ['echo never']}}",
			"Error while executing command: exit 3. Reason: exit status 3", "BUILD FAILED", "",
		},
		{
			"post_build comes after a failed build", "phases: {build: {commands: ['(exit 4)', 'echo never']}, post_build: {commands: ['echo post $CODEBUILD_BUILD_SUCCEEDING']}}",
			"exit status 4", "BUILD FAILED, POST_BUILD SUCCEEDED", "post 0",
		},
		{"finally", "phases: {build: {commands: ['true'], finally: ['false']}}", "command: false", "BUILD FAILED", ""},
		{"syntax", "phases: {build: {commands: ['if']}}", "Error while executing command: if", "BUILD FAILED", ""},
		{"node too old", "phases: {install: {runtime-versions: {nodejs: 999}, commands: ['echo never']}}", "asks for nodejs 999", "INSTALL FAILED", ""},
		{"other runtime", "phases: {install: {runtime-versions: {python: 3.12}, commands: ['echo never']}}", "runtime python", "INSTALL FAILED", ""},
		{"buildspec", "phases: {nope: {}}", "YAML_FILE_ERROR", "DOWNLOAD_SOURCE FAILED", ""},
		{
			"no artifact files", "phases: {build: {commands: ['true']}}\nartifacts: {files: ['*.none']}", "no matching artifact paths",
			"BUILD SUCCEEDED, UPLOAD_ARTIFACTS FAILED", "",
		},
		{"no artifacts", "phases: {build: {commands: ['true']}}", "names no files", "BUILD SUCCEEDED, UPLOAD_ARTIFACTS FAILED", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, everything)
			b := w.run(tt.spec)
			if b.Status != codebuild.StatusFailed || !strings.Contains(b.Message, tt.message) || !strings.HasSuffix(phases(b), tt.phases) {
				t.Errorf("%s %q, %s", b.Status, b.Message, phases(b))
			}
			if out := w.output.text.String(); !strings.Contains(out, tt.output) || strings.Contains(out, "\nsite never") {
				t.Errorf("output:\n%s", out)
			}
		})
	}
}

func TestRoleWithoutLogs(t *testing.T) {
	w := newWorld(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)
	if b := w.run("phases: {build: {commands: ['true']}}"); !strings.Contains(b.Message, "does not allow AWS CodeBuild to create Amazon CloudWatch Logs") {
		t.Errorf("%s %q", b.Status, b.Message)
	}
}

func TestStoppedBuildLeavesNoProcess(t *testing.T) {
	w := newWorld(t, everything)
	fifo, gone := held(t)
	b := w.begin("phases: {build: {commands: ['exec 9>" + fifo + "', 'sleep 1000 &', 'echo started', 'wait']}}")
	<-w.output.await("\nsite started")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b, err := w.service.Wait(ctx, w.root, b.ID)
	if err != nil || b.Status != codebuild.StatusStopped {
		t.Fatalf("%s %v", b.Status, err)
	}
	<-gone
}

func TestBackgroundProcessEndsWithTheBuild(t *testing.T) {
	w := newWorld(t, everything)
	fifo, gone := held(t)
	b := w.run("phases: {build: {commands: ['exec 9>" + fifo + "', 'sleep 1000 >/dev/null 2>&1 &', 'echo 1 >a']}}\nartifacts: {files: [a]}")
	if b.Status != codebuild.StatusSucceeded {
		t.Errorf("%s %s", b.Status, b.Message)
	}
	<-gone
}

func TestCloseKillsBuilds(t *testing.T) {
	w := newWorld(t, everything)
	fifo, gone := held(t)
	w.begin("phases: {build: {commands: ['exec 9>" + fifo + "', 'sleep 1000 &', 'echo started', 'wait']}}")
	<-w.output.await("\nsite started")
	if err := w.service.Close(); err != nil {
		t.Fatal(err)
	}
	<-gone
}

// held is a pipe that a build's processes hold open, and a channel closed when the last has ended.
func held(t *testing.T) (fifo string, gone <-chan struct{}) {
	t.Helper()
	fifo = filepath.Join(t.TempDir(), "held")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f, err := os.Open(fifo)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		_, _ = io.Copy(io.Discard, f)
	}()
	return fifo, ended
}

func TestRefusedProjects(t *testing.T) {
	w := newWorld(t, everything)
	for _, tt := range []struct {
		name   string
		change func(map[string]any)
		code   string
	}{
		{"again", func(map[string]any) {}, "ResourceAlreadyExistsException"},
		{"unknown property", func(p map[string]any) { p["VpcConfig"] = map[string]any{} }, "NotEmulated"},
		{"own source", func(p map[string]any) { p["Source"] = map[string]any{"Type": "GITHUB"} }, "NotEmulated"},
		{"name", func(p map[string]any) { p["Name"] = "a b" }, "InvalidInputException"},
		{"role of another account", func(p map[string]any) { p["ServiceRole"] = "arn:aws:iam::222222222222:role/build" }, "InvalidInputException"},
		{"timeout", func(p map[string]any) { p["TimeoutInMinutes"] = 4.0 }, "InvalidInputException"},
		{"environment", func(p map[string]any) { p["Environment"] = map[string]any{} }, "InvalidInputException"},
	} {
		_, err := w.service.ResourceTypes()[0].Create(t.Context(), w.request(tt.change))
		var e *wire.Error
		if !errors.As(err, &e) || e.Code != tt.code {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
		}
	}
}
