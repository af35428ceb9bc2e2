package codecommit_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/codecommit"
	"github.com/unstale/unstale/rehearsal/events"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/fronttest"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	account = "111111111111"
	region  = "us-east-1"
	siteARN = "arn:aws:codecommit:us-east-1:111111111111:site"
)

type bus struct {
	mu     sync.Mutex
	events []events.Event
}

func (b *bus) Put(e events.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

func (b *bus) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, e := range b.events {
		out = append(out, e.Detail["event"].(string)+" "+e.Detail["referenceType"].(string)+" "+e.Detail["referenceName"].(string))
	}
	return out
}

type world struct {
	t         *testing.T
	directory *accounts.Directory
	service   *codecommit.Service
	bus       *bus
	root      accounts.Credentials
	url       string
	home      string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c, j := clock.New(false), &journal.Journal{}
	t.Cleanup(c.Close)
	w := &world{t: t, directory: accounts.New(c, j), bus: &bus{}, home: t.TempDir()}
	var err error
	if w.root, err = w.directory.Add(account); err != nil {
		t.Fatal(err)
	}
	door, err := front.Listen("", w.directory, c, j)
	if err != nil {
		t.Fatal(err)
	}
	w.url = door.URL()
	w.service, err = codecommit.New(codecommit.Deps{Directory: w.directory, Clock: c, Bus: w.bus, Dir: t.TempDir(), URL: door.URL})
	if err != nil {
		t.Fatal(err)
	}
	door.Handle(codecommit.SigningName, w.service, wire.WriteJSONError)
	door.HandlePath(codecommit.GitPath, w.service.GitHandler())
	fronttest.Run(t, door)
	if _, err := w.service.Create(t.Context(), w.root.Caller, region, "site", "the site"); err != nil {
		t.Fatal(err)
	}
	return w
}

