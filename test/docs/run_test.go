package docs

import (
	"archive/zip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/test/stage"
)

func TestMain(m *testing.M) { stage.Main(m) }

// reader is a person who types what a document says, on accounts of their own.
type reader struct {
	t     *testing.T
	stage *story.Stage
	env   []string
}

// newReader has accounts as o says; profiles are their names for the pipeline account and the delivery
// account.
func newReader(t *testing.T, o story.Options, profiles [2]string) *reader {
	t.Helper()
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Fatal("no aws on PATH: make setup installs the AWS CLI on Debian; elsewhere install it and run the tests again")
	}
	o.Route, o.Source, o.Median = "assume", static.Files, 200*time.Millisecond
	o.Lambdas, o.Packages = stage.Lambdas(t), stage.Packages(t)
	s, err := story.Set(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	home := t.TempDir()
	var config strings.Builder
	for i, account := range []string{story.PipelineAccount, story.DeliveryAccount} {
		keys := s.World.Root(account)
		fmt.Fprintf(&config, "[profile %s]\nregion = %s\nendpoint_url = %s\naws_access_key_id = %s\naws_secret_access_key = %s\n",
			profiles[i], story.Region, s.World.URL(), keys.AccessKeyID, keys.SecretAccessKey)
	}
	file := filepath.Join(home, "aws-config")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := s.World.POPs()[0].ProxyURL
	return &reader{t, s, []string{
		"PATH=" + wrapper(t) + ":" + filepath.Dir(aws) + ":" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + t.TempDir(),
		"AWS_PAGER=", "AWS_CONFIG_FILE=" + file, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true", stage.Impatient(t),
		"AWS_ENDPOINT_URL=" + s.World.URL(), "AWS_ENDPOINT_URL_STS=" + s.World.URL(),
		"HTTPS_PROXY=" + proxy, "https_proxy=" + proxy, "SSL_CERT_FILE=" + s.World.CAFile(), "CURL_CA_BUNDLE=" + s.World.CAFile(),
	}}
}

// program is a directory like that of a release archive: the program, and its Lambda zips beside it.
func program(t *testing.T) string {
	t.Helper()
	dir := filepath.Dir(stage.Program(t))
	if err := os.Symlink(stage.Lambdas(t), filepath.Join(dir, "lambda")); err != nil && !errors.Is(err, os.ErrExist) { // another test's
		t.Fatal(err)
	}
	return dir
}

