// Package deploy holds what `unstale deploy` does to empty accounts, over HTTP as on AWS: it makes every
// route, changes it, goes on after failures, and leaves nothing behind.
package deploy

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/internal/deploy"
	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/templates"
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
	sameOnly = "same-account"
)

// world is empty accounts, and what one who deploys was asked and told.
type world struct {
	t       *testing.T
	aws     *rehearsal.World
	lambdas string

	mu    sync.Mutex
	ended chan struct{}     // work on a stack has ended
	alive map[string]string // physical resources that stacks made: "account type ID" -> logical ID
	said  []string
	asked []deploy.Proposal
	// Of the next run.
	confirm func(deploy.Proposal) (bool, error)
	remove  func(deploy.Removal) (bool, error)
	code    func(function, architecture string) ([]byte, error)
}

func newWorld(t *testing.T, change ...func(*rehearsal.Options)) *world {
	t.Helper()
	w := &world{t: t, lambdas: stage.Lambdas(t), alive: map[string]string{}, ended: make(chan struct{}, 1000)}
	o := rehearsal.Options{Accounts: []string{accountA, accountB}, Region: region, Dir: filepath.Join(t.TempDir(), "world")}
	o.Pipelines.IdleOnCreate = true
	for _, f := range change {
		f(&o)
	}
	var err error
	if w.aws, err = rehearsal.Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.aws.Close(); err != nil {
			t.Error(err)
		}
	})
	w.aws.Journal().OnEvent(w.event)
	w.reset()
	return w
}

// reset forgets what was asked, and agrees to all.
func (w *world) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said, w.asked = nil, nil
	w.confirm = func(deploy.Proposal) (bool, error) { return true, nil }
	w.remove = func(deploy.Removal) (bool, error) { return true, nil }
	w.code = func(function, architecture string) ([]byte, error) {
		return os.ReadFile(filepath.Join(w.lambdas, function+"_"+architecture+".zip"))
	}
}

// event keeps the account of what stacks made, as their own events tell it.
func (w *world) event(e journal.Event) {
	data, ok := e.Data.(templates.Event)
	if !ok {
		return
	}
	if data.Type == "AWS::CloudFormation::Stack" {
		if !strings.HasSuffix(data.Status, "_IN_PROGRESS") {
			w.ended <- struct{}{}
		}
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := data.Account + " " + data.Type + " " + data.PhysicalID
	switch data.Status {
	case "CREATE_COMPLETE", "UPDATE_COMPLETE":
		w.alive[key] = data.LogicalID
	case "DELETE_COMPLETE":
		delete(w.alive, key)
	}
}

func (w *world) config(account string) aws.Config { return w.as(w.aws.Root(account)) }

func (w *world) as(who accounts.Credentials) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(w.aws.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: who.AccessKeyID, SecretAccessKey: who.SecretAccessKey, Source: "test"}, nil
		}),
	}
}

// architecture is this machine's, in Lambda's words.
func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// open is a deployment that this world answers.
func (w *world) open(route string, change ...func(*deploy.Options)) *deploy.Deployment {
	w.t.Helper()
	o := deploy.Options{
		Route: route, Pipeline: w.config(accountA), Delivery: w.config(accountB), Version: "v1", Step: time.Millisecond,
		Parameters: map[string]string{}, Code: w.code,
		Confirm: func(p deploy.Proposal) (bool, error) {
			w.asked = append(w.asked, p)
			return w.confirm(p)
		},
		Remove: w.remove,
		Event:  func(string, deploy.Event) {},
		Say:    func(text string) { w.said = append(w.said, text) },
	}
	if route != "states" {
		o.Parameters["Architecture"] = architecture()
	}
	for _, f := range change {
		f(&o)
	}
	d, err := deploy.Open(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) run(d *deploy.Deployment) map[string]string {
	w.t.Helper()
	outputs, err := d.Run(w.t.Context())
	if err != nil {
		w.t.Fatalf("%v\nsaid: %s", err, strings.Join(w.said, "\n"))
	}
	return outputs
}

// shown is the changes that were asked about, "stack action logical ID".
func (w *world) shown() []string {
	out := []string{}
	for _, p := range w.asked {
		for _, c := range p.Changes {
			line := fmt.Sprintf("%s %s %s", p.Stack, c.Action, c.LogicalID)
			if c.Action == "Modify" {
				line += " " + c.Replacement + " " + strings.Join(c.Properties, ",")
			}
			out = append(out, line)
		}
	}
	return out
}

// left lists what there is in both accounts, by the services' own lists and by the stacks' events.
func (w *world) left() []string {
	w.t.Helper()
	var out []string
	for _, account := range []string{accountA, accountB} {
		for _, name := range w.list(account) {
			out = append(out, account+" "+name)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return append(out, slices.Sorted(maps.Keys(w.alive))...)
}

func (w *world) list(account string) []string {
	w.t.Helper()
	ctx, cfg := w.t.Context(), w.config(account)
	var out []string
	try := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	stacks, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{})
	try(err)
	for _, s := range stacks.Stacks {
		out = append(out, "stack "+aws.ToString(s.StackName))
	}
	buckets, err := s3.NewFromConfig(cfg).ListBuckets(ctx, &s3.ListBucketsInput{})
	try(err)
	for _, b := range buckets.Buckets {
		out = append(out, "bucket "+aws.ToString(b.Name))
	}
	roles, err := iam.NewFromConfig(cfg).ListRoles(ctx, &iam.ListRolesInput{})
	try(err)
	for _, r := range roles.Roles {
		out = append(out, "role "+aws.ToString(r.RoleName))
	}
	functions, err := lambda.NewFromConfig(cfg).ListFunctions(ctx, &lambda.ListFunctionsInput{})
	try(err)
	for _, f := range functions.Functions {
		out = append(out, "function "+aws.ToString(f.FunctionName))
	}
	distributions, err := cloudfront.NewFromConfig(cfg).ListDistributions(ctx, &cloudfront.ListDistributionsInput{})
	try(err)
	for _, d := range distributions.DistributionList.Items {
		out = append(out, "distribution "+aws.ToString(d.Id))
	}
	pipelines, err := codepipeline.NewFromConfig(cfg).ListPipelines(ctx, &codepipeline.ListPipelinesInput{})
	try(err)
	for _, p := range pipelines.Pipelines {
		out = append(out, "pipeline "+aws.ToString(p.Name))
	}
	return out
}
