package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	at "github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/invalidation"
)

func patient() Fleet { return Fleet{Viewer: eyes{}, Wait: time.Hour, Verify: true} }

func count(results []Result, o Outcome) (n int) {
	for _, r := range results {
		if r.Outcome == o {
			n++
		}
	}
	return n
}

// 200 targets in 40 accounts take no more than 10% longer than their throttles allow, and no account has
// more calls of a kind at once than it may.
func TestAFleetIsAsFastAsItsThrottles(t *testing.T) {
	for _, tt := range []struct {
		accounts, each int
		rate           float64
	}{
		{40, 5, 0}, {40, 5, 1}, {40, 5, 0.2}, {40, 5, 10}, {4, 50, 1}, {1, 200, 5},
	} {
		t.Run(fmt.Sprintf("%dx%d at %v", tt.accounts, tt.each, tt.rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud()
				c.rate, c.takes, c.latency = tt.rate, 10*time.Second, 30*time.Millisecond
				f := patient()
				f.Overall = 256
				began := time.Now()
				results := f.Run(t.Context(), targets(sites(c, tt.accounts, tt.each)))
				took := time.Since(began)
				// A purge alone: reading, listing, creating, its completion and the look that finds it, seeing.
				alone := 4*c.latency + c.takes + 1500*time.Millisecond
				bound := alone
				if tt.rate > 0 {
					bound += time.Duration(float64(tt.each-1) / tt.rate * float64(time.Second))
				}
				if done := count(results, Done); done != tt.accounts*tt.each || took > bound*11/10 || c.most > DefaultPerAccount {
					t.Errorf("%d done in %v of %v, %d calls at once, %d refused", done, took, bound, c.most, c.refused)
				}
				// Few calls are made in vain: more at first, until it is known how long AWS takes.
				if limit := tt.accounts * (60 + 6*tt.each); c.refused > limit {
					t.Errorf("%d calls were refused, more than %d", c.refused, limit)
				}
			})
		})
	}
}

// Targets that fail, hang or panic take nothing from the others.
func TestBadTargetsHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud()
		c.takes = 10 * time.Second
		all := sites(c, 2, 10)
		for i, s := range all[:9] { // more than an account's calls at once
			switch i % 3 {
			case 0:
				s.fails = &at.Error{Code: at.AccessDenied, Message: "no", Try: "allow it"}
			case 1:
				s.hangs = true
			case 2:
				s.panics = true
			}
		}
		f := patient()
		done := map[string]time.Duration{}
		began := time.Now()
		f.Observe = func(e Event) {
			if e.Result != nil && e.Result.Outcome == Done {
				done[e.Target] = time.Since(began)
			}
		}
		results := f.Run(t.Context(), targets(all))
		for i, r := range results {
			if i >= 9 {
				if r.Outcome != Done || done[r.Target] > 25*time.Second {
					t.Errorf("%s: %s after %v: %v", r.Target, r.Outcome, done[r.Target], r.Err)
				}
				continue
			}
			want := []string{"AccessDenied: no", "RequestTimeout", "panicked: oh"}[i%3]
			if r.Outcome != Failed || !strings.Contains(r.Err.Error(), want) || r.Verdict.OK() || i%3 == 0 && r.Try != "allow it" {
				t.Errorf("%s: %s, %v, try %q", r.Target, r.Outcome, r.Err, r.Try)
			}
		}
	})
}

func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		what   string
		change func(*Fleet, *cloud)
		want   Outcome
		stage  purge.Stage
		says   string
	}{
		{"all is well", func(*Fleet, *cloud) {}, Done, purge.Seen, ""},
		{"nobody waits", func(f *Fleet, _ *cloud) { f.Wait = 0 }, Done, purge.Created, ""},
		{"nobody looks", func(f *Fleet, _ *cloud) { f.Verify = false }, Done, purge.Completed, ""},
		{"it takes longer", func(f *Fleet, _ *cloud) { f.Wait = time.Second }, InProgress, purge.Created, "it goes on at AWS"},
		{"viewers see the old release", func(f *Fleet, _ *cloud) { f.Viewer = eyes{stale: true} }, Stale, purge.Completed, "viewers do not see"},
		{"and looking takes long", func(f *Fleet, _ *cloud) { f.Viewer, f.Wait = eyes{stale: true, slow: true}, time.Minute }, Stale, purge.Completed, "when the wait ended"},
		{"nobody can look", func(f *Fleet, _ *cloud) { f.Viewer = eyes{silent: true} }, Failed, purge.Completed, "is not known"},
		{"nobody can look in time", func(f *Fleet, _ *cloud) { f.Viewer, f.Wait = eyes{silent: true, slow: true}, time.Minute }, InProgress, purge.Completed, "were not seen"},
		{"throttled for ever", func(f *Fleet, c *cloud) { f.Begin, c.rate = time.Minute, 1e-9; c.spent["000000000000"] = 1 }, Failed, purge.Planned, "accepted no invalidation within 1m0s: Throttling"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud()
				c.takes = 10 * time.Second
				f, said := patient(), ""
				tt.change(&f, c)
				c.last["000000000000"] = time.Now()
				r := f.Run(t.Context(), targets(sites(c, 1, 1)))[0]
				if r.Err != nil {
					said = r.Err.Error()
				}
				if r.Outcome != tt.want || r.Verdict.Progress.Stage != tt.stage || !strings.Contains(said, tt.says) || (tt.want == Done) != (r.Err == nil) {
					t.Errorf("%s after %q: %v", r.Outcome, r.Verdict.Progress.Stage, r.Err)
				}
			})
		})
	}
}

