package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/internal/fleet/runs"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/targetfile"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
)

// The exit codes of what AWS goes on with, and of what it did to no effect.
const (
	exitInProgress = 3
	exitStale      = 4
)

// coded is an error with an exit code of its own.
type coded struct {
	error
	code int
}

func (c coded) Unwrap() error { return c.error }

// medianVariable says how long completion usually takes, as it does to the functions.
const medianVariable = "UNSTALE_MEDIAN"

// defaultWait is how long completion is waited for. CloudFront says that 95% complete in 25 s.
const defaultWait = 10 * time.Minute

type invalidateFlags struct {
	aim
	site, artifact   string
	previous         []string
	wait, onFailure  string
	noVerify, dryRun bool
	verify           verifyFlag
	attempt, resume  string
	json, verbose    bool
}

func newInvalidate() *cobra.Command {
	var f invalidateFlags
	cmd := &cobra.Command{
		Use:   "invalidate [TARGET...] [ITEM...]",
		Short: "Purge items or a release from distributions, wait, and look whether viewers see it",
		Long: `Purge items or a release from distributions, wait, and look whether viewers see it.

An argument that begins with / or # is an item: a path, a path that ends in *, or a cache tag. Quote
them, since shells have their own idea of * and #. Every other argument is the name of a target in
unstale.yaml (or the distribution ID or the domain of one). Without a name, the only target there is.
Without a targets file, --distribution and what belongs to it describe a target.

What to purge is either items, or the release in --site or --artifact: then the least is planned that
makes viewers see it, from what caches may hold. With "state" in the target that is remembered between
runs; otherwise --previous tells it, and without that everything is purged. '/*' purges everything.

Targets are worked on all at once; where they are more than --per-account, those of one account take
turns. The wait is for each target, from the creation of its invalidation. A target that leaves its calls
without an answer for as long, and for 10s at the least, is given up; one that is slow is not. The first
Ctrl-C ends the waiting, not what AWS does; the second ends the program at once. Every run is written
down before its first call (in $XDG_STATE_HOME/unstale/runs), so that --resume takes it up again, and
pays for nothing twice. --attempt gives the run a name of your own: a CI job that is started again under
the same name finds the same invalidations. UNSTALE_MEDIAN says how long completion usually takes (10s),
for when to look.

The exit code is 0 when all is done that was asked for, 1 when a target failed, 2 when the command line
or the targets file is wrong, 3 when something is still in progress when the wait ends, and 4 when
viewers still see the old release. Of several targets the first of 1, 4 and 3 counts.`,
		Example: `  unstale invalidate shop docs '/index.html' '/docs/*'
  unstale invalidate --all '/*'
  unstale invalidate --group web --wait none '#product-7'   # do not wait
  # plan a release, or also purge the least for it, and look
  unstale invalidate shop --site build/ --dry-run
  unstale invalidate shop --site build/
  unstale invalidate shop --artifact site.zip --previous last.zip
  # without a targets file: of your own account, or of another
  unstale invalidate --distribution E2EXAMPLE '/*'
  unstale invalidate --distribution E2EXAMPLE '/*' \
    --role-arn arn:aws:iam::222222222222:role/unstale-purge --external-id ID
  # go on with a run that was cut off
  unstale invalidate --resume 20261123-024905-k3x9`,
		RunE: func(cmd *cobra.Command, args []string) error {
			i := &invalidator{invalidateFlags: f, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), waitGiven: cmd.Flags().Changed("wait")}
			if cmd.Flags().Changed("verify") && cmd.Flags().Changed("no-verify") {
				return usage{withTry(errors.New("--verify and --no-verify exclude each other"), "one of them")}
			}
			i.noVerify, i.looks = f.noVerify || f.verify.off, f.verify.pages
			i.verifyGiven = cmd.Flags().Changed("verify") && !f.verify.off
			return i.run(cmd.Context(), args)
		},
	}
	flags := cmd.Flags()
	f.flags(flags)
	flags.StringVar(&f.site, "site", "", "the release: a directory, a zip or a manifest")
	flags.StringVar(&f.artifact, "artifact", "", "another word for --site, which pipelines use")
	flags.StringArrayVar(&f.previous, "previous", nil, "what caches may hold, oldest first, where the target keeps no state: a directory, a zip or a manifest (repeatable)")
	flags.StringVar(&f.wait, "wait", "", "how long to wait for completion, such as 90s or 10m; or none (default: the target's, or 10m)")
	flags.Var(&f.verify, "verify", "look as a viewer once it is completed, as is done anyway; with =PATH,... at these pages too. A word after --verify is an item")
	flags.Lookup("verify").NoOptDefVal = noValue
	flags.BoolVar(&f.noVerify, "no-verify", false, "do not look")
	flags.StringVar(&f.onFailure, "on-failure", "continue", "when a target fails: continue with the others, or stop before those that are not begun")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print the plans and stop")
	flags.StringVar(&f.attempt, "attempt", "", "name of the run: the same name and items never purge twice (default: a new one)")
	flags.StringVar(&f.resume, "resume", "", "go on with a run of this name")
	flags.BoolVar(&f.json, "json", false, "print one JSON document: docs/schemas/invalidate.schema.json")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log every step on stderr")
	return cmd
}

