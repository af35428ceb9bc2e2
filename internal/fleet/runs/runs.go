// Package runs keeps what the command line did on this machine, one file a run. A run is written down
// before its first call, so that whoever takes it up again finds the same invalidations and pays for
// nothing twice.
package runs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/targetfile"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// Version is the version of the files.
const Version = 1

// Run is one run of `unstale invalidate`.
type Run struct {
	Version  int                 `json:"version"`
	ID       string              `json:"id"` // makes the references: see invalidation.Reference
	Started  time.Time           `json:"started"`
	Ended    time.Time           `json:"ended,omitzero"` // zero while it goes on, or where it was cut off
	Site     string              `json:"site,omitempty"` // of the release, an absolute path
	Previous []string            `json:"previous,omitempty"`
	Release  string              `json:"release,omitempty"` // its name
	Items    []invalidation.Item `json:"items,omitempty"`
	Looks    []string            `json:"looks,omitempty"` // pages to look at besides
	Targets  []Target            `json:"targets"`
}

// Target is a run's work on one target.
type Target struct {
	Name     string            `json:"name"`
	Target   targetfile.Target `json:"target"`
	Progress purge.Progress    `json:"progress,omitzero"`
	Plan     *plan.Plan        `json:"plan,omitempty"`
	Outcome  string            `json:"outcome,omitempty"` // see fleet.Outcome; "" while it is not known
	Said     string            `json:"said,omitempty"`    // why it is not done
}

// Over reports whether there is nothing to go on with.
func (t Target) Over() bool {
	return t.Outcome == "done" || t.Outcome == "failed" || t.Outcome == "stale"
}

// Unfinished reports whether a run has targets to go on with.
func (r Run) Unfinished() bool {
	return slices.ContainsFunc(r.Targets, func(t Target) bool { return !t.Over() })
}

// ValidID reports whether s can name a run: 1 to 100 letters, digits, '.', '_' or '-', the first no '.'.
func ValidID(s string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return s != "" && len(s) <= 100 && s[0] != '.' && strings.Trim(s, letters) == ""
}

// Dir is where runs are kept.
type Dir string

// Default is the directory of the user's runs: $XDG_STATE_HOME/unstale/runs, and ~/.local/state where the
// variable is not set. Source: XDG Base Directory Specification 0.8.
func Default(getenv func(string) string) (Dir, error) {
	if state := getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return Dir(filepath.Join(state, "unstale", "runs")), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the directory of runs: %w", err)
	}
	return Dir(filepath.Join(home, ".local", "state", "unstale", "runs")), nil
}

// maxSize is the most bytes of a record that are read.
const maxSize = 64 << 20

// ErrNone says that there is no such run.
var ErrNone = errors.New("there is no such run")

// Read reads a run. Without one the error is ErrNone.
func (d Dir) Read(id string) (Run, error) {
	if !ValidID(id) {
		return Run{}, fmt.Errorf("read run %.120q: %w", id, ErrNone)
	}
	info, err := os.Stat(d.file(id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Run{}, fmt.Errorf("read run %s: %w", id, ErrNone)
	case err != nil:
		return Run{}, fmt.Errorf("read run: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxSize:
		return Run{}, fmt.Errorf("read run: %s is no record of a run", d.file(id))
	}
	body, err := os.ReadFile(d.file(id))
	if err != nil {
		return Run{}, fmt.Errorf("read run: %w", err)
	}
	var r Run
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return Run{}, fmt.Errorf("read run: %s: %w", d.file(id), err)
	}
	if r.Version != Version || r.ID != id {
		return Run{}, fmt.Errorf("read run: %s is not of run %s in version %d", d.file(id), id, Version)
	}
	for i := range r.Targets {
		if r.Targets[i].Target.Name = r.Targets[i].Name; !r.Targets[i].Progress.Valid() {
			return Run{}, fmt.Errorf("read run: %s: what is said of target %q cannot be", d.file(id), r.Targets[i].Name)
		}
	}
	return r, nil
}

// List reads all runs, the latest first. What cannot be read is counted.
func (d Dir) List() (all []Run, damaged int) {
	files, _ := filepath.Glob(filepath.Join(string(d), "*.json")) // the pattern is right
	for _, file := range files {
		r, err := d.Read(strings.TrimSuffix(filepath.Base(file), ".json"))
		if err != nil {
			damaged++
			continue
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Run) int { return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(a.ID, b.ID)) })
	return all, damaged
}

func (d Dir) file(id string) string { return filepath.Join(string(d), id+".json") }

// write replaces a run's file. It is for programs: laying out hundreds of targets for people takes longer
// than all the rest.
func (d Dir) write(r Run) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write %s: %w", d.file(r.ID), err)
	}
	return replace(d.file(r.ID), body)
}

// replace writes a file as a whole or not at all.
func replace(file string, body []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*") // for its owner only
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	_, err = f.Write(append(body, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", file, err), os.Remove(f.Name()))
	}
	return nil
}

// Kept is how long runs that are over are kept: this month and the one before it are counted.
const Kept = 62 * 24 * time.Hour

// prune removes runs that nobody needs any more.
func (d Dir) prune(now time.Time) {
	all, _ := d.List()
	for _, r := range all {
		if now.Sub(r.Started) > Kept && !r.Unfinished() {
			_ = os.Remove(d.file(r.ID)) // next time, then
			_ = os.Remove(d.lockFile(r.ID))
		}
	}
}

// use is what paths are counted by. CloudFront bills by months in UTC.
type use struct{ account, month string }

// Used counts the paths that runs asked for in the account of a target, in the month of a time.
func (d Dir) Used(t targetfile.Target, now time.Time) int {
	return d.uses("")[use{Account(t), month(now)}]
}

// uses counts the paths that runs asked for, but for those of one run. Two targets of a run that are one
// distribution have one invalidation.
func (d Dir) uses(except string) map[use]int {
	used := map[use]int{}
	all, _ := d.List()
	for _, r := range all {
		if r.ID == except {
			continue
		}
		counted := map[string]bool{}
		for _, t := range r.Targets {
			id := t.Progress.Distribution + " " + t.Progress.ID
			if t.Progress.ID != "" && !counted[id] {
				counted[id] = true
				used[use{Account(t.Target), month(t.Progress.Since())}] += t.Progress.Paths
			}
		}
	}
	return used
}

func month(t time.Time) string { return t.UTC().Format("2006-01") }

// Account is whose free paths a target uses up: its account, or the one that its profile is of.
func Account(t targetfile.Target) string {
	switch {
	case t.Account != "":
		return t.Account
	case t.Profile != "":
		return "profile " + t.Profile
	}
	return "own"
}
