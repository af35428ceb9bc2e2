package cli

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/targetfile"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
)

func TestVerifyFlag(t *testing.T) {
	for _, tt := range []struct {
		args  []string
		off   bool
		pages []string
		left  []string // the arguments
		wrong bool
	}{
		{args: []string{"/x"}, left: []string{"/x"}},
		{args: []string{"--verify", "/x"}, left: []string{"/x"}},
		{args: []string{"--verify=true", "/x"}, left: []string{"/x"}},
		{args: []string{"--verify=false", "/x"}, off: true, left: []string{"/x"}},
		{args: []string{"--verify=/a,/b?c=d", "--verify=/e"}, pages: []string{"/a", "/b?c=d", "/e"}},
		{args: []string{"--verify=care"}, wrong: true},
		{args: []string{"--verify=/a*"}, wrong: true},
		{args: []string{"--verify=/a,"}, wrong: true},
	} {
		flags := newInvalidate().Flags()
		err := flags.Parse(tt.args)
		v, ok := flags.Lookup("verify").Value.(*verifyFlag)
		if !ok || (err != nil) != tt.wrong || !tt.wrong && (v.off != tt.off || !slices.Equal(v.pages, tt.pages) || !slices.Equal(flags.Args(), tt.left)) {
			t.Errorf("%q: %+v, left %q, %v", tt.args, v, flags.Args(), err)
		}
	}
}

// A word after --verify that looks like its value is refused where it would be one item more to pay.
func TestMistakenForValue(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		others bool
		try    string
	}{
		{[]string{"invalidate", "--verify", "/care", "/x"}, true, "--verify=/care to look at it; '/care' before --verify, if it is to be purged"},
		{[]string{"invalidate", "--verify", "#care", "/x"}, true, "'#care' before --verify, if it is to be purged"},
		{[]string{"invalidate", "--verify", "/x"}, false, ""}, // otherwise nothing would be purged
		{[]string{"invalidate", "--verify", "--wait", "none", "/a", "/b"}, true, ""},
		{[]string{"invalidate", "--verify", "shop", "/a", "/b"}, true, ""},
		{[]string{"invalidate", "/a", "/b", "--verify"}, true, ""},
		{[]string{"invalidate", "--verify=/a", "/b", "/c"}, true, ""},
		{[]string{"invalidate", "--", "--verify", "/b"}, true, ""},
	} {
		err := mistakenForValue(typed(t.Context(), tt.args), tt.others)
		if (err != nil) != (tt.try != "") || err != nil && tryOf(err) != tt.try {
			t.Errorf("%q: %v, try: %s", tt.args, err, tryOf(err))
		}
	}
	if err := mistakenForValue(t.Context(), true); err != nil {
		t.Error("without a command line:", err)
	}
}

func TestLookable(t *testing.T) {
	for _, tt := range []struct {
		pages []string
		items []invalidation.Item
		fine  bool
	}{
		{[]string{"/docs/a?x=y"}, []invalidation.Item{"/docs/*"}, true},
		{[]string{"/care"}, []invalidation.Item{"/docs/*"}, false},
		{[]string{"/care"}, []invalidation.Item{"#tag"}, true},
		{[]string{"/care"}, nil, true}, // a release
		{nil, []invalidation.Item{"/docs/*"}, true},
	} {
		if err := lookable(tt.pages, tt.items); (err == nil) != tt.fine {
			t.Errorf("%q, %q: %v", tt.pages, tt.items, err)
		}
	}
}

// Who asks to look is told where nobody would.
func TestVerifying(t *testing.T) {
	none, minute := time.Duration(0), time.Minute
	hurried, patient := targetfile.Target{Target: target.Target{Name: "shop"}, Wait: &none}, targetfile.Target{Target: target.Target{Name: "docs"}, Wait: &minute}
	page := []string{"/a"}
	for _, tt := range []struct {
		what     string
		i        invalidator
		wait     time.Duration
		says     string
		try      string
		warnings string
	}{
		{what: "nothing is said", i: invalidator{targets: []targetfile.Target{hurried}}},
		{what: "pages", i: invalidator{verifyGiven: true, looks: page}, wait: time.Minute},
		{what: "pages, and nobody looks", i: invalidator{verifyGiven: true, looks: page, invalidateFlags: invalidateFlags{noVerify: true}}, wait: time.Minute, says: "--no-verify says not to look", try: "one of them"},
		{what: "pages, and nobody waits", i: invalidator{verifyGiven: true, looks: page}, says: "--verify says to look once it is completed, and --wait none says not to wait for that", try: "one of them"},
		{what: "no pages, and nobody waits", i: invalidator{verifyGiven: true}, says: "--wait none", try: "one of them"},
		{what: "a run's own pages, and nobody waits now", i: invalidator{looks: page}},
		{what: "nobody waits for the target", i: invalidator{verifyGiven: true, looks: page, targets: []targetfile.Target{hurried}}, wait: time.Minute, says: "the targets file says wait: none of shop", try: "--wait 10m beside --verify"},
		{what: "nor for one of two", i: invalidator{verifyGiven: true, looks: page, targets: []targetfile.Target{hurried, patient}}, wait: time.Minute, warnings: "unstale: warning: the targets file says wait: none of shop, so nobody looks there; --wait 10m waits for all\n"},
	} {
		var warnings strings.Builder
		tt.i.stderr = &warnings
		err := tt.i.verifying(tt.wait)
		if (err != nil) != (tt.says != "") || err != nil && (!strings.Contains(err.Error(), tt.says) || tryOf(err) != tt.try || !errors.As(err, new(usage))) || warnings.String() != tt.warnings {
			t.Errorf("%s: %v, try: %s, %s", tt.what, err, tryOf(err), warnings.String())
		}
	}
}

// What is named to be looked at is looked at; a tag alone tells of no pages.
func TestNamedPagesAreSeen(t *testing.T) {
	all := []viewer.Expectation{{Path: "/"}, {Path: "/care"}, {Path: "/docs/a"}}
	got := purged(all, []invalidation.Item{"#tag", "/docs/*"}, []string{"/care"})
	var paths []string
	for _, e := range got {
		paths = append(paths, e.Path)
	}
	if !slices.Equal(paths, []string{"/care", "/docs/a", "/docs/"}) {
		t.Errorf("%q", paths)
	}
	tags := []invalidation.Item{"#tag"}
	if !(&work{items: tags}).blind() || (&work{items: tags, looks: []string{"/care"}}).blind() || (&work{}).blind() {
		t.Error("what is known of pages")
	}
}
