package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// Log is the record of a run that goes on. Its methods may be called concurrently.
type Log struct {
	dir    Dir
	now    func() time.Time
	others func() map[use]int // what other runs used, read once
	lock   *os.File           // held until the end

	mu      sync.Mutex
	run     Run
	changes int // of the run, so far

	writing sync.Mutex // one at a time; taken before mu
	written int        // as many changes as the last write had
	last    error      // what came of it
	failed  error      // of the first write that failed
}

// ErrOther says that a run of the same ID purges something else.
var ErrOther = errors.New("there is a run of this name, with other items or another release")

// Begin writes a run down. One of the same ID is taken up again: what it had come to on targets that are
// the same is kept. While another process works on it the error is ErrRunning.
func (d Dir) Begin(r Run, now func() time.Time) (*Log, error) {
	lock, err := d.lock(r.ID)
	if err != nil {
		return nil, err
	}
	l, err := d.begin(r, now)
	if err != nil {
		d.unlock(lock, r.ID)
		return nil, err
	}
	l.lock = lock
	return l, nil
}

func (d Dir) begin(r Run, now func() time.Time) (*Log, error) {
	earlier, err := d.Read(r.ID)
	switch {
	case errors.Is(err, ErrNone):
	case err != nil:
		return nil, err
	case !slices.Equal(earlier.Items, r.Items) || earlier.Site != r.Site:
		return nil, fmt.Errorf("begin run %s: %w", r.ID, ErrOther)
	default:
		r.Started = earlier.Started
		for i, t := range r.Targets {
			for _, e := range earlier.Targets {
				if e.Name == t.Name && e.Target.Target.Distribution == t.Target.Distribution && e.Target.Domain == t.Target.Domain {
					r.Targets[i].Progress, r.Targets[i].Plan = e.Progress, e.Plan
				}
			}
		}
	}
	r.Version, r.Started = Version, r.Started.UTC()
	d.prune(now())
	l := &Log{dir: d, now: now, run: r, others: sync.OnceValue(func() map[use]int { return d.uses(r.ID) })}
	return l, d.write(r)
}

// Run is the run as it is now.
func (l *Log) Run() Run {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.copied()
}

// copied is the run without what changes in it. The caller holds mu.
func (l *Log) copied() Run {
	r := l.run
	r.Targets = slices.Clone(r.Targets)
	return r
}

// target is what is known of one.
func (l *Log) target(i int) Target {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.run.Targets[i]
}

// Update changes what is known of a target, and returns when that is written down.
func (l *Log) Update(i int, change func(*Target)) error {
	return l.change(func(r *Run) { change(&r.Targets[i]) })
}

// End notes that the run is over and what it came to on each target; nil: what is known already. It gives
// the first failure of writing anything down. The run is nobody's then.
func (l *Log) End(conclude func(i int, t *Target)) error {
	_ = l.change(func(r *Run) { // the first failure is told
		r.Ended = l.now().UTC()
		for i := range r.Targets {
			if conclude != nil {
				conclude(i, &r.Targets[i])
			}
		}
	})
	l.writing.Lock()
	defer l.writing.Unlock()
	l.dir.unlock(l.lock, l.run.ID)
	l.lock = nil
	return l.failed
}

// change changes the run and writes it down. The record is written as a whole, so one write takes along what
// has changed while the one before it went on: a write for each would take hundreds of targets longer
// than their calls.
func (l *Log) change(by func(*Run)) error {
	l.mu.Lock()
	by(&l.run)
	l.changes++
	mine := l.changes
	l.mu.Unlock()

	l.writing.Lock()
	defer l.writing.Unlock()
	if l.written >= mine {
		return l.last
	}
	l.mu.Lock()
	run, changes := l.copied(), l.changes
	l.mu.Unlock()
	l.written, l.last = changes, l.dir.write(run)
	if l.failed == nil {
		l.failed = l.last
	}
	return l.last
}

// State is what release.Run keeps, on this machine, of one target of a run. There is no history in it:
// what caches may hold is what Previous says.
type State struct {
	Log      *Log
	Index    int             // of the target
	Previous []site.Snapshot // oldest first; none: nothing is known
}

// Begin gives what caches may hold.
func (s *State) Begin(context.Context, string, store.Deploy) (store.Known, error) {
	return store.Known{Snapshots: s.Previous, Left: s.Previous}, nil
}

// Finish has nothing to do.
func (s *State) Finish(context.Context, string, string) (bool, error) { return true, nil }

// Doubt has no history to doubt.
func (*State) Doubt(context.Context, string, string, string) (bool, error) { return false, nil }

// Plan gives the plan that the run was begun with; false when there is none.
func (s *State) Plan(context.Context, string, string) (plan.Plan, bool, error) {
	p := s.Log.target(s.Index).Plan
	if p == nil {
		return plan.Plan{}, false, nil
	}
	return *p, true, nil
}

// KeepPlan writes the plan down before it is carried out.
func (s *State) KeepPlan(_ context.Context, _, _ string, _ store.Known, p plan.Plan) (plan.Plan, error) {
	return p, s.Log.Update(s.Index, func(t *Target) { t.Plan = &p })
}

// Evidence records what was done, beside the runs.
func (s *State) Evidence(_ context.Context, key string, record any) error {
	body, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", s.URI(key), err)
	}
	return replace(s.URI(key), body)
}

// Used counts the month's paths that this machine knows of.
func (s *State) Used(_ context.Context, _ string, now time.Time) (int, error) {
	return s.Log.others()[use{Account(s.Log.target(s.Index).Target), month(now)}], nil
}

// URI is the path of a record.
func (s *State) URI(key string) string {
	return filepath.Join(filepath.Dir(string(s.Log.dir)), filepath.FromSlash(key))
}
