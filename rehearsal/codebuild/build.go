package codebuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/logs"
	"github.com/unstale/unstale/rehearsal/sts"
)

// The states of a build. Source: CodeBuild API Reference, Build (H).
const (
	StatusInProgress = "IN_PROGRESS"
	StatusSucceeded  = "SUCCEEDED"
	StatusFailed     = "FAILED"
	StatusStopped    = "STOPPED"
	StatusTimedOut   = "TIMED_OUT"
)

// Build is one run of a project. It is told to the journal when it starts and ends (Name
// "BuildStateChange").
type Build struct {
	ID, ARN       string
	Number        int
	Project       string
	Status        string
	Phase         string // the current or last one
	Phases        []PhaseResult
	Initiator     string
	Role          string // service role's ARN
	Start, End    time.Time
	Group, Stream string // of the log
	Message       string // why it failed
}

// PhaseResult is how a phase ended.
type PhaseResult struct {
	Name, Status, Message string
	Start, End            time.Time
}

type build struct {
	Build
	project project
	input   StartInput
	place   logs.Place
	cancel  context.CancelCauseFunc
	done    chan struct{}
}

var (
	errStopped = errors.New("the build was stopped")
	errTimeout = errors.New("the build ran longer than its timeout")
)

// perform runs the build to its end and records that.
func (s *Service) perform(ctx context.Context, b *build) {
	s.tell(b)
	// A build is real work, so its timeout counts wall time.
	ctx, cancel := context.WithTimeoutCause(ctx, b.project.timeout(), errTimeout)
	defer cancel()
	err := s.phases(ctx, b)
	s.mu.Lock()
	b.Status, b.End = StatusSucceeded, s.Clock.Now()
	if err != nil {
		b.Status, b.Message = StatusFailed, err.Error()
		switch {
		case errors.Is(context.Cause(ctx), errTimeout):
			b.Status = StatusTimedOut
		case ctx.Err() != nil:
			b.Status = StatusStopped
		}
	} else {
		b.Phase = "COMPLETED"
	}
	s.mu.Unlock()
	s.tell(b)
}

func (s *Service) tell(b *build) {
	s.Journal.Tell(journal.Event{Time: s.Clock.Now(), Source: "codebuild", Name: "BuildStateChange", Data: s.snapshot(b)})
}

// step runs one phase that CodeBuild itself does and records how it ended.
func (s *Service) step(b *build, name string, do func() error) error {
	start := s.Clock.Now()
	s.mu.Lock()
	b.Phase = name
	s.mu.Unlock()
	err := do()
	s.record(b, name, start, err)
	return err
}

func (s *Service) record(b *build, name string, start time.Time, err error) {
	r := PhaseResult{Name: name, Status: StatusSucceeded, Start: start, End: s.Clock.Now()}
	if err != nil {
		r.Status, r.Message = StatusFailed, err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.Phase = name
	b.Phases = append(b.Phases, r)
}

func (s *Service) phases(ctx context.Context, b *build) (err error) {
	dir, err := s.tempDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	src, home := filepath.Join(dir, "src"), filepath.Join(dir, "home")
	for _, d := range []string{src, home, filepath.Join(dir, "script")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return fmt.Errorf("make the build's directories: %w", err)
		}
	}
	var cred accounts.Credentials
	log := &buildLog{service: s, build: b}
	defer log.flush()
	err = s.step(b, "PROVISIONING", func() error {
		if cred, err = s.assume(ctx, b); err != nil {
			return err
		}
		return log.open(cred.Caller)
	})
	if err != nil {
		return err
	}
	var spec Buildspec
	err = s.step(b, "DOWNLOAD_SOURCE", func() error {
		spec, err = s.download(ctx, b, cred.Caller, src)
		return err
	})
	if err != nil {
		log.say("%v", err)
		return err
	}
	if err := s.run(ctx, b, spec, cred, dir, log); err != nil {
		return err
	}
	return s.step(b, "UPLOAD_ARTIFACTS", func() error { return s.upload(ctx, b, spec, cred.Caller, src, log) })
}

func (s *Service) assume(ctx context.Context, b *build) (accounts.Credentials, error) {
	service := accounts.ServiceCaller(Principal, b.place.Account, projectARN(b.place.Region, b.place.Account, b.Project))
	cred, err := s.Sessions.Assume(ctx, service, sts.Input{RoleARN: b.Role, SessionName: "AWSCodeBuild-" + b.Stream})
	if err != nil {
		return cred, fmt.Errorf("CodeBuild is not authorized to perform: sts:AssumeRole on %s: %w", b.Role, err)
	}
	return cred, nil
}

func (s *Service) download(ctx context.Context, b *build, caller accounts.Caller, src string) (Buildspec, error) {
	raw, err := s.Store.Fetch(ctx, caller, b.input.Source)
	if err != nil {
		return Buildspec{}, fmt.Errorf("download the source %s: %w", b.input.Source.ARN(), err)
	}
	if err := unpack(raw, src); err != nil {
		return Buildspec{}, err
	}
	text, err := os.ReadFile(filepath.Join(src, "buildspec.yml"))
	if err != nil {
		return Buildspec{}, fmt.Errorf("YAML_FILE_ERROR: read buildspec.yml in the source: %w", errors.Unwrap(err))
	}
	spec, err := ParseBuildspec(text)
	if errors.As(err, &notEmulated{}) {
		return spec, fmt.Errorf("NotEmulated: %w", err)
	}
	if err != nil {
		return spec, fmt.Errorf("YAML_FILE_ERROR: %w", err)
	}
	return spec, nil
}

func (s *Service) upload(ctx context.Context, b *build, spec Buildspec, caller accounts.Caller, src string, log *buildLog) error {
	if b.input.Output == nil {
		return nil
	}
	if len(spec.Files) == 0 {
		return fmt.Errorf("CLIENT_ERROR: the pipeline expects an artifact and buildspec.yml names no files")
	}
	body, err := pack(src, spec.BaseDir, spec.Files)
	if err != nil {
		return fmt.Errorf("CLIENT_ERROR: %w", err)
	}
	log.say("Uploading the artifact, %d bytes", len(body))
	err = s.Store.Keep(ctx, caller, artifact.Object{
		Location: *b.input.Output, Body: body, ContentType: "application/zip", KMSKey: b.input.KMSKey,
	})
	if err != nil {
		return fmt.Errorf("CLIENT_ERROR: upload the artifact to %s: %w", b.input.Output.ARN(), err)
	}
	return nil
}
