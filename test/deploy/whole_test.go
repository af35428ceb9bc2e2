package deploy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/test/commandline"
)

// operator is a person of the pipeline account, who may assume roles and invoke functions and nothing else.
const operator = "arn:aws:iam::" + accountA + ":user/operator"

// From empty accounts by the guide's commands, each a process of its own, to a purge that viewers see, and
// back to accounts in which nothing is left that deploying or purging made. What AWS keeps for a while is
// the key that artifacts were encrypted with, disabled until it is deleted.
func TestFromEmptyToEmpty(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		deploy []string
		purge  func(outputs map[string]string) []string
		named  []string // what is deleted only where it is named
	}{
		// JobRoleArn is whoever is to assume the role (guide, "GitHub Actions").
		"through the deployed role": {
			[]string{"assume", "--own-pipeline", "--param", "JobRoleArn=" + operator, "--param", "ExternalId=site:1"},
			func(out map[string]string) []string {
				return []string{"--profile", "operator", "--role-arn", out["PurgeRoleArn"], "--external-id", "site:1", "--distribution", out["DistributionId"]}
			},
			kept("assume", true),
		},
		"through the deployed function": {
			[]string{"relay", "--own-pipeline", "--param", "JobRoleArn=" + operator},
			func(out map[string]string) []string {
				return []string{"--profile", "operator", "--function", out["InvalidatorArn"]}
			},
			kept("relay", true),
		},
		// By a profile of the delivery account (guide, "A laptop").
		"beside a deployed pipeline": {
			[]string{"assume"},
			func(out map[string]string) []string {
				return []string{"--profile", "site", "--distribution", out["DistributionId"]}
			},
			kept("assume", false),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *rehearsal.Options) { o.Invalidation.Delays = cloudfront.Fixed(200 * time.Millisecond) })
			unstale := w.shell()
			if there := w.all(); len(there) > 0 {
				t.Fatalf("the accounts are not empty: %v", there)
			}
			deploy := append([]string{"deploy"}, tt.deploy...)
			deploy = append(deploy, "--yes", "--pipeline-profile", "build", "--delivery-profile", "site", "--code", w.lambdas, "--param", "Architecture="+architecture())
			unstale(deploy...)
			made, outputs := w.all(), w.outputs(accountB, "unstale-delivery-"+tt.deploy[0])
			w.site(outputs["SiteBucketName"])

			said := unstale(append(append([]string{"invalidate"}, tt.purge(outputs)...), "--json", "/*")...)
			var d struct {
				Outcome string
				Targets []struct{ Stage, Invalidation string }
			}
			if err := json.Unmarshal([]byte(said), &d); err != nil || d.Outcome != "done" || len(d.Targets) != 1 || d.Targets[0].Stage != "seen" || d.Targets[0].Invalidation == "" {
				t.Errorf("%v: %s", err, said)
			}

			deploy = append(deploy, "--destroy")
			for _, one := range tt.named {
				deploy = append(deploy, "--delete", one)
			}
			unstale(deploy...)
			if left := w.all(); len(left) > 0 || len(made) < 10 {
				t.Errorf("of %d things there is left:\n%s", len(made), strings.Join(left, "\n"))
			}
			w.checkKeys(made, slices.Contains(tt.named, "ArtifactsKey"))
		})
	}
}

// shell gives a shell that has a profile for each account's owner and for the operator. It runs the program,
// which must end with exit code 0, and gives what it printed.
func (w *world) shell() func(args ...string) string {
	t := w.t
	t.Helper()
	may := iam.Document{Version: iam.Version2012, Statements: []iam.Statement{
		{Effect: iam.Allow, Action: []string{"sts:AssumeRole", "lambda:InvokeFunction"}, Resource: []string{"*"}},
	}}
	user, err := w.aws.Directory().AddUser(accountA, "operator", may)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home, variables := t.TempDir(), environment(t, w)
	text, err := os.ReadFile(variables["AWS_CONFIG_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(text, "[profile operator]\nregion = %s\naws_access_key_id = %s\naws_secret_access_key = %s\n", region, user.AccessKeyID, user.SecretAccessKey)
	if err := os.WriteFile(variables["AWS_CONFIG_FILE"], text, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{
		commandline.Variable + "=1", "HOME=" + home, "XDG_STATE_HOME=" + filepath.Join(home, "state"), "UNSTALE_MEDIAN=200ms",
		"HTTPS_PROXY=" + w.aws.POPs()[0].ProxyURL, "NO_PROXY=127.0.0.1", "SSL_CERT_FILE=" + w.aws.CAFile(),
	}
	for name, value := range variables {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return func(args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, home, &stdout, &stderr
		var exit *exec.ExitError
		if err := cmd.Run(); errors.As(err, &exit) {
			t.Fatalf("unstale %s: exit code %d\n%s%s", strings.Join(args, " "), exit.ExitCode(), &stdout, &stderr)
		} else if err != nil {
			t.Fatal(err)
		}
		return stdout.String()
	}
}

// outputs are a stack's.
func (w *world) outputs(account, stack string) map[string]string {
	w.t.Helper()
	found, err := cloudformation.NewFromConfig(w.config(account)).DescribeStacks(w.t.Context(), &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, o := range found.Stacks[0].Outputs {
		out[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return out
}

// site uploads a page.
func (w *world) site(bucket string) {
	w.t.Helper()
	_, err := s3.NewFromConfig(w.config(accountB)).PutObject(w.t.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: aws.String("index.html"), Body: strings.NewReader("<html>one</html>"), ContentType: aws.String("text/html"),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// all is what left lists, and what services list for which there is no SDK client here: what functions made
// themselves would not be among a stack's resources.
func (w *world) all() []string {
	w.t.Helper()
	out := w.left()
	for _, account := range []string{accountA, accountB} {
		for _, one := range []struct{ service, operation, list, name string }{
			{"logs", "Logs_20140328.DescribeLogGroups", "logGroups", "logGroupName"},
			{"kms", "TrentService.ListAliases", "Aliases", "AliasName"},
			{"codecommit", "CodeCommit_20150413.ListRepositories", "repositories", "repositoryName"},
		} {
			for _, found := range w.ask(account, one.service, one.operation, `{}`)[one.list].([]any) {
				out = append(out, fmt.Sprint(account, " ", one.list, " ", found.(map[string]any)[one.name]))
			}
		}
	}
	return out
}

// checkKeys demands that the keys that were made are about to be deleted.
func (w *world) checkKeys(made []string, some bool) {
	w.t.Helper()
	keys := 0
	for _, one := range made {
		account, key, ok := strings.Cut(one, " AWS::KMS::Key ")
		if !ok {
			continue
		}
		keys++
		about, _ := w.ask(account, "kms", "TrentService.DescribeKey", `{"KeyId":"`+key+`"}`)["KeyMetadata"].(map[string]any)
		if about["KeyState"] != "PendingDeletion" {
			w.t.Errorf("key %s is %v", key, about["KeyState"])
		}
	}
	if (keys > 0) != some {
		w.t.Errorf("%d keys were made", keys)
	}
}

// ask calls an operation of a service that speaks JSON, as the account's owner.
func (w *world) ask(account, service, operation, body string) map[string]any {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.aws.URL(), strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", operation)
	root, sum := w.aws.Root(account), sha256.Sum256([]byte(body))
	who := aws.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(w.t.Context(), who, r, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
		w.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read, or the error below says so
	text, err := io.ReadAll(answer.Body)
	var out map[string]any
	if err = errors.Join(err, json.Unmarshal(text, &out)); err != nil || answer.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %s: %v: %s", operation, answer.Status, err, text)
	}
	return out
}
