// Package routes holds what is true of every route alike: the contract of gateways against the
// rehearsal, with the templates' own policies deciding, and that whoever edits a pipeline's parameters
// gains no distribution, role or function by it.
package routes

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/gateway/gatewaytest"
	"github.com/unstale/unstale/internal/gateway/routes"
	"github.com/unstale/unstale/internal/gateway/states"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/templates"
	"github.com/unstale/unstale/test/stage"
)

func TestMain(m *testing.M) { stage.Main(m) }

// forEachRoute runs a test on a world of each route. They share nothing.
func forEachRoute(t *testing.T, test func(t *testing.T, w *world)) {
	for _, route := range templates.Routes() {
		t.Run(route, func(t *testing.T) { test(t, newWorld(t, target.Route(route))) })
	}
}

// world is a rehearsal with one route deployed. AWS's time stands still but for the wall's pace, so
// that nothing completes unless a test lets it. It is gatewaytest's World.
type world struct {
	*story.Stage
	route   target.Route
	script  *faults.Script
	site    target.Target // as deployed, with its account
	release func()        // lets time skip again
	takes   time.Duration // an invalidation

	mu   sync.Mutex
	made []cloudfront.Invalidation
	// What the next run of the pipeline is given, and how runs end.
	parameters   string
	announcement string
	ended        chan codepipeline.ExecutionStateChange
}

// patience is longer than any test holds an invalidation in progress.
const patience = time.Minute

func newWorld(t *testing.T, route target.Route) *world {
	t.Helper()
	w := &world{route: route, script: &faults.Script{}, takes: patience, ended: make(chan codepipeline.ExecutionStateChange, 1)}
	var err error
	w.Stage, err = story.Set(t.Context(), story.Options{
		Route: string(route), Source: static.Files, Lambdas: stage.Lambdas(t), Packages: stage.Packages(t), Median: 40 * time.Millisecond, Template: openParameters,
		Observe: func(r *rehearsal.World) { r.Journal().OnEvent(w.event) },
		World: func(o *rehearsal.Options) {
			o.Faults = w.script
			o.Invalidation.Delays = func(n int) []time.Duration {
				w.mu.Lock()
				defer w.mu.Unlock()
				return cloudfront.Fixed(w.takes)(n)
			}
			o.Pipelines.Runners = map[string]codepipeline.Runner{"Source/CodeCommit": stage.Source{}, "Build/CodeBuild": stage.Build{Do: w.build}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close the stage: %v", err)
		}
	})
	w.site = w.deployed(t)
	w.release = w.World.Clock().Busy()
	t.Cleanup(func() { w.release() })
	return w
}

func (w *world) event(e journal.Event) {
	switch data := e.Data.(type) {
	case cloudfront.InvalidationCreated:
		w.mu.Lock()
		defer w.mu.Unlock()
		w.made = append(w.made, data.Invalidation)
	case codepipeline.ExecutionStateChange:
		if data.Status != codepipeline.InProgress {
			w.ended <- data
		}
	}
}

// setTakes says how long invalidations take from now on.
func (w *world) setTakes(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.takes = d
}

// delivery is the account of the distribution.
func (w *world) delivery() string {
	_, account := story.AccountsOf(string(w.route))
	return account
}

// deployed is the target as the deployed function is configured; of route states, whose machine has no
// such configuration, as the stacks tell it.
func (w *world) deployed(t *testing.T) target.Target {
	t.Helper()
	if w.route == target.States {
		return target.Target{
			Name: "site", Route: target.States, StateMachine: w.Outputs["StateMachineArn"], Distribution: w.Outputs["DistributionId"], Account: w.delivery(),
		}
	}
	account := story.PipelineAccount
	if w.route == target.Direct {
		account = story.DeliveryAccount
	}
	client := lambda.NewFromConfig(w.Config(account))
	out, err := client.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(w.Outputs["JobFunctionName"])})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := target.Parse([]byte(out.Environment.Variables[target.TargetsVariable]))
	if err != nil {
		t.Fatal(err)
	}
	site := targets["site"]
	if site.Distribution != w.Outputs["DistributionId"] || site.Account != "" && site.Account != w.delivery() {
		t.Fatalf("the function has %+v", site)
	}
	site.Account = w.delivery()
	return site
}

// config speaks for a session of a role, as the function or person that goes this way has it.
func (w *world) config(t *testing.T) aws.Config {
	t.Helper()
	var c accounts.Credentials
	switch w.route {
	case target.States:
		c = w.operator(t)
	case target.Direct:
		c = w.session(t, "arn:aws:iam::"+story.DeliveryAccount+":role/unstale-job")
	default:
		c = w.session(t, "arn:aws:iam::"+story.PipelineAccount+":role/unstale-job")
	}
	cfg := w.Config(story.PipelineAccount)
	cfg.HTTPClient = patient{}
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
	})
	return cfg
}

