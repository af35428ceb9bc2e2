package purge

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

func TestAPurgeFromBeginningToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, e := &cloud{takes: 9 * time.Second}, fresh()
		p, o := purgeOf(c, e)
		log, lines := noted()
		p.Log = log
		var saved []Stage
		o.Saved = func(p Progress) { saved = append(saved, p.Stage) }
		v := p.Run(invocation(t, time.Minute), o, Progress{})
		if !v.OK() || v.Outcome != Viewed {
			t.Fatal(v)
		}
		if diff := cmp.Diff([]string{"distribution", "list", "create", "get", "get", "get", "get"}, c.calls); diff != "" {
			t.Error(diff)
		}
		looks := c.at[3:]
		want := []time.Duration{5500, 7200, 8985, 10855}
		for i := range want {
			if looks[i] != want[i]*time.Millisecond {
				t.Errorf("look %d at %v; want %d ms", i, looks[i], want[i])
			}
		}
		if diff := cmp.Diff([]Stage{Created, Completed, Seen}, saved); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"/*"}, v.Items); diff != "" {
			t.Error(diff)
		}
		if r := e.asked[0]; r.Domain != "d1.cloudfront.net" || !r.Since.Equal(c.created.Created) {
			t.Errorf("viewer was asked %+v", r)
		}
		if got, want := v.String(), "default: distribution E1 invalidation I1 created -> completed within 10.9 s -> "+
			"seen from FRA56-P1 (1 of 1 pages equal to the release)"; got != want {
			t.Errorf("verdict\n%s\nwant\n%s", got, want)
		}
		for _, msg := range []string{"distribution read", "admitted", "created", "completed", "seen"} {
			if !strings.Contains(lines.String(), `"msg":"`+msg+`"`) {
				t.Errorf("no line says %q", msg)
			}
		}
		if !strings.Contains(lines.String(), `"release":"r2"`) || !strings.Contains(lines.String(), `"reference":"unstale-`) {
			t.Errorf("lines lack the release or the reference:\n%s", lines)
		}
	})
}

// A purge may be cut anywhere and go on from its progress, through JSON; it still creates one
// invalidation, and nothing done is done again.
func TestHandOver(t *testing.T) {
	for _, budget := range []time.Duration{
		time.Second, 6 * time.Second, 10 * time.Second, 26 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
	} {
		t.Run(budget.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, e := &cloud{takes: 100 * time.Second}, fresh()
				e.takes = 500 * time.Millisecond
				p, o := purgeOf(c, e)
				var progress Progress
				var v Verdict
				for n := 0; ; n++ {
					ctx, cancel := context.WithTimeout(t.Context(), budget)
					began := time.Now()
					v = p.Run(ctx, o, progress)
					cancel()
					if spent := time.Since(began); spent > budget || spent > p.Schedule.Window()+p.Schedule.First()+e.takes {
						t.Fatalf("invocation %d took %v of %v", n, spent, budget)
					}
					if v.Outcome != Unfinished {
						break
					}
					if n > 100 {
						t.Fatal("never ends")
					}
					text, err := json.Marshal(v.Progress)
					if err != nil || len(text) > 200 {
						t.Fatalf("progress %s, %v", text, err)
					}
					progress = Progress{}
					if err := json.Unmarshal(text, &progress); err != nil || progress != v.Progress {
						t.Fatalf("%+v became %+v, %v", v.Progress, progress, err)
					}
					time.Sleep(20 * time.Second) // until CodePipeline comes back
				}
				if !v.OK() || c.paid != 1 || len(e.asked) == 0 {
					t.Errorf("paid %d, %v", c.paid, v)
				}
				if n := count(c.calls, "create"); n != 1 {
					t.Errorf("created %d times: %v", n, c.calls)
				}
			})
		})
	}
}

func count(calls []string, name string) int {
	return len(calls) - len(slices.DeleteFunc(slices.Clone(calls), func(s string) bool { return s == name }))
}

