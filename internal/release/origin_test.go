package release

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

func TestServed(t *testing.T) {
	website := distribution("b")
	website.Origins[0].Website = true
	for _, tt := range []struct {
		what    string
		state   *memory
		how     *target.Planning
		d       plan.Distribution
		release site.Snapshot
		origin  string
		keys    string
	}{
		{what: "what it replaces", state: &memory{known: known(files("a1", "b1"))}, d: distribution("x"), release: files("a2", "b1", "c1"), origin: "x", keys: "a c"},
		{what: "what it reverts", state: &memory{known: known(files("a1", "b1"), files("a2", "b1"))}, d: distribution("x"), release: files("a1", "b1"), origin: "x", keys: "a"},
		{what: "all of it where nothing is known", state: &memory{}, d: distribution("x"), release: files("a2", "b1"), origin: "x", keys: "a b"},
		{what: "what an unverified one has otherwise, above all", state: &memory{known: store.Known{Left: []site.Snapshot{files("a1", "b1")}}}, d: distribution("x"), release: files("a2", "b1"), origin: "x", keys: "a b"},
		{what: "all of it without state", d: distribution("x"), release: files("a2", "b1"), origin: "x", keys: "a b"},
		{what: "what it removes", state: &memory{known: known(files("a1", "b1"))}, d: distribution("x"), release: files("b1"), origin: "x"},
		{what: "no artifact", state: &memory{known: known(files("a1"))}, d: distribution("x"), origin: "x"},
		{what: "two buckets, none named", state: &memory{known: known(files("a1"))}, d: distribution("x", "y"), release: files("a2")},
		{what: "two buckets", state: &memory{known: known(files("a1"))}, how: &target.Planning{Bucket: "y"}, d: distribution("x", "y"), release: files("a2"), origin: "y", keys: "a"},
		{what: "a website", state: &memory{known: known(files("a1"))}, d: website, release: files("a2")},
		{what: "one bucket twice", state: &memory{known: known(files("a1"))}, d: distribution("x", "x"), release: files("a2"), origin: "x", keys: "a"},
	} {
		r := begun(tt.state, tt.how, tt.release)
		_, served := planned(t, r, tt.d)
		var keys []string
		for _, o := range served.Objects {
			keys = append(keys, o.Key)
		}
		if got := strings.Join(keys, " "); got != tt.keys || served.Origin.Bucket != tt.origin || served.Origin.Bucket != "" && served.Optional != (tt.state == nil) {
			t.Errorf("%s: %q of %q (%+v); want %q of %q", tt.what, got, served.Origin.Bucket, served, tt.keys, tt.origin)
		}
	}
}

// Each known release has a share in what is looked at, however little differs from it: one that was
// deployed after this release must not be forgotten.
func TestEveryKnownReleaseIsToldApart(t *testing.T) {
	var old, now []string
	for i := range 3000 {
		old, now = append(old, fmt.Sprintf("%04d-1", i)), append(now, fmt.Sprintf("%04d-2", i))
	}
	later := slices.Clone(now)
	later[1234] = "1234-3"
	r := begun(&memory{known: known(files(old...), files(later...))}, nil, files(now...))
	_, served := planned(t, r, distribution("b"))
	if !slices.ContainsFunc(served.Objects, func(o site.Object) bool { return o.Key == "1234-" }) {
		t.Error("what differs from the later one is not looked at")
	}
	if len(served.Objects) > gateway.MaxKeys || len(served.Objects) < gateway.MaxKeys/2 {
		t.Errorf("%d objects are looked at", len(served.Objects))
	}
	again := begun(&memory{known: known(files(old...), files(later...))}, nil, files(now...))
	if _, other := planned(t, again, distribution("b")); fmt.Sprint(other.Objects) != fmt.Sprint(served.Objects) {
		t.Error("the same release is looked at elsewhere")
	}
	again = begun(&memory{known: known(files(old...), files(later...))}, nil, files(now...))
	again.Name = "exec-2"
	if _, other := planned(t, again, distribution("b")); fmt.Sprint(other.Objects) == fmt.Sprint(served.Objects) {
		t.Error("another release is looked at in the same places")
	}
	all := make([]site.Snapshot, 21)
	for i := range all {
		all[i] = files(old...)
	}
	if _, served := planned(t, begun(&memory{known: known(all...)}, nil, files(now...)), distribution("b")); len(served.Objects) == 0 {
		t.Error("with many known releases nothing is looked at")
	}
}

// Sites that share a distribution have histories of their own; a site's does not depend on whether its
// only bucket is named.
func TestSites(t *testing.T) {
	for _, tt := range []struct {
		how  *target.Planning
		d    plan.Distribution
		site string
	}{
		{nil, distribution("x"), "EDIST"},
		{nil, distribution(), "EDIST"},
		{&target.Planning{Bucket: "x"}, distribution("x"), "EDIST"},
		{nil, distribution("x", "y"), "EDIST"},
		{&target.Planning{Bucket: "x"}, distribution("x", "y"), "EDIST/x/"},
		{&target.Planning{Bucket: "y"}, distribution("x", "y"), "EDIST/y/"},
		{&target.Planning{Prefix: "docs/"}, distribution("x"), "EDIST/x/docs"},
		{&target.Planning{Bucket: "x", Prefix: "docs/"}, distribution("x"), "EDIST/x/docs"},
		{&target.Planning{Bucket: "x", Prefix: "docs/"}, distribution("x", "y"), "EDIST/x/docs"},
		{&target.Planning{Prefix: "../../evil"}, distribution("x"), "EDIST/x/../../evil"}, // S3 has no directories
	} {
		if got := begun(nil, tt.how, nil).site(tt.d); got != tt.site {
			t.Errorf("%+v: %s; want %s", tt.how, got, tt.site)
		}
	}
}
