package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/test/stage"
)

// TestAWSCommandLine walks an operator with the AWS CLI through both accounts: a user of A takes on a
// role of B, purges with it, and invokes B's function once B permits it.
func TestAWSCommandLine(t *testing.T) {
	t.Parallel()
	stage := set(t, story.Options{Source: static.Files})
	if _, err := stage.Release(t.Context(), "1", nil); err != nil {
		t.Fatal(err)
	}
	rootA, rootB := stage.World.Root(story.PipelineAccount), stage.World.Root(story.DeliveryAccount)
	operator := addUser(t, stage)
	distribution, function := stage.Outputs["DistributionId"], stage.Outputs["InvalidatorArn"]

	// B makes a role that A's operator may take on, for this one distribution.
	const role = "arn:aws:iam::222222222222:role/operator"
	awsCLI(t, stage, rootB, "", "iam", "create-role", "--role-name", "operator", "--assume-role-policy-document",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}}`)
	awsCLI(t, stage, operator, "AccessDenied", "cloudfront", "list-invalidations", "--distribution-id", distribution)
	awsCLI(t, stage, rootB, "", "iam", "put-role-policy", "--role-name", "operator", "--policy-name", "purge", "--policy-document",
		fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["cloudfront:CreateInvalidation","cloudfront:GetInvalidation"],`+
			`"Resource":"arn:aws:cloudfront::222222222222:distribution/%s"}}`, distribution))
	session := assume(t, stage, operator, role)

	out := awsCLI(t, stage, session, "", "cloudfront", "create-invalidation", "--distribution-id", distribution, "--paths", "/index.html")
	var created struct{ Invalidation struct{ Id, Status string } }
	if err := json.Unmarshal(out, &created); err != nil || created.Invalidation.Status != "InProgress" {
		t.Fatalf("created %s: %v", out, err)
	}
	awsCLI(t, stage, session, "", "cloudfront", "wait", "invalidation-completed", "--distribution-id", distribution, "--id", created.Invalidation.Id)
	awsCLI(t, stage, session, "is not authorized to perform: cloudfront:ListInvalidations", "cloudfront", "list-invalidations", "--distribution-id", distribution)

	// A's operator may invoke by its own policy; B's function permits only the job's role, until B says otherwise.
	invoke := []string{
		"lambda", "invoke", "--function-name", function, "--cli-binary-format", "raw-in-base64-out",
		"--payload", `{"version":1,"operation":"distribution"}`, os.DevNull,
	}
	if cliVersion1(t) { // version 1 knows no such option, and takes the payload as it is
		invoke = append(invoke[:4:4], invoke[6:]...)
	}
	awsCLI(t, stage, operator, "because no resource-based policy allows the lambda:InvokeFunction action", invoke...)
	awsCLI(t, stage, rootB, "", "lambda", "add-permission", "--function-name", "unstale-invalidator", "--qualifier", "live", "--statement-id", "operator",
		"--action", "lambda:InvokeFunction", "--principal", operator.Caller.ARN)
	if out := awsCLI(t, stage, operator, "", invoke...); !bytes.Contains(out, []byte(`"StatusCode": 200`)) || bytes.Contains(out, []byte("FunctionError")) {
		t.Errorf("invoke answers %s", out)
	}

	awsCLI(t, stage, rootA, "", "s3", "cp", "../README.md", "s3://unstale-code-111111111111/docs/README.md")
	if out := awsCLI(t, stage, rootA, "", "s3", "ls", "s3://unstale-code-111111111111/docs/"); !bytes.Contains(out, []byte("README.md")) {
		t.Errorf("ls says %s", out)
	}
	if out := awsCLI(t, stage, rootB, "", "cloudformation", "describe-stacks", "--query", "Stacks[].StackStatus"); !bytes.Contains(out, []byte("CREATE_COMPLETE")) {
		t.Errorf("describe-stacks says %s", out)
	}
	before := len(stage.World.Executions(story.PipelineAccount, "unstale"))
	awsCLI(t, stage, rootA, "", "codepipeline", "start-pipeline-execution", "--name", "unstale")
	if now := len(stage.World.Executions(story.PipelineAccount, "unstale")); now != before+1 {
		t.Errorf("%d executions, not %d", now, before+1)
	}
	awsCLI(t, stage, rootA, "", "codepipeline", "get-pipeline-state", "--name", "unstale")

	stage.World.Directory().Expire(session.AccessKeyID)
	awsCLI(t, stage, session, "ExpiredToken", "cloudfront", "get-invalidation", "--distribution-id", distribution, "--id", created.Invalidation.Id)
}

