package release

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

func known(all ...site.Snapshot) store.Known { return store.Known{Snapshots: all, Left: all} }

// tagged is a distribution that reads cache tags.
func tagged(d plan.Distribution) plan.Distribution {
	d.CacheTagHeader = "Cache-Tag"
	return d
}

func TestPlans(t *testing.T) {
	one, two := files("a.html1", "b.html1", "index.html1"), files("a.html2", "b.html1", "index.html1")
	for _, tt := range []struct {
		what    string
		state   *memory
		how     *target.Planning
		release site.Snapshot
		given   []invalidation.Item
		d       plan.Distribution
		items   string
		notes   []string // one of the notes holds each
	}{
		{what: "what differs from the verified one", state: &memory{known: known(one)}, release: two, d: distribution("b"), items: "/a.html"},
		{what: "nothing differs", state: &memory{known: known(one)}, release: one, d: distribution("b"), items: ""},
		{
			what: "release 2 was never purged, and release 3 reverts it", state: &memory{known: known(one, two)}, release: one, d: distribution("b"),
			items: "/a.html",
		},
		{what: "the first release", state: &memory{}, release: two, d: distribution("b"), items: "/*"},
		{
			what: "the history is damaged", state: &memory{known: store.Known{Why: "s3://state/x: it is damaged: EOF"}}, release: two, d: distribution("b"),
			items: "/*", notes: []string{"nothing is known of what caches hold: s3://state/x: it is damaged: EOF"},
		},
		{what: "no state", release: two, d: distribution("b"), items: "/*"},
		{what: "no artifact", state: &memory{known: known(one)}, d: distribution("b"), items: "/*"},
		{
			what: "given items", state: &memory{known: known(one)}, release: two, given: []invalidation.Item{"/x", "#tag"}, d: tagged(distribution("b")), items: "/x #tag",
		},
		{
			what: "only what is behind the bucket's behavior", state: &memory{known: known(files("docs/x1", "x1"))}, how: &target.Planning{Bucket: "docs"},
			release: files("docs/x2", "x2"), d: distribution("b", "docs"), items: "/docs/x",
		},
		{
			what: "a prefix", state: &memory{known: known(one)}, how: &target.Planning{Prefix: "app/"}, release: two, d: distribution("b"),
			items: "/app/a.html",
		},
		{
			what: "a rewrite for a function that is not there", state: &memory{known: known(one)},
			how:     &target.Planning{Rewrites: map[string]plan.Rewrite{"gone": plan.RewriteIndex, "also": plan.RewriteHTML}},
			release: two, d: distribution("b"), items: "/a.html",
			notes: []string{"function also, which the distribution does not run", "function gone, which the distribution does not run"},
		},
	} {
		t.Run(tt.what, func(t *testing.T) {
			r := begun(tt.state, tt.how, tt.release, tt.given...)
			p, _ := planned(t, r, tt.d)
			var items []string
			for _, item := range p.Paths() {
				items = append(items, string(item))
			}
			if got := strings.Join(items, " "); got != tt.items {
				t.Errorf("items %q; want %q", got, tt.items)
			}
			for _, note := range tt.notes {
				if !slices.ContainsFunc(p.Notes, func(s string) bool { return strings.Contains(s, note) }) {
					t.Errorf("notes %q; want one with %q", p.Notes, note)
				}
			}
		})
	}
}

// Whatever a later process of the attempt would plan, the plan is the one that was kept.
func TestTheFirstPlanCounts(t *testing.T) {
	m := &memory{known: known(files("a1"))}
	first, _ := planned(t, begun(m, nil, files("a2")), distribution("b"))
	m.known = known(files("a1"), files("a2", "c1"))
	again, _ := planned(t, begun(m, nil, files("a2", "c2")), distribution("b"))
	if fmt.Sprint(again.Paths()) != fmt.Sprint(first.Paths()) {
		t.Errorf("%v; want %v", again.Paths(), first.Paths())
	}
	// Two processes at once: the one that comes second to keep its plan takes the other's.
	m = &memory{known: known(files("a1"))}
	early := begun(m, nil, files("a2")).Order(started, nil)
	if err := early.Prepare(t.Context(), distribution("b")); err != nil {
		t.Fatal(err)
	}
	planned(t, begun(m, nil, files("a2")), distribution("b"))
	p, err := early.Keep(t.Context(), distribution("b"), plan.Everything(distribution("b"), "late"))
	if err != nil || fmt.Sprint(p.Paths()) != "[/a]" {
		t.Errorf("%v, %v", p.Paths(), err)
	}
}

