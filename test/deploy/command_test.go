package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/cli"
	"github.com/unstale/unstale/internal/deploy"
)

// command is the program, run by one who has both accounts as profiles and nothing else.
type command struct {
	t *testing.T
	w *world
}

func newCommand(t *testing.T) command {
	t.Helper()
	w := newWorld(t)
	for name, value := range environment(t, w) {
		t.Setenv(name, value)
	}
	return command{t, w}
}

// environment is what such a person's shell has.
func environment(t *testing.T, w *world) map[string]string {
	t.Helper()
	var text strings.Builder
	for name, account := range map[string]string{"build": accountA, "site": accountB} {
		root := w.aws.Root(account)
		fmt.Fprintf(&text, "[profile %s]\nregion = %s\naws_access_key_id = %s\naws_secret_access_key = %s\n", name, region, root.AccessKeyID, root.SecretAccessKey)
	}
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": w.aws.URL(),
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
	}
}

// exits runs the program; it must end with a code and print every text.
func (c command) exits(code int, args string, texts ...string) string {
	c.t.Helper()
	var stdout, stderr bytes.Buffer
	got := cli.Main(c.t.Context(), strings.Fields(args), strings.NewReader(""), &stdout, &stderr)
	all := stdout.String() + stderr.String()
	if got != code {
		c.t.Fatalf("unstale %s: exit code %d, not %d\n%s", args, got, code, all)
	}
	for _, text := range texts {
		if !strings.Contains(all, text) {
			c.t.Errorf("unstale %s does not say %q\n%s", args, text, all)
		}
	}
	return all
}

const both = " --pipeline-profile build --delivery-profile site"

func TestCommand(t *testing.T) {
	c := newCommand(t)
	relay := "deploy relay --yes --param Architecture=" + architecture() + " --code " + c.w.lambdas + both
	c.exits(0, relay,
		"account 111111111111: make stack unstale-pipeline-base", "+ ArtifactsKey", "upload invalidator", "account 222222222222: make stack unstale-delivery-relay",
		"unstale-pipeline-relay  Pipeline CREATE_COMPLETE", "Done.", "push your site to http", "the site is at https://")
	c.exits(0, relay, "unstale-pipeline-base: no changes", "unstale-delivery-relay: no changes", "Done.")
	c.exits(0, relay+" --param Median=5s", "account 111111111111: change stack unstale-pipeline-relay", "~ JobFunction", "Environment")
	c.exits(2, relay+" --param Medium=5s", `has no parameter "Medium" to give; did you mean Median?`, "try: --param with one of Architecture, ")
	c.exits(2, relay+" --destroy --delete Site", "nothing that is kept has the name Site", "try: --destroy without --delete")
	c.exits(2, "deploy relay --destroy"+both, "stdin is no terminal", "try: --yes")
	c.exits(0, relay+" --destroy --delete SiteBucket --delete ArtifactsKey --delete PipelineRepository",
		"account 111111111111: delete stack unstale-pipeline-relay", "release SiteBucket", "Gone.", "for deletion in 30 days")
	if left := c.w.left(); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
	c.exits(0, relay+" --destroy", "There is nothing to delete. Looked for: stacks of the name unstale, of route relay or any other, in account 111111111111 (us-east-1) and account 222222222222 (us-east-1).")
}

func TestCommandForAPipelineOfOnesOwn(t *testing.T) {
	c := newCommand(t)
	states := "deploy states --yes --own-pipeline --name second" + both
	out := c.exits(0, states, "make stack second-pipeline-machine", "Add this action to your pipeline", `"StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:second-purge"`)
	_, action, _ := strings.Cut(out, "in the same stage:\n")
	if err := json.NewDecoder(strings.NewReader(action)).Decode(&map[string]any{}); err != nil {
		t.Errorf("the action is no JSON: %v\n%s", err, action)
	}
	c.exits(0, states+" --destroy", "= SiteBucket", "STAYS", "second-site-222222222222-us-east-1 stays", "until it is gone, its name is taken")
	c.exits(0, states+" --destroy", "There is nothing to delete", "222222222222: AWS::S3::Bucket second-site-222222222222-us-east-1 is there, left by an earlier stack; --delete SiteBucket deletes it")
	c.exits(1, states, "account 222222222222: stack second-delivery-states would make SiteBucket, but bucket second-site-222222222222-us-east-1 is there already",
		"try: another --name; or, if nobody needs what is in it, aws s3 rb --force s3://second-site-222222222222-us-east-1 --profile site\n")
	c.exits(2, "deploy state"+both, `there is no route "state"; did you mean states?`, "try: unstale deploy with one of assume, ")
	c.exits(0, states+" --destroy --delete SiteBucket", "account 222222222222: delete what an earlier stack left\n  - SiteBucket  AWS::S3::Bucket  second-site-", "delete bucket second-site-", "Gone.")
	c.exits(0, states, "Done.")
}

