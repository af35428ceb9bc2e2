// Package codebuild is the rehearsal's CodeBuild: it really runs buildspec.yml, with /bin/sh, in a
// private directory and a scrubbed environment, as the project's service role.
//
// Builds run with the rights of the person who started the rehearsal: nothing contains them but
// the missing environment. That is said where a rehearsal is served to others.
package codebuild

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/logs"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what CodeBuild clients sign with; Principal assumes the service roles.
const (
	SigningName = "codebuild"
	Principal   = "codebuild.amazonaws.com"
)

// Sessions is what builds need of STS.
type Sessions interface {
	Assume(context.Context, accounts.Caller, sts.Input) (accounts.Credentials, error)
}

// Logs is what builds need of CloudWatch Logs.
type Logs interface {
	CreateGroup(c accounts.Caller, p logs.Place, name string) error
	CreateStream(c accounts.Caller, p logs.Place, group, name string) error
	Put(c accounts.Caller, p logs.Place, group, name string, events []logs.Event) error
}

// Deps are what the service works with.
type Deps struct {
	Directory *accounts.Directory
	Clock     *clock.Clock
	Journal   *journal.Journal
	Sessions  Sessions
	Store     artifact.Store
	Logs      Logs
	Dir       string        // private directory for builds; it must exist
	URL       func() string // the rehearsal's endpoint, given to builds as AWS_ENDPOINT_URL
	Options
}

// Options are a rehearsal's choices about builds.
type Options struct {
	// Host is the environment of this machine, as os.Environ gives it. Builds see of it: PATH, what
	// reaching a package registry takes (proxy and CA variables) and npm_config_*.
	Host []string
	// CacheDir keeps npm's downloads between builds, as CodeBuild's local cache may; empty: no cache.
	CacheDir string
	// Output shows builds' output as it comes, each line with its build; nil shows nothing.
	Output io.Writer
}

// Service is the build projects of all accounts. Make it with New, end it with Close.
type Service struct {
	Deps
	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex
	projects map[string]*project // by ARN
	builds   map[string]*build   // by ID
}

// New makes a service without projects.
func New(d Deps) *Service {
	ctx, stop := context.WithCancel(context.Background())
	return &Service{Deps: d, ctx: ctx, stop: stop, projects: map[string]*project{}, builds: map[string]*build{}}
}

// Close kills the builds under way, with everything they started, and waits for that.
func (s *Service) Close() error {
	s.mu.Lock()
	s.stop() // under the lock: no build starts from here on
	s.mu.Unlock()
	s.work.Wait()
	return nil
}

// StartInput is a build that a pipeline asks for.
type StartInput struct {
	Project   string // name, in the caller's account
	Initiator string // "codepipeline/NAME"
	Source    artifact.Location
	Revision  string             // of the source, for CODEBUILD_RESOLVED_SOURCE_VERSION
	Output    *artifact.Location // nil: the build makes no artifact
	KMSKey    string             // encrypts the artifact: the pipeline's key
	Variables map[string]string  // set over the buildspec's and the project's
}