// The state is asked once for each thing, however often the plan is asked for.
func TestCallsOfTheState(t *testing.T) {
	m := &memory{known: known(files("a1")), used: 995}
	r := begun(m, &target.Planning{Deletes: true}, files("a2"))
	o := r.Order(started, nil)
	for range 2 {
		if err := o.Prepare(t.Context(), distribution("b")); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Plan(t.Context(), distribution("b"), invalidation.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.Expect(t.Context(), distribution("b")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.calls, "; "); got != "begin EDIST job-1 true 1m30s; plan EDIST job-1; used 222222222222" {
		t.Errorf("calls: %s", got)
	}
}

func TestTheMonthIsCounted(t *testing.T) {
	var old, now []string
	for i := range 30 {
		old, now = append(old, fmt.Sprintf("%02d/x.html1", i), fmt.Sprintf("%02d/y.html1", i)), append(now, fmt.Sprintf("%02d/x.html2", i), fmt.Sprintf("%02d/y.html1", i))
	}
	for _, tt := range []struct {
		used  int
		price invalidation.Money
	}{{0, 0}, {990, 20 * invalidation.PathPrice}} {
		m := &memory{known: known(files(old...)), used: tt.used}
		p, _ := planned(t, begun(m, &target.Planning{Preset: plan.Gentlest}, files(now...)), distribution("b"))
		if p.Preset != plan.Gentlest || len(p.Items) > 30 || tt.used == 0 && p.Price != 0 || tt.used > 0 && p.Price == 0 {
			t.Errorf("%d used: %d items for %d", tt.used, len(p.Items), p.Price)
		}
	}
	m := &memory{known: known(files(old...)), used: 1000}
	o := begun(m, &target.Planning{Budget: "$0"}, files(now...)).Order(started, nil)
	if err := o.Prepare(t.Context(), distribution("b")); err != nil {
		t.Fatal(err)
	}
	_, err := o.Plan(t.Context(), distribution("b"), invalidation.Limits{})
	if !errors.As(err, new(*plan.Infeasible)) {
		t.Errorf("nothing is left of the budget: %v", err)
	}
}

// What the state refuses is told with the caller, the action and what to do.
func TestDenials(t *testing.T) {
	for _, denied := range []string{"begin", "plan", "used", "keep"} {
		m := &memory{known: known(files("a1")), denied: denied}
		o := begun(m, nil, files("a2")).Order(started, nil)
		err := o.Prepare(t.Context(), distribution("b"))
		if err == nil {
			_, err = o.Plan(t.Context(), distribution("b"), invalidation.Limits{})
		}
		if err == nil {
			_, err = o.Keep(t.Context(), distribution("b"), plan.Plan{})
		}
		var e *gateway.Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.Operation, "write state s3://state/") {
			t.Errorf("%s: %v", denied, err)
		}
	}
	if err := explained(errors.New("no words of AWS's")); err.Error() != "no words of AWS's" {
		t.Error(err)
	}
}

func TestExpectations(t *testing.T) {
	one, two := files("a.html1", "b.html1", "index.html1"), files("a.html2", "b.html1", "index.html1")
	for _, tt := range []struct {
		what    string
		state   *memory
		release site.Snapshot
		paths   string
	}{
		{"what changed, and where one begins", &memory{known: known(one)}, two, "/ /index.html /x /a.html"},
		{"nothing is known: all of it", &memory{}, two, "/ /index.html /x /a.html /b.html"},
		{"no state", nil, two, "/ /index.html /x /a.html /b.html"},
		{"no artifact", &memory{known: known(one)}, nil, "/ /index.html /x"},
	} {
		r := begun(tt.state, nil, tt.release)
		r.Verify = []string{"/x"}
		all, err := r.Order(started, nil).Expect(t.Context(), distribution("b"))
		var paths []string
		for _, e := range all {
			paths = append(paths, e.Path)
		}
		if got := strings.Join(paths, " "); got != tt.paths || err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.what, got, err, tt.paths)
		}
	}
}
