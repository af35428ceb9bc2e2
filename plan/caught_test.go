package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/site"
)

// What the edge found out about earlier planners.

func TestBuildMindsAssetsThatComeBack(t *testing.T) {
	errors := func(ttl time.Duration) Distribution {
		return with(quiet(), func(d *Distribution) { d.Errors = []ErrorResponse{{Code: 403, CachingMinTTL: ttl}, {Code: 404}} })
	}
	const asset = "x-1a2b3c4d.js"
	back := []string{"/" + asset + ": it is new, and an error answer may still be cached for it (for 5m0s)"}
	checkPlans(t, []planCase{
		{
			"a rollback brings back what the last release deleted", change(errors(5*time.Minute), listOf("a", "1"), listOf("a", "1", asset, "1")), back,
		},
		{
			"a pending release had it, and the next one had not",
			Input{Distribution: errors(5 * time.Minute), Release: listOf(asset, "1"), Known: []site.Snapshot{listOf(asset, "1"), {}}},
			back,
		},
		{
			"the error lives briefly", change(errors(10*time.Second), listOf("a", "1"), listOf("a", "1", asset, "1")),
			[]string{
				"wait 10s", nothing, "note: left out 1 key (" + asset + "): new: only an error could be cached for it, for 10s at most",
				"note: what is left out may be cached for 10s at most: it is waited out instead of purged",
			},
		},
	})
}

func TestBuildMindsNamesThatLie(t *testing.T) {
	const asset = "x-1a2b3c4d.js"
	checkPlans(t, []planCase{{
		"two releases had different contents under one name, and it is gone",
		Input{Distribution: quiet(), Release: listOf("a", "1"), Known: []site.Snapshot{listOf("a", "1", asset, "1"), listOf("a", "1", asset, "2")}, Deletes: true},
		[]string{"/" + asset + ": it was removed"},
	}})
}

func TestBuildMindsWhatIsKeptTooLong(t *testing.T) {
	from := func(old, now string) Input {
		return change(quiet(), listOf("index.html"+old, "1", "z", "1"), listOf("index.html"+now, "1", "z", "1"))
	}
	const longer = "Cache-Control changed, and what is cached is kept for longer than it says now"
	purged := []string{"/: it serves index.html, whose " + longer, "/index.html: its " + longer}
	checkPlans(t, []planCase{
		{"a year, now to be asked for", from("|max-age=31536000", "|no-cache"), purged},
		{"nobody knows how long, now a minute", from("", "|max-age=60"), purged},
		{"a minute, now a year", from("|max-age=60", "|max-age=31536000"), []string{nothing}},
		{"the same in other words", from("|max-age=60", "|max-age=60, public"), []string{nothing}},
		{
			"a year, then pending without it, now to be asked for",
			Input{Distribution: quiet(), Release: listOf("a|no-cache", "1"), Known: []site.Snapshot{listOf("a|max-age=31536000", "1"), {}}, Deletes: true},
			[]string{"/a: its " + longer},
		},
		{"a moment, now nothing", from("|max-age=3", "|no-cache"), []string{
			"wait 3s", nothing, "note: what is left out may be cached for 3s at most: it is waited out instead of purged",
		}},
	})
}

func TestBuildMindsHiddenKeepers(t *testing.T) {
	d := with(quiet(), func(d *Distribution) {
		d.Default.Functions = []Function{{"arn:aws:cloudfront::222222222222:function/routes", "viewer-request", Undeclared}}
	})
	checkPlans(t, []planCase{
		{
			"shorter than before", change(d, listOf("a|max-age=60", "1"), listOf("a|no-cache", "1")),
			[]string{"/*: something behind it changed, and function routes may serve that under any URL; declare what it does to URIs to purge less"},
		},
		{"longer than before", change(d, listOf("a|no-cache", "1"), listOf("a|max-age=60", "1")), []string{nothing}},
	})
}

func TestBuildMindsAnErrorAtTheRoot(t *testing.T) {
	d := with(spa(), func(d *Distribution) {
		d.DefaultRootObject = "home.html"
		d.Errors = []ErrorResponse{{403, "/index.html", 200, time.Hour}}
	})
	in := change(d, listOf("index.html", "1", "z", "1"), listOf("index.html", "2", "z", "1"))
	in.Routes = []string{"/about"}
	route := ": index.html changed, and it is cached under this route as the page for errors"
	checkPlans(t, []planCase{{"there is no root object", in, []string{"/" + route, "/about" + route, "/index.html: it changed"}}})
	in = change(d, listOf("home.html", "1", "index.html", "1", "z", "1"), listOf("home.html", "1", "index.html", "2", "z", "1"))
	in.Routes = []string{"/about"}
	checkPlans(t, []planCase{{"there is one", in, []string{"/about" + route, "/index.html: it changed"}}})
}

func TestMountsAreThoseOfBehaviors(t *testing.T) {
	in := Input{Bucket: "b", Prefix: "live/", Distribution: Distribution{
		Origins: []Origin{{ID: "read", Bucket: "b", Path: "/live"}, {ID: "idle", Bucket: "b"}, {ID: "api", Bucket: "c"}},
		Default: Behavior{Origins: []string{"api"}}, Behaviors: []Behavior{{PathPattern: "/a/*", Origins: []string{"read"}}},
	}}
	var paths []string
	for _, m := range in.mounts() {
		paths = append(paths, m.path)
	}
	if diff := cmp.Diff([]string{"/live"}, paths); diff != "" {
		t.Error(diff)
	}
}
