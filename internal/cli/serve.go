package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/unstale/unstale/internal/cli/story"
)

// serve delivers release 1, writes one environment file an account, and stays until interrupted.
func serve(ctx context.Context, stage *story.Stage, n story.Narrator, stdout io.Writer) error {
	files, err := stage.WriteEnvironment()
	if err != nil {
		return err
	}
	n.Release("1")
	if _, err := stage.Release(ctx, "1", nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, `
Both accounts are up. Buildspecs pushed here run with your rights on this machine.

  pipeline account   . %s
  delivery account   . %s

With one of them sourced:
  aws sts get-caller-identity
  aws codepipeline get-pipeline-state --name %s
  git clone "$UNSTALE_REPOSITORY"
  curl "$UNSTALE_SITE"
  chromium --proxy-server="$HTTPS_PROXY" --ignore-certificate-errors-spki-list="$UNSTALE_CA_SPKI" --user-data-dir="$(mktemp -d)" "$UNSTALE_SITE"

Ctrl-C ends it and leaves nothing behind.
`, filepath.ToSlash(files[story.PipelineAccount]), filepath.ToSlash(files[story.DeliveryAccount]), stage.Outputs["PipelineName"])
	if err != nil {
		return fmt.Errorf("print where the accounts are: %w", err)
	}
	<-ctx.Done()
	return nil
}
