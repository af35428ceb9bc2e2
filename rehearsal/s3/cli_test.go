package s3_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unstale/unstale/rehearsal/accounts"
)

// TestTheCommandLine drives the real AWS CLI, which people use on a rehearsal that is being served.
// That the wire format is right is shown by the SDK's tests, which always run.
func TestTheCommandLine(t *testing.T) {
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Fatal("the AWS CLI is missing; make setup installs it")
	}
	w := newWorld(t)
	dir := t.TempDir()
	run := func(c accounts.Credentials, want string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Dir = dir
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AWS_ENDPOINT_URL=" + w.URL, "AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
			"AWS_ACCESS_KEY_ID=" + c.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey, "AWS_SESSION_TOKEN=" + c.SessionToken,
			"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "PYENV_VERSION=" + os.Getenv("PYENV_VERSION"), "PYENV_ROOT=" + os.Getenv("PYENV_ROOT"),
		}
		out, err := cmd.CombinedOutput()
		if (err != nil) != strings.HasPrefix(want, "!") || !strings.Contains(string(out), strings.TrimPrefix(want, "!")) {
			t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	for name, text := range map[string]string{"site/index.html": "<html>", "site/assets/a+b c.js": "1", "big": strings.Repeat("x", 9<<20)} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root := w.Root(accountB)
	run(root, "make_bucket", "s3", "mb", "s3://site-b")
	run(root, "upload", "s3", "sync", "site", "s3://site-b", "--cache-control", "no-cache", "--delete")
	if out := run(root, "", "s3", "sync", "site", "s3://site-b", "--size-only"); out != "" {
		t.Errorf("nothing changed, yet: %s", out)
	}
	run(root, "assets/a+b c.js", "s3", "ls", "s3://site-b", "--recursive")
	run(root, "upload", "s3", "cp", "big", "s3://site-b/big") // in parts
	run(root, "copy", "s3", "cp", "s3://site-b/big", "s3://site-b/copy")
	run(root, "download", "s3", "cp", "s3://site-b/copy", "back")
	if back, err := os.ReadFile(filepath.Join(dir, "back")); err != nil || len(back) != 9<<20 {
		t.Errorf("downloaded %d bytes, %v", len(back), err)
	}
	run(root, `"CacheControl": "no-cache"`, "s3api", "head-object", "--bucket", "site-b", "--key", "index.html")
	run(w.Role(accountA, "stranger", readSite), "!because no resource-based policy allows the s3:GetObject action",
		"s3api", "get-object", "--bucket", "site-b", "--key", "index.html", "got")
	run(root, "delete", "s3", "rm", "s3://site-b", "--recursive")
	run(root, "remove_bucket", "s3", "rb", "s3://site-b")
}