// invalidator is one run of the command.
type invalidator struct {
	invalidateFlags
	stdout, stderr io.Writer
	waitGiven      bool
	verifyGiven    bool // --verify says to look, and is no default

	targets  []targetfile.Target
	items    []invalidation.Item
	looks    []string // pages to look at besides
	deployed deployed
	dir      runs.Dir
}

func (i *invalidator) warn(text string) {
	_, _ = fmt.Fprintf(i.stderr, "unstale: warning: %s\n", text) // where stderr is closed there is nobody to tell
}

func (i *invalidator) run(ctx context.Context, args []string) error {
	started := time.Now()
	if err := i.prepare(ctx, args); err != nil {
		return err
	}
	wait, err := i.waiting()
	if err != nil {
		return err
	}
	if err := i.verifying(wait); err != nil {
		return err
	}
	if i.profile != "" { // otherwise others may have another
		if err := profiles(ctx, i.targets); err != nil {
			return err
		}
	}
	w := &work{
		deployed: i.deployed, items: i.items, looks: i.looks, wait: wait, attempt: i.attempt, dir: i.dir, dry: i.dryRun, started: started, warn: i.warn,
	}
	f, err := i.fleet(wait)
	if err != nil {
		return err
	}
	if i.dryRun {
		results := f.Plans(ctx, w.tasks(i.targets))
		return i.report(i.document(w, results, nil), nil)
	}
	if w.log, err = i.begin(started); err != nil {
		return err
	}
	w.earlier = map[int]string{}
	for n, t := range w.log.Run().Targets {
		w.earlier[n] = t.Progress.ID
	}
	if w.blind() && !i.noVerify {
		i.warn("which pages have a tag is not known, so none is looked at: completion is all that is waited for; --verify=PATH names some")
	}
	s := i.show(w)
	f.Observe = s.event
	results := f.Run(ctx, w.tasks(i.targets))
	s.close()
	err = w.log.End(func(n int, t *runs.Target) {
		r := results[n]
		t.Outcome, t.Progress = string(r.Outcome), r.Verdict.Progress
		if t.Said = ""; r.Err != nil {
			t.Said = r.Err.Error()
		}
	})
	if err != nil {
		i.warn("the run cannot be taken up again: " + err.Error())
	}
	return i.report(i.document(w, results, context.Cause(ctx)), s.broken())
}

// prepare reads everything that can be wrong before anything is done.
func (i *invalidator) prepare(ctx context.Context, args []string) (err error) {
	if i.onFailure != "continue" && i.onFailure != "stop" {
		return usage{withTry(fmt.Errorf("--on-failure is %q", i.onFailure), "--on-failure continue, or --on-failure stop")}
	}
	if i.dir, err = runs.Default(os.Getenv); err != nil && !i.dryRun { // whose forecast then counts no earlier run
		return withTry(err, "set XDG_STATE_HOME to a directory that lasts")
	}
	if i.resume != "" {
		return i.resumed(args)
	}
	names, items, err := split(args)
	if err != nil {
		return err
	}
	if i.site != "" && i.artifact != "" {
		return usage{withTry(errors.New("--site and --artifact are two words for the same"), "one of them")}
	}
	i.site, i.items = cmp.Or(i.site, i.artifact), items
	if err := mistakenForValue(ctx, len(items) > 1 || i.site != ""); err != nil {
		return err
	}
	switch {
	case len(items) > 0 && i.site != "":
		return usage{withTry(fmt.Errorf("purge %s, or plan the release %s? both are given", items[0], i.site), "items, or --site")}
	case len(items) == 0 && i.site == "":
		if err := i.aim.misnamed(names); err != nil {
			return err
		}
		return usage{withTry(errors.New("nothing is named to purge"), "'/*' for everything, '/some/page', or --site DIRECTORY for a release")}
	}
	if len(items) > 0 {
		if i.items, err = invalidation.Normalize(items); err != nil {
			return usage{withTry(err, "an item such as '/index.html'")}
		}
	}
	if i.targets, err = i.aim.targets(names, i.warn); err != nil {
		return err
	}
	if i.attempt != "" && !runs.ValidID(i.attempt) {
		return usage{withTry(fmt.Errorf("--attempt %.120q does not have 1 to 100 letters, digits, '.', '_' or '-'", i.attempt), "--attempt release-42")}
	}
	i.attempt = cmp.Or(i.attempt, newID(time.Now()))
	return i.read()
}

