// Package lambda is AWS Lambda of a rehearsal. It runs the real bootstrap binaries that would be
// deployed, as processes that speak the Runtime API, with the credentials of their own role and
// nothing else of this machine's environment; who may invoke which version or alias is decided as
// on AWS, and asynchronous events are retried as on AWS.
package lambda

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/logs"
)

// Deps is what the service needs of the rest of the rehearsal.
type Deps struct {
	Directory *accounts.Directory
	Clock     *clock.Clock
	Journal   *journal.Journal
	// Assume asks STS for a session of a function's role, as the service principal: the role's
	// trust policy decides each time.
	Assume func(ctx context.Context, c accounts.Caller, roleARN, session string) (accounts.Credentials, error)
	// GetObject reads a deployment package from S3 with the permissions of whoever deploys.
	GetObject func(ctx context.Context, c accounts.Caller, bucket, key string) ([]byte, error)
	// Logs takes what functions print, written with each function's own role.
	Logs LogSink
	Options
}

// LogSink is the part of CloudWatch Logs that functions write to.
type LogSink interface {
	CreateGroup(c accounts.Caller, p logs.Place, group string) error
	CreateStream(c accounts.Caller, p logs.Place, group, stream string) error
	Put(c accounts.Caller, p logs.Place, group, stream string, events []logs.Event) error
}

// Options are choices of a rehearsal.
type Options struct {
	// Environment is added to every function's environment: where AWS is (AWS_ENDPOINT_URL), the
	// viewers' proxy and its CA. A function's own variables win.
	Environment map[string]string
	// Processes bounds how many functions run at once, in all accounts; 0 means 32. One more
	// invocation is throttled.
	Processes int
	// Dir is where code and scratch space go; empty means the system's temporary directory.
	Dir string
	// Packages is where unpacked code is kept, by the SHA-256 of its zip, for other rehearsals that are given
	// the same directory: unpacking the same zips is half of what many short ones cost. Who names it has made
	// it, and removes it. Empty means that code is unpacked for this service alone.
	Packages string
	// Hooks lets a script of faults meddle; nil means nothing does.
	Hooks Hooks
}

// Hooks is how faults are injected.
type Hooks interface {
	// BeforeInvoke runs before a function is handed an event. An error stands for a failure on
	// AWS's side: a synchronous caller gets it, an asynchronous event is tried again later.
	BeforeInvoke(Invocation) error
	// Deliveries is when an asynchronous event arrives, in rehearsal time from now: once and at once
	// normally, twice for the duplicate that AWS's documentation warns of, empty for never.
	Deliveries(Invocation) []time.Duration
}

const defaultProcesses = 32

// Service answers Lambda calls. Make it with New and end it with Close.
type Service struct {
	Deps
	dir  string
	pool *pool
	mux  *http.ServeMux

	mu        sync.Mutex
	functions map[key]*function
	// published is the last version number of each function, which AWS does not use again even
	// when a function is deleted and made anew.
	published map[key]int

	running   sync.WaitGroup // invocations under way
	closing   context.Context
	closeOnce func()
}

// New makes the service with no function. It makes a private directory that Close removes.
func New(d Deps) (*Service, error) {
	dir, err := os.MkdirTemp(d.Dir, "functions-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for functions: %w", err)
	}
	if d.Processes == 0 {
		d.Processes = defaultProcesses
	}
	s := &Service{Deps: d, dir: dir, functions: map[key]*function{}, published: map[key]int{}}
	s.closing, s.closeOnce = context.WithCancel(context.Background())
	s.pool = newPool(d.Processes, s.spawn)
	s.mux = s.newMux()
	return s, nil
}

// Close kills every function with all that it started, and removes their files. Invocations under
// way fail.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closeOnce()
	s.mu.Unlock()
	s.pool.close()
	s.running.Wait()
	if err := removeAll(s.dir); err != nil {
		return fmt.Errorf("remove the functions' directory: %w", err)
	}
	return nil
}

// begin counts an invocation, unless the service is closing.
func (s *Service) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return false
	}
	s.running.Add(1)
	return true
}