// With Stop no target is begun after one has failed; what is begun goes on.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud()
		c.takes, c.latency = 10*time.Second, time.Second
		all := sites(c, 1, 6)
		all[2].fails = &at.Error{Code: at.AccessDenied, Message: "no"}
		f := patient()
		f.Stop, f.PerAccount = true, 1
		queue := targets(all)
		results := f.Run(t.Context(), queue)
		if n := count(results, Failed); n != 1 || count(results, Done) != len(c.order) || count(results, Done)+count(results, Skipped) != 5 {
			t.Errorf("%+v, created %v", results, c.order)
		}
		for _, r := range results {
			if r.Outcome == Skipped && (r.Err == nil || !strings.Contains(r.Err.Error(), all[2].id)) {
				t.Error(r.Err)
			}
		}
	})
}

// Whoever interrupts is told what goes on; an invalidation that is being created is known by its ID.
func TestInterrupt(t *testing.T) {
	for _, after := range []time.Duration{0, 2500 * time.Millisecond, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud()
			c.takes, c.latency = 10*time.Second, time.Second
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			began := time.Now()
			r := patient().Run(ctx, targets(sites(c, 1, 1)))[0]
			if r.Outcome != InProgress || r.Err == nil || (r.Verdict.Progress.ID != "") != (len(c.order) == 1) || time.Since(began) > after+time.Second {
				t.Errorf("after %v: %s, %q, created %v, ended after %v: %v", after, r.Outcome, r.Verdict.Progress.ID, c.order, time.Since(began), r.Err)
			}
		})
	}
}

// A run that is taken up again goes on where it was, and creates nothing again.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud()
		c.takes = 10 * time.Second
		s := sites(c, 1, 1)[0]
		f := patient()
		f.Wait = 0
		saved := []purge.Stage{}
		once := target(s)
		open := once.Open
		from := purge.Progress{}
		once.Open = func(ctx context.Context) (Work, error) {
			w, err := open(ctx)
			w.From, w.Order.Saved = from, func(p purge.Progress) { saved = append(saved, p.Stage) }
			w.Conclude = func(ctx context.Context, v *purge.Verdict) string { return string(v.Progress.Stage) }
			w.Record = func(p purge.Progress) string { return "of " + p.ID }
			return w, err
		}
		first := f.Run(t.Context(), []Target{once})[0]
		from, f.Wait = first.Verdict.Progress, time.Hour
		second := f.Run(t.Context(), []Target{once})[0]
		third := f.Run(t.Context(), []Target{once})[0]
		from = second.Verdict.Progress // finished: nothing is seen again, so there is nothing new to record
		fourth := f.Run(t.Context(), []Target{once})[0]
		if fourth.Outcome != Done || fourth.Record != "of I"+s.id {
			t.Errorf("%+v", fourth)
		}
		if first.Record != "created" || second.Record != "seen" || third.Outcome != Done || len(c.order) != 1 || !slices.Equal(saved, []purge.Stage{"created", "completed", "seen", "completed", "seen"}) {
			t.Errorf("%v, %v, %v, saved %v, created %v", first.Outcome, second.Outcome, third.Outcome, saved, c.order)
		}
	})
}

// What does not open fails with its own advice, and a target's own wait wins.
func TestOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud()
		c.takes = 10 * time.Second
		bad := Target{Name: "bad", Open: func(context.Context) (Work, error) { return Work{}, errors.New("no key") }}
		hurried := target(sites(c, 1, 1)[0])
		hurried.Wait = new(time.Duration)
		sightless := target(sites(c, 1, 2)[1])
		sightless.Blind = true
		r := patient().Run(t.Context(), []Target{bad, hurried, sightless})
		if r[0].Outcome != Failed || r[0].Err.Error() != "no key" || r[1].Verdict.Progress.Stage != purge.Created || r[2].Verdict.Progress.Stage != purge.Completed || r[1].Outcome != Done || r[2].Outcome != Done {
			t.Errorf("%+v", r)
		}
	})
}

func TestPlans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud()
		all := sites(c, 2, 2)
		all[1].fails = &at.Error{Code: at.AccessDenied, Message: "no", Try: "allow it"}
		r := patient().Plans(t.Context(), targets(all))
		if len(c.order) > 0 || r[0].Outcome != Done || len(r[0].Verdict.Plan.Items) != 1 || r[1].Outcome != Failed || r[1].Try != "allow it" {
			t.Errorf("%+v, created %v", r, c.order)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if r := patient().Plans(ended, targets(all[:1])); r[0].Outcome != InProgress {
			t.Errorf("%+v", r)
		}
	})
}

func TestBusy(t *testing.T) {
	got := Busy([]invalidation.Invalidation{
		{Status: invalidation.InProgress, Items: []string{"/a", "/b*", "#t"}},
		{Status: invalidation.Completed, Items: []string{"/c", "/d*"}},
	})
	if got != (invalidation.Limits{Files: 2, Wildcards: 1}) {
		t.Error(got)
	}
}