// patient is an HTTP client for the SDK. The SDK closes a request's body as soon as there is an answer,
// and a server on this machine can be so quick that the body is still being sent: net/http then cuts
// the connection, and what remains of a long answer is lost. Here the body outlives the request.
type patient struct{}

// Do implements aws.HTTPClient.
func (patient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return http.DefaultClient.Do(r)
}

func (w *world) session(t *testing.T, arn string) accounts.Credentials {
	t.Helper()
	role, err := w.World.Directory().Role(arn)
	if err != nil {
		t.Fatal(err)
	}
	return w.World.Directory().Session(role, "unstale-job", nil, nil, time.Hour)
}

// operator is somebody of the pipeline account who may do with the machine what its gateway needs,
// and nothing else.
func (w *world) operator(t *testing.T) accounts.Credentials {
	t.Helper()
	execution := strings.Replace(w.Outputs["StateMachineArn"], ":stateMachine:", ":execution:", 1) + ":*"
	policy, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[
		{"Sid":"Machine","Effect":"Allow","Action":["states:StartExecution","states:ListExecutions"],"Resource":"` + w.Outputs["StateMachineArn"] + `"},
		{"Sid":"Executions","Effect":"Allow","Action":"states:GetExecutionHistory","Resource":"` + execution + `"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	name := "operator-" + time.Now().Format("150405.000000000")
	c, err := w.World.Directory().AddUser(story.PipelineAccount, name, policy)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Target implements gatewaytest.World.
func (w *world) Target() target.Target { return w.site }

// Dial implements gatewaytest.World.
func (w *world) Dial(t *testing.T) gateway.Gateway {
	t.Helper()
	return w.dial(t, w.site)
}

func (w *world) dial(t *testing.T, to target.Target) gateway.Gateway {
	t.Helper()
	var g gateway.Gateway
	var err error
	if w.route == target.States {
		g, err = states.New(w.config(t), to)
	} else {
		g, err = routes.New(w.config(t)).Gateway(to, "release 2")
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Pass implements gatewaytest.World.
func (w *world) Pass(*testing.T) { w.World.Clock().Advance(patience + time.Second) }

// Machine implements gatewaytest.World.
func (w *world) Machine() bool { return w.route == target.States }

// Made implements gatewaytest.World.
func (w *world) Made() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.made)
}

// Strike implements gatewaytest.World. Time skips meanwhile: a machine waits long between its tries.
func (w *world) Strike(call string, trouble gatewaytest.Trouble) (ended func() int) {
	do := faults.Fail(trouble.Status, trouble.Code, trouble.Message)
	if trouble.Hang {
		do = faults.Hang()
	}
	w.script.Add(faults.Rule{Service: cloudfront.SigningName, Operation: call, Do: do})
	if w.Machine() {
		w.release()
	}
	return func() int {
		struck := len(w.script.Struck())
		w.script.Clear()
		if w.Machine() {
			w.release = w.World.Clock().Busy()
		}
		return struck
	}
}

// Deny implements gatewaytest.World: it takes the action out of the role's policies, as a deployment
// that lacks it would.
func (w *world) Deny(t *testing.T, action string) (ended func()) {
	t.Helper()
	name := map[target.Route]string{target.Assume: "purge", target.States: "purge", target.Relay: "invalidator"}[w.route]
	if name == "" {
		name = "job"
	}
	arn := "arn:aws:iam::" + w.delivery() + ":role/unstale-" + name
	var before map[string]iam.Document
	change := func(f func(*accounts.Role) error) {
		if err := w.World.Directory().UpdateRole(arn, f); err != nil {
			t.Fatal(err)
		}
	}
	change(func(r *accounts.Role) error {
		before = r.Inline
		after := map[string]iam.Document{}
		for name, document := range before {
			text, err := json.Marshal(document)
			if err != nil {
				return err
			}
			if after[name], err = iam.Parse(bytes.ReplaceAll(text, []byte(`"`+action+`"`), []byte(`"cloudfront:Nothing"`))); err != nil {
				return err
			}
		}
		r.Inline = after
		return nil
	})
	return func() {
		change(func(r *accounts.Role) error {
			r.Inline = before
			return nil
		})
	}
}

// Put implements gatewaytest.World.
func (w *world) Put(t *testing.T, key, body string) {
	t.Helper()
	client := s3.NewFromConfig(w.Config(w.delivery()), func(o *s3.Options) { o.UsePathStyle = true })
	bucket := w.Outputs["SiteBucketName"]
	in := &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)}
	if strings.HasSuffix(key, ".summed") {
		in.ChecksumAlgorithm = s3types.ChecksumAlgorithmCrc32
	}
	if _, err := client.PutObject(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}
