package store

import (
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/plan"
)

// A release that is announced is known from then on, whether or not its own run ever begins. Its own run
// forgets it; another's does once it cannot be deployed any more.
func TestAnnounced(t *testing.T) {
	for _, tt := range []struct {
		what    string
		name    string // of the release that is announced
		content byte
		after   time.Duration // the next run
		run     string        // the next run's release
		deploys byte
		knows   string // the run after that
	}{
		{what: "its own run", name: "two", content: 2, run: "two", deploys: 2, knows: "2"},
		{what: "its own run, late", name: "two", content: 2, after: 2 * stillAhead, run: "two", deploys: 2, knows: "2"},
		{what: "no run, reverted", name: "two", content: 2, run: "three", deploys: 1, knows: "1 2"},
		{what: "no run, replaced", name: "two", content: 2, run: "three", deploys: 3, knows: "3 2"},
		{what: "no run, the same again", name: "two", content: 2, run: "three", deploys: 2, knows: "2 2"},
		{what: "no run, replaced some hours later", name: "two", content: 2, after: stillAhead - time.Hour, run: "three", deploys: 3, knows: "3 2"},
		{what: "no run, replaced a day later", name: "two", content: 2, after: stillAhead, run: "three", deploys: 3, knows: "3"},
		{what: "releases have no names", content: 2, deploys: 3, knows: "3 2"},
		{what: "all have the same name", name: "main", content: 2, run: "main", deploys: 3, knows: "3 2"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			s := newMemory().state(t, "")
			run := func(d Deploy) Known {
				t.Helper()
				known, err := s.Begin(t.Context(), "EDIST", d)
				if err == nil && !d.Announced {
					_, err = s.KeepPlan(t.Context(), "EDIST", d.Attempt, known, plan.Plan{})
				}
				if err != nil {
					t.Fatal(err)
				}
				return known
			}
			at := time.Unix(0, 0)
			run(Deploy{Attempt: "r1", Release: "one", Snapshot: one(1), At: at})
			finish(t, s, "r1", true)
			run(Deploy{Attempt: "a2", Release: tt.name, Snapshot: one(tt.content), Announced: true, At: at})
			at = at.Add(tt.after)
			run(Deploy{Attempt: "r2", Release: tt.run, Snapshot: one(tt.deploys), At: at})
			finish(t, s, "r2", true)
			known := run(Deploy{Attempt: "r9", Release: "nine", Snapshot: one(9), At: at})
			if got := contents(known, "a"); got != tt.knows {
				t.Errorf("the next one knows %q; want %q", got, tt.knows)
			}
		})
	}
}

// Two runs are two, though their releases have the same content: only what was announced is replaced, and only
// by a release of its name.
func TestTwoRuns(t *testing.T) {
	for _, first := range []Deploy{
		{Attempt: "first", Release: "two"},                  // of a stage that is retried
		{Attempt: "first", Announced: true},                 // somebody else's, for all that is known
		{Attempt: "first", Release: "one", Announced: true}, // the content is the same again
	} {
		s := newMemory().state(t, "")
		again := Deploy{Attempt: "again", Release: "two"}
		if first.Release == "" {
			again.Release = ""
		}
		for _, d := range []Deploy{first, again} {
			d.Snapshot, d.At = one(2), time.Unix(0, 0)
			if _, err := s.Begin(t.Context(), "EDIST", d); err != nil {
				t.Fatal(err)
			}
		}
		x, _, err := s.index(t.Context(), "EDIST")
		if err != nil || x.position("first") != 0 || x.position("again") != 1 || x.Pending[1].Announcement != "" {
			t.Errorf("%+v: %+v, %v", first, x, err)
		}
	}
}

// Why a history is lost is said until a release is verified, not only to the run that finds it out.
func TestLostIsSaidToThePurge(t *testing.T) {
	m := newMemory()
	s := m.state(t, "")
	begin(t, s, "r1", one(1))
	finish(t, s, "r1", true)
	m.objects[indexOf] = []byte("{")
	announced := Deploy{Attempt: "a2", Release: "two", Snapshot: one(2), Announced: true, At: time.Unix(0, 0)}
	for _, d := range []Deploy{announced, {Attempt: "r2", Release: "two", Snapshot: one(2), At: time.Unix(60, 0)}} {
		known, err := s.Begin(t.Context(), "EDIST", d)
		if err == nil && !d.Announced {
			_, err = s.KeepPlan(t.Context(), "EDIST", d.Attempt, known, plan.Plan{})
		}
		if err != nil || len(known.Snapshots) > 0 || !strings.Contains(known.Why, "it is damaged") {
			t.Fatalf("%s knows %v, %q, %v", d.Attempt, known.Snapshots, known.Why, err)
		}
	}
	finish(t, s, "r2", true)
	if known := begin(t, s, "r3", one(3)); known.Why != "" || contents(known, "a") != "2" {
		t.Errorf("the next one knows %q, %q", contents(known, "a"), known.Why)
	}
}

// An event that Lambda delivers again, once the release it announced is on its way, announces nothing.
func TestAnnouncedTooLate(t *testing.T) {
	s := newMemory().state(t, "")
	begin(t, s, "r1", one(1))
	finish(t, s, "r1", true)
	announced := Deploy{Attempt: "a2", Release: "release r2", Snapshot: one(2), Announced: true, At: time.Unix(0, 0)}
	again := func() {
		t.Helper()
		if _, err := s.Begin(t.Context(), "EDIST", announced); err != nil {
			t.Fatal(err)
		}
	}
	again()
	again()
	pending := func(want int) {
		t.Helper()
		x, _, err := s.index(t.Context(), "EDIST")
		if err != nil || len(x.Pending) != want {
			t.Errorf("%d are pending instead of %d: %v, %v", len(x.Pending), want, x.Pending, err)
		}
	}
	pending(1)
	begin(t, s, "r2", one(2))
	pending(1)
	again()
	pending(1)
	finish(t, s, "r2", true)
	again()
	pending(0)
	// A stage that is retried as a whole announces the same release anew, and deploys it again.
	announced.Attempt = "a2 again"
	again()
	pending(1)
	begin(t, s, "r3", one(3)) // of another pipeline
	finish(t, s, "r3", true)
	if known := begin(t, s, "r4", one(4)); contents(known, "a") != "3 2" {
		t.Errorf("after a retry the next one knows %q", contents(known, "a"))
	}
}