// git runs the client with nothing of this machine's configuration.
func (w *world) git(dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(w.t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z",
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (w *world) must(dir string, args ...string) string {
	w.t.Helper()
	out, err := w.git(dir, args...)
	if err != nil {
		w.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return out
}

// remote is the repository's URL with a caller's git credentials.
func (w *world) remote(c accounts.Caller) string {
	user, password := w.service.GitCredentials(c)
	return strings.Replace(w.url, "http://", "http://"+url.UserPassword(user, password).String()+"@", 1) + "/v1/repos/site"
}

// work is a directory with one commit on main.
func (w *world) work(files map[string]string) string {
	w.t.Helper()
	dir := w.t.TempDir()
	w.must(dir, "init", "--quiet", "--initial-branch=main")
	w.commit(dir, "first", files)
	return dir
}

func (w *world) commit(dir, message string, files map[string]string) string {
	w.t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	w.must(dir, "add", "--all")
	w.must(dir, "commit", "--quiet", "--message", message)
	return w.must(dir, "rev-parse", "HEAD")
}

func code(err error) string {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestPushCloneArchive(t *testing.T) {
	w := newWorld(t)
	remote := w.remote(w.root.Caller)
	dir := w.work(map[string]string{"a.txt": "1", "sub/b.txt": "2"})
	w.must(dir, "push", "--quiet", remote, "main")
	w.must(dir, "tag", "v1")
	big := strings.Repeat("0123456789abcdef", 1<<17) // over http.postBuffer, so that the push is chunked
	second := w.commit(dir, "second\n\nwith a body", map[string]string{"big.txt": big})
	w.must(dir, "-c", "http.postBuffer=1024", "-c", "core.compression=0", "push", "--quiet", remote, "main", "main:dev", "v1")
	w.must(dir, "push", "--quiet", remote, ":dev")
	want := []string{
		"referenceCreated branch main", "referenceCreated branch dev", "referenceUpdated branch main", "referenceCreated tag v1",
		"referenceDeleted branch dev",
	}
	if got := w.bus.names(); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	if e := w.bus.events[2]; e.Detail["commitId"] != second || e.Resources[0] != siteARN || e.Source != "aws.codecommit" || e.Account != account {
		t.Errorf("event %+v", e)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	w.must("/", "clone", "--quiet", remote, copied)
	if got, err := os.ReadFile(filepath.Join(copied, "big.txt")); err != nil || string(got) != big {
		t.Errorf("clone: %d bytes, %v", len(got), err)
	}
	src, err := w.service.Archive(t.Context(), w.root.Caller, region, "site", "main")
	if err != nil {
		t.Fatal(err)
	}
	if src.Commit != second || src.Author != "Ada" || src.AuthorDate != "2026-01-02T03:04:05Z" && src.AuthorDate != "2026-01-02T03:04:05+00:00" || src.Message != "second\n\nwith a body" {
		t.Errorf("source %s %s %s %q", src.Commit, src.Author, src.AuthorDate, src.Message)
	}
	z, err := zip.NewReader(bytes.NewReader(src.Zip), int64(len(src.Zip)))
	if err != nil || !slices.ContainsFunc(z.File, func(f *zip.File) bool { return f.Name == "sub/b.txt" }) {
		t.Errorf("zip: %v", err)
	}
	if _, err := w.service.Archive(t.Context(), w.root.Caller, region, "site", "nowhere"); code(err) != "BranchDoesNotExistException" {
		t.Errorf("unknown branch: %v", err)
	}
}

func TestFirstBranchBecomesTheDefault(t *testing.T) {
	w := newWorld(t)
	remote := w.remote(w.root.Caller)
	dir := w.work(map[string]string{"a": "1"})
	w.must(dir, "push", "--quiet", remote, "main:trunk")
	copied := filepath.Join(t.TempDir(), "copy")
	w.must("/", "clone", "--quiet", remote, copied)
	if got := w.must(copied, "branch", "--show-current"); got != "trunk" {
		t.Errorf("the clone is on %q", got)
	}
}

func TestRefusedPushMovesNothing(t *testing.T) {
	w := newWorld(t)
	remote := w.remote(w.root.Caller)
	dir := w.work(map[string]string{"a": "1"})
	w.must(dir, "push", "--quiet", remote, "main")
	w.must(dir, "commit", "--quiet", "--amend", "--message", "other")
	if out, err := w.git(dir, "push", remote, "main"); err == nil {
		t.Errorf("a push that is no fast-forward: %s", out)
	}
	if n := len(w.bus.names()); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestWhoMayPushAndPull(t *testing.T) {
	w := newWorld(t)
	dir := w.work(map[string]string{"a": "1"})
	w.must(dir, "push", "--quiet", w.remote(w.root.Caller), "main")
	for i, tt := range []struct {
		actions    string
		pull, push bool
	}{
		{`["codecommit:GitPull","codecommit:GitPush"]`, true, true},
		{`["codecommit:GitPull"]`, true, false},
		{`["codecommit:GitPush"]`, false, true},
		{`["s3:*"]`, false, false},
	} {
		doc, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":` + tt.actions + `,"Resource":"` + siteARN + `"}}`))
		if err != nil {
			t.Fatal(err)
		}
		cred, err := w.directory.AddUser(account, "user"+strconv.Itoa(i), doc)
		if err != nil {
			t.Fatal(err)
		}
		remote := w.remote(cred.Caller)
		if out, err := w.git(dir, "ls-remote", remote); (err == nil) != tt.pull {
			t.Errorf("%s pulls: %v %s", tt.actions, err, out)
		}
		if out, err := w.git(dir, "push", remote, "main:b"+cred.AccessKeyID); (err == nil) != tt.push {
			t.Errorf("%s pushes: %v %s", tt.actions, err, out)
		}
	}
}

func TestRequestsThatAreNotGit(t *testing.T) {
	w := newWorld(t)
	user, password := w.service.GitCredentials(w.root.Caller)
	for _, tt := range []struct {
		method, path, user, password string
		status                       int
	}{
		{"GET", "/v1/repos/site/info/refs?service=git-upload-pack", user, password, 200},
		{"GET", "/v1/repos/site/info/refs?service=git-upload-pack", "", "", 401},
		{"GET", "/v1/repos/site/info/refs?service=git-upload-pack", user, "wrong", 401},
		{"GET", "/v1/repos/site/info/refs?service=git-upload-pack", "nobody", "", 401},
		{"GET", "/v1/repos/other/info/refs?service=git-upload-pack", user, password, 403},
		{"GET", "/v1/repos/site/info/refs", user, password, 404}, // the dumb protocol
		{"GET", "/v1/repos/site/HEAD", user, password, 404},
		{"GET", "/v1/repos/site/config", user, password, 404},
		{"GET", "/v1/repos/..%2f..%2fetc/info/refs?service=git-upload-pack", user, password, 404},
		{"GET", "/v1/repos/../info/refs?service=git-upload-pack", user, password, 404},
		{"GET", "/v1/repos/%2e%2e/info/refs?service=git-upload-pack", user, password, 404},
		{"POST", "/v1/repos/site/git-upload-archive", user, password, 404},
		{"PUT", "/v1/repos/site/git-receive-pack", user, password, 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, w.url+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.user != "" {
			req.SetBasicAuth(tt.user, tt.password)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != tt.status {
			t.Errorf("%s %s as %q: %d, want %d", tt.method, tt.path, tt.user, res.StatusCode, tt.status)
		}
	}
}

func TestHooksDoNotRun(t *testing.T) {
	w := newWorld(t)
	trap := filepath.Join(t.TempDir(), "ran")
	matches, err := filepath.Glob(filepath.Join(w.service.Dir, account, region, "site.git"))
	if err != nil || len(matches) != 1 {
		t.Fatalf("%v %v", matches, err)
	}
	hooks := filepath.Join(matches[0], "hooks")
	if err := os.MkdirAll(hooks, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(hooks, "post-receive"), []byte("#!/bin/sh\ntouch "+trap+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir := w.work(map[string]string{"a": "1"})
	w.must(dir, "push", "--quiet", w.remote(w.root.Caller), "main")
	if _, err := os.Stat(trap); !os.IsNotExist(err) {
		t.Error("a hook ran")
	}
}

func TestRepositories(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct{ name, code string }{
		{"other", ""},
		{"site", "RepositoryNameExistsException"},
		{"..", "InvalidRepositoryNameException"},
		{"a/b", "InvalidRepositoryNameException"},
		{"a.git", "InvalidRepositoryNameException"},
		{"", "InvalidRepositoryNameException"},
	} {
		if _, err := w.service.Create(t.Context(), w.root.Caller, region, tt.name, ""); code(err) != tt.code {
			t.Errorf("create %q: %v, want %q", tt.name, err, tt.code)
		}
	}
	kind := w.service.ResourceTypes()[0]
	request := templates.Request{Caller: w.root.Caller, Account: account, Region: region, Properties: map[string]any{"RepositoryName": "third"}}
	r, err := kind.Create(t.Context(), request)
	if err != nil || r.Attributes["CloneUrlHttp"] != w.url+"/v1/repos/third" || r.Attributes["Name"] != "third" {
		t.Fatalf("%+v %v", r, err)
	}
	request.Properties["Code"] = map[string]any{}
	if _, err := kind.Create(t.Context(), request); code(err) != "NotEmulated" {
		t.Errorf("unknown property: %v", err)
	}
	if err := kind.Delete(context.Background(), templates.Existing{Caller: w.root.Caller, Resource: r}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Branch(t.Context(), w.root.Caller, region, "third", "main"); code(err) != "RepositoryDoesNotExistException" {
		t.Errorf("after delete: %v", err)
	}
}