// What would fail half way is said before anything is made.
func TestCommandLooksAhead(t *testing.T) {
	c := newCommand(t)
	before := c.w.left()
	code := " --param Architecture=" + architecture() + " --code " + c.w.lambdas
	c.exits(2, "deploy direct --yes --own-pipeline --name second"+code+both, "stack second-delivery-direct: template delivery-direct needs a value for Ar")
	if left := c.w.left(); !slices.Equal(left, before) {
		t.Errorf("something was made:\n%s", strings.Join(left, "\n"))
	}
	c.exits(0, "deploy states --yes"+both, "Done.")
	c.exits(1, "deploy assume --yes"+code+both, "stack unstale-delivery-assume would make SiteBucket, but bucket unstale-site-222222222222-us-east-1 is there already: "+
		"stack unstale-delivery-states, of the same name by another route, is in use",
		"try: another --name; or the same command with --destroy --delete SiteBucket --delete PipelineRepository first, which deletes what is in them, too, and then this again\n")
	// That is a way out.
	c.exits(0, "deploy assume --yes"+code+both+" --destroy --delete SiteBucket --delete PipelineRepository", "release SiteBucket", "Gone.")
	c.exits(0, "deploy assume --yes"+code+both, "Done.")
}

// What is somebody else's, or not clear, is refused with what to do.
func TestCommandAsksWhatIsMeant(t *testing.T) {
	c := newCommand(t)
	destroy := "deploy relay --yes --destroy --delete " + bucketB + both
	c.w.byHand(accountB, bucketB)
	c.exits(2, destroy, "bucket "+bucketB+" was made by no stack",
		"try: --destroy without --delete of it; or, if nobody needs what is in it, aws s3 rb --force s3://"+bucketB+" --profile site\n")
	c.w.byStack(accountA, "marketing", "SiteBucket", bucketA)
	c.exits(2, strings.ReplaceAll(destroy, bucketB, bucketA), "stack-name is marketing", "try: --destroy without --delete of it; who made stack marketing decides about it\n")
	c.exits(0, "deploy relay --yes --destroy --name second"+both, "There is nothing to delete")
	for _, route := range []string{"deploy states --own-pipeline", "deploy same-account --param Architecture=" + architecture() + " --code " + c.w.lambdas} {
		route += " --yes --name third --pipeline-profile build"
		if strings.Contains(route, "states") {
			route += " --delivery-profile site"
		}
		c.exits(0, route, "Done.")
		c.exits(0, route+" --destroy", "Gone.")
	}
	third := "deploy states --yes --name third --destroy" + both
	c.exits(0, third, "--delete third-site-111111111111-us-east-1 deletes it", "--delete third-site-222222222222-us-east-1 deletes it", "--delete PipelineRepository deletes it")
	c.exits(2, third+" --delete SiteBucket", "SiteBucket may mean the bucket third-site-", "try: --delete with one of third-site-")
	c.exits(0, third+" --delete third-site-111111111111-us-east-1", "delete bucket third-site-111111111111-us-east-1", "--delete SiteBucket deletes it")
}

