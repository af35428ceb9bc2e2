package purge

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

func served(keys ...string) func(plan.Distribution) Served {
	return func(plan.Distribution) Served {
		s := Served{Origin: plan.Origin{ID: "site", Bucket: "b"}, Prefix: "v1/"}
		for _, key := range keys {
			s.Objects = append(s.Objects, site.Object{Key: key, Size: 2, CRC32: 7})
		}
		return s
	}
}

// Nothing is purged before the origin serves the release, and nothing at all if it never does.
func TestTheOriginComesFirst(t *testing.T) {
	for _, tt := range []struct {
		what    string
		keys    []string
		prefix  string
		arrives time.Duration
		fails   []error
		want    Outcome
		says    string
		calls   string
	}{
		{"it is there", []string{"index.html"}, "v1/", 0, nil, Viewed, "", "distribution objects list create"},
		{"it comes", []string{"index.html"}, "v1/", 3 * time.Second, nil, Viewed, "", "distribution objects objects objects list create"},
		{
			"it never comes",
			[]string{"index.html", "b"},
			"v1/", time.Hour, nil, Failed,
			"its origin does not serve the release: s3://b/v1/index.html has 1 bytes instead of 2, and 1 more of 2", "",
		},
		{"it is not there", []string{"missing"}, "", 0, nil, Failed, "s3://b/missing is not there", ""},
		{"it may not be read", []string{"a"}, "v1/", 0, times(9, code(gateway.AccessDenied)), Failed, "AccessDenied", "distribution objects"},
		{"it cannot be read", []string{"a"}, "v1/", 0, times(1, code(gateway.Unsupported)), Viewed, "", "distribution objects list create"},
		{"there is nothing to look at", nil, "v1/", 0, nil, Viewed, "", "distribution list create"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cloud{arrives: time.Now().Add(tt.arrives), fails: map[string][]error{"objects": tt.fails}}
				p, o := purgeOf(c, fresh())
				o.Served = func(d plan.Distribution) Served {
					s := served(tt.keys...)(d)
					s.Prefix = tt.prefix
					return s
				}
				v, _ := throughout(t, p, o)
				if v.Outcome != tt.want || tt.want == Failed && (c.paid > 0 || !strings.Contains(v.String(), tt.says)) {
					t.Errorf("%v, paid %d", v, c.paid)
				}
				if got := strings.Join(c.calls, " "); tt.calls != "" && got != tt.calls {
					t.Errorf("calls %q; want %q", got, tt.calls)
				}
				noted := slices.ContainsFunc(v.Notes, func(n string) bool { return strings.HasPrefix(n, "did not look whether the origin") })
				if unlooked := strings.HasPrefix(tt.what, "it cannot"); noted != unlooked || tt.want == Viewed && v.Gated.IsZero() != (unlooked || tt.keys == nil) {
					t.Errorf("notes %q, gated %v", v.Notes, v.Gated)
				}
			})
		})
	}
}

func TestAChecksumThatDiffers(t *testing.T) {
	s := served("a")(plan.Distribution{})
	for _, tt := range []struct {
		got  gateway.Stored
		want string
	}{
		{gateway.Stored{Key: "a", Found: true, Size: 2, Summed: true, CRC32: 7}, ""},
		{gateway.Stored{Key: "a", Found: true, Size: 2}, ""},
		{gateway.Stored{Key: "a", Found: true, Size: 2, Summed: true, CRC32: 8}, "s3://b/a has the crc32 00000008 instead of 00000007"},
	} {
		if got := lacking(s, []gateway.Stored{tt.got}); got != tt.want {
			t.Errorf("%+v: %q; want %q", tt.got, got, tt.want)
		}
	}
}

