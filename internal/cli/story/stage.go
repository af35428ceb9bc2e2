// Package story tells, on a rehearsal, how a release gets from a git push in the pipeline account to
// a viewer of the delivery account. It acts as people do: it deploys the committed templates over the
// AWS API, pushes with git, and looks at the site through the edge as a browser would.
package story

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/deploy"
	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/templates"
)

// The accounts of the story. They are examples: AWS's documentation uses the same numbers.
const (
	PipelineAccount = "111111111111"
	DeliveryAccount = "222222222222"
	Region          = "us-east-1"
)

// name prefixes what the templates make.
const name = "unstale"

// Options say how a story is staged.
type Options struct {
	Route   string // one of Routes; empty means the first
	Source  fs.FS  // the site's repository: it has a file RELEASE and a buildspec.yml
	Lambdas string // directory with pipeline-job_ARCH.zip and invalidator_ARCH.zip
	Cache   string // directory that builds may keep downloads in; empty: none
	// Packages is a directory for functions' unpacked code that stories share; empty: none.
	Packages string
	Build    io.Writer
	// Command is told of every command that a build begins with; nil is not.
	Command func(command string)
	// Median is how long an invalidation takes until half the points of presence are done. The
	// rehearsal's functions live in wall time, so it is short. 0 means 1.2 s.
	Median time.Duration
	// Empty leaves the accounts as AWS opens them: nothing is deployed until Deploy.
	Empty bool
	// World adjusts the rehearsal before it starts; tests use it.
	World func(*rehearsal.Options)
	// Observe sees the rehearsal before anything is deployed; nil observes nothing.
	Observe func(*rehearsal.World)
	// Code names another Lambda zip than a template's own, by template name: "invalidator".
	Code map[string]string
	// Parameters override template parameters, by stack name.
	Parameters map[string]map[string]string
	// Template rewrites a template before it is deployed, by its name.
	Template func(name string, text []byte) []byte
}

// Stage is both accounts, deployed and ready for a push.
type Stage struct {
	World    *rehearsal.World
	Outputs  map[string]string // of all stacks, by name
	options  Options
	stacks   []templates.Step
	dir      string
	releases int
	setUp    float64 // seconds that it took to get here
	build    *output // of the current build

	mu    sync.Mutex
	watch *watch // of the current release
}

// Set starts a rehearsal and deploys the route's stacks. Close it in any case where err is nil.
func Set(ctx context.Context, o Options) (*Stage, error) {
	o.Route = cmp.Or(o.Route, DefaultRoute)
	stacks, err := templates.Deployment(o.Route)
	if err != nil {
		return nil, fmt.Errorf("stage the story: %w", err)
	}
	if o.Median == 0 {
		o.Median = 1200 * time.Millisecond
	}
	dir, err := os.MkdirTemp("", "unstale-rehearsal-")
	if err != nil {
		return nil, fmt.Errorf("make the rehearsal's directory: %w", err)
	}
	s := &Stage{options: o, stacks: stacks, dir: dir, Outputs: map[string]string{}, build: &output{to: o.Build, command: o.Command}}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stage) start(ctx context.Context) error {
	began := time.Now()
	world := rehearsal.Options{
		Accounts: accounts(s.options.Route), Region: Region, Dir: filepath.Join(s.dir, "world"),
		BuildCache: s.options.Cache, BuildOutput: s.build, Packages: s.options.Packages,
	}
	m := s.options.Median
	// Each point of presence purges at its own moment, around the median.
	world.Invalidation.Delays = cloudfront.Fixed(m*3/4, m, m*5/4)
	// On AWS a new pipeline starts at once and fails, since its repository is empty; nobody wants to
	// see that first.
	world.Pipelines.IdleOnCreate = true
	if s.options.World != nil {
		s.options.World(&world)
	}
	var err error
	if s.World, err = rehearsal.Start(world); err != nil {
		return fmt.Errorf("start the rehearsal: %w", err)
	}
	s.World.Journal().OnEvent(s.follow)
	if s.options.Observe != nil {
		s.options.Observe(s.World)
	}
	if s.options.Empty {
		return nil
	}
	err = s.Deploy(ctx)
	s.setUp = elapsed(began)
	return err
}

// Close ends every process and removes every file.
func (s *Stage) Close() error {
	var err error
	if s.World != nil {
		err = s.World.Close()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Config speaks for the root of an account, as the person who deploys would.
func (s *Stage) Config(account string) aws.Config {
	root := s.World.Root(account)
	return aws.Config{
		Region: Region, BaseEndpoint: aws.String(s.World.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey, Source: "rehearsal"}, nil
		}),
	}
}

// Deploy uploads the code and makes the stacks; each takes the outputs of those before it. Set does it
// unless the stage is to be empty.
func (s *Stage) Deploy(ctx context.Context) error {
	for _, st := range s.stacks {
		for _, code := range []string{st.Function, s.options.Code[st.Template]} {
			if err := s.upload(ctx, account(st), code); err != nil {
				return err
			}
		}
	}
	// An external ID is no secret; it has to be one that B gave to this target and to no other.
	external := name + "-" + strings.ToLower(rand.Text())
	for _, st := range s.stacks {
		if err := s.deployStack(ctx, st, external); err != nil {
			return err
		}
	}
	return nil
}

// upload puts a Lambda zip where the account's templates look for it.
func (s *Stage) upload(ctx context.Context, account, code string) error {
	if code == "" {
		return nil
	}
	zip, err := os.ReadFile(filepath.Join(s.options.Lambdas, code+"_"+Architecture()+".zip"))
	if err != nil {
		return fmt.Errorf("read the Lambda code: %w", err)
	}
	return deploy.New(s.Config(account), 20*time.Millisecond).Code(ctx, codeBucket(account), code+".zip", zip)
}

func (s *Stage) deployStack(ctx context.Context, st templates.Step, external string) error {
	text, err := templates.Get(st.Template)
	if err != nil {
		return err
	}
	if s.options.Template != nil {
		text = s.options.Template(st.Template, text)
	}
	given := map[string]string{
		"Name": name, "Route": s.options.Route, "ExternalId": external, "DeliveryAccount": DeliveryAccount,
		"CodeBucket": codeBucket(account(st)), "CodeKey": cmp.Or(s.options.Code[st.Template], st.Function) + ".zip",
		"Architecture": Architecture(), "Median": fmt.Sprintf("%dms", s.options.Median.Milliseconds()),
		"ErrorCachingSeconds": "1", // time passes at the wall's pace while a function waits
	}
	for k, v := range s.Outputs {
		given[k] = v
	}
	for k, v := range s.options.Parameters[st.Template] {
		given[k] = v
	}
	wanted, err := templates.Parameters(text)
	if err != nil {
		return err
	}
	parameters := map[string]string{}
	for _, k := range wanted {
		if v, ok := given[k]; ok {
			parameters[k] = v
		}
	}
	outputs, err := deploy.New(s.Config(account(st)), 20*time.Millisecond).Create(ctx, deploy.Stack{
		Name: name + "-" + st.Template, Template: text, Parameters: parameters,
	})
	if err != nil {
		return fmt.Errorf("account %s: %w", account(st), err)
	}
	for k, v := range outputs {
		s.Outputs[k] = v
	}
	return nil
}

func codeBucket(account string) string { return name + "-code-" + account }

// Architecture is this machine's, in Lambda's words.
func Architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// Route is the story's route.
func (s *Stage) Route() string { return s.options.Route }
