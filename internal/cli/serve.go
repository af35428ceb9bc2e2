package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"github.com/unstale/unstale/internal/cli/story"
)

// serve delivers release 1, writes one environment file an account, and stays until interrupted.
func serve(ctx context.Context, stage *story.Stage, n story.Narrator, stdout io.Writer) error {
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

Ctrl-C ends it and leaves nothing behind.
`, up, sources, stage.Outputs["PipelineName"])
	if err != nil {
		return fmt.Errorf("print where the accounts are: %w", err)
	}
	<-ctx.Done()
	return nil
}