func TestHandOverWhileACallHangs(t *testing.T) {
	for _, call := range []string{"distribution", "list", "create", "get"} {
		t.Run(call, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cloud{takes: time.Second, hangs: map[string]bool{call: true}}
				p, o := purgeOf(c, fresh())
				began := time.Now()
				v := p.Run(invocation(t, 20*time.Second), o, Progress{})
				if v.Outcome != Unfinished || v.OK() || time.Since(began) != 20*time.Second {
					t.Fatalf("%v after %v", v, time.Since(began))
				}
				c.hangs = nil
				if v = p.Run(invocation(t, 20*time.Second), o, v.Progress); !v.OK() || c.paid != 1 {
					t.Errorf("paid %d, %v", c.paid, v)
				}
			})
		})
	}
}

func TestALookThatFails(t *testing.T) {
	for _, tt := range []struct {
		what  string
		fails []error
		want  Outcome
	}{
		{"once", times(1, code(gateway.ServiceUnavailable)), Viewed},
		{"often", times(8, code(gateway.NetworkError)), Viewed},
		{"strangely, twice", times(2, code(gateway.NoSuchInvalidation)), Viewed},
		{"strangely, always", times(99, code(gateway.NoSuchInvalidation)), Failed},
		{"for good", times(1, code(gateway.AccessDenied)), Failed},
		{"for longer than the window", times(99, code(gateway.Throttling)), Unfinished},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cloud{takes: time.Second, fails: map[string][]error{"get": tt.fails}}
				p, o := purgeOf(c, fresh())
				v := p.Run(invocation(t, time.Hour), o, Progress{})
				if v.Outcome != tt.want || v.Progress.ID != "I1" {
					t.Error(v)
				}
			})
		})
	}
}

func TestOvertime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{takes: time.Hour}
		p, o := purgeOf(c, fresh())
		o.Until = time.Now().Add(15 * time.Second)
		v := p.Run(invocation(t, time.Minute), o, Progress{})
		if v.Outcome != Failed || v.Failure.Stage != Created || !strings.Contains(v.String(), "still not completed 15s after its creation; try: it completes by itself") {
			t.Error(v)
		}
		// It completed after all while nobody looked: late is still done.
		time.Sleep(2 * time.Hour)
		if v = p.Run(invocation(t, time.Minute), o, v.Progress); !v.OK() {
			t.Error(v)
		}
	})
}

// The clock of a machine may be set while it waits: the time that passed since the creation is then
// CloudFront's word against its note.
func TestCloudFrontsDateIsTakenAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, e := &cloud{takes: time.Second}, fresh()
		p, o := purgeOf(c, e)
		p.Run(invocation(t, time.Minute), o, Progress{})
		c.created.Created = c.created.Created.Add(-time.Minute)
		from := Progress{Stage: Completed, Distribution: "E1", Reference: c.created.Reference, ID: "I1", Created: time.Now().UnixMilli(), Noted: time.Now().UnixMilli()}
		if v := p.Run(invocation(t, time.Minute), o, from); !v.OK() || !e.asked[1].Since.Equal(c.created.Created) {
			t.Errorf("since %v, created %v: %v", e.asked[1].Since, c.created.Created, v)
		}
	})
}

func TestAdmission(t *testing.T) {
	wild := func(n int, reference string) []invalidation.Invalidation {
		one := invalidation.Invalidation{ID: "I0", Reference: reference, Status: invalidation.InProgress}
		for i := range n {
			one.Items = append(one.Items, fmt.Sprintf("/%d/*", i))
		}
		return []invalidation.Invalidation{one, {Status: invalidation.Completed, Items: one.Items}}
	}
	ours := invalidation.Reference("11111111-1111-1111-1111-111111111111", "E1", []invalidation.Item{"/*"})
	for _, tt := range []struct {
		what   string
		others []invalidation.Invalidation
		fails  []error
		freed  time.Duration
		waits  time.Duration
		note   string
		want   Outcome
	}{
		{"room", wild(14, "x"), nil, time.Hour, 0, "", Viewed},
		{"full for a while", wild(15, "x"), nil, 12 * time.Second, 15 * time.Second, "", Viewed},
		{"full of ourselves", wild(15, ours), nil, time.Hour, 0, "", Viewed},
		{"full for ever", wild(15, "x"), nil, time.Hour, 9 * time.Minute, "", Failed},
		{"may not look", nil, times(1, code(gateway.AccessDenied)), 0, 0, "did not look at what is in progress", Viewed},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cloud{others: tt.others, freed: time.Now().Add(tt.freed), fails: map[string][]error{"list": tt.fails}}
				p, o := purgeOf(c, fresh())
				began := time.Now()
				v, _ := throughout(t, p, o)
				if v.Outcome != tt.want || time.Since(began) < tt.waits || time.Since(began) > tt.waits+time.Minute {
					t.Errorf("after %v: %v", time.Since(began), v)
				}
				if tt.note != "" && (len(v.Notes) != 1 || !strings.HasPrefix(v.Notes[0], tt.note)) {
					t.Errorf("notes %q", v.Notes)
				}
				if tt.want == Failed && (c.paid > 0 || !strings.Contains(v.String(), "TooManyInvalidationsInProgress")) {
					t.Error(v)
				}
			})
		})
	}
}

