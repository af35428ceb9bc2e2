// Package codepipeline is the rehearsal's CodePipeline: it takes a push through the stages of a
// pipeline, each action as the role it has, across accounts, and waits for Lambda jobs to be answered the
// way the real one does.
package codepipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/codebuild"
	"github.com/unstale/unstale/rehearsal/codecommit"
	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what CodePipeline clients sign with; Principal assumes the pipelines' roles.
const (
	SigningName = "codepipeline"
	Principal   = "codepipeline.amazonaws.com"
)

// Sessions is what pipelines need of STS.
type Sessions interface {
	Assume(context.Context, accounts.Caller, sts.Input) (accounts.Credentials, error)
}

// Repositories is what the source action needs of CodeCommit.
type Repositories interface {
	Archive(ctx context.Context, caller accounts.Caller, region, name, branch string) (codecommit.Source, error)
}

// Builds is what the build action needs of CodeBuild.
type Builds interface {
	Start(ctx context.Context, caller accounts.Caller, region string, in codebuild.StartInput) (codebuild.Build, error)
	Wait(ctx context.Context, caller accounts.Caller, id string) (codebuild.Build, error)
}

// Functions is what the invoke action needs of Lambda. function is a name or an ARN.
type Functions interface {
	// List decides lambda:ListFunctions for the caller.
	List(ctx context.Context, caller accounts.Caller, region string) error
	// InvokeEvent invokes asynchronously: it returns once the event is queued.
	InvokeEvent(ctx context.Context, caller accounts.Caller, region, function string, payload []byte) error
}

// Deps are what the service works with; all but Machines are needed.
type Deps struct {
	Directory    *accounts.Directory
	Clock        *clock.Clock
	Journal      *journal.Journal
	Sessions     Sessions
	Store        artifact.Store
	Repositories Repositories
	Builds       Builds
	Functions    Functions
	Machines     Machines // nil: the Step Functions action is not emulated
	Options
}

// Visibility is whose callers may answer a job. AWS does not document it for actions whose role is in
// another account, so it can be switched (L).
type Visibility int

// The visibilities. The zero value is the strict one.
const (
	PipelineAccount Visibility = iota // callers of the pipeline's account only
	ActionAccount                     // callers of the account of the action's role only
	BothAccounts
)

// Options are a rehearsal's choices where AWS is undocumented, and more action types.
type Options struct {
	Jobs Visibility
	// ContinuationInterval is how long after a continuation token the next job comes; 0 means 30 s (L).
	ContinuationInterval time.Duration
	// SourceKeys sends aws:SourceArn and aws:SourceAccount when CodePipeline assumes a pipeline's role.
	// Whether AWS does is not known (L); without them a trust policy that asks for them denies.
	SourceKeys bool
	// IdleOnCreate leaves out the execution that creating a pipeline starts on AWS (H: trigger type
	// CreatePipeline).
	IdleOnCreate bool
	// Runners adds action types, by "Category/Provider".
	Runners map[string]Runner
}

// Service is the pipelines of all accounts. Make it with New, end it with Close.
type Service struct {
	Deps
	runners map[string]Runner
	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	work    sync.WaitGroup

	mu        sync.Mutex
	pipelines map[string]*pipeline // by ARN
	jobs      map[string]*job      // by ID
	answers   []JobAnswer          // in the order they came
}

type pipeline struct {
	Declaration
	arn, account, region string
	created, updated     time.Time
	executions           []*execution     // in the order they started
	gates                map[string]*gate // by stage name
}

// New makes a service without pipelines.
func New(d Deps) *Service {
	if d.ContinuationInterval == 0 {
		d.ContinuationInterval = 30 * time.Second
	}
	s := &Service{Deps: d, pipelines: map[string]*pipeline{}, jobs: map[string]*job{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.runners = map[string]Runner{
		"Source/CodeCommit": sourceAction{s},
		"Build/CodeBuild":   buildAction{s},
		"Test/CodeBuild":    buildAction{s},
		"Deploy/S3":         deployAction{s},
		"Invoke/Lambda":     invokeAction{s},
	}
	if d.Machines != nil {
		s.runners["Invoke/StepFunctions"] = machineAction{s}
	}
	for key, r := range d.Runners {
		s.runners[key] = r
	}
	return s
}

func runnerKey(t ActionType) string {
	if t.Owner != "AWS" || t.Version != "1" {
		return ""
	}
	return t.Category + "/" + t.Provider
}

// Close abandons what is under way and waits for it.
func (s *Service) Close() error {
	s.mu.Lock()
	s.stop() // under the lock: nothing is launched from here on
	s.mu.Unlock()
	s.work.Wait()
	return nil
}

func pipelineARN(region, account, name string) string {
	return fmt.Sprintf("arn:aws:codepipeline:%s:%s:%s", region, account, name)
}

func (s *Service) authorize(caller accounts.Caller, action, arn string) error {
	return s.Directory.Authorize(accounts.Check{Caller: caller, Action: "codepipeline:" + action, Resource: arn})
}

// find is a pipeline of the caller's account, once action on it is allowed.
func (s *Service) find(caller accounts.Caller, region, name, action string) (*pipeline, error) {
	arn := pipelineARN(region, caller.Account, name)
	if err := s.authorize(caller, action, arn); err != nil {
		return nil, err
	}
	return s.lookup(arn)
}

func (s *Service) lookup(arn string) (*pipeline, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pipelines[arn]; p != nil {
		return p, nil
	}
	name := arn[strings.LastIndexByte(arn, ':')+1:]
	return nil, wire.Errorf(400, "PipelineNotFoundException", "Account '%s' does not have a pipeline with name '%s'", accounts.AccountOf(arn), name)
}

// list is the pipelines of an account and region by name.
func (s *Service) list(account, region string) []*pipeline {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*pipeline
	for _, p := range s.pipelines {
		if p.account == account && p.region == region {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *pipeline) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Start starts an execution as the caller; the name is of the caller's account. A token that was
// used before answers the execution that it started; an empty one always starts another.
func (s *Service) Start(_ context.Context, caller accounts.Caller, region, name, token string) (executionID string, err error) {
	p, err := s.find(caller, region, name, "StartPipelineExecution")
	if err != nil {
		return "", err
	}
	return s.begin(p, Trigger{"StartPipelineExecution", caller.ARN}, token), nil
}

// StartByRule starts an execution as the caller for an EventBridge rule.
func (s *Service) StartByRule(_ context.Context, caller accounts.Caller, arn, rule string) (executionID string, err error) {
	if err := s.authorize(caller, "StartPipelineExecution", arn); err != nil {
		return "", err
	}
	p, err := s.lookup(arn)
	if err != nil {
		return "", err
	}
	return s.begin(p, Trigger{"CloudWatchEvent", rule}, ""), nil
}
