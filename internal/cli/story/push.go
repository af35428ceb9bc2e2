package story

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Push commits the site with a release of its own and pushes it to the pipeline account's
// repository. The first push makes the repository's history.
func (s *Stage) Push(ctx context.Context, release string) error {
	work := filepath.Join(s.dir, "work")
	if s.releases == 0 {
		if err := copyTree(work, s.options.Source); err != nil {
			return fmt.Errorf("copy the site's source: %w", err)
		}
		if err := s.git(ctx, work, "init", "--quiet", "--initial-branch=main"); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(work, "RELEASE"), []byte(release+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the release: %w", err)
	}
	for _, args := range [][]string{
		{"add", "--all"},
		{"commit", "--quiet", "--message", "Release " + release},
		{"push", "--quiet", s.Outputs["RepositoryCloneUrl"], "main"},
	} {
		if err := s.git(ctx, work, args...); err != nil {
			return err
		}
	}
	s.releases++
	return nil
}

// git runs git with nothing of this machine's user: no configuration, no hooks, no credential store.
// The password goes by environment, where other users cannot see it.
func (s *Stage) git(ctx context.Context, dir string, args ...string) error {
	user, password := s.World.GitCredentials(PipelineAccount)
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Developer", "GIT_AUTHOR_EMAIL=developer@example.com",
		"GIT_COMMITTER_NAME=Developer", "GIT_COMMITTER_EMAIL=developer@example.com",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0=" + os.DevNull,
		"GIT_CONFIG_KEY_1=http.extraHeader",
		"GIT_CONFIG_VALUE_1=Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is told to this program, which ends git
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

func copyTree(to string, from fs.FS) error {
	return fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "node_modules" || d.Name() == "dist" || d.Name() == ".git" {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, path), 0o700)
		}
		content, err := fs.ReadFile(from, path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), content, 0o600)
	})
}
