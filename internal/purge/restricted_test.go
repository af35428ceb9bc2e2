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
)

// Where viewers need a signature nobody looks. What is public is looked at; where nothing is, completion has to do,
// and the verdict says so.
func TestRestrictedPages(t *testing.T) {
	for _, tt := range []struct {
		what   string
		change func(*plan.Distribution)
		looks  []string
		stage  Stage
		says   string
		note   string
	}{
		{"public", func(*plan.Distribution) {}, []string{"/", "/docs/a"}, Seen, "-> seen from FRA56-P1", ""},
		{"in part", func(d *plan.Distribution) {
			d.Behaviors = []plan.Behavior{{PathPattern: "/docs/*", Restricted: true}}
		}, []string{"/"}, Seen, "-> seen from FRA56-P1", "did not look at 1 page, for which viewers need signed URLs or signed cookies: /docs/a"},
		{
			"all", func(d *plan.Distribution) { d.Default.Restricted = true }, nil, Restricted,
			"-> not looked at: viewers need signed URLs or signed cookies", "did not look at 2 pages, for which viewers need signed URLs or signed cookies: /",
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, e := &cloud{takes: 10 * time.Second, change: tt.change}, fresh()
			p, o := purgeOf(c, e)
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
