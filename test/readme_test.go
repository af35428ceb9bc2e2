package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/story"
)

// TestReadmeDeploys types what the README says under "Deploy it to two AWS accounts" into a shell, with
// the AWS CLI, on two empty accounts; then a release has to reach viewers.
func TestReadmeDeploys(t *testing.T) {
	t.Parallel()
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Fatal("the AWS CLI is missing; make setup installs it")
	}
	stage := empty(t)
	script := block(t, "../README.md", "create-stack")
	script = strings.Replace(script, "ARCH=arm64 ", "ARCH="+story.Architecture()+" ", 1)
	home := t.TempDir()
	var config strings.Builder
	for profile, account := range map[string]string{"a": story.PipelineAccount, "b": story.DeliveryAccount} {
		root := stage.World.Root(account)
		fmt.Fprintf(&config, "[profile %s]\nregion = %s\nendpoint_url = %s\naws_access_key_id = %s\naws_secret_access_key = %s\n",
			profile, story.Region, stage.World.URL(), root.AccessKeyID, root.SecretAccessKey)
	}
	if err := os.WriteFile(filepath.Join(home, "config"), []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euc", script)
	cmd.Dir = ".."
	cmd.Env = []string{
		"PATH=" + filepath.Dir(aws) + ":" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "AWS_PAGER=",
		"AWS_CONFIG_FILE=" + filepath.Join(home, "config"), "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the README's commands fail: %v\n%s", err, out)
	}
	for _, name := range []string{"RepositoryCloneUrl", "DistributionDomain"} {
		_, rest, ok := strings.Cut(string(out), name+"=")
		if !ok {
			t.Fatalf("the commands print no %s:\n%s", name, out)
		}
		stage.Outputs[name], _, _ = strings.Cut(rest, "\n")
	}
	stage.Outputs["PipelineName"] = "unstale"
	report, err := stage.Run(t.Context(), story.Narrator{})
	if err != nil {
		t.Errorf("a release on what the README deployed: %v\n%+v", err, report.Pipeline)
	}
}

// block is the shell block of a document that holds a word.
func block(t *testing.T, file, word string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "```sh\n")[1:] {
		if code, _, _ := strings.Cut(part, "```"); strings.Contains(code, word) {
			return code
		}
	}
	t.Fatalf("%s has no shell block with %q", file, word)
	return ""
}

// empty is two accounts with nothing in them.
func empty(t *testing.T) *story.Stage {
	t.Helper()
	stage, err := story.Set(t.Context(), story.Options{Route: "assume", Source: static.Files, Empty: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stage.Close(); err != nil {
			t.Error(err)
		}
	})
	return stage
}