// wrapper is a directory with the program, whose user agrees to everything and has this machine's processor.
func wrapper(t *testing.T) string {
	t.Helper()
	path, dir := filepath.Join(program(t), "unstale"), t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
test "$1" != deploy || set -- "$@" --yes --param Architecture=%s
exec %s "$@"
`, story.Architecture(), path)
	if err := os.WriteFile(filepath.Join(dir, "unstale"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	// Where one of these is missing, what is asked of it is not the matter here.
	for name, does := range map[string]string{"jq": "exec cat", "curl": "echo x-cache: there is no curl"} {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+does+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run types a script into a shell.
func (r *reader) run(dir, script string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, r.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("the commands fail: %v\n%s", err, out)
	}
	return string(out)
}

var assignment = regexp.MustCompile(`^([A-Z]+)=(\S+)$`)

// mine puts a reader's own values into a block that has nothing but such; done says whether it is one.
func mine(t *testing.T, block string, values map[string]string) (out string, done bool) {
	t.Helper()
	for line := range strings.Lines(block) {
		m := assignment.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			return block, false
		}
		value, ok := values[m[1]]
		if !ok {
			t.Errorf("nobody knows what %s is for a reader of this test", m[1])
		}
		out += m[1] + "=" + value + "\n"
	}
	return out, true
}

// script is all that a document has its reader type, in one session; or in several, of which each next one
// begins with the block that has the next text, and with the reader's own values.
func script(t *testing.T, name string, values map[string]string, next ...string) []string {
	t.Helper()
	blocks, err := Blocks(documents(t)[name])
	if err != nil {
		t.Fatal(err)
	}
	sessions, yours := []string{""}, ""
	for _, b := range blocks {
		if b.Language != "sh" {
			continue
		}
		own, is := mine(t, b.Text, values)
		if len(next) > 0 && strings.Contains(b.Text, next[0]) {
			sessions, next = append(sessions, yours), next[1:]
		}
		if is {
			yours += own
		}
		sessions[len(sessions)-1] += fmt.Sprintf("echo '=== %s, line %d' >&2\n%s\n", name, b.Line, own)
	}
	if sessions[0] == "" || len(next) > 0 {
		t.Fatalf("%s has no commands, or none of %q", name, next)
	}
	return sessions
}

// step is what a reader does by hand before the block of commands that has a text, given what was printed.
type step struct {
	before string
	does   func(r *reader, dir, printed string)
}

// What the documents for readers with a pipeline and a site of their own say is typed, from the first
// block to the last, into one shell each, on accounts in which a pipeline has delivered a release.
func TestDocuments(t *testing.T) {
	for name, d := range map[string]struct {
		steps []step
		says  []string
	}{
		"docs/guide.md": {
			[]step{{"unstale doctor --pipeline", addActions}, {" --destroy", releaseAndRemoveActions}},
			[]string{"Add this action to your pipeline", "all well", "Gone.", "Successfully created/updated stack - shop-ci", "/news.html"},
		},
		"docs/runbook.md":  {nil, []string{"all well", "x-cache:", "Succeeded", "history/"}},
		"docs/security.md": {nil, []string{"cloudfront:GetDistribution"}},
	} {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".md"), func(t *testing.T) {
			t.Parallel()
			r := newReader(t, story.Options{}, [2]string{"build", "site"})
			if _, err := r.stage.Release(t.Context(), "1", nil); err != nil {
				t.Fatal(err)
			}
			outputs, dir, out, before := r.stage.Outputs, t.TempDir(), "", []string{}
			for _, s := range d.steps {
				before = append(before, s.before)
			}
			for i, session := range script(t, name, map[string]string{
				"NAME": "unstale", "PIPELINE": outputs["PipelineName"], "DISTRIBUTION": outputs["DistributionId"], "BUCKET": outputs["SiteBucketName"],
				"STATE": "unstale-state-" + story.PipelineAccount + "-" + story.Region, "SITE": "https://" + outputs["DistributionDomain"],
			}, before...) {
				if i > 0 {
					d.steps[i-1].does(r, dir, out)
				}
				out += r.run(dir, session)
			}
			for _, text := range d.says {
				if !strings.Contains(out, text) {
					t.Errorf("nothing says %q:\n%s", text, out)
				}
			}
			if strings.Contains(out, "WARNING") {
				t.Errorf("something warns:\n%s", out)
			}
			if testing.Verbose() {
				t.Log(out)
			}
		})
	}
}

// TestReadmeDeploys types what the README says under "Deploy it to two AWS accounts", on two empty
// accounts; then a release has to reach viewers.
func TestReadmeDeploys(t *testing.T) {
	t.Parallel()
	r := newReader(t, story.Options{Empty: true}, [2]string{"a", "b"})
	blocks, err := Blocks(documents(t)["README.md"])
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for _, b := range blocks {
		if b.Language == "sh" && strings.Contains(b.Text, "create-stack") {
			script := strings.NewReplacer("ARCH=arm64 ", "ARCH="+story.Architecture()+" ", "make lambdas\n", "", "dist/lambda", stage.Lambdas(t)).Replace(b.Text)
			out += r.run(root, script)
		}
	}
	for _, name := range []string{"RepositoryCloneUrl", "DistributionDomain"} {
		_, rest, found := strings.Cut(out, name+"=")
		if !found {
			t.Fatalf("the commands print no %s:\n%s", name, out)
		}
		r.stage.Outputs[name], _, _ = strings.Cut(rest, "\n")
	}
	r.stage.Outputs["PipelineName"] = "unstale"
	if report, err := r.stage.Run(t.Context(), story.Narrator{}); err != nil {
		t.Errorf("a release on what the README deployed: %v\n%+v", err, report.Pipeline)
	}
}

// archive packs a directory into a zip.
func archive(t *testing.T, name, dir string) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(file)
	if err := errors.Join(z.AddFS(os.DirFS(dir)), z.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// The README's other commands run as well: all that rehearse and plan, but for those that go on for ever and
// those of make, which other tests are about.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	r := newReader(t, story.Options{}, [2]string{"a", "b"})
	if _, err := r.stage.Release(t.Context(), "1", nil); err != nil {
		t.Fatal(err)
	}
	dir, outputs := t.TempDir(), r.stage.Outputs
	r.run(dir, fmt.Sprintf(`mkdir bin && ln -s "$(command -v unstale)" bin/unstale
aws --profile b s3 sync s3://%s/ build/
aws --profile b cloudfront get-distribution-config --id %s > config.json`, outputs["SiteBucketName"], outputs["DistributionId"]))
	archive(t, filepath.Join(dir, "last.zip"), filepath.Join(dir, "build"))
	blocks, err := Blocks(documents(t)["README.md"])
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, b := range blocks {
		for line := range strings.Lines(b.Text) {
			if b.Language != "sh" || !strings.HasPrefix(line, "bin/unstale ") || strings.Contains(line, "--serve") {
				continue
			}
			ran++
			if strings.Contains(line, "--break") && !strings.Contains(line, "--break help") {
				line = "! " + line // a rehearsed mistake fails, as it has to
			}
			r.run(dir, line)
		}
	}
	if ran < 5 {
		t.Errorf("the README has %d commands only", ran)
	}
}