func TestViewersWhoDoNotSeeIt(t *testing.T) {
	url := "https://d1.cloudfront.net"
	for _, tt := range []struct {
		what  string
		items []invalidation.Item
		page  viewer.Page
		says  string
	}{
		{"nobody could look", []invalidation.Item{"/*"}, viewer.Page{URL: url + "/", Why: "refused"}, "can reach the internet"},
		{"not covered", []invalidation.Item{"/a*"}, viewer.Page{URL: url + "/b?x=1", Status: 200, Compared: true}, "add /b to the items"},
		{"not found", []invalidation.Item{"/*"}, viewer.Page{URL: url + "/b", Status: 403}, "check that the origin has /b"},
		{"other content", []invalidation.Item{"/*"}, viewer.Page{URL: url + "/", Status: 200, Compared: true}, "deploy action ran before"},
		{"not purged", []invalidation.Item{"/*"}, viewer.Page{URL: url + "/", Status: 200, Compared: true, Old: true}, "retry the stage"},
		{"by tag", []invalidation.Item{"#a"}, viewer.Page{URL: url + "/", Status: 200, Age: 9}, "retry the stage"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, e := &cloud{}, &eyes{pages: []viewer.Page{tt.page}}
				p, o := purgeOf(c, e)
				o.Plan = given(tt.items...)
				v := p.Run(invocation(t, time.Minute), o, Progress{})
				if v.OK() || v.Outcome != Failed || v.Failure.Stage != Completed || !strings.Contains(v.Failure.Try, tt.says) {
					t.Errorf("%v; want %q", v, tt.says)
				}
				said := "viewers do not see the release"
				if tt.page.Status == 0 { // who was not answered does not know
					said = "whether viewers see the release is not known"
				}
				if !strings.Contains(v.String(), "invalidation I1 is completed, but "+said) {
					t.Error(v)
				}
			})
		})
	}
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{change: func(d *plan.Distribution) { d.Enabled = false }}
		p, o := purgeOf(c, fresh())
		if v := p.Run(invocation(t, time.Minute), o, Progress{}); v.Outcome != Failed || c.paid > 0 ||
			!strings.Contains(v.String(), "it is disabled") {
			t.Error(v)
		}
		c.change = nil
		o.Plan = given("no/slash")
		if v := p.Run(invocation(t, time.Minute), o, Progress{}); v.Outcome != Failed || c.paid > 0 {
			t.Error(v)
		}
		if v := p.Run(invocation(t, time.Minute), o, Progress{Stage: "later"}); v.Outcome != Failed ||
			!strings.Contains(v.String(), "there is no such stage") {
			t.Error(v)
		}
		e := &eyes{}
		p, o = purgeOf(&cloud{}, e)
		if v := p.Run(invocation(t, time.Minute), o, Progress{}); v.OK() {
			t.Error("a viewer who saw nothing is enough:", v)
		}
	})
}

func TestVerdictZeroRefuses(t *testing.T) {
	var v Verdict
	if v.OK() || v.Outcome.String() != "undecided" || v.String() != ": undecided" {
		t.Error(v)
	}
	// Each part alone is no success.
	seen := Verdict{Outcome: Viewed, Progress: Progress{Stage: Seen, Pages: 1}}
	if !seen.OK() {
		t.Error(seen)
	}
	for what, change := range map[string]func(*Verdict){
		"outcome": func(v *Verdict) { v.Outcome = Unfinished },
		"stage":   func(v *Verdict) { v.Progress.Stage = Completed },
		"pages":   func(v *Verdict) { v.Progress.Pages = 0 },
		"failure": func(v *Verdict) { v.Failure = &Failure{} },
	} {
		if other := seen; true {
			if change(&other); other.OK() {
				t.Errorf("without %s it is still a success", what)
			}
		}
	}
}

