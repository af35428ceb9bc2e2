package codecommit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Source is one commit of a branch, as the pipeline's source action takes it.
type Source struct {
	Commit     string // 40 hex digits
	Author     string // name
	AuthorDate string // RFC 3339
	Message    string // first line and body
	Zip        []byte // the commit's files
}

// Archive takes a branch's tip as the caller does who needs it for a pipeline. Source of the actions:
// CodePipeline User Guide, service role permissions for CodeCommit (H).
func (s *Service) Archive(ctx context.Context, caller accounts.Caller, region, name, branch string) (Source, error) {
	r, err := s.find(caller, region, name, "GetBranch", "GetCommit", "UploadArchive", "GetUploadArchiveStatus")
	if err != nil {
		return Source{}, err
	}
	commit, err := s.tip(ctx, r, branch)
	if err != nil {
		return Source{}, err
	}
	about, err := s.run(ctx, r.dir, "show", "--no-patch", "--format=%an%x00%aI%x00%B", commit)
	if err != nil {
		return Source{}, fmt.Errorf("read commit %s of %s: %w", commit, name, err)
	}
	fields := strings.SplitN(string(about), "\x00", 3)
	if len(fields) != 3 {
		return Source{}, fmt.Errorf("read commit %s of %s: git show says %q", commit, name, about)
	}
	zip, err := s.run(ctx, r.dir, "archive", "--format=zip", commit)
	if err != nil {
		return Source{}, fmt.Errorf("archive commit %s of %s: %w", commit, name, err)
	}
	return Source{Commit: commit, Author: fields[0], AuthorDate: fields[1], Message: strings.TrimSpace(fields[2]), Zip: zip}, nil
}

// Branch is the commit at the tip of a branch.
func (s *Service) Branch(ctx context.Context, caller accounts.Caller, region, name, branch string) (string, error) {
	r, err := s.find(caller, region, name, "GetBranch")
	if err != nil {
		return "", err
	}
	return s.tip(ctx, r, branch)
}

func (s *Service) tip(ctx context.Context, r *repository, branch string) (string, error) {
	refs, err := s.refs(ctx, r)
	if err != nil {
		return "", err
	}
	commit := refs["refs/heads/"+branch]
	if commit == "" {
		return "", wire.Errorf(400, "BranchDoesNotExistException", "Branch %s does not exist in the repository %s", branch, r.Name)
	}
	return commit, nil
}

// refs lists branches and tags with the objects they name.
func (s *Service) refs(ctx context.Context, r *repository) (map[string]string, error) {
	out, err := s.run(ctx, r.dir, "for-each-ref", "--format=%(objectname) %(refname)")
	if err != nil {
		return nil, fmt.Errorf("list the references of %s: %w", r.Name, err)
	}
	refs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if id, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			refs[name] = id
		}
	}
	return refs, nil
}

// command is git with nothing of this machine in it: no system or user configuration, no hooks, no
// housekeeping that outlives the command, no variables but these.
func (s *Service) command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	fixed := []string{"-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never", "-c", "gc.auto=0", "-c", "receive.autogc=false"}
	if dir != "" {
		fixed = append(fixed, "--git-dir", dir)
	}
	cmd := exec.CommandContext(ctx, s.git, append(fixed, args...)...)
	cmd.Dir = s.Dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(s.Dir, "home"), "LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
	}
	return cmd
}

func (s *Service) run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := s.command(ctx, dir, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return out.Bytes(), nil
}