// read reads the release.
func (i *invalidator) read() (err error) {
	if i.deployed, err = readRelease(i.site, i.previous, i.warn); err != nil || i.site == "" {
		return err
	}
	for _, t := range i.targets {
		switch {
		case t.State.Bucket != "" && len(i.previous) > 0:
			return usage{withTry(fmt.Errorf("target %s keeps its history in %s, and --previous tells another", t.Name, t.State), "without --previous")}
		case t.State.Bucket == "" && len(i.previous) == 0:
			i.warn(fmt.Sprintf("target %s keeps no state and no --previous was given, so nothing is known of what caches hold and everything is purged", t.Name))
		}
	}
	return nil
}

// newID names a run: when it began, and a word by chance.
func newID(now time.Time) string {
	return now.UTC().Format("20060102-150405-") + strings.ToLower(rand.Text()[:6])
}

// resumed takes up a run.
func (i *invalidator) resumed(args []string) error {
	if len(args) > 0 || i.described() || len(i.groups) > 0 || i.all || i.site+i.artifact+i.attempt != "" || i.dryRun {
		return usage{withTry(errors.New("--resume goes on with what the run was begun with, and something else is given beside it"), "unstale invalidate --resume %s", i.resume)}
	}
	r, err := i.dir.Read(i.resume)
	if errors.Is(err, runs.ErrNone) {
		return usage{withTry(err, "unstale status, which lists them")}
	}
	if err != nil {
		return withTry(err, "the same command again without --resume; it makes new invalidations")
	}
	i.attempt, i.items, i.site, i.previous = r.ID, r.Items, r.Site, r.Previous
	if len(i.looks) == 0 && !i.noVerify {
		i.looks = r.Looks
	}
	for _, t := range r.Targets {
		t.Target.Profile, t.Target.Region = cmp.Or(i.profile, t.Target.Profile), cmp.Or(i.region, t.Target.Region)
		i.targets = append(i.targets, t.Target)
	}
	return i.read()
}

// waiting is how long to wait where a target does not say it itself. The flag wins over the targets.
func (i *invalidator) waiting() (time.Duration, error) {
	if !i.waitGiven {
		return defaultWait, nil
	}
	for n := range i.targets {
		i.targets[n].Wait = nil
	}
	if i.wait == "none" {
		return 0, nil
	}
	d, err := time.ParseDuration(i.wait)
	if err != nil || d <= 0 || d > 24*time.Hour {
		return 0, usage{withTry(fmt.Errorf("--wait %q is no duration of up to 24h", i.wait), "--wait 10m, or --wait none")}
	}
	return d, nil
}

// begin writes the run down.
func (i *invalidator) begin(started time.Time) (*runs.Log, error) {
	r := runs.Run{ID: i.attempt, Started: started, Site: i.deployed.site, Previous: i.deployed.previous, Release: i.deployed.name, Items: i.items, Looks: i.looks}
	for _, t := range i.targets {
		r.Targets = append(r.Targets, runs.Target{Name: t.Name, Target: t})
	}
	log, err := i.dir.Begin(r, time.Now)
	switch {
	case errors.Is(err, runs.ErrOther):
		return nil, usage{withTry(err, "another --attempt")}
	case errors.Is(err, runs.ErrRunning):
		return nil, withTry(fmt.Errorf("nothing was purged: run %s is going on in another process", i.attempt), "unstale status --run %s", i.attempt)
	case err != nil:
		return nil, withTry(fmt.Errorf("nothing was purged: %w", err), "set XDG_STATE_HOME to a directory that you may write to")
	}
	return log, nil
}

// fleet is how the targets are worked on.
func (i *invalidator) fleet(wait time.Duration) (fleet.Fleet, error) {
	schedule := purge.Schedule{Median: purge.DefaultMedian}
	if text := os.Getenv(medianVariable); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return fleet.Fleet{}, usage{withTry(fmt.Errorf("read %s: %q is no duration", medianVariable, text), "%s=10s, or leave it unset", medianVariable)}
		}
		schedule.Median = d
	}
	f := fleet.Fleet{
		PerAccount: i.accounts, Wait: wait, Verify: !i.noVerify, Stop: i.onFailure == "stop", Schedule: schedule,
		// A person waits: what does not answer is told after some tries. Throttles are met elsewhere.
		Retry:  purge.Retry{Fast: purge.Backoff{Base: 200 * time.Millisecond, Most: 2 * time.Second, Tries: 4}},
		Viewer: viewer.New(viewer.Config{Step: schedule.Step(1), Within: 3 * schedule.Median / 2}),
	}
	if i.verbose {
		f.Log = slog.New(slog.NewTextHandler(i.stderr, nil))
	}
	return f, nil
}

// report prints the document and gives the error that makes the exit code.
func (i *invalidator) report(d invalidateDocument, broken error) error {
	var err error
	if i.json {
		enc := json.NewEncoder(i.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(d)
	} else {
		err = writeInvalidate(i.stdout, d, newPrinter(i.stdout))
	}
	if broken != nil {
		err = broken
	}
	if err != nil {
		err = fmt.Errorf("print what came of it: %w", err)
	}
	if result := d.err(!i.json && len(d.Targets) > 1); result != nil {
		return errors.Join(result, err)
	}
	return err
}
