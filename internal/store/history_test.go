package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

const indexOf = "history/EDIST/index.json"

func one(content byte) site.Snapshot { return snapshotOf(map[string]byte{"a": content}) }

// begin records a release and keeps a plan of it, as a run does.
func begin(t *testing.T, s *State, attempt string, release site.Snapshot) Known {
	t.Helper()
	known, err := s.Begin(t.Context(), "EDIST", Deploy{Attempt: attempt, Release: "release " + attempt, Snapshot: release, At: time.Unix(0, 0)})
	if err == nil {
		_, err = s.KeepPlan(t.Context(), "EDIST", attempt, known, plan.Plan{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func finish(t *testing.T, s *State, attempt string, want bool) {
	t.Helper()
	if done, err := s.Finish(t.Context(), "EDIST", attempt); done != want || err != nil {
		t.Fatalf("finish %s: %v, %v; want %v", attempt, done, err, want)
	}
}

// contents are what known snapshots have under a key, e.g. "1 2 -".
func contents(known Known, key string) string {
	var all []string
	for _, s := range known.Snapshots {
		switch o, found := s.Lookup(key); {
		case !found:
			all = append(all, "-")
		case o.ETag != "":
			all = append(all, o.ETag)
		default:
			all = append(all, fmt.Sprint(o.CRC32))
		}
	}
	return strings.Join(all, " ")
}

func TestHistory(t *testing.T) {
	m := newMemory()
	s := m.state(t, "")
	for _, tt := range []struct {
		attempt string
		content byte
		knows   string
		finish  bool
	}{
		{"r1", 1, "", true},    // the first one
		{"r2", 2, "1", false},  // deployed, never purged
		{"r3", 1, "1 2", true}, // reverts it: what r2 left has to be known
		{"r4", 3, "1", false},
		{"r5", 3, "1 3", false},
		{"r6", 3, "1 3 3", true}, // another release of the same content has a manifest of its own
		{"r7", 4, "3", true},
	} {
		known := begin(t, s, tt.attempt, one(tt.content))
		if got := contents(known, "a"); got != tt.knows || known.Why != "" {
			t.Errorf("%s knows %q (%s); want %q", tt.attempt, got, known.Why, tt.knows)
		}
		if again := begin(t, s, tt.attempt, one(9)); !cmp.Equal(again.Snapshots, known.Snapshots) {
			t.Errorf("%s, begun twice, knows %q", tt.attempt, contents(again, "a"))
		}
		if tt.finish {
			finish(t, s, tt.attempt, true)
			finish(t, s, tt.attempt, true)
		}
	}
	if key := "history/EDIST/"; !strings.HasPrefix(s.URI(key), "s3://state/history/") || m.objects[indexOf] == nil {
		t.Errorf("the index is not at %s", s.URI(indexOf))
	}
}

// The same name and content again is the same manifest; what lies in the bucket is still the last one's.
func TestARollbackOfTheSameName(t *testing.T) {
	s := newMemory().state(t, "")
	again := func(attempt string, release site.Snapshot) Known {
		known, err := s.Begin(t.Context(), "EDIST", Deploy{Attempt: attempt, Release: "same", Snapshot: release, At: time.Unix(0, 0)})
		if err == nil {
			_, err = s.KeepPlan(t.Context(), "EDIST", attempt, known, plan.Plan{})
		}
		if err != nil {
			t.Fatal(err)
		}
		return known
	}
	again("r1", one(1))
	finish(t, s, "r1", true)
	again("r2", one(2))
	again("r3", one(1))
	known := again("r4", site.Snapshot{{Key: "b", CRC32: 5, Size: 1}})
	if got := contents(known, "a"); got != "2 1" {
		t.Errorf("r4 knows %q; the last one deployed is not the last", got)
	}
	finish(t, s, "r4", true)
	// r4 left "a" alone, and which of both lies there is not certain: nothing is like it.
	if got := contents(again("r5", one(2)), "a"); got != unlike {
		t.Errorf("r5 knows %q under what r4 left", got)
	}
}

func TestWhatADeployLeaves(t *testing.T) {
	for _, tt := range []struct {
		what    string
		release map[string]byte
		known   []map[string]byte
		deletes bool
		left    string
	}{
		{"nothing known", map[string]byte{"a": 1}, nil, false, "a1"},
		{"beneath it", map[string]byte{"a": 1}, []map[string]byte{{"a": 2, "b": 3}}, false, "a1 b3"},
		{"the deploy deletes", map[string]byte{"a": 1}, []map[string]byte{{"a": 2, "b": 3}}, true, "a1"},
		{"agreed", map[string]byte{"a": 1}, []map[string]byte{{"b": 3}, {"a": 2, "b": 3}}, false, "a1 b3"},
		{"some have nothing", map[string]byte{"a": 1}, []map[string]byte{{"b": 3}, {"b": 3}, {"c": 4}}, false, "a1 b0? c0?"},
		{"not agreed", map[string]byte{"a": 1}, []map[string]byte{{"b": 3}, {"b": 4}}, false, "a1 b0?"},
	} {
		var known []site.Snapshot
		for _, k := range tt.known {
			known = append(known, snapshotOf(k))
		}
		var got []string
		for _, o := range left(snapshotOf(tt.release), known, tt.deletes) {
			got = append(got, fmt.Sprint(o.Key, o.CRC32, o.ETag))
		}
		if strings.Join(got, " ") != tt.left {
			t.Errorf("%s: %q; want %q", tt.what, got, tt.left)
		}
	}
	if left(nil, []site.Snapshot{one(1)}, false) != nil {
		t.Error("what was deployed is not known, and something is recorded")
	}
}

// Two runs overlap: the one that finishes later finds another verified release than it knew.
func TestOverlap(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		done          bool   // the second one's finish
		knows         string // by the next release
	}{
		{"r2", "r3", false, "2 3"}, // r3 stays pending
		{"r3", "r2", false, "3"},   // r3's plan covered r2
	} {
		s := newMemory().state(t, "")
		begin(t, s, "r1", one(1))
		finish(t, s, "r1", true)
		begin(t, s, "r2", one(2))
		begin(t, s, "r3", one(3))
		finish(t, s, tt.first, true)
		// The other process goes on, in a continuation that asks again.
		known, err := s.Begin(t.Context(), "EDIST", Deploy{Attempt: tt.second, Snapshot: one(7), At: time.Unix(0, 0)})
		if err != nil || len(known.Snapshots) == 0 {
			t.Fatalf("%s begins again: %v, %v", tt.second, known, err)
		}
		finish(t, s, tt.second, tt.done)
		if got := contents(begin(t, s, "r4", one(4)), "a"); got != tt.knows {
			t.Errorf("%s, then %s: the next one knows %q; want %q", tt.first, tt.second, got, tt.knows)
		}
	}
}

// A plan is as good as what it was made from, whichever process of the attempt made it.
func TestAPlanOfAnotherProcess(t *testing.T) {
	s := newMemory().state(t, "")
	begin(t, s, "r1", one(1))
	finish(t, s, "r1", true)
	early, err := s.Begin(t.Context(), "EDIST", Deploy{Attempt: "r2", Snapshot: one(2), At: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	begin(t, s, "r3", one(3))
	finish(t, s, "r3", true) // and r2 is forgotten
	if _, err := s.Begin(t.Context(), "EDIST", Deploy{Attempt: "r2", Snapshot: one(2), At: time.Unix(0, 0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.KeepPlan(t.Context(), "EDIST", "r2", early, plan.Plan{}); err != nil {
		t.Fatal(err)
	}
	finish(t, s, "r2", false) // its plan does not know r3
	if got := contents(begin(t, s, "r4", one(4)), "a"); got != "3 2" {
		t.Errorf("r4 knows %q", got)
	}
}

func TestUnknownIsEverything(t *testing.T) {
	manifest := func(m *memory) string {
		var x index
		if err := json.Unmarshal(m.objects[indexOf], &x); err != nil || x.Verified == nil {
			t.Fatalf("%v: %s", err, m.objects[indexOf])
		}
		return manifestKey("EDIST", x.Verified.Manifest)
	}
	foreign := func(b string) func(*memory) {
		return func(m *memory) { m.objects[indexOf] = []byte(b) }
	}
	for _, tt := range []struct {
		what string
		do   func(*memory)
		why  string // empty: none is told
	}{
		{"the bucket is emptied", func(m *memory) { clear(m.objects) }, ""},
		{"the index is gone", func(m *memory) { delete(m.objects, indexOf) }, ""},
		{"no JSON", foreign("<html>"), "s3://state/history/EDIST/index.json: it is damaged: invalid character"},
		{"empty", foreign(""), "it is damaged: EOF"},
		{"cut", func(m *memory) { m.objects[indexOf] = m.objects[indexOf][:20] }, "it is damaged: unexpected EOF"},
		{"two", func(m *memory) { m.objects[indexOf] = append(m.objects[indexOf], '{') }, "something follows it"},
		{"null", foreign("null"), "it tells no version"},
		{"another's", foreign(`{"version":1,"site":"EOTHER"}`), `it is of "EOTHER"`},
		{"newer", foreign(`{"version":2,"site":"EDIST","new":[1]}`), "update unstale"},
		{"a field that is not known", foreign(`{"version":1,"site":"EDIST","new":1}`), `unknown field "new"`},
		{"one attempt twice", foreign(`{"version":1,"site":"EDIST","pending":[{"attempt":"x"},{"attempt":"x"}]}`), `attempt "x"`},
		{"no attempt", foreign(`{"version":1,"site":"EDIST","verified":{}}`), `attempt ""`},
		{"a hash that is none", foreign(`{"version":1,"site":"EDIST","verified":{"attempt":"x","manifest":"../x"}}`), `manifest "../x"`},
		{"the manifest is gone", func(m *memory) { delete(m.objects, manifest(m)) }, ".manifest is missing"},
		{"the manifest is damaged", func(m *memory) { m.objects[manifest(m)][40]++ }, "read manifest: "},
		{"the manifest is another's", func(m *memory) {
			m.objects[manifest(m)] = site.Manifest{Distribution: "EOTHER", Snapshot: one(1)}.Encode()
		}, "it is of distribution EOTHER, not of EDIST"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			m := newMemory()
			s := m.state(t, "")
			begin(t, s, "r1", one(1))
			finish(t, s, "r1", true)
			tt.do(m)
			known := begin(t, s, "r2", one(2))
			if len(known.Snapshots) > 0 || !strings.Contains(known.Why, tt.why) || (known.Why == "") != (tt.why == "") {
				t.Errorf("known: %v, why %q; want %q", known.Snapshots, known.Why, tt.why)
			}
			finish(t, s, "r2", true)
			if known := begin(t, s, "r3", one(3)); contents(known, "a") != "2" || known.Why != "" {
				t.Errorf("it does not heal: %q, %s", contents(known, "a"), known.Why)
			}
		})
	}
}

func TestWhatWasDeployedIsNotKnown(t *testing.T) {
	s := newMemory().state(t, "")
	begin(t, s, "r1", nil)
	finish(t, s, "r1", true)
	if known := begin(t, s, "r2", one(2)); len(known.Snapshots) > 0 || known.Why != `what release "release r1" deployed is not known` {
		t.Errorf("%+v", known)
	}
	finish(t, s, "r2", true)
	if known := begin(t, s, "r3", one(3)); contents(known, "a") != "2" {
		t.Errorf("%+v", known)
	}
}

func TestTooManyPending(t *testing.T) {
	s := newMemory().state(t, "")
	begin(t, s, "first", one(1))
	finish(t, s, "first", true)
	for i := range maxPending + 1 {
		if known := begin(t, s, fmt.Sprint("r", i), one(byte(i))); len(known.Snapshots) != i+1 {
			t.Fatalf("r%d knows %d snapshots", i, len(known.Snapshots))
		}
	}
	finish(t, s, "r5", false) // its plan knew the verified one, and that is forgotten
	if known := begin(t, s, "next", one(2)); len(known.Snapshots) != 0 {
		t.Errorf("something is known: %v", known.Snapshots)
	}
	finish(t, s, "r0", false)
	finish(t, s, "next", true)
	if known := begin(t, s, "after", one(3)); contents(known, "a") != "2" {
		t.Errorf("it does not heal: %q", contents(known, "a"))
	}
}

// What a run may forget are releases that came before it, and that it surely replaced.
func TestWhatIsForgotten(t *testing.T) {
	s := newMemory().state(t, "")
	start := func(attempt string, release map[string]byte, deletes, plans bool) Known {
		t.Helper()
		known, err := s.Begin(t.Context(), "EDIST", Deploy{Attempt: attempt, Release: attempt, Snapshot: snapshotOf(release), Deletes: deletes, At: time.Unix(0, 0)})
		if err == nil && plans {
			_, err = s.KeepPlan(t.Context(), "EDIST", attempt, known, plan.Plan{})
		}
		if err != nil {
			t.Fatal(err)
		}
		return known
	}
	// Nothing is verified yet, and what the first one left lies beneath the second one.
	start("r1", map[string]byte{"a": 1}, false, true)
	start("r2", map[string]byte{"b": 1}, false, true)
	finish(t, s, "r2", true)
	if got := contents(start("r3", map[string]byte{"a": 2, "b": 1}, true, false), "a"); got != "1" {
		t.Errorf("under what was never verified: %q", got)
	}
	// Another process makes the plan, and knows of a later release: that one stays.
	start("r4", map[string]byte{"a": 4}, true, true)
	start("r3", map[string]byte{"a": 2, "b": 1}, true, true)
	finish(t, s, "r3", true)
	if got := contents(start("r5", map[string]byte{"a": 4, "c": 5}, true, true), "a"); got != "2 4" {
		t.Errorf("after a plan that was made late: %q", got)
	}
	// The origin cannot tell this one from r5, which may have been deployed later.
	start("r6", map[string]byte{"a": 4}, true, true)
	finish(t, s, "r6", true)
	if got := contents(start("r7", map[string]byte{"a": 7}, true, true), "c"); got != "5 -" && got != "- 5" {
		t.Errorf("after a release that has nothing of its own: %q", got)
	}
	finish(t, s, "r7", true)
	if got := contents(start("r8", map[string]byte{"a": 8}, true, true), "a"); got != "7" {
		t.Errorf("after one that has: %q", got)
	}
}
