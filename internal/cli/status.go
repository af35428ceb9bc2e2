package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/internal/fleet/runs"
	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/plural"
	"github.com/unstale/unstale/internal/targetfile"
	"github.com/unstale/unstale/invalidation"
)

type statusFlags struct {
	aim
	run  string
	last int
	json bool
}

func newStatus() *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status [TARGET...]",
		Short: "Show what is being invalidated, what was, how much room is left, and what the month costs",
		Long: `Show what is being invalidated, what was, how much room is left, and what the month costs.

Without a name, all targets of unstale.yaml; without such a file, the runs of this machine only. The
invalidations are CloudFront's own list, whoever made them. Route relay cannot list those that are
completed: of them it shows what was run from this machine.

The room is what may be in progress beside what is: 3,000 files and 15 wildcards. The limits and the
1,000 free paths of a month are the account's; other distributions than the targets are not seen.

The exit code is 0 when every target could be looked at, 1 when one could not, 2 when the command line
or the targets file is wrong.`,
		Example: `  unstale status
  unstale status shop --last 20
  unstale status --distribution E2EXAMPLE \
    --role-arn arn:aws:iam::222222222222:role/unstale-purge --external-id ID
  unstale status --run 20261123-024905-k3x9   # one run of unstale invalidate
  unstale status --json | jq '.targets[].headroom'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return status(cmd.Context(), f, args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	f.flags(flags)
	flags.StringVar(&f.run, "run", "", "the targets of one run, and how far it came")
	flags.IntVar(&f.last, "last", 5, "how many completed invalidations, and runs, to list")
	flags.BoolVar(&f.json, "json", false, "print one JSON document: docs/schemas/status.schema.json")
	return cmd
}

func status(ctx context.Context, f statusFlags, args []string, stdout, stderr io.Writer) error {
	if f.last < 0 {
		return usage{withTry(fmt.Errorf("--last is %d, but it counts lines", f.last), "--last 5")}
	}
	dir, err := runs.Default(os.Getenv)
	if err != nil {
		return withTry(err, "set XDG_STATE_HOME")
	}
	warn := func(text string) {
		_, _ = fmt.Fprintf(stderr, "unstale: warning: %s\n", text) // where stderr is closed there is nobody to tell
	}
	targets, history, damaged, err := f.scope(dir, args, warn)
	if err != nil {
		return err
	}
	l := looker{now: time.Now().UTC(), last: f.last, history: history}
	if damaged > 0 {
		warn(fmt.Sprintf("%s in %s cannot be read", plural.Of(damaged, "record"), dir))
	}
	d := l.look(ctx, targets, f.run == "", f.described() || len(args)+len(f.groups) > 0)
	if ctx.Err() != nil { // a target that was not looked at any more would seem to have failed
		return context.Cause(ctx)
	}
	d.mark(dir.Running)
	if f.json {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(d)
	} else {
		err = writeStatus(stdout, d, newPrinter(stdout))
	}
	if err != nil {
		return fmt.Errorf("print the status: %w", err)
	}
	return d.err(!f.json && len(d.Targets) > 1)
}

// scope is which targets to look at, and what was run here.
func (f *statusFlags) scope(dir runs.Dir, args []string, warn func(string)) (targets []targetfile.Target, history []runs.Run, damaged int, err error) {
	if f.run != "" {
		if len(args)+len(f.groups) > 0 || f.all || f.described() {
			return nil, nil, 0, usage{withTry(errors.New("--run names its targets itself, and others are given"), "unstale status --run %s", f.run)}
		}
		r, err := dir.Read(f.run)
		if errors.Is(err, runs.ErrNone) {
			return nil, nil, 0, usage{withTry(err, "unstale status, which lists them")}
		}
		if err != nil {
			return nil, nil, 0, withTry(err, "unstale status")
		}
		for _, t := range r.Targets {
			targets = append(targets, t.Target)
		}
		return targets, []runs.Run{r}, 0, nil
	}
	history, damaged = dir.List()
	if len(args)+len(f.groups) == 0 && !f.described() {
		_, err := readTargets(f.config)
		if errors.Is(err, targetfile.ErrNone) && !f.all {
			return nil, history, damaged, nil
		}
		f.all = true
	}
	names, items, err := split(args)
	if err == nil && len(items) > 0 {
		err = usage{withTry(fmt.Errorf("status takes names of targets, and %q is an item", items[0]), "unstale status")}
	}
	if err == nil {
		targets, err = f.targets(names, warn)
	}
	return targets, history, damaged, err
}

// looker looks at targets.
type looker struct {
	connections
	now     time.Time
	last    int
	history []runs.Run
}

// atOnce is how many targets are looked at at a time, and mostListed how many invalidations of one are read.
const (
	atOnce     = 16
	mostListed = 100
)

// all is whether to list more than one run, only whether those of other targets are left out.
func (l *looker) look(ctx context.Context, targets []targetfile.Target, all, only bool) statusDocument {
	d := statusDocument{Version: statusVersion, Month: l.now.Format("2006-01"), Targets: make([]statusTarget, len(targets)), Accounts: []statusAccount{}, Runs: []statusRun{}}
	free := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			d.Targets[i] = l.target(ctx, t)
		})
	}
	wg.Wait()
	d.add(targets)
	for _, r := range l.history {
		if only && !slices.ContainsFunc(r.Targets, d.about(targets)) {
			continue
		}
		if len(d.Runs) < l.last || !all {
			d.Runs = append(d.Runs, summary(r))
		}
	}
	return d
}

// about tells whether a run's target is one of those that are looked at, whatever it was called.
func (d *statusDocument) about(targets []targetfile.Target) func(runs.Target) bool {
	return func(past runs.Target) bool {
		for i, t := range targets {
			id, was := d.Targets[i].Distribution, cmp.Or(past.Progress.Distribution, past.Target.Distribution)
			if id != "" && was != "" && id == was || (id == "" || was == "") && past.Name == t.Name {
				return true
			}
		}
		return false
	}
}

// recenter is a gateway that can list what is completed.
type recenter interface {
	Recent(ctx context.Context, since time.Time, most int) ([]invalidation.Invalidation, bool, error)
}

// target looks at one target.
func (l *looker) target(ctx context.Context, t targetfile.Target) statusTarget {
	out := statusTarget{
		Name: t.Name, Route: string(t.Route), Account: t.Account, Distribution: t.Distribution,
		InProgress: []statusInvalidation{}, Recent: []statusInvalidation{}, Notes: []string{}, KnownFrom: "CloudFront",
	}
	list, err := l.list(ctx, &t, &out)
	out.Distribution = t.Distribution
	if err != nil {
		out.Error, out.Try = err.Error(), l.advised(t, err, tryOf(err))
		return out
	}
	busy, limits := fleet.Busy(list), invalidation.DefaultLimits()
	out.Headroom = &statusRoom{Files: max(0, limits.Files-busy.Files), Wildcards: max(0, limits.Wildcards-busy.Wildcards)}
	for _, one := range list {
		if out.Distribution == "" {
			out.Distribution = one.Distribution
		}
		shown := statusInvalidation{ID: one.ID, Status: string(one.Status), Created: one.Created.UTC(), Items: one.Items, Reference: one.Reference}
		switch {
		case !one.Status.Done():
			out.InProgress = append(out.InProgress, shown)
		case len(out.Recent) < l.last:
			out.Recent = append(out.Recent, shown)
		}
		if !one.Created.Before(monthBegan(l.now)) {
			out.MonthPaths += len(one.Items)
		}
	}
	return out
}

// list is the target's invalidations, newest first, as far as its route shows them.
func (l *looker) list(ctx context.Context, t *targetfile.Target, out *statusTarget) ([]invalidation.Invalidation, error) {
	c, err := l.of(ctx, *t)
	if err != nil {
		return nil, err
	}
	if *t, err = c.settle(ctx, *t); err != nil {
		return nil, err
	}
	g, err := c.routes.Gateway(t.Target, "status")
	if err != nil {
		return nil, err
	}
	r, ok := g.(recenter)
	if !ok {
		out.KnownFrom = "runs on this machine"
		list, err := g.InProgress(ctx)
		return l.local(*t, list), err
	}
	since := monthBegan(l.now)
	if day := l.now.Add(-24 * time.Hour); day.Before(since) {
		since = day
	}
	list, more, err := r.Recent(ctx, since, mostListed)
	if more {
		out.Notes = append(out.Notes, fmt.Sprintf("there are more than %d invalidations this month: the older ones are not counted", mostListed))
	}
	return list, err
}

// local adds to what is in progress what was run on this machine and is over.
func (l *looker) local(t targetfile.Target, list []invalidation.Invalidation) []invalidation.Invalidation {
	known := map[string]bool{}
	for _, one := range list {
		known[one.ID] = true
	}
	for _, r := range l.history {
		for _, past := range r.Targets {
			p := past.Progress
			if past.Target.Function != t.Function || p.ID == "" || known[p.ID] || t.Distribution != "" && p.Distribution != t.Distribution {
				continue
			}
			known[p.ID] = true // two targets that are one distribution have one
			one := invalidation.Invalidation{ID: p.ID, Distribution: p.Distribution, Reference: p.Reference, Status: invalidation.Completed, Created: p.Since()}
			for _, item := range r.Items {
				one.Items = append(one.Items, string(item))
			}
			if past.Plan != nil && r.Items == nil {
				for _, item := range past.Plan.Paths() {
					one.Items = append(one.Items, string(item))
				}
			}
			list = append(list, one)
		}
	}
	return list
}

// monthBegan is when the month began that CloudFront bills.
func monthBegan(now time.Time) time.Time {
	return time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// tryOf is the next step that an error names.
func tryOf(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.try
	}
	var e *gateway.Error
	if errors.As(err, &e) {
		return e.Try
	}
	return ""
}
