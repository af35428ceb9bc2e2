package runs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/targetfile"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func now() time.Time { return noon }

// full has every field that a target's file can give.
func full() targetfile.Target {
	wait := 90 * time.Second
	return targetfile.Target{
		Target:  target.Target{Name: "shop", Route: target.Assume, Distribution: "E1", Account: "222222222222", Role: "arn:aws:iam::222222222222:role/r", ExternalID: "x1"},
		Profile: "p", Region: "eu-central-1", Groups: []string{"web"}, Verify: []string{"/"}, Wait: &wait, Preset: plan.Gentlest,
		Budget: plan.Budget{Unit: plan.PerMonth, Money: 5 * invalidation.Dollar}, Deletes: true, Bucket: "b", Prefix: "p/", AppRoutes: []string{"/a"},
		Rewrites: map[string]plan.Rewrite{"f": plan.RewriteIndex}, State: targetfile.State{Bucket: "state", Prefix: "x"},
	}
}

func begin(t *testing.T, d Dir, id string) *Log {
	t.Helper()
	l, err := d.Begin(Run{ID: id, Started: noon, Items: []invalidation.Item{"/a"}, Targets: []Target{{Name: "shop", Target: full()}}}, now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func created(n int) purge.Progress {
	return purge.Progress{Stage: purge.Created, Distribution: "E1", Reference: "unstale-1-0a", ID: "I1", Noted: noon.UnixMilli(), Paths: n}
}

// What is written down is read again as it was, and only by its owner.
func TestRunsAreKept(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "a", "runs"))
	l := begin(t, d, "one")
	if err := l.Update(0, func(t *Target) { t.Progress, t.Outcome = created(3), "inProgress" }); err != nil {
		t.Fatal(err)
	}
	if err := l.End(nil); err != nil {
		t.Fatal(err)
	}
	got, err := d.Read("one")
	if diff := cmp.Diff(l.Run(), got); err != nil || diff != "" || !got.Unfinished() {
		t.Errorf("%v\n%s", err, diff)
	}
	info, err := os.Stat(d.file("one"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if all, damaged := d.List(); len(all) != 1 || damaged != 0 {
		t.Errorf("%v, %d damaged", all, damaged)
	}
}

// A run that is taken up again keeps what it came to; one that is about something else is refused.
func TestRunsAreTakenUpAgain(t *testing.T) {
	d := Dir(t.TempDir())
	l := begin(t, d, "one")
	state := &State{Log: l}
	p := plan.Plan{Distribution: plan.Distribution{ID: "E1"}, Items: []plan.Choice{{Item: "/a", Reason: "r"}}}
	if _, err := state.KeepPlan(context.Background(), "E1", "one", store.Known{}, p); err != nil {
		t.Fatal(err)
	}
	if err := l.Update(0, func(t *Target) { t.Progress = created(1) }); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Begin(Run{ID: "one", Items: []invalidation.Item{"/a"}}, now); !errors.Is(err, ErrRunning) || !d.Running("one") {
		t.Errorf("taken up while it runs: %v", err)
	}
	if err := l.End(nil); err != nil || d.Running("one") {
		t.Error(err)
	}
	again := begin(t, d, "one")
	got, found, err := (&State{Log: again}).Plan(context.Background(), "E1", "one")
	if again.Run().Targets[0].Progress != created(1) || !found || err != nil || cmp.Diff(p, got) != "" {
		t.Errorf("%+v, %t, %v", again.Run(), found, err)
	}
	if err := again.End(nil); err != nil {
		t.Error(err)
	}
	_, err = d.Begin(Run{ID: "one", Items: []invalidation.Item{"/b"}}, now)
	if !errors.Is(err, ErrOther) {
		t.Error(err)
	}
}

func TestWhatIsNoRun(t *testing.T) {
	d := Dir(t.TempDir())
	for _, id := range []string{"", "../one", ".hidden", "none", strings.Repeat("a", 101)} {
		if _, err := d.Read(id); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %v", id, err)
		}
	}
	for name, text := range map[string]string{
		"cut": `{"version":1`, "version": `{"version":2,"id":"version","started":"2026-11-23T12:00:00Z","targets":[]}`,
		"field": `{"version":1,"id":"field","started":"2026-11-23T12:00:00Z","targets":[],"more":1}`,
		"other": `{"version":1,"id":"one","started":"2026-11-23T12:00:00Z","targets":[]}`,
		"stage": `{"version":1,"id":"stage","started":"2026-11-23T12:00:00Z","targets":[{"name":"a","target":{},"progress":{"s":"created"}}]}`,
	} {
		if err := os.WriteFile(d.file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Read(name); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Mkdir(d.file("directory"), 0o700); err != nil {
		t.Fatal(err)
	}
	if all, damaged := d.List(); len(all) != 0 || damaged != 6 {
		t.Errorf("%v, %d damaged", all, damaged)
	}
	if _, err := Dir("/dev/null/x").Begin(Run{ID: "one"}, now); err == nil {
		t.Error("a run was written nowhere")
	}
}

// The month's paths are those of the account and the month, without the run that asks.
// Of updates at once each is written down when it returns, whoever wrote it.
func TestUpdatesAtOnce(t *testing.T) {
	d := Dir(t.TempDir())
	r := Run{ID: "many", Started: noon, Items: []invalidation.Item{"/a"}}
	for i := range 50 {
		one := full()
		one.Name = fmt.Sprintf("shop-%d", i)
		r.Targets = append(r.Targets, Target{Name: one.Name, Target: one})
	}
	l, err := d.Begin(r, now)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range r.Targets {
		group.Go(func() {
			err := l.Update(i, func(t *Target) { t.Progress = created(i + 1) })
			if got, read := d.Read("many"); err != nil || read != nil || got.Targets[i].Progress.Paths != i+1 {
				t.Errorf("target %d: %v, %v, %+v", i, err, read, got.Targets[i].Progress)
			}
		})
	}
	group.Wait()
	if err := l.End(func(i int, t *Target) { t.Outcome = "done" }); err != nil {
		t.Fatal(err)
	}
	got, err := d.Read("many")
	if diff := cmp.Diff(l.Run(), got); err != nil || diff != "" || got.Targets[49].Outcome != "done" || got.Ended.IsZero() {
		t.Errorf("%v\n%s", err, diff)
	}
	// A write that fails is told to all whose changes were to be in it.
	if err := os.RemoveAll(string(d)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(string(d), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		group.Go(func() {
			if l.Update(i, func(*Target) {}) == nil {
				t.Error("a change was not written down, and nobody is told")
			}
		})
	}
	group.Wait()
}

func TestUsed(t *testing.T) {
	d := Dir(t.TempDir())
	for id, n := range map[string]int{"one": 3, "two": 4} {
		if err := begin(t, d, id).Update(0, func(t *Target) { t.Progress = created(n) }); err != nil {
			t.Fatal(err)
		}
	}
	mine := &State{Log: begin(t, d, "mine"), Previous: []site.Snapshot{{}}}
	for _, tt := range []struct {
		now  time.Time
		want int
	}{{noon, 7}, {noon.AddDate(0, 1, 0), 0}} {
		if got, err := mine.Used(context.Background(), "", tt.now); got != tt.want || err != nil {
			t.Errorf("%v: %d, %v; want %d", tt.now, got, err, tt.want)
		}
	}
	if got := d.uses("one"); len(got) != 1 || got[use{Account(full()), "2026-11"}] != 4 {
		t.Error(got)
	}
	if known, err := mine.Begin(context.Background(), "", store.Deploy{}); len(known.Snapshots) != 1 || err != nil {
		t.Error(known, err)
	}
	if err := mine.Evidence(context.Background(), "evidence/x/1.json", map[string]int{"a": 1}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(mine.URI("evidence/x/1.json")); err != nil {
		t.Error(err)
	}
}

// Old runs that are over go; what can be taken up again stays.
func TestOldRunsGo(t *testing.T) {
	d := Dir(t.TempDir())
	if err := begin(t, d, "over").Update(0, func(t *Target) { t.Outcome = "done" }); err != nil {
		t.Fatal(err)
	}
	begin(t, d, "open")
	later := func() time.Time { return noon.Add(Kept + time.Hour) }
	if _, err := d.Begin(Run{ID: "new", Started: later()}, later); err != nil {
		t.Fatal(err)
	}
	all, _ := d.List()
	if len(all) != 2 || all[0].ID != "new" || all[1].ID != "open" {
		t.Errorf("%+v", all)
	}
}

func TestDefault(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	for state, want := range map[string]Dir{"/s": "/s/unstale/runs", "": "/home/me/.local/state/unstale/runs", "relative": "/home/me/.local/state/unstale/runs"} {
		if got, err := Default(func(string) string { return state }); got != want || err != nil {
			t.Errorf("%q: %s, %v", state, got, err)
		}
	}
}

func TestAccount(t *testing.T) {
	for want, tt := range map[string]targetfile.Target{
		"222222222222": full(), "profile p": {Profile: "p"}, "own": {},
	} {
		if got := Account(tt); got != want {
			t.Errorf("%s; want %s", got, want)
		}
	}
}
