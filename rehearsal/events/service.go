// Package events is the rehearsal's EventBridge: each account's default bus, whose rules start
// pipelines when something happens in a service of that account.
package events

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/sts"
)

// Principal is the service that assumes the targets' roles.
const Principal = "events.amazonaws.com"

// Sessions is what rules need of STS.
type Sessions interface {
	Assume(context.Context, accounts.Caller, sts.Input) (accounts.Credentials, error)
}

// Pipelines is what rules need of CodePipeline. rule is the ARN of the rule that starts it.
type Pipelines interface {
	StartByRule(ctx context.Context, caller accounts.Caller, pipelineARN, rule string) (executionID string, err error)
}

// Deps are what the service works with; all are needed.
type Deps struct {
	Directory *accounts.Directory
	Clock     *clock.Clock
	Journal   *journal.Journal
	Sessions  Sessions
	Pipelines Pipelines
}

// Service is the buses of all accounts. Make it with New.
type Service struct {
	Deps
	mu    sync.Mutex
	rules map[string]Rule // by ARN
}

// New makes buses without rules.
func New(d Deps) *Service { return &Service{Deps: d, rules: map[string]Rule{}} }

// Rule selects events of an account and region and says what they start.
type Rule struct {
	ARN, Name, Description string
	Account, Region        string
	Disabled               bool
	Pattern                Pattern
	Targets                []Target
}

// Target is a pipeline and the role that may start it.
type Target struct{ ID, ARN, RoleARN string }

// Delivery is told for each target of each rule that an event matched (Name "Delivery").
type Delivery struct {
	Rule, Target string // ARNs
	Event        Event
	Execution    string // ID of the pipeline execution started
	Error        string // why it was not
}

// Put puts an event on the bus of its account and region. Rules act on it soon after, each in a
// goroutine of its own; a failed delivery is told to the journal, as nobody waits for it.
func (s *Service) Put(e Event) {
	e.ID = cmp.Or(e.ID, random.UUID())
	if e.Time.IsZero() {
		e.Time = s.Clock.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, arn := range slices.Sorted(maps.Keys(s.rules)) {
		rule := s.rules[arn]
		if rule.Disabled || rule.Account != e.Account || rule.Region != e.Region || !rule.Pattern.Matches(e) {
			continue
		}
		for _, t := range rule.Targets {
			s.Clock.After(0, func() { s.deliver(rule, t, e) })
		}
	}
}

func (s *Service) deliver(rule Rule, t Target, e Event) {
	told := Delivery{Rule: rule.ARN, Target: t.ARN, Event: e}
	id, err := s.start(context.Background(), rule, t)
	if err != nil {
		told.Error = err.Error()
	}
	told.Execution = id
	s.Journal.Tell(journal.Event{Time: s.Clock.Now(), Source: "events", Name: "Delivery", Data: told})
}

func (s *Service) start(ctx context.Context, rule Rule, t Target) (string, error) {
	cred, err := s.Sessions.Assume(ctx, accounts.ServiceCaller(Principal, rule.Account, rule.ARN),
		sts.Input{RoleARN: t.RoleARN, SessionName: random.UUID()[:32]})
	if err != nil {
		return "", err
	}
	return s.Pipelines.StartByRule(ctx, cred.Caller, t.ARN, rule.ARN)
}
