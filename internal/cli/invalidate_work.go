package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/internal/fleet/runs"
	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/release"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/targetfile"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// deployed is a release as the flags name it; zero where items were named instead.
type deployed struct {
	site, name string // the site is an absolute path
	previous   []string
	snapshot   site.Snapshot
	known      []site.Snapshot // what caches may hold, where no state says so; none: not known
	of         []string        // distributions that the manifests among them are of
}

// readRelease reads the files of a release. Warnings go to warn.
func readRelease(name string, previous []string, warn func(string)) (d deployed, err error) {
	if name == "" {
		if len(previous) > 0 {
			return d, usage{withTry(errors.New("--previous is given without the release that follows it"), "--site DIRECTORY, or --artifact ZIP")}
		}
		return d, nil
	}
	release, err := readSource(name)
	if err == nil {
		err = release.damage
	}
	if err != nil {
		return d, unusable("--site", name, err)
	}
	if err := release.holdsFiles("--site"); err != nil {
		return d, err
	}
	d.snapshot, d.name = release.manifest.Snapshot, release.manifest.Release
	d.note(release)
	if d.site, err = filepath.Abs(name); err != nil {
		return d, fmt.Errorf("find %s: %w", name, err)
	}
	for _, name := range previous {
		s, err := readSource(name)
		if err != nil {
			return d, unusable("--previous", name, err)
		}
		path, err := filepath.Abs(name)
		if err != nil {
			return d, fmt.Errorf("find %s: %w", name, err)
		}
		d.previous = append(d.previous, path)
		if s.damage != nil {
			warn(fmt.Sprintf("use %s as --previous: %v; nothing is known of what caches hold, so everything is purged", name, s.damage))
			s.manifest.Snapshot = nil
		}
		d.known = append(d.known, s.manifest.Snapshot)
		d.note(s)
	}
	if slices.ContainsFunc(d.known, func(s site.Snapshot) bool { return s == nil }) {
		d.known = nil
	}
	return d, nil
}

func (d *deployed) note(s source) {
	if s.manifest.Distribution != "" {
		d.of = append(d.of, s.manifest.Distribution)
	}
}

// work makes what a fleet does out of targets.
type work struct {
	connections
	deployed deployed
	items    []invalidation.Item
	looks    []string      // pages to look at besides
	wait     time.Duration // for completion, of targets that do not say it themselves
	attempt  string
	log      *runs.Log
	dir      runs.Dir // where earlier runs are
	dry      bool
	started  time.Time
	warn     func(string)
	earlier  map[int]string // invalidations that an earlier run of this name left, by target

	mu   sync.Mutex
	used map[string]months // by account
	told map[string]bool   // notes
}

// months is what was used of an account before this run, and who says so.
type months struct {
	paths int
	by    string
}

// tasks are the fleet's targets.
func (w *work) tasks(targets []targetfile.Target) []fleet.Target {
	w.used, w.told = map[string]months{}, map[string]bool{}
	all := make([]fleet.Target, len(targets))
	w.connections.patience = w.longest(targets)
	for i, t := range targets {
		all[i] = fleet.Target{Name: t.Name, Account: runs.Account(t), Wait: t.Wait, Blind: w.blind(), Open: func(ctx context.Context) (fleet.Work, error) {
			return w.open(ctx, i, t)
		}}
	}
	return all
}

// open makes ready for one target.
func (w *work) open(ctx context.Context, i int, t targetfile.Target) (fleet.Work, error) {
	c, err := w.of(ctx, t)
	if err != nil {
		return fleet.Work{}, advised(err)
	}
	if c.note != "" {
		w.once(c.note)
	}
	if t, err = c.settle(ctx, t); err != nil {
		return fleet.Work{}, err
	}
	for _, id := range w.deployed.of {
		if t.Distribution != "" && id != t.Distribution {
			return fleet.Work{}, advised(withTry(fmt.Errorf("purge %s: the manifest is of distribution %s, not of %s", t.Name, id, t.Distribution), "the manifests of this target's own releases"))
		}
	}
	g, err := c.routes.Gateway(t.Target, w.attempt)
	if err != nil {
		return fleet.Work{}, err
	}
	state, err := w.state(c, i, t)
	if err != nil {
		return fleet.Work{}, err
	}
	run := release.New(release.Release{
		Target: planning(t), Name: w.deployed.name, Attempt: w.attempt, Snapshot: w.deployed.snapshot, Items: w.items,
		Verify: slices.Concat(t.Verify, w.looks), Function: "unstale invalidate", State: state, Started: w.began(),
	})
	if err := w.count(ctx, t, state, cmp.Or(w.patience(t), fleet.DefaultBegin)); err != nil {
		return fleet.Work{}, err
	}
	order := run.Order(time.Time{}, w.saved(i))
	w.reword(&order, t)
	made := fleet.Work{Gateway: owned(g, t), Order: order, Conclude: run.Conclude, Record: run.Record}
	if w.log != nil {
		made.From = w.log.Run().Targets[i].Progress
	}
	return made, nil
}

// began is when the run was begun, maybe by an earlier process: its records lie where that one put them.
func (w *work) began() time.Time {
	if w.log == nil {
		return w.started
	}
	return w.log.Run().Started
}

// patience is how long a target may answer nothing; 0: any time.
func (w *work) patience(t targetfile.Target) time.Duration {
	if t.Wait != nil {
		return fleet.Patience(*t.Wait)
	}
	return fleet.Patience(w.wait)
}

// longest is the patience of the most patient of some targets: they may share credentials.
func (w *work) longest(targets []targetfile.Target) (most time.Duration) {
	for _, t := range targets {
		one := w.patience(t)
		if one == 0 {
			return 0
		}
		most = max(most, one)
	}
	return most
}

