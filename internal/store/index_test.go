package store

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// The index is replaced as a whole: whoever finds that it changed reads it again.
func TestTheIndexChangesMeanwhile(t *testing.T) {
	for _, a := range []answer{
		{http.StatusPreconditionFailed, "PreconditionFailed"},
		{http.StatusConflict, "ConditionalRequestConflict"},
	} {
		m := newMemory()
		s := m.state(t, "")
		m.answers = map[string][]answer{indexOf: {a, a}}
		begin(t, s, "r1", one(1))
		m.answers = map[string][]answer{indexOf: {a, a, a}}
		finish(t, s, "r1", true)
		var all []answer
		for range tries {
			all = append(all, a)
		}
		m.answers = map[string][]answer{indexOf: all}
		_, err := s.Begin(t.Context(), "EDIST", Deploy{Attempt: "r2", Snapshot: one(2), At: time.Unix(0, 0)})
		if err == nil || err.Error() != "write s3://state/history/EDIST/index.json: it was changed by another run meanwhile" {
			t.Errorf("%s: %v", a.code, err)
		}
	}
	m := newMemory()
	s := m.state(t, "")
	met := false
	m.met = func(key string) {
		if key == indexOf && !met { // another run is there between the read and the write
			met = true
			begin(t, s, "other", one(8))
		}
	}
	begin(t, s, "r1", one(1))
	x, err := readIndex(m.objects[indexOf], "EDIST")
	if err != nil || len(x.Pending) != 2 || x.Pending[0].Attempt != "other" {
		t.Errorf("%v: %+v", err, x)
	}
	m.met = func(key string) {
		if key == indexOf {
			m.met = nil
			delete(m.objects, indexOf)
		}
	}
	finish(t, s, "r1", false) // the index is gone, and nothing is made up in its place
	if m.objects[indexOf] != nil {
		t.Error("an index is back")
	}
}

func FuzzIndex(f *testing.F) {
	m := newMemory()
	s := m.state(f, "")
	known, err := s.Begin(f.Context(), "EDIST", Deploy{Attempt: "r1", Release: "release", Snapshot: one(1), At: time.Unix(0, 0)})
	if err != nil || known.Why != "" {
		f.Fatal(err, known.Why)
	}
	f.Add(m.objects[indexOf])
	f.Add([]byte(`{"version":1,"site":"EDIST","verified":{"attempt":"x","manifest":"","at":"2026-01-01T00:00:00Z"}}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte("null"))
	f.Add([]byte(`{"version":1,"site":"EDIST","pending":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		x, err := readIndex(body, "EDIST")
		if err != nil {
			return
		}
		if x.Site != "EDIST" || x.Version != indexVersion || len(x.Pending) > maxPending || x.position("") >= 0 {
			t.Fatalf("taken for an index: %+v", x)
		}
		again, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		y, err := readIndex(again, "EDIST")
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if third, err := json.Marshal(y); err != nil || !bytes.Equal(third, again) {
			t.Fatalf("%s became %s, %v", again, third, err)
		}
	})
}
