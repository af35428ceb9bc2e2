package store

import (
	"strings"
	"testing"
	"time"
)

// A history that is doubted says why, makes the next plan purge everything, and is whole again with it. Where
// another run explains what viewers got, nothing is doubted.
func TestDoubt(t *testing.T) {
	for _, tt := range []struct {
		what  string
		other func(*testing.T, *State) // beside the run that doubts
		want  bool
	}{
		{"nobody else", func(*testing.T, *State) {}, true},
		{"another run has begun", func(t *testing.T, s *State) { begin(t, s, "r3", one(3)) }, false},
		{"another run was verified", func(t *testing.T, s *State) {
			begin(t, s, "r3", one(3))
			finish(t, s, "r3", true)
		}, false},
		{"another was announced before", nil, true},
		{"another is announced", func(t *testing.T, s *State) {
			if _, err := s.Begin(t.Context(), "EDIST", Deploy{Attempt: "a3", Snapshot: one(3), Announced: true, At: time.Unix(0, 0)}); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(tt.what, func(t *testing.T) {
			s := newMemory().state(t, "")
			begin(t, s, "r1", one(1))
			finish(t, s, "r1", true)
			if tt.other == nil { // the plan covers it, whether or not it was deployed
				if _, err := s.Begin(t.Context(), "EDIST", Deploy{Attempt: "a0", Release: "zero", Snapshot: one(5), Announced: true, At: time.Unix(0, 0)}); err != nil {
					t.Fatal(err)
				}
			}
			begin(t, s, "r2", one(2))
			if tt.other != nil {
				tt.other(t, s)
			}
			if done, err := s.Doubt(t.Context(), "EDIST", "r2", "viewers got x"); done != tt.want || err != nil {
				t.Fatalf("doubt: %v, %v; want %v", done, err, tt.want)
			}
			known := begin(t, s, "r4", one(4))
			if doubted := known.Why == "viewers got x"; doubted != tt.want || doubted != (len(known.Snapshots) == 0) {
				t.Errorf("the next one knows %q, because %q", contents(known, "a"), known.Why)
			}
			if finish(t, s, "r4", true); !tt.want {
				return
			}
			if known := begin(t, s, "r5", one(5)); !strings.HasPrefix(contents(known, "a"), "4") || known.Why != "" {
				t.Errorf("afterwards it knows %q, because %q", contents(known, "a"), known.Why)
			}
		})
	}
}

// Whoever the history does not know, or not any more, cannot doubt it.
func TestDoubtOfAnother(t *testing.T) {
	m := newMemory()
	s := m.state(t, "")
	doubt := func(what, attempt string) {
		t.Helper()
		before := string(m.objects[indexOf])
		if done, err := s.Doubt(t.Context(), "EDIST", attempt, "why"); done || err != nil || string(m.objects[indexOf]) != before {
			t.Errorf("%s: %v, %v", what, done, err)
		}
	}
	doubt("an attempt that nobody knows", "nobody")
	begin(t, s, "r1", one(1))
	m.objects[indexOf] = []byte("{")
	doubt("an attempt whose history is lost", "r1")
	delete(m.objects, indexOf)
	begin(t, s, "r2", one(2))
	begin(t, s, "r3", one(3))
	finish(t, s, "r2", true) // which the plan of r3 saw
	doubt("an attempt whose plan was made from another verified release", "r3")
}
