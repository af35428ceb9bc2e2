package purge

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// door is a viewer who is asked for a password at some paths, and sees the release at all others.
type door struct {
	*eyes
	asks []string
}

func (d door) Check(ctx context.Context, r viewer.Request) viewer.Report {
	d.pages = nil
	for _, e := range r.Expect {
		page := viewer.Page{URL: "https://d1.cloudfront.net" + e.Path, POP: "FRA56-P1", Status: 200, Fresh: true, Compared: true, Matches: true}
		if slices.Contains(d.asks, e.Path) {
			page.Status, page.XCache, page.Compared, page.Matches = 401, "LambdaGeneratedResponse from cloudfront", false, false
		}
		d.pages = append(d.pages, page)
	}
	return d.eyes.Check(ctx, r)
}

// What viewers need a signature for is not looked at, and a question for a password is no page. What is public is
// looked at; where nothing is, completion has to do, and the verdict says so.
func TestRestrictedPages(t *testing.T) {
	const need = "for which viewers need signed URLs, signed cookies or a password"
	open := func(*plan.Distribution) {}
	docs := func(d *plan.Distribution) { d.Behaviors = []plan.Behavior{{PathPattern: "/docs/*", Restricted: true}} }
	all := func(d *plan.Distribution) { d.Default.Restricted = true }
	for _, tt := range []struct {
		what   string
		change func(*plan.Distribution)
		asks   []string // paths for which a function asks for a password
		looks  []string
		stage  Stage
		says   string
		note   string
	}{
		{"public", open, nil, []string{"/", "/docs/a"}, Seen, "-> seen from FRA56-P1 (2 of 2 pages equal to the release)", ""},
		{"in part", docs, nil, []string{"/"}, Seen, "-> seen from FRA56-P1 (1 of 1 pages equal to the release; 1 not seen, " + need + ")", "did not see 1 page, " + need + ": /docs/a"},
		{"all", all, nil, nil, Restricted, "-> not seen: viewers need signed URLs, signed cookies or a password", "did not see 2 pages, " + need + ": /"},
		{"a password in part", open, []string{"/"}, []string{"/", "/docs/a"}, Seen, "(1 of 1 pages equal to the release; 1 not seen", "did not see 1 page, " + need + ": /"},
		{"a password for all", open, []string{"/", "/docs/a"}, []string{"/", "/docs/a"}, Restricted, "-> not seen: viewers need", "did not see 2 pages, " + need + ": /"},
		{"signatures, and a password for the rest", docs, []string{"/"}, []string{"/"}, Restricted, "-> not seen: viewers need", "did not see 2 pages, " + need + ": /docs/a"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, e := &cloud{takes: 10 * time.Second, change: tt.change}, fresh()
			p, o := purgeOf(c, e)
			p.Viewer = door{e, tt.asks}
			o.Expect = func(context.Context, plan.Distribution) ([]viewer.Expectation, error) {
				return []viewer.Expectation{{Path: "/"}, {Path: "/docs/a"}}, nil
			}
			v, _ := throughout(t, p, o)
			var looks []string
			for _, asked := range e.asked {
				for _, expect := range asked.Expect {
					looks = append(looks, expect.Path)
				}
			}
			if !v.OK() || v.Progress.Stage != tt.stage || !v.Progress.Valid() || !slices.Equal(looks, tt.looks) || !strings.Contains(v.String(), tt.says) {
				t.Errorf("%s: looked at %q: %v, %+v", tt.what, looks, v, v.Progress)
			}
			if notes := strings.Join(v.Notes, "; "); notes != tt.note {
				t.Errorf("%s: notes %q", tt.what, notes)
			}
			if again := p.Run(invocation(t, time.Minute), o, v.Progress); !again.OK() || c.paid != 1 {
				t.Errorf("%s, told again: %v, paid %d", tt.what, again, c.paid)
			}
		})
	}
}

// What nobody can look at has to be known from the origin, where the release's content is known.
func TestRestrictedAndNotGated(t *testing.T) {
	for _, tt := range []struct {
		what   string
		sum    bool
		served bool
		ok     bool
	}{
		{"the origin serves it", true, true, true},
		{"nobody looked anywhere", true, false, false},
		{"no release is known", false, false, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := &cloud{takes: time.Hour, change: func(d *plan.Distribution) { d.Default.Restricted = true }}
			p, o := purgeOf(c, fresh())
			o.Until = time.Now().Add(2 * time.Hour)
			o.Expect = func(context.Context, plan.Distribution) ([]viewer.Expectation, error) {
				return []viewer.Expectation{{Path: "/", Key: "index.html", HasSum: tt.sum}}, nil
			}
			if tt.served {
				o.Served = func(plan.Distribution) Served {
					return Served{Objects: []site.Object{{Key: "index.html", Size: 2, CRC32: 7}}}
				}
			}
			v, invocations := throughout(t, p, o) // the origin was looked at by an earlier invocation
			if v.OK() != tt.ok || invocations < 2 || (v.Progress.Stage == Restricted) != tt.ok {
				t.Errorf("%s: %v, %+v", tt.what, v, v.Progress)
			}
			if !tt.ok && (!strings.Contains(v.String(), "the origin was not looked at either") || !strings.Contains(v.Failure.Try, "ExistingBucketName")) {
				t.Errorf("%s: %v", tt.what, v)
			}
		})
	}
}
