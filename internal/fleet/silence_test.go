package fleet

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	at "github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// mute is a site that gives no answer to some kind of call, for so many calls; the gateway's bound ends each.
type mute struct {
	*site
	kind  string
	times int           // -1: for ever
	bound time.Duration // of a call
	late  time.Duration // a creation is answered after that; 0: at once
}

func (m *mute) hang(ctx context.Context, kind string) error {
	if m.kind != kind || m.times == 0 {
		return nil
	}
	m.times--
	_, err := at.Within(ctx, m.bound, func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	})
	return at.Explain(err)
}

func (m *mute) Distribution(ctx context.Context) (plan.Distribution, error) {
	if err := m.hang(ctx, "distribution"); err != nil {
		return plan.Distribution{}, err
	}
	return m.site.Distribution(ctx)
}

func (m *mute) InProgress(ctx context.Context) ([]invalidation.Invalidation, error) {
	if err := m.hang(ctx, "list"); err != nil {
		return nil, err
	}
	return m.site.InProgress(ctx)
}

func (m *mute) Get(ctx context.Context, id string) (invalidation.Invalidation, error) {
	if err := m.hang(ctx, "get"); err != nil {
		return invalidation.Invalidation{}, err
	}
	return m.site.Get(ctx, id)
}

func (m *mute) Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error) {
	if err := m.hang(ctx, "create"); err != nil {
		return invalidation.Invalidation{}, err
	}
	time.Sleep(m.late) // in a bubble
	return m.site.Create(ctx, batch)
}

// A target that answers nothing is given up when the wait for it would be over; the answer of a creation is waited
// for all the same, and waited for is then what it made.
func TestSilence(t *testing.T) {
	const second = time.Second
	tries := purge.Retry{Fast: purge.Backoff{Base: 200 * time.Millisecond, Most: 200 * time.Millisecond, Tries: 4}, Rand: func() float64 { return 0 }}
	for _, tt := range []struct {
		what     string
		m        mute
		wait     time.Duration
		want     Outcome
		stage    purge.Stage
		from, to time.Duration
		says     string
	}{
		{"nothing is answered", mute{kind: "distribution", times: -1, bound: 10 * second}, 10 * second, Failed, purge.Planned, 10 * second, 10 * second, "no answer within 10s"},
		{"a short wait has time for one call", mute{kind: "distribution", times: -1, bound: 10 * second}, second, Failed, purge.Planned, 10 * second, 10 * second, "no answer within 10s"},
		// The pauses before the second and the third call are no silence.
		{"a longer one for more", mute{kind: "distribution", times: -1, bound: 10 * second}, 25 * second, Failed, purge.Planned, 25400 * time.Millisecond, 25400 * time.Millisecond, "no answer within 10s; given up after 25s without an answer to 3 calls"},
		{"a call that may take longer is cut off", mute{kind: "distribution", times: -1, bound: 45 * second}, 12 * second, Failed, purge.Planned, 12 * second, 12 * second, "no answer within 12s"},
		{"the tries end it", mute{kind: "distribution", times: -1, bound: 10 * second}, 10 * time.Minute, Failed, purge.Planned, 40 * second, 41 * second, "no answer within 10s"},
		{"nobody said how long", mute{kind: "distribution", times: -1, bound: 10 * second}, 0, Failed, purge.Planned, 40 * second, 41 * second, "no answer within 10s"},
		{"it answers the second time", mute{kind: "distribution", times: 1, bound: 4 * second}, 10 * second, Done, purge.Seen, 4 * second, 16 * second, ""},
		{"it answers now and then", mute{kind: "list", times: 1, bound: 9 * second}, 10 * second, Done, purge.Seen, 9 * second, 21 * second, ""},
		{"a creation is answered late", mute{late: 40 * second}, 10 * second, Done, purge.Seen, 40 * second, 51 * second, ""},
		{"a creation is not answered", mute{kind: "create", times: -1, bound: 45 * second}, 10 * second, Failed, purge.Planned, 45 * second, 45 * second, "no answer within 45s"},
		{"a creation is tried while there is time", mute{kind: "create", times: -1, bound: 8 * second}, 10 * second, Failed, purge.Planned, 16 * second, 17 * second, "given up after 10s without an answer to 2 calls"},
		{"a look is not answered", mute{kind: "get", times: -1, bound: 10 * second}, 12 * second, InProgress, purge.Created, 12 * second, 13 * second, "it goes on at AWS"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud()
				c.takes = 5 * second
				tt.m.site = sites(c, 1, 1)[0]
				one := target(tt.m.site)
				open := one.Open
				one.Open = func(ctx context.Context) (Work, error) {
					w, err := open(ctx)
					w.Gateway = &tt.m
					return w, err
				}
				f := patient()
				f.Wait, f.Retry, f.Verify = tt.wait, tries, tt.wait != 0
				began := time.Now()
				r := f.Run(t.Context(), []Target{one})[0]
				took, said := time.Since(began), ""
				if r.Err != nil {
					said = r.Err.Error()
				}
				if r.Outcome != tt.want || r.Verdict.Progress.Stage != tt.stage || !strings.Contains(said, tt.says) || (said == "") != (tt.says == "") {
					t.Errorf("%s after stage %q: %s", r.Outcome, r.Verdict.Progress.Stage, said)
				}
				if took < tt.from || took > tt.to {
					t.Errorf("it took %s, not %s to %s", took, tt.from, tt.to)
				}
			})
		})
	}
}

// Who interrupts a target that answers nothing is told of that, not of an answer that nobody waited for.
func TestSilenceInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mute{site: sites(newCloud(), 1, 1)[0], kind: "distribution", times: -1, bound: 45 * time.Second}
		one := target(m.site)
		open := one.Open
		one.Open = func(ctx context.Context) (Work, error) {
			w, err := open(ctx)
			w.Gateway = m
			return w, err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		f := patient()
		f.Wait = 10 * time.Second
		began := time.Now()
		r := f.Run(ctx, []Target{one})[0]
		if r.Outcome != InProgress || !strings.Contains(r.Err.Error(), "interrupted") || time.Since(began) != 3*time.Second {
			t.Errorf("%s after %s: %v", r.Outcome, time.Since(began), r.Err)
		}
	})
}

func TestAnswered(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, true},
		{&at.Error{Code: at.AccessDenied, Status: 403}, true},
		{&at.Error{Code: at.RequestTimeout, Status: 400}, true}, // S3 says so, too
		{&at.Error{Code: at.RequestTimeout}, false},
		{&at.Error{Code: at.NetworkError}, false},
		{&at.Error{Code: at.Canceled}, false},
		{context.Canceled, false},
		{errors.New("no"), true},
	} {
		if answered(tt.err) != tt.want {
			t.Errorf("%v: want %t", tt.err, tt.want)
		}
	}
}

func TestPatience(t *testing.T) {
	for wait, want := range map[time.Duration]time.Duration{0: 0, time.Second: LeastPatience, time.Minute: time.Minute} {
		if got := Patience(wait); got != want {
			t.Errorf("%s: %s, not %s", wait, got, want)
		}
	}
}
