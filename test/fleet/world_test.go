// Package fleet holds what `unstale invalidate` and `unstale status` do for a person at a shell, who has the
// files of the AWS CLI and a role in another account, over HTTP as on AWS.
package fleet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/deploy"
	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/templates"
	"github.com/unstale/unstale/test/commandline"
	"github.com/unstale/unstale/test/stage"
)

func TestMain(m *testing.M) {
	commandline.Main()
	stage.Main(m)
}

const (
	accountA = "111111111111"
	accountB = "222222222222"
	region   = "us-east-1"
	external = "site:1"
)

// world is a site in account B, made by the committed template, and a person in account A.
type world struct {
	t       testing.TB
	aws     *rehearsal.World
	outputs map[string]string
	laptop  accounts.Credentials // a user of A, who may do nothing but assume roles
	deaf    atomic.Bool          // the edge ignores what it is to purge
}

func options(t testing.TB) rehearsal.Options {
	o := rehearsal.Options{Accounts: []string{accountA, accountB}, Region: region, Dir: filepath.Join(t.TempDir(), "world")}
	o.Invalidation.Delays = cloudfront.Fixed(200 * time.Millisecond)
	return o
}

func newWorld(t testing.TB, o rehearsal.Options) *world {
	t.Helper()
	w := &world{t: t}
	o.Edge.StaleAfterCompletion = func(string) bool { return w.deaf.Load() }
	var err error
	if w.aws, err = rehearsal.Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.aws.Close(); err != nil {
			t.Error(err)
		}
	})
	may := iam.Document{Version: iam.Version2012, Statements: []iam.Statement{
		{Effect: iam.Allow, Action: []string{"sts:AssumeRole", "lambda:InvokeFunction"}, Resource: []string{"*"}},
	}}
	if w.laptop, err = w.aws.Directory().AddUser(accountA, "laptop", may); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) config(account string) aws.Config {
	root := w.aws.Root(account)
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(w.aws.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey, Source: "test"}, nil
		}),
	}
}

// assume deploys the template of route assume, for whom a principal of A is the job.
func (w *world) assume(principal string) {
	w.t.Helper()
	w.stack("delivery-assume", map[string]string{"ExternalId": external, "JobRoleArn": principal})
}

// relay deploys the template of route relay.
func (w *world) relay(principal string) {
	w.t.Helper()
	zip, err := os.ReadFile(filepath.Join(stage.Lambdas(w.t), "invalidator_"+architecture()+".zip"))
	if err != nil {
		w.t.Fatal(err)
	}
	const bucket, key = "code-222222222222", "invalidator.zip"
	if err := deploy.New(w.config(accountB), time.Millisecond).Code(w.t.Context(), bucket, key, zip); err != nil {
		w.t.Fatal(err)
	}
	w.stack("delivery-relay", map[string]string{"CodeBucket": bucket, "CodeKey": key, "JobRoleArn": principal, "Architecture": architecture()})
}

func (w *world) stack(name string, parameters map[string]string) {
	w.t.Helper()
	text, err := templates.Get(name)
	if err != nil {
		w.t.Fatal(err)
	}
	for k, v := range map[string]string{
		"PipelineAccount": accountA, "PipelineRoleArn": "", "ArtifactBucketArn": "", "ArtifactKeyArn": "", "ErrorCachingSeconds": "1",
	} {
		parameters[k] = v
	}
	w.outputs, err = deploy.New(w.config(accountB), time.Millisecond).Create(w.t.Context(), deploy.Stack{
		Name: "unstale-" + name, Template: text, Parameters: parameters,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// put deploys a directory to the site, as aws s3 sync does.
func (w *world) put(dir string) error {
	client := s3.NewFromConfig(w.config(accountB), func(o *s3.Options) { o.UsePathStyle = true })
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		key, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		_, err = client.PutObject(context.Background(), &s3.PutObjectInput{
			Bucket: aws.String(w.outputs["SiteBucketName"]), Key: aws.String(filepath.ToSlash(key)), Body: body, ContentType: aws.String("text/html"),
		})
		return err
	})
}

// bucket makes a bucket in account B.
func (w *world) bucket(name string) {
	w.t.Helper()
	if _, err := s3.NewFromConfig(w.config(accountB)).CreateBucket(w.t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		w.t.Fatal(err)
	}
}

// admin makes a role in account B that the laptop may take on.
func (w *world) admin() {
	w.t.Helper()
	text := `{"Resources":{"Admin":{"Type":"AWS::IAM::Role","Properties":{"RoleName":"admin",
"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::111111111111:root"}}]},
"Policies":[{"PolicyName":"all","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudfront:*"],"Resource":"*"}]}}]}}}}`
	if _, err := deploy.New(w.config(accountB), time.Millisecond).Create(w.t.Context(), deploy.Stack{Name: "admin", Template: []byte(text)}); err != nil {
		w.t.Fatal(err)
	}
}

// environment is a shell's that knows of AWS only what its files say.
func (w *world) environment(dir string) []string {
	w.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	bin, home := filepath.Join(dir, ".bin"), filepath.Join(dir, ".home")
	for _, d := range []string{bin, filepath.Join(home, ".aws")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := os.Symlink(binary, filepath.Join(bin, "unstale")); err != nil {
		w.t.Fatal(err)
	}
	files := map[string]string{
		"credentials": fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", w.laptop.AccessKeyID, w.laptop.SecretAccessKey) +
			fmt.Sprintf("[owner]\naws_access_key_id = %s\naws_secret_access_key = %s\n", w.aws.Root(accountB).AccessKeyID, w.aws.Root(accountB).SecretAccessKey),
		// A role of the owner's account that a person of the other account takes on by way of a profile.
		"config": "[profile admin]\nrole_arn = arn:aws:iam::222222222222:role/admin\nsource_profile = default\n[profile owner]\nregion = eu-central-1\n" +
			"[profile empty]\n[profile loop]\nrole_arn = arn:aws:iam::222222222222:role/admin\nsource_profile = loop2\n[profile loop2]\nrole_arn = arn:aws:iam::222222222222:role/admin\nsource_profile = loop\n" +
			"[profile sso]\nsso_session = s\nsso_account_id = 222222222222\nsso_role_name = admin\n[sso-session s]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n" +
			"[profile stale]\naws_access_key_id = AKIAWRONG\naws_secret_access_key = wrong\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(home, ".aws", name), []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	env := []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + home, commandline.Variable + "=1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL=" + w.aws.URL(), "AWS_ENDPOINT_URL_STS=" + w.aws.URL(), // a profile's role is got without a look at the first
		"HTTPS_PROXY=" + w.aws.POPs()[0].ProxyURL, "NO_PROXY=127.0.0.1", "SSL_CERT_FILE=" + w.aws.CAFile(),
		"UNSTALE_MEDIAN=200ms", "EXTERNAL_ID=" + external, "XDG_STATE_HOME=" + filepath.Join(home, "state"),
	}
	for name, output := range map[string]string{"DISTRIBUTION": "DistributionId", "ROLE": "PurgeRoleArn", "FUNCTION": "InvalidatorArn", "DOMAIN": "DistributionDomain"} {
		env = append(env, name+"="+w.outputs[output])
	}
	return env
}