// skew is how far AWS's clock may be from this one: so much, and it refuses requests.
const skew = 5 * time.Minute

// again reports whether a target's invalidation is known to be older than this run: an earlier run left it,
// or CloudFront dates it so.
func (w *work) again(i int, p purge.Progress) bool {
	if p.ID == "" {
		return false
	}
	return w.earlier[i] == p.ID || p.Created > 0 && time.UnixMilli(p.Created).Before(w.started.Add(-skew))
}

// once warns of something once.
func (w *work) once(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.told[text] {
		w.told[text] = true
		w.warn(text)
	}
}

// saved writes a target's progress down. What cannot be written is told when the run ends.
func (w *work) saved(i int) func(purge.Progress) {
	return func(p purge.Progress) {
		if w.log != nil {
			_ = w.log.Update(i, func(t *runs.Target) { t.Progress = p })
		}
	}
}

// reword says of the items who named them, and lets a route that cannot read the origin go on where no
// history depends on it.
func (w *work) reword(o *purge.Order, t targetfile.Target) {
	if w.items != nil {
		made := o.Plan
		o.Plan = func(ctx context.Context, d plan.Distribution, busy invalidation.Limits) (plan.Plan, error) {
			p, err := made(ctx, d, busy)
			for i := range p.Items {
				p.Items[i].Reason = "named on the command line"
			}
			return p, err
		}
		expected := o.Expect
		o.Expect = func(ctx context.Context, d plan.Distribution) ([]viewer.Expectation, error) {
			all, err := expected(ctx, d)
			return purged(all, w.items, w.looks), err
		}
	}
	if t.State.Bucket == "" {
		served := o.Served
		o.Served = func(d plan.Distribution) purge.Served {
			s := served(d)
			s.Optional = true
			return s
		}
	}
}

// mostPages is how many pages of named items are looked at.
const mostPages = 100

// purged leaves out what no item covers, since that may well be older, and adds what the items name: a
// page may be there or not, but none may be older than the purge.
// Pages that were named to be looked at stay: where they are not covered a tag is said to.
func purged(all []viewer.Expectation, items []invalidation.Item, looks []string) []viewer.Expectation {
	kept := slices.DeleteFunc(slices.Clone(all), func(e viewer.Expectation) bool {
		return !coveredBy(items, e.Path) && !slices.Contains(looks, e.Path)
	})
	for _, item := range items {
		path := strings.TrimSuffix(string(item), "*")
		known := slices.ContainsFunc(kept, func(e viewer.Expectation) bool { return e.Path == path })
		if !item.Tag() && !known && len(kept) < mostPages {
			kept = append(kept, viewer.Expectation{Path: path, MayFail: true})
		}
	}
	return kept
}

// blind reports whether nothing tells which pages items are about: only tags are named, and no pages to look at.
func (w *work) blind() bool {
	items := w.items
	return len(items) > 0 && len(w.looks) == 0 && !slices.ContainsFunc(items, func(i invalidation.Item) bool { return !i.Tag() })
}

// state is what the run keeps and knows of a target: in the target's bucket, or on this machine.
func (w *work) state(c *connection, i int, t targetfile.Target) (release.State, error) {
	if t.State.Bucket == "" {
		if w.log == nil {
			return paper{w.deployed.known, func(now time.Time) int { return w.dir.Used(t, now) }}, nil
		}
		return &runs.State{Log: w.log, Index: i, Previous: w.deployed.known}, nil
	}
	cfg := c.cfg
	if w.dry {
		cfg = readOnly(cfg)
	}
	kept, err := store.NewState(cfg, t.State.String())
	switch {
	case err != nil:
		return nil, err
	case w.items != nil:
		return forgetful{kept}, nil
	}
	return kept, nil
}

// count notes how many paths were used in the target's account this month, as far as that is known. It fails only
// where nobody answers: a long list has its time.
func (w *work) count(ctx context.Context, t targetfile.Target, state release.State, patience time.Duration) error {
	account := runs.Account(t)
	w.mu.Lock()
	_, known := w.used[account]
	w.mu.Unlock()
	if known {
		return nil
	}
	m := months{by: "runs on this machine"}
	if t.State.Bucket != "" {
		m.by = t.State.String()
	}
	name := t.Account
	if name == "" {
		name = "own"
	}
	used, err := gateway.Answered(ctx, patience, func(ctx context.Context) (int, error) {
		return state.Used(ctx, name, w.started)
	})
	var silent *gateway.Error
	switch {
	case errors.As(err, &silent) && silent.Code == gateway.RequestTimeout && silent.Status == 0:
		return gateway.At(t.Target, "read the history in "+t.State.String(), err)
	case err != nil:
		return nil // reading the state fails again where it matters, and is told there
	}
	m.paths = used
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used[account] = m
	return nil
}

// planning is the target with how its releases are planned.
func planning(t targetfile.Target) target.Target {
	budget := ""
	switch t.Budget.Unit {
	case plan.PerPlan:
		budget = strconv.Itoa(t.Budget.Items)
	case plan.PerMonth:
		budget = t.Budget.Money.String()
	}
	one := t.Target
	one.Planning = &target.Planning{
		Preset: t.Preset, Budget: budget, Deletes: t.Deletes, Bucket: t.Bucket, Prefix: t.Prefix, Routes: t.AppRoutes, Rewrites: t.Rewrites,
	}
	return one
}

// advice is an error whose next step the fleet passes on.
type advice struct{ hinted }

// Advice is the next step.
func (a advice) Advice() string { return a.try }

func (a advice) Unwrap() error { return a.error }

func advised(err error) error {
	var h hinted
	if errors.As(err, &h) {
		text := strings.TrimSpace(err.Error())
		return advice{hinted{errors.New(text), h.try}}
	}
	return err
}