// Start begins a build as the caller. Wait tells its end.
func (s *Service) Start(_ context.Context, caller accounts.Caller, region string, in StartInput) (Build, error) {
	arn := projectARN(region, caller.Account, in.Project)
	if err := s.Directory.Authorize(accounts.Check{Caller: caller, Action: "codebuild:StartBuild", Resource: arn}); err != nil {
		return Build{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.projects[arn]
	if p == nil {
		return Build{}, noProject(arn)
	}
	if s.ctx.Err() != nil {
		return Build{}, fmt.Errorf("start a build of %s: the rehearsal is closing", in.Project)
	}
	p.builds++
	id := random.UUID()
	ctx, cancel := context.WithCancelCause(s.ctx)
	b := &build{
		Build: Build{
			ID: p.Name + ":" + id, ARN: buildARN(region, caller.Account, p.Name+":"+id), Number: p.builds, Project: p.Name,
			Status: StatusInProgress, Initiator: in.Initiator, Start: s.Clock.Now(), Stream: id, Group: p.logGroup(), Role: p.ServiceRole,
			Phase: "SUBMITTED",
		},
		project: *p, input: in, place: logs.Place{Account: caller.Account, Region: region},
		cancel: cancel, done: make(chan struct{}),
	}
	s.builds[b.ID] = b
	busy := s.Clock.Busy()
	s.work.Go(func() {
		defer busy()
		defer close(b.done)
		s.perform(ctx, b)
	})
	return b.Build, nil
}

// Wait returns when the build has ended, asking for its state as the caller. When ctx ends first, the
// build is stopped as the caller and killed.
func (s *Service) Wait(ctx context.Context, caller accounts.Caller, id string) (Build, error) {
	b, err := s.find(caller, "codebuild:BatchGetBuilds", id)
	if err != nil {
		return Build{}, err
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		if _, err := s.find(caller, "codebuild:StopBuild", id); err != nil {
			return Build{}, err
		}
		b.cancel(errStopped)
		<-b.done
	}
	return s.snapshot(b), nil
}

func (s *Service) find(caller accounts.Caller, action, id string) (*build, error) {
	s.mu.Lock()
	b := s.builds[id]
	s.mu.Unlock()
	if b == nil {
		return nil, wire.Errorf(400, "ResourceNotFoundException", "Build %s does not exist", id)
	}
	arn := projectARN(b.place.Region, b.place.Account, b.Project)
	return b, s.Directory.Authorize(accounts.Check{Caller: caller, Action: action, Resource: arn})
}

func (s *Service) snapshot(b *build) Build {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := b.Build
	out.Phases = slices.Clone(b.Phases)
	return out
}

// environment is what a build's processes see, sorted.
func (s *Service) environment(b *build, cred accounts.Credentials, home, src string, own map[string]string) []string {
	env := map[string]string{}
	for _, kv := range s.Host {
		if k, v, _ := strings.Cut(kv, "="); passed(k) {
			env[k] = v
		}
	}
	env["HOME"], env["TMPDIR"], env["LANG"] = home, home, "C.UTF-8"
	if s.CacheDir != "" {
		env["npm_config_cache"] = s.CacheDir
	}
	for k, v := range own {
		env[k] = v
	}
	// CodeBuild serves the role's credentials at a container endpoint; here they are plain variables.
	env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = cred.AccessKeyID, cred.SecretAccessKey
	env["AWS_SESSION_TOKEN"], env["AWS_ENDPOINT_URL"] = cred.SessionToken, s.URL()
	env["AWS_REGION"], env["AWS_DEFAULT_REGION"] = b.place.Region, b.place.Region
	env["CODEBUILD_CI"], env["CODEBUILD_BUILD_ID"], env["CODEBUILD_BUILD_ARN"] = "true", b.ID, b.ARN
	env["CODEBUILD_BUILD_NUMBER"], env["CODEBUILD_INITIATOR"] = fmt.Sprint(b.Number), b.Initiator
	env["CODEBUILD_SRC_DIR"], env["CODEBUILD_START_TIME"] = src, fmt.Sprint(b.Start.UnixMilli())
	env["CODEBUILD_SOURCE_VERSION"] = b.input.Source.ARN()
	env["CODEBUILD_RESOLVED_SOURCE_VERSION"] = b.input.Revision
	env["CODEBUILD_BUILD_IMAGE"], env["CODEBUILD_BUILD_SUCCEEDING"] = b.project.Environment.Image, "1"
	var out []string
	for k, v := range env {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

// passed says which variables of this machine a build needs: to find programs, and to reach the
// package registry through whatever proxy and certificates this machine uses.
func passed(name string) bool {
	switch strings.ToUpper(name) {
	case "PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS":
		return true
	}
	return strings.HasPrefix(strings.ToLower(name), "npm_config_")
}

func (s *Service) tempDir() (string, error) {
	dir, err := os.MkdirTemp(s.Dir, "build-")
	if err != nil {
		return "", fmt.Errorf("make the build's directory: %w", err)
	}
	return dir, nil
}