// What was seen in an earlier invocation is not looked at again.
func TestSeenStaysSeen(t *testing.T) {
	from := Progress{Stage: Seen, Distribution: "E1", ID: "I1", Pages: 2, Compared: 0}
	c := &cloud{}
	p, o := purgeOf(c, fresh())
	v := p.Run(t.Context(), o, from)
	if !v.OK() || len(c.calls) > 0 || v.String() != "default: distribution E1 invalidation I1 created -> completed -> "+
		"seen from an unnamed point of presence (2 pages, judged by age alone: there was nothing to compare with)" {
		t.Errorf("%v after %v", v, c.calls)
	}
}

func TestValid(t *testing.T) {
	ok := Progress{Stage: Created, ID: "I1", Reference: "r", Noted: 1}
	for _, tt := range []struct {
		what   string
		change func(*Progress)
		want   bool
	}{
		{"created", func(*Progress) {}, true},
		{"completed", func(p *Progress) { p.Stage = Completed }, true},
		{"nothing yet", func(p *Progress) { *p = Progress{} }, true},
		{"planned with a reference", func(p *Progress) { *p = Progress{Distribution: "E1", Reference: "r"} }, true},
		{"planned with an ID", func(p *Progress) { p.Stage = Planned }, false},
		{"seen", func(p *Progress) { p.Stage, p.Pages, p.Compared = Seen, 2, 1 }, true},
		{"seen nothing", func(p *Progress) { p.Stage = Seen }, false},
		{"compared more than seen", func(p *Progress) { p.Stage, p.Pages, p.Compared = Seen, 1, 2 }, false},
		{"no such stage", func(p *Progress) { p.Stage = "done" }, false},
		{"no ID", func(p *Progress) { p.ID = "" }, false},
		{"no reference", func(p *Progress) { p.Reference = "" }, false},
		{"no time", func(p *Progress) { p.Noted = 0 }, false},
		{"a time before all", func(p *Progress) { p.Created = -1 }, false},
		{"settling before all", func(p *Progress) { p.Settle = -1 }, false},
		{"nothing to purge", func(p *Progress) { *p = Progress{Stage: Completed, Noted: 1} }, true},
		{"nothing to purge, seen", func(p *Progress) { *p = Progress{Stage: Seen, Noted: 1, Pages: 1} }, true},
		{"nothing created", func(p *Progress) { *p = Progress{Stage: Created, Noted: 1} }, false},
	} {
		p := ok
		if tt.change(&p); p.Valid() != tt.want {
			t.Errorf("%s: valid %v", tt.what, !tt.want)
		}
	}
}

func TestSince(t *testing.T) {
	for _, tt := range []struct{ created, noted, want int64 }{
		{0, 5000, 5000}, {4000, 5000, 4000}, {9000, 5000, 5000},
	} {
		if got := (Progress{Created: tt.created, Noted: tt.noted}).Since().UnixMilli(); got != tt.want {
			t.Errorf("created %d, noted %d: %d; want %d", tt.created, tt.noted, got, tt.want)
		}
	}
}

// How long completion took is by this machine's clock, from when the creation was noted: an invalidation
// that was found again had begun before, by another clock, and no purge takes longer than its run.
func TestTookIsOfOneClock(t *testing.T) {
	for _, since := range []time.Duration{0, 20 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c := &cloud{takes: since + 7*time.Second}
			p, o := purgeOf(c, fresh())
			batch, err := invalidation.NewBatch(o.Attempt, "E1", []invalidation.Item{"/*"})
			if err != nil {
				t.Fatal(err)
			}
			c.created = &invalidation.Invalidation{
				ID: "I1", Distribution: "E1", Reference: batch.Reference, Items: []string{"/*"}, Status: invalidation.InProgress, Created: time.Now().Add(-since),
			}
			began := time.Now()
			v, _ := throughout(t, p, o)
			if ran := time.Since(began); !v.OK() || v.Took < 7*time.Second || v.Took > ran || c.paid != 0 {
				t.Errorf("created %s before: %s of a run of %s; %s", since, v.Took, ran, v)
			}
		})
	}
}
