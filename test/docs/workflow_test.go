package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
)

// pieces are a document's blocks of a language that have a text.
func pieces(t *testing.T, name, language, text string) string {
	t.Helper()
	blocks, err := Blocks(documents(t)[name])
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(blocks, func(b Block) bool { return b.Language == language && strings.Contains(b.Text, text) })
	if i < 0 {
		t.Fatalf("%s has no %s with %q", name, language, text)
	}
	return blocks[i].Text
}

// The guide's role for GitHub Actions may do what the guide's workflow does with the guide's targets file,
// and no statement of it is there for nothing.
func TestWorkflow(t *testing.T) {
	t.Parallel()
	const guide = "docs/guide.md"
	r := newReader(t, story.Options{}, [2]string{"build", "site"})
	if _, err := r.stage.Release(t.Context(), "1", nil); err != nil {
		t.Fatal(err)
	}
	outputs, dir := r.stage.Outputs, t.TempDir()
	const state = "ci-state-222222222222"
	r.run(dir, "aws --profile site s3 mb s3://"+state+" && aws --profile site s3 sync s3://"+outputs["SiteBucketName"]+" build/")
	mine := strings.NewReplacer("E2EXAMPLE", outputs["DistributionId"], "my-site-bucket", outputs["SiteBucketName"], "my-state-bucket", state).Replace
	file := strings.ReplaceAll(mine(pieces(t, guide, "yaml", "deletes: true")), "verify: [/, /about]", "verify: [/]")
	if err := os.WriteFile(filepath.Join(dir, "unstale.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	policy, err := iam.Parse([]byte(mine(pieces(t, guide, "json", `"Remember"`))))
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := readYAML(pieces(t, guide, "yaml", "role-to-assume"))
	if err != nil {
		t.Fatal(err)
	}
	script := ""
	for _, s := range scripts {
		if strings.HasPrefix(s, "aws s3 sync") || strings.HasPrefix(s, "unstale invalidate") {
			script += mine(s) + "\n"
		}
	}
	runner := func(name string, d iam.Document) *reader {
		keys, err := r.stage.World.Directory().AddUser(story.DeliveryAccount, name, d)
		if err != nil {
			t.Fatal(err)
		}
		env := append(slices.Clone(r.env), "AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey,
			"AWS_REGION="+story.Region, "AWS_DEFAULT_REGION="+story.Region, "GITHUB_RUN_ATTEMPT=1", "GITHUB_RUN_ID="+name)
		return &reader{t, r.stage, env}
	}
	if out := runner("first", policy).run(dir, script); !strings.Contains(out, "seen from") {
		t.Errorf("the first release of a workflow is not seen:\n%s", out)
	}
	if err := os.WriteFile(filepath.Join(dir, "build", "style.css"), []byte("/* new */"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Only what changed is purged, so what was released was remembered.
	out := runner("second", policy).run(dir, script+"unstale status --all --json")
	if !strings.Contains(out, "seen from") || !strings.Contains(out, `"/style.css"`) {
		t.Errorf("the second release is not seen, or purges something else:\n%s", out)
	}
	for i, s := range policy.Statements {
		less := iam.Document{Version: policy.Version, Statements: slices.Delete(slices.Clone(policy.Statements), i, i+1)}
		if err := os.WriteFile(filepath.Join(dir, "build", "style.css"), []byte("/* without "+s.Sid+" */"), 0o600); err != nil {
			t.Fatal(err)
		}
		runner("without-"+strings.ToLower(s.Sid), less).run(dir, "! {\n"+strings.ReplaceAll(strings.TrimSpace(script), "\n", " &&\n")+"\n}")
	}
}
