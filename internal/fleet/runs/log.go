package runs

import (
	"context"
	"errors"
	"fmt"
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
	dir Dir
	now func() time.Time

	mu     sync.Mutex
	run    Run
	failed error // the first write that failed
}

// ErrOther says that a run of the same ID purges something else.
var ErrOther = errors.New("there is a run of this name, with other items or another release")

// Begin writes a run down. One of the same ID is taken up again: what it had come to on targets that are
// the same is kept.
func (d Dir) Begin(r Run, now func() time.Time) (*Log, error) {
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
	l := &Log{dir: d, now: now, run: r}
	return l, write(d.file(r.ID), r)
}

// Run is the run as it is now.
func (l *Log) Run() Run {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.run
	r.Targets = append([]Target(nil), l.run.Targets...)
	return r
}

// Update changes what is known of a target.
func (l *Log) Update(i int, change func(*Target)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.run.Targets[i])
	return l.write()
}

// End notes that the run is over, and gives the first failure of writing anything down.
func (l *Log) End() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run.Ended = l.now().UTC()
	_ = l.write() // the first failure is told
	return l.failed
}

// write keeps the first failure. The caller holds the lock.
func (l *Log) write() error {
	err := write(l.dir.file(l.run.ID), l.run)
	if l.failed == nil {
		l.failed = err
	}
	return err
}

// State is what release.Run keeps, on this machine, of one target of a run. There is no history in it:
// what caches may hold is what Previous says.
type State struct {
	Log      *Log
	Index    int             // of the target
	Previous []site.Snapshot // oldest first; none: nothing is known
}

// Begin gives what caches may hold.
func (s *State) Begin(context.Context, string, string, string, site.Snapshot, bool, time.Time) (store.Known, error) {
	return store.Known{Snapshots: s.Previous, Left: s.Previous}, nil
}

// Finish has nothing to do.
func (s *State) Finish(context.Context, string, string) (bool, error) { return true, nil }

// Plan gives the plan that the run was begun with; false when there is none.
func (s *State) Plan(context.Context, string, string) (plan.Plan, bool, error) {
	p := s.Log.Run().Targets[s.Index].Plan
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
	return write(s.URI(key), record)
}

// Used counts the month's paths that this machine knows of.
func (s *State) Used(_ context.Context, _ string, now time.Time) (int, error) {
	r := s.Log.Run()
	return s.Log.dir.Used(Account(r.Targets[s.Index].Target), r.ID, now), nil
}

// URI is the path of a record.
func (s *State) URI(key string) string {
	return filepath.Join(filepath.Dir(string(s.Log.dir)), filepath.FromSlash(key))
}
