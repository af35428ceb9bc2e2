package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/internal/purge"
)

// happenings are what happens on three targets.
func happenings() []fleet.Event {
	made := purge.Progress{Stage: purge.Created, ID: "I1", Distribution: "E1", Paths: 2}
	completed, seen := made, made
	completed.Stage, seen.Stage, seen.Pages, seen.POP = purge.Completed, purge.Seen, 3, "FRA56-P1"
	return []fleet.Event{
		{Index: 0, Target: "shop", Doing: fleet.Checking},
		{Index: 0, Target: "shop", Doing: fleet.Awaiting},
		{Index: 0, Target: "shop", Doing: fleet.Creating},
		{Index: 0, Target: "shop", Progress: made},
		{Index: 1, Target: "docs", Result: &fleet.Result{Outcome: fleet.Failed, Err: errors.New("no")}},
		{Index: 0, Target: "shop", Progress: completed},
		{Index: 0, Target: "shop", Progress: seen},
		{Index: 0, Target: "shop", Progress: seen, Result: &fleet.Result{Outcome: fleet.Done}},
		{Index: 2, Target: "own", Progress: purge.Progress{Stage: purge.Completed, Distribution: "E2", Noted: 1}},
	}
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	l := &lines{out: &out}
	for _, e := range happenings() {
		l.event(e)
	}
	want := "shop: waiting for the origin to serve the release\nshop: created I1 on E1, 2 paths\ndocs: failed: no\nshop: completed I1\nshop: seen from FRA56-P1, 3 pages\nown: nothing to purge\n"
	if out.String() != want || l.broken() != nil {
		t.Errorf("%q, %v", out.String(), l.broken())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestLinesThatCannotBeTold(t *testing.T) {
	l := &lines{out: full{}}
	for _, e := range happenings() {
		l.event(e)
	}
	if l.broken() == nil {
		t.Error("nobody noticed")
	}
}

// A bar for each target, or one for all; whatever came of them, the drawing ends.
func TestBarsEnd(t *testing.T) {
	for _, height := range []int{24, 3} {
		var out bytes.Buffer
		b := newBars(&out, []string{"shop", "docs", "own"}, height)
		for _, e := range happenings() {
			b.event(e)
		}
		ended := make(chan struct{})
		go func() {
			b.close()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatalf("height %d: the bars go on", height)
		}
		if want := []string{"docs", "3 targets"}[b2i(height == 3)]; !strings.Contains(out.String(), want) {
			t.Errorf("height %d: %q lacks %q", height, out.String(), want)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
