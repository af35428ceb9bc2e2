// Package states is the rehearsal's Step Functions: it runs state machines that call CloudFront with
// a role of another account. Of the Amazon States Language it knows what this project's definition
// uses; any other state, field, path or function is refused when a machine is made, so that nothing
// runs half understood.
//
// Facts about AWS carry how sure they are: H documented or in AWS's own models, M reported by
// several, L one report or a guess.
package states

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what Step Functions clients sign with; Principal assumes the machines' roles.
const (
	SigningName = "states"
	Principal   = "states.amazonaws.com"
)

// Sessions is what machines need of STS.
type Sessions interface {
	Assume(context.Context, accounts.Caller, sts.Input) (accounts.Credentials, error)
}

// Distributions is what tasks need of CloudFront.
type Distributions interface {
	CreateInvalidation(ctx context.Context, c accounts.Caller, distribution string, items []string, reference string) (inv cloudfront.Invalidation, created bool, err error)
	GetInvalidation(ctx context.Context, c accounts.Caller, distribution, id string) (cloudfront.Invalidation, error)
}

// Deps are what the service works with; all but Random are needed.
type Deps struct {
	Directory     *accounts.Directory
	Clock         *clock.Clock
	Journal       *journal.Journal
	Sessions      Sessions
	Distributions Distributions
	// Random is the jitter of retries, 0 to 1; nil: random.
	Random func() float64
}

// Service is the state machines of all accounts. Make it with New, end it with Close.
type Service struct {
	Deps
	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup

	mu         sync.Mutex
	machines   map[string]*machine   // by ARN
	executions map[string]*execution // by ARN
	order      []*execution          // as they started
}

// New makes a service without machines.
func New(d Deps) *Service {
	if d.Random == nil {
		d.Random = rand.Float64
	}
	s := &Service{Deps: d, machines: map[string]*machine{}, executions: map[string]*execution{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close leaves what is under way where it is, and waits until nothing moves.
func (s *Service) Close() error {
	s.mu.Lock()
	s.stop() // under the lock: nothing is launched from here on
	s.mu.Unlock()
	s.work.Wait()
	return nil
}

func (s *Service) authorize(c accounts.Caller, action, arn string) error {
	return s.Directory.Authorize(accounts.Check{Caller: c, Action: "states:" + action, Resource: arn})
}

func (s *Service) tell(name string, data any) {
	s.Journal.Tell(journal.Event{Time: s.Clock.Now(), Source: SigningName, Name: name, Data: data})
}

// ExecutionChange and StateChange are told to the journal under these names. An observer that does
// not return holds the execution.
type (
	// ExecutionChange says that an execution began or ended.
	ExecutionChange struct {
		Machine, Execution string // ARNs
		Status             string // RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED
		Error, Cause       string // with FAILED
	}
	// StateChange says what an execution does.
	StateChange struct {
		Machine, Execution string // ARNs
		State, Type        string // e.g. "Create", "Task"
		What               string // Entered, Exited, Retrying or Caught
		Error, Cause       string // with Retrying and Caught
		Delay              time.Duration
	}
)

const (
	machineKind   = "stateMachine"
	executionKind = "execution"
)

func machineARN(region, account, name string) string {
	return fmt.Sprintf("arn:aws:states:%s:%s:%s:%s", region, account, machineKind, name)
}

// executionARN is the ARN of a machine's execution.
func executionARN(machine, name string) string {
	return strings.Replace(machine, ":"+machineKind+":", ":"+executionKind+":", 1) + ":" + name
}

// checkARN refuses what is not the ARN of a kind of thing. A version or alias of a machine is not
// emulated.
func checkARN(arn, kind string) error {
	want := map[string]int{machineKind: 7, executionKind: 8}[kind]
	parts := strings.Split(arn, ":")
	switch {
	case len(parts) < 7 || parts[0] != "arn" || parts[2] != "states" || parts[5] != kind:
		return wire.Errorf(400, "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: %s'", arn)
	case len(parts) != want && kind == machineKind:
		return wire.NotEmulated("versions and aliases of state machines (%s)", arn)
	case len(parts) != want:
		return wire.Errorf(400, "InvalidArn", "Invalid Arn: 'Resource type not valid in this context: %s'", parts[5])
	}
	return nil
}
