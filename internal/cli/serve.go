package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unstale/unstale/internal/cli/story"
)

// serve delivers release 1, writes one environment file an account, and stays until interrupted.
func serve(ctx context.Context, f rehearseFlags, stage *story.Stage, n story.Narrator, stdout io.Writer) error {
	files, err := stage.WriteEnvironment()
	if err != nil {
		return err
	}
	n.Release("1")
	switch err := stage.First(ctx, n); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && !errors.Is(err, story.ErrStale): // a pipeline that failed can be looked at, and mended
		return err
	}
	up, sources := "The account is up.", ""
	for _, account := range slices.Sorted(maps.Keys(files)) {
		owner := "pipeline account"
		if account == story.DeliveryAccount {
			up, owner = "Both accounts are up.", "delivery account"
		}
		sources += fmt.Sprintf("  %s   . %s\n", owner, filepath.ToSlash(files[account]))
	}
	_, err = fmt.Fprintf(stdout, `
%s Buildspecs pushed here run with your rights on this machine.

%s
With one of them sourced:
  aws sts get-caller-identity
  aws codepipeline get-pipeline-state --name %s
  git clone "$UNSTALE_REPOSITORY"
  curl "$UNSTALE_SITE"
  chromium --proxy-server="$HTTPS_PROXY" --ignore-certificate-errors-spki-list="$UNSTALE_CA_SPKI" --user-data-dir="$(mktemp -d)" "$UNSTALE_SITE"
%s

Ctrl-C ends it and leaves nothing behind.
`, up, sources, stage.Outputs["PipelineName"], strings.Join(ownCommands(f, len(files) > 1), "\n"))
	if err != nil {
		return fmt.Errorf("print where the accounts are: %w", err)
	}
	<-ctx.Done()
	return nil
}

// ownCommands are command lines of this program that work in the rehearsal, whichever file was sourced:
// both have a profile for each account.
func ownCommands(f rehearseFlags, two bool) []string {
	both, site, zips := "--pipeline-profile pipeline", "--profile pipeline", ""
	if two {
		both, site = both+" --delivery-profile delivery", "--profile delivery"
	}
	if dir, err := filepath.Abs(f.lambdas); f.lambdas != "" && err == nil {
		zips = " --lambdas " + quoted(dir)
	}
	at := site + ` --distribution "$UNSTALE_DISTRIBUTION"`
	var lines []string
	for _, line := range []string{
		"doctor " + both + zips,
		"invalidate " + at + " --dry-run '/*'",
		"invalidate " + at + " '/index.html'",
		"status " + at,
	} {
		lines = append(lines, "  "+program()+" "+line)
	}
	return lines
}

// program is how another shell calls this program.
func program() string {
	const name = "unstale"
	self, err := os.Executable()
	if err != nil {
		return name
	}
	if found, err := exec.LookPath(name); err == nil && sameFile(found, self) {
		return name
	}
	return quoted(self)
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	path = filepath.ToSlash(path)
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@:") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
