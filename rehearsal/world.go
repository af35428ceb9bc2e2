// Package rehearsal is AWS on this machine, as far as a delivery pipeline across two accounts needs
// it: accounts with enforced IAM, templates, git, builds, pipelines, functions, buckets, keys, and a
// CDN edge that really caches. It is met over HTTP only, as AWS is. What it does not emulate
// answers with an error that says so, never with a success.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/edge"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/lambda"
	"github.com/unstale/unstale/rehearsal/sts"
)

// Options say what world to start. The zero values are AWS as documented.
type Options struct {
	Accounts []string // IDs of 12 digits; at least one
	Region   string   // where functions and pipelines live; empty means us-east-1
	Dir      string   // private directory; it is made, and removed by Close
	Address  string   // loopback address of the endpoint; empty means a free port
	// ManualClock keeps rehearsal time from skipping idle stretches by itself; see clock.Clock.
	ManualClock  bool
	Invalidation cloudfront.Options
	Edge         edge.Options
	Pipelines    codepipeline.Options
	Hooks        lambda.Hooks   // meddles with functions; nil means nothing does
	Faults       *faults.Script // strikes calls at the front door; nil means none
	BuildCache   string         // directory that builds may keep downloads in; empty: none
	Packages     string         // directory for functions' unpacked code that rehearsals share; empty: none
	BuildOutput  io.Writer      // shows what builds print; nil: nothing
}

// World is a running rehearsal. Make it with Start.
type World struct {
	options   Options
	clock     *clock.Clock
	journal   *journal.Journal
	directory *accounts.Directory
	front     *front.Server
	edge      *edge.Edge
	services

	serving sync.WaitGroup
	failed  error // of serving
	gitOnce sync.Mutex
	git     map[string][2]string // account -> user, password
}

// POP is one point of presence of the edge.
type POP struct {
	Name     string // e.g. "FRA56-P1"
	ProxyURL string // the HTTPS proxy through which a viewer there sees every distribution
}

// Start opens the accounts and starts every service. The caller closes the world.
func Start(o Options) (*World, error) {
	if len(o.Accounts) == 0 {
		return nil, errors.New("start a rehearsal: it needs at least one account")
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start a rehearsal: make its directory: %w", err)
	}
	w := &World{options: o, clock: clock.New(!o.ManualClock), journal: &journal.Journal{}, git: map[string][2]string{}}
	w.directory = accounts.New(w.clock, w.journal)
	if err := w.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start a rehearsal: %w", err), w.Close())
	}
	return w, nil
}

func (w *World) start() error {
	for _, id := range w.options.Accounts {
		if _, err := w.directory.Add(id); err != nil {
			return err
		}
	}
	var err error
	if w.front, err = front.Listen(w.options.Address, w.directory, w.clock, w.journal); err != nil {
		return err
	}
	if err := w.build(); err != nil {
		return err
	}
	w.register()
	if f := w.options.Faults; f != nil {
		f.Kill = w.functions.Kill
		w.front.Intercept(f.Intercept)
		w.front.Ahead(f.Ahead)
	}
	w.serving.Go(func() { w.failed = w.front.Serve() })
	return nil
}

// Close stops everything: functions, builds, servers. No process and no file stays.
func (w *World) Close() error {
	w.clock.Close()
	var errs []error
	if w.pipelines != nil {
		errs = append(errs, w.pipelines.Close())
	}
	if w.machines != nil {
		errs = append(errs, w.machines.Close())
	}
	if w.builds != nil {
		errs = append(errs, w.builds.Close())
	}
	if w.functions != nil {
		errs = append(errs, w.functions.Close())
	}
	if w.edge != nil {
		errs = append(errs, w.edge.Close())
	}
	if w.front != nil {
		errs = append(errs, w.front.Close())
	}
	w.serving.Wait()
	return errors.Join(append(errs, w.failed, os.RemoveAll(w.options.Dir))...)
}

// URL is what AWS_ENDPOINT_URL is set to.
func (w *World) URL() string { return w.front.URL() }

// Root is the root credentials of an account.
func (w *World) Root(account string) accounts.Credentials {
	c, _ := w.directory.Root(account)
	return c
}

// Journal is everything that was decided and that happened.
func (w *World) Journal() *journal.Journal { return w.journal }

// Clock is rehearsal time.
func (w *World) Clock() *clock.Clock { return w.clock }

// Directory is the accounts, for tests that change who may do what.
func (w *World) Directory() *accounts.Directory { return w.directory }

// CAFile is the certificate, in PEM, that viewers of the edge must trust.
func (w *World) CAFile() string { return w.edge.CAFile() }

// CASPKI identifies that certificate's key for Chromium's --ignore-certificate-errors-spki-list.
func (w *World) CASPKI() string { return w.edge.CASPKI() }

// POPs lists the edge's points of presence.
func (w *World) POPs() []POP {
	var out []POP
	for _, p := range w.edge.POPs() {
		out = append(out, POP{Name: p.Name(), ProxyURL: p.ProxyURL()})
	}
	return out
}

// Executions are all runs of a pipeline of an account, in order of start.
func (w *World) Executions(account, pipeline string) []codepipeline.Execution {
	return w.pipelines.Executions("arn:aws:codepipeline:" + w.options.Region + ":" + account + ":" + pipeline)
}

// Answers are what the jobs of an execution were answered, in the order the answers came.
func (w *World) Answers(execution string) []codepipeline.JobAnswer {
	return w.pipelines.Answers(execution)
}

// GitCredentials is a user name and password with which git acts as an account's root.
func (w *World) GitCredentials(account string) (user, password string) {
	w.gitOnce.Lock()
	defer w.gitOnce.Unlock()
	if _, ok := w.git[account]; !ok {
		user, password := w.repositories.GitCredentials(w.Root(account).Caller)
		w.git[account] = [2]string{user, password}
	}
	return w.git[account][0], w.git[account][1]
}

// assume asks STS for a session of a function's role on behalf of the Lambda service.
func (w *World) assume(ctx context.Context, c accounts.Caller, roleARN, session string) (accounts.Credentials, error) {
	if f := w.options.Faults; f != nil {
		if err := f.Assume(ctx, session); err != nil {
			return accounts.Credentials{}, err
		}
	}
	return w.sessions.Assume(ctx, c, sts.Input{RoleARN: roleARN, SessionName: session})
}

// dir makes a private directory of a service.
func (w *World) dir(name string) (string, error) {
	dir := filepath.Join(w.options.Dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}