// What the plan leaves to expire has expired before anybody looks, over as many invocations as it takes.
func TestWhatExpiresIsWaitedOut(t *testing.T) {
	for _, tt := range []struct {
		items   []plan.Choice
		wait    time.Duration
		window  time.Duration
		created bool
	}{
		{[]plan.Choice{{Item: "/a"}}, time.Minute, 5 * time.Minute, true},
		{[]plan.Choice{{Item: "/a"}}, time.Minute, 30 * time.Second, true},
		{nil, 20 * time.Second, 5 * time.Minute, false},
		{nil, 0, 5 * time.Minute, false},
		{nil, time.Minute, 30 * time.Second, false}, // handed over
	} {
		synctest.Test(t, func(t *testing.T) {
			c, e := &cloud{takes: 10 * time.Second}, fresh()
			p, o := purgeOf(c, e)
			o.Plan = func(_ context.Context, d plan.Distribution, _ invalidation.Limits) (plan.Plan, error) {
				return plan.Plan{Distribution: d, Items: tt.items, WaitOut: tt.wait}, nil
			}
			began := time.Now()
			v := Verdict{}
			for v.Outcome != Viewed && time.Since(began) < time.Hour {
				if v = p.Run(invocation(t, tt.window), o, v.Progress); v.Outcome == Failed || !v.Progress.Valid() {
					t.Fatal(v, v.Progress)
				}
				if v.Outcome != Viewed {
					time.Sleep(30 * time.Second)
				}
			}
			if took := time.Since(began); took < tt.wait || took > tt.wait+30*time.Second || len(e.asked) != 1 || v.Progress.Spared() == tt.created {
				t.Errorf("%v after %v, %d looks: %v", tt.wait, took, len(e.asked), v)
			}
			if items := e.asked[0].Items; items == nil || len(items) != len(tt.items) {
				t.Errorf("the viewer is told that %q were purged, not %v", items, tt.items)
			}
			if !tt.created && (c.paid > 0 || !strings.Contains(v.String(), "nothing to purge -> seen from")) {
				t.Errorf("paid %d: %v", c.paid, v)
			}
		})
	}
}

// With no room a plan is made anew when there is some: with less room it may have other items.
func TestThePlanKnowsTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := invalidation.Invalidation{ID: "I0", Reference: "x", Status: invalidation.InProgress, Items: []string{"/a*", "/b"}}
		c := &cloud{others: []invalidation.Invalidation{other}, freed: time.Now().Add(12 * time.Second)}
		p, o := purgeOf(c, fresh())
		var asked []invalidation.Limits
		o.Plan = func(_ context.Context, d plan.Distribution, busy invalidation.Limits) (plan.Plan, error) {
			if asked = append(asked, busy); busy.Wildcards > 0 {
				return plan.Plan{}, &plan.Infeasible{Distribution: d.ID, Wait: true}
			}
			return plan.Everything(d, "room at last"), nil
		}
		kept := 0
		o.Keep = func(_ context.Context, _ plan.Distribution, made plan.Plan) (plan.Plan, error) {
			kept++
			made.Items = []plan.Choice{{Item: "/earlier"}}
			return made, nil
		}
		v, _ := throughout(t, p, o)
		if !v.OK() || kept != 1 || len(asked) < 2 || asked[0] != (invalidation.Limits{Files: 1, Wildcards: 1}) || asked[len(asked)-1] != (invalidation.Limits{}) {
			t.Errorf("%v, kept %d, asked %v", v, kept, asked)
		}
		if !slices.Equal(v.Items, []string{"/earlier"}) {
			t.Errorf("the attempt's own plan was not carried out: %q", v.Items)
		}
		o.Plan = func(_ context.Context, d plan.Distribution, _ invalidation.Limits) (plan.Plan, error) {
			return plan.Plan{}, &plan.Infeasible{Distribution: d.ID}
		}
		if v := p.Run(invocation(t, time.Minute), o, Progress{}); v.Outcome != Failed || v.Failure.Stage != Planned {
			t.Error("a plan that no waiting makes possible:", v)
		}
	})
}