func TestCommandThatFails(t *testing.T) {
	c := newCommand(t)
	c.w.addRole(accountB, "unstale-purge")
	c.exits(1, "deploy states --yes"+both, "PurgeRole CREATE_FAILED", "unstale: account 222222222222: stack unstale-delivery-states is ROLLBACK_COMPLETE: PurgeRole: ", "try: the same command again")
	c.w.deleteRole(accountB, "unstale-purge")
	d := deploy.New(c.w.config(accountA), 1)
	if _, err := d.Create(t.Context(), deploy.Stack{Name: "other-pipeline-base", Template: []byte(`{"Resources":{"B":{"Type":"AWS::S3::Bucket"}}}`)}); err != nil {
		t.Fatal(err)
	}
	c.exits(1, "deploy states --yes --name other"+both, "was not made by unstale deploy", "try: another --name")
	c.exits(2, "deploy states --yes --name Bad_Name"+both, `--name "Bad_Name" is not`, "try: --name shop")
	c.exits(2, "deploy states --yes --pipeline-profile site --delivery-profile site", "both are of profile site", "try: --pipeline-profile and --delivery-profile of two accounts")
	c.exits(2, "deploy relay --yes --code nowhere"+both, "read --code nowhere: no such file", "try: --code with")
	c.exits(2, "deploy states --yes --delivery-profile nobody --pipeline-profile build", "read profile nobody", "try: aws configure list-profiles")
	c.exits(2, "deploy direct --yes --own-pipeline --code "+c.w.lambdas+both, "needs a value for ArtifactBucketArn", "try: --param ArtifactBucketArn=")
	c.exits(1, "deploy relay --yes --code "+t.TempDir()+both, "find the Lambda zips", "try: make lambdas, or --code")
	c.exits(0, "deploy states --yes --destroy"+both, "unstale-pipeline-base")
	c.exits(2, "deploy states --yes --param ExistingDistributionId=E0EXAMPLE"+both, "account 222222222222 has no distribution E0EXAMPLE",
		"try: --param ExistingDistributionId with one that is listed by aws cloudfront list-distributions --profile site\n")
}

// The AWS CLI's own deploy does the same with the same templates.
func TestAWSCommandLine(t *testing.T) {
	program, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("no aws on PATH: make setup installs the AWS CLI on Debian")
	}
	t.Parallel()
	env := os.Environ()
	for name, value := range environment(t, newWorld(t)) {
		if value != "" { // the CLI takes an empty region for one
			env = append(env, name+"="+value)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"code-bucket", "pipeline-callback"} {
		body, err := deploy.Template(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(fails bool, text, args string) {
		t.Helper()
		for again := true; again; {
			cmd := exec.CommandContext(t.Context(), program, append([]string{"--profile", "build", "--region", region, "cloudformation"}, strings.Fields(args)...)...)
			cmd.Dir, cmd.Env = dir, env
			out, err := cmd.CombinedOutput()
			// The CLI names a change set after the second, and here two deploys fit into one.
			again = err != nil && strings.Contains(string(out), "AlreadyExistsException") && strings.Contains(string(out), "awscli-cloudformation-package-deploy-")
			if !again && ((err != nil) != fails || !strings.Contains(string(out), text)) {
				t.Errorf("aws %q: %v, want %q\n%s", args, err, text, out)
			}
		}
	}
	// Stacks of one or two resources: the CLI looks at once, and then again after 30 s.
	bucket := "deploy --stack-name mine --template-file code-bucket "
	run(false, "Successfully created/updated stack - mine", bucket+"--parameter-overrides Name=first --tags team=web")
	run(false, "No changes to deploy. Stack mine is up to date", bucket+"--no-fail-on-empty-changeset --tags team=web")
	run(false, "Successfully created/updated stack - mine", bucket+"--parameter-overrides Name=second --tags team=web")
	run(false, "second-code-111111111111-us-east-1", "describe-stacks --stack-name mine --query Stacks[].Outputs[].OutputValue")
	run(true, "must be 2 to 20 small letters", bucket+"--parameter-overrides Name=X")
	run(false, "CAPABILITY_NAMED_IAM", "get-template-summary --template-body file://pipeline-callback")
	run(true, "Requires capabilities : [CAPABILITY_NAMED_IAM]", "deploy --stack-name other --template-file pipeline-callback --parameter-overrides DeliveryAccount="+accountB)
	run(false, "", "delete-stack --stack-name mine")
}
