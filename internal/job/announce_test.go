package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/release"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/plan"
)

// ledger is a state of which only the beginning is asked.
type ledger struct {
	release.State
	deploys []string
	fail    error
	deaf    bool // hangs without hearing the context
}

func (l *ledger) Begin(_ context.Context, of string, d store.Deploy) (store.Known, error) {
	if l.deaf {
		time.Sleep(time.Hour)
	}
	l.deploys = append(l.deploys, fmt.Sprint(of, " ", d.Attempt, " ", d.Release, " ", d.Announced, " ", len(d.Snapshot)))
	return store.Known{}, l.fail
}

func (l *ledger) Plan(context.Context, string, string) (plan.Plan, bool, error) {
	return plan.Plan{}, false, nil
}

// A release that is announced is recorded under every target's distribution, and nothing else is done.
func TestAnnounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &distribution{id: "E1"}, &distribution{id: "E2"}
		w, l := newWorld(t, map[string]*distribution{"a": a, "b": b}), &ledger{}
		w.config.State = l
		if err := w.run(t, time.Minute, jobEvent(firstJob, `{"announce": true, "release": "exec-7"}`, "", 1)); err != nil {
			t.Fatal(err)
		}
		want := Answer{Summary: "a: distribution E1 announced; b: distribution E2 announced", Percent: 100}
		if diff := cmp.Diff(want, w.desk.last()); diff != "" {
			t.Error(diff)
		}
		slices.Sort(l.deploys)
		if diff := cmp.Diff([]string{"E1 " + firstJob + " exec-7 true 2", "E2 " + firstJob + " exec-7 true 2"}, l.deploys); diff != "" {
			t.Error(diff)
		}
		if a.paid+b.paid > 0 || len(w.eyes.asked) > 0 {
			t.Errorf("%d and %d invalidations, %d looks", a.paid, b.paid, len(w.eyes.asked))
		}
	})
}

// What keeps a release from being announced keeps it from being deployed, and is said.
func TestAnnounceFails(t *testing.T) {
	denied := &gateway.Error{Code: gateway.AccessDenied, Operation: "read distribution", Message: "no"}
	for _, tt := range []struct {
		what  string
		d     *distribution
		state *ledger
		in    int
		kind  FailureType
		says  string
	}{
		{"no way to the target", &distribution{fail: map[string]error{"distribution": denied}}, &ledger{}, 1, PermissionError, "read distribution"},
		{"no state to write", &distribution{}, &ledger{fail: errors.New("write state: full")}, 1, JobFailed, "write state: full"},
		{"a panic", &distribution{panics: "ouch"}, &ledger{}, 1, JobFailed, "panicked: ouch"},
		{"no artifact", &distribution{}, &ledger{}, 0, ConfigurationError, "has no input artifact"},
		{"no state", &distribution{}, nil, 1, ConfigurationError, "UNSTALE_STATE"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, one(tt.d))
				if tt.state != nil {
					w.config.State = tt.state
				}
				if err := w.run(t, time.Minute, jobEvent(firstJob, `{"announce": true, "release": "exec-7"}`, "", tt.in)); err != nil {
					t.Fatal(err)
				}
				if a := w.desk.last(); a.Failure != tt.kind || !strings.Contains(a.Message, tt.says) {
					t.Errorf("%+v; want %s, %q", a, tt.kind, tt.says)
				}
			})
		})
	}
}

// A busy AWS is waited for in another job of the same action.
func TestAnnounceGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &distribution{fail: map[string]error{"distribution": &gateway.Error{Code: "Throttling", Status: 400}}}
		w, l := newWorld(t, one(d)), &ledger{}
		w.config.State = l
		if err := w.run(t, 10*time.Second, jobEvent(firstJob, `{"announce": true, "release": "exec-7"}`, "", 1)); err != nil {
			t.Fatal(err)
		}
		token := w.desk.last().Token
		if token == "" || len(l.deploys) > 0 || w.desk.last().Summary != "default: waiting to be announced" {
			t.Fatalf("%+v, %v", w.desk.last(), l.deploys)
		}
		d.fail = nil
		if err := w.run(t, 10*time.Second, jobEvent(secondJob, `{"announce": true, "release": "exec-7"}`, token, 1)); err != nil {
			t.Fatal(err)
		}
		if a := w.desk.last(); a.Summary != "default: distribution E1 announced" || !strings.Contains(l.deploys[0], firstJob) {
			t.Errorf("%+v, %v", a, l.deploys)
		}
	})
}