// addUser makes a user of A that may take on B's role and invoke B's function.
func addUser(t *testing.T, stage *story.Stage) accounts.Credentials {
	t.Helper()
	policy, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","lambda:InvokeFunction"],"Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	user, err := stage.World.Directory().AddUser(story.PipelineAccount, "operator", policy)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func assume(t *testing.T, stage *story.Stage, who accounts.Credentials, role string) accounts.Credentials {
	t.Helper()
	out := awsCLI(t, stage, who, "", "sts", "assume-role", "--role-arn", role, "--role-session-name", "operator")
	var answer struct {
		Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken string }
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("assume-role answers %s: %v", out, err)
	}
	c := answer.Credentials
	return accounts.Credentials{AccessKeyID: c.AccessKeyId, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

// awsCLI runs the AWS CLI with someone's keys. It has to succeed, or where refusal is not empty to
// fail and say that.
func awsCLI(t *testing.T, s *story.Stage, who accounts.Credentials, refusal string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(deadline(t), "aws", args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "AWS_PAGER=", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true", stage.Impatient(t), "AWS_REGION=" + story.Region, "AWS_DEFAULT_REGION=" + story.Region, "AWS_ENDPOINT_URL=" + s.World.URL(),
		"AWS_ACCESS_KEY_ID=" + who.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + who.SecretAccessKey,
	}
	if who.SessionToken != "" {
		cmd.Env = append(cmd.Env, "AWS_SESSION_TOKEN="+who.SessionToken)
	}
	out, err := cmd.CombinedOutput()
	switch {
	case refusal == "" && err != nil:
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
	case refusal != "" && (err == nil || !bytes.Contains(out, []byte(refusal))):
		t.Errorf("aws %s: %v, want a refusal with %q\n%s", strings.Join(args, " "), err, refusal, out)
	}
	return out
}

func cliVersion1(t *testing.T) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "aws", "--version").CombinedOutput()
	if err != nil {
		t.Fatalf("aws --version: %v", err)
	}
	return bytes.HasPrefix(out, []byte("aws-cli/1"))
}

// A captured request is worth nothing once its time is over: AWS takes 5 minutes (Signature Version 4
// has no other guard against replays, so within them it is taken again, as on AWS).
func TestReplayIsRefused(t *testing.T) {
	t.Parallel()
	stage := empty(t)
	root := stage.World.Root(story.PipelineAccount)
	const body = "Action=GetCallerIdentity&Version=2011-06-15"
	sum := sha256.Sum256([]byte(body))
	for _, c := range []struct {
		age    time.Duration
		status int
		says   string
	}{
		{4 * time.Minute, http.StatusOK, root.Caller.ARN},
		{6 * time.Minute, http.StatusForbidden, "Signature expired"},
		{-6 * time.Minute, http.StatusForbidden, "Signature not yet current"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, stage.World.URL()+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		err = v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey}, req,
			hex.EncodeToString(sum[:]), "sts", story.Region, time.Now().Add(-c.age))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || !bytes.Contains(answer, []byte(c.says)) {
			t.Errorf("signed %v ago: %s %v\n%s", c.age, resp.Status, err, answer)
		}
	}
}
