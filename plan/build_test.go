package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/site"
)

type snapshotOf = site.Snapshot

// listOf makes a snapshot of keys and contents; "key|cache-control" says how it is answered.
func listOf(pairs ...string) site.Snapshot {
	s := site.Snapshot{}
	for i := 0; i < len(pairs); i += 2 {
		key, cache, known := strings.Cut(pairs[i], "|")
		s = append(s, site.Object{Key: key, ETag: pairs[i+1], CacheKnown: known, CacheControl: cache})
	}
	slices.SortFunc(s, func(a, b site.Object) int { return strings.Compare(a.Key, b.Key) })
	return s
}

// change makes an input of one release after another.
func change(d Distribution, old, release site.Snapshot) Input {
	return Input{Distribution: d, Release: release, Known: []site.Snapshot{old}, Deletes: true}
}

// planned is a plan as "item: reason" and "note: text" lines.
func planned(t *testing.T, in Input) []string {
	t.Helper()
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, c := range p.Items {
		lines = append(lines, fmt.Sprintf("%s: %s", c.Item, c.Reason))
	}
	if p.WaitOut > 0 {
		lines = append(lines, "wait "+p.WaitOut.String())
	}
	for _, n := range p.Notes {
		lines = append(lines, "note: "+n)
	}
	return lines
}

// with changes a distribution.
func with(d Distribution, change func(*Distribution)) Distribution {
	change(&d)
	return d
}

// planCase is an input and what is planned for it.
type planCase struct {
	name string
	in   Input
	want []string
}

func checkPlans(t *testing.T, cases []planCase) {
	t.Helper()
	for _, tt := range cases {
		if diff := cmp.Diff(tt.want, planned(t, tt.in)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// quiet is a distribution that caches no errors.
func quiet() Distribution {
	return with(spa(), func(d *Distribution) { d.Errors = []ErrorResponse{{Code: 403}, {Code: 404}} })
}

const nothing = "note: no URL of this distribution can be served stale, so there is nothing to purge"

func TestBuildLeavesOut(t *testing.T) {
	checkPlans(t, []planCase{
		{
			"the root object is cached as / too",
			change(quiet(), listOf("index.html", "1", "a.js", "1"), listOf("index.html", "2", "a.js", "1")),
			[]string{"/: it serves index.html, which changed", "/index.html: it changed"},
		},
		{
			"nothing changed", change(quiet(), listOf("index.html", "1"), listOf("index.html", "1")), []string{nothing},
		},
		{
			"what is new, by content named, not cached or short-lived is left out",
			change(
				quiet(),
				listOf("app-1a2b3c4d.js", "1", "index.html|no-cache", "1", "news.html|max-age=5", "1", "same", "1"),
				listOf("app-2b3c4d5e.js", "1", "b.txt", "1", "index.html", "2", "news.html", "2", "same", "1")),
			[]string{
				"wait 5s", nothing,
				"note: left out 1 key (b.txt): new: nothing can be cached for it",
				"note: left out 1 key (app-2b3c4d5e.js): new and named by content: nobody asked for it before",
				"note: left out 1 key (app-1a2b3c4d.js): removed, but named by content: what is cached for it is not wrong, and older pages may need it",
				"note: left out 2 keys (index.html, news.html): cached for 5s at most",
				"note: what is left out may be cached for 5s at most: it is waited out instead of purged",
			},
		},
		{
			"no-cache is honoured where the minimum TTL is 0",
			change(with(quiet(), func(d *Distribution) { d.Default.Policy.MinTTL = 0 }), listOf("index.html|no-cache", "1"), listOf("index.html", "2")),
			[]string{nothing, "note: left out 1 key (index.html): answered with a Cache-Control by which nothing is kept without asking the origin"},
		},
		{
			"and cached where it is an hour",
			change(with(quiet(), func(d *Distribution) { d.Default.Policy.MinTTL = time.Hour }), listOf("a|no-cache", "1"), listOf("a", "2")),
			[]string{"/a: it changed"},
		},
		{
			"a changed name by content is purged all the same",
			change(quiet(), listOf("app-1a2b3c4d.js|max-age=31536000", "1"), listOf("app-1a2b3c4d.js", "2")),
			[]string{"/app-1a2b3c4d.js: it changed"},
		},
		{
			"removed", change(quiet(), listOf("a", "1", "b", "1"), listOf("a", "1")), []string{"/b: it was removed"},
		},
		{
			"removed from the release, not from the bucket",
			func() Input {
				in := change(quiet(), listOf("a", "1", "b", "1"), listOf("a", "1"))
				in.Deletes = false
				return in
			}(),
			[]string{nothing, "note: 1 key is not in the release, but the deploy does not delete, so they are served on (b)"},
		},
		{
			"release 2 was deployed but never purged, and release 3 reverts it",
			Input{Distribution: quiet(), Release: listOf("a", "1"), Known: []site.Snapshot{listOf("a", "1"), listOf("a", "2")}},
			[]string{"/a: it changed"},
		},
	})
}

func TestBuildMindsErrors(t *testing.T) {
	fallback := func(ttl time.Duration) Distribution {
		return with(spa(), func(d *Distribution) {
			d.Errors = []ErrorResponse{{403, "/index.html", 200, ttl}, {404, "/index.html", 200, ttl}}
		})
	}
	checkPlans(t, []planCase{
		{
			"the fallback is cached under every route, for long",
			change(fallback(300*time.Second), listOf("a", "1", "index.html", "1"), listOf("a", "1", "index.html", "2")),
			[]string{"/*: index.html changed, and it is cached as the page for errors under every URL that was asked for and is no key"},
		},
		{
			"or briefly",
			change(fallback(10*time.Second), listOf("index.html|no-cache", "1"), listOf("index.html", "2")),
			[]string{
				"wait 10s", nothing, "note: left out 1 key (index.html): cached for 1s at most",
				"note: left out 1 key (index.html) as the page for errors, under URLs that are no key: cached there for 10s at most",
				"note: what is left out may be cached for 10s at most: it is waited out instead of purged",
			},
		},
		{
			"or under declared routes",
			func() Input {
				in := change(fallback(300*time.Second), listOf("a", "1", "index.html", "1", "u", "1"), listOf("a", "1", "index.html", "2", "u", "1"))
				in.Routes = []string{"/users/*", "/about", "/about"}
				return in
			}(),
			[]string{
				"/: it serves index.html, which changed",
				"/about: index.html changed, and it is cached under this route as the page for errors",
				"/index.html: it changed",
				"/users/*: index.html changed, and it is cached under this route as the page for errors",
			},
		},
		{
			"an error may be cached under a new key",
			func() Input {
				in := change(fallback(300*time.Second), listOf("index.html", "1"), listOf("index.html", "1", "new.html", "1", "x-1a2b3c4d.js", "1"))
				in.Deletes = false
				return in
			}(),
			[]string{
				"/new.html: it is new, and an error answer may still be cached for it (for 5m0s)",
				"note: left out 1 key (x-1a2b3c4d.js): new and named by content: nobody asked for it before",
			},
		},
	})
}

func TestBuildMindsSpellings(t *testing.T) {
	checkPlans(t, []planCase{
		{
			"by query string",
			change(with(quiet(), func(d *Distribution) { d.Default.Policy.QueryStrings = QueryAll }), listOf("a", "1", "b", "1", "bb", "1"), listOf("a", "2", "b", "2", "bb", "1")),
			[]string{
				"/a*: it covers 2 stale URLs (/a, /a?)", "/b: it changed",
				"/b?*: /b is cached by query string, and it changed",
			},
		},
		{
			"characters that browsers do not encode, and a plus",
			change(quiet(), listOf("x/a~b", "1", "x/b", "1", "y+z", "1", "é", "1"), listOf("x/a~b", "2", "x/b", "1", "y+z", "2", "é", "2")),
			[]string{
				"/%C3%A9: it changed", "/x/a*: x/a~b changed, and browsers send a character of it as it is that no exact path may hold",
				"/y*: it covers 2 stale URLs (/y%2Bz, /y+z)",
			},
		},
	})
}

func TestBuildMindsFunctions(t *testing.T) {
	function := func(event string, r Rewrite) Distribution {
		return with(quiet(), func(d *Distribution) {
			d.Default.Functions = []Function{{"arn:aws:cloudfront::222222222222:function/routes", event, r}}
		})
	}
	checkPlans(t, []planCase{
		{
			"a function that nobody declared",
			change(function("viewer-request", Undeclared), listOf("a", "1"), listOf("a", "2")),
			[]string{"/*: something behind it changed, and function routes may serve that under any URL; declare what it does to URIs to purge less"},
		},
		{
			"a declared one", change(function("viewer-request", RewriteNothing), listOf("a", "1"), listOf("a", "2")), []string{"/a: it changed"},
		},
		{
			"index documents",
			change(function("viewer-request", RewriteIndex), listOf("d/index.html", "1", "z", "1"), listOf("d/index.html", "2", "z", "1")),
			[]string{"/d*: it covers 3 stale URLs (/d, /d/, /d/index.html)"},
		},
		{
			"clean URLs",
			change(function("viewer-request", RewriteHTML), listOf("d.html", "1", "d.js", "1"), listOf("d.html", "2", "d.js", "1")),
			[]string{"/d: it serves d.html, which changed", "/d.html: it changed"},
		},
		{
			"a function that may replace Cache-Control", change(function("origin-response", Undeclared), listOf("a|no-store", "1"), listOf("a", "2")), []string{"/a: it changed"},
		},
	})
}

func TestBuildKnowsWhatItDoesNotKnow(t *testing.T) {
	checkPlans(t, []planCase{
		{
			"fingerprints of different kinds",
			change(quiet(), listOf("a", "1"), site.Snapshot{{Key: "a", CRC32: 1}}),
			[]string{"/a: it changed", "note: 1 key counts as modified because the fingerprints are of different kinds and cannot be compared (a)"},
		},
		{
			"an unknown cache policy",
			change(with(quiet(), func(d *Distribution) {
				d.Default.Policy = Policy{ID: "p", Unknown: true, QueryStrings: QueryAll}
			}), listOf("a|no-store", "1", "b", "1"), listOf("a", "2", "b", "1")),
			[]string{
				"/a*: it covers 2 stale URLs (/a, /a?)",
				"note: what cache policy p (behavior *) says is not known, so everything there counts as cached for ever, and by any query string",
			},
		},
		{
			"nothing known of caches",
			Input{Distribution: quiet(), Release: listOf("a", "1")},
			[]string{"/*: nothing is known of what caches hold (no earlier release was recorded), so that everything may be stale"},
		},
		{
			"nothing known of the release",
			Input{Distribution: quiet(), Known: []site.Snapshot{{}}},
			[]string{"/*: nothing is known of the release, so that everything may be stale"},
		},
		{
			"nothing known of an earlier release",
			Input{Distribution: quiet(), Release: listOf("a", "1"), Known: []site.Snapshot{listOf(), nil}},
			[]string{"/*: an earlier release was recorded, but not what it held, so that everything may be stale"},
		},
		{
			"nothing known of the distribution", change(Distribution{ID: "E1"}, listOf("a", "1"), listOf("a", "2")),
			[]string{
				"/*: the distribution's cache behaviors are not known, so that any URL may serve what changed",
				"note: distribution E1 is disabled, so no viewer gets an answer from it",
			},
		},
	})
}

func TestBuildHeedsOrigins(t *testing.T) {
	d := with(spa(), func(d *Distribution) {
		d.DefaultRootObject = ""
		d.Errors = []ErrorResponse{{Code: 403}, {Code: 404}}
		d.Origins = append(d.Origins, Origin{ID: "media", Bucket: "m", Path: "/live"}, Origin{ID: "api", Domain: "api.example.com"})
		d.Behaviors = []Behavior{
			{PathPattern: "/img/*", Origins: []string{"media"}, Policy: d.Default.Policy},
			{PathPattern: "/api/*", Origins: []string{"api"}, Policy: d.Default.Policy},
		}
	})
	old := listOf("api/x", "1", "img/a", "1", "index.html", "1", "live/img/b", "1")
	release := listOf("api/x", "2", "img/a", "2", "index.html", "2", "live/img/b", "2")
	for _, tt := range []struct {
		name, bucket, prefix string
		want                 []string
	}{
		{"the site's bucket", "b", "", []string{"/index.html", "/live/img/b"}},
		{"the other bucket", "m", "", []string{"/img/b"}},
		{"below the origin path", "m", "live/", []string{"/img/a"}},
		{"deeper than the origin path", "m", "live/img/", []string{"/img/a", "/img/api/x", "/img/b", "/img/img/a", "/img/index.html", "/img/live/img/b"}},
		{"beside the origin path", "m", "next/", nil},
		{"any bucket", "", "", []string{"/img/a", "/img/api/x", "/img/b", "/img/img/a", "/img/index.html", "/img/live/img/b", "/index.html", "/live/img/b"}},
	} {
		in := change(d, old, release)
		in.Bucket, in.Prefix, in.Preset = tt.bucket, tt.prefix, Gentlest
		p, err := Build(in)
		if err != nil {
			t.Fatal(err)
		}
		covered, all := p.Covering(), []string{}
		for _, path := range []string{"/api/x", "/img/a", "/img/api/x", "/img/b", "/img/img/a", "/img/index.html", "/img/live/img/b", "/index.html", "/live/img/b"} {
			if covered(path) != "" {
				all = append(all, path)
			}
		}
		if !slices.Equal(all, tt.want) {
			t.Errorf("%s: %q purges %q; want %q", tt.name, p.Paths(), all, tt.want)
		}
	}
}

func TestBuildSparesWhatItDoesNotKnow(t *testing.T) {
	d := with(spa(), func(d *Distribution) {
		d.DefaultRootObject = ""
		d.Origins = append(d.Origins, Origin{ID: "api", Domain: "api.example.com"})
		d.Behaviors = []Behavior{{PathPattern: "/api/*", Origins: []string{"api"}, Policy: d.Default.Policy}}
	})
	in := change(d, listOf("a", "1", "b", "1"), listOf("a", "2", "b", "2"))
	if p, err := Build(in); err != nil || !slices.Equal(p.Paths(), []invalidation.Item{"/a", "/b"}) {
		t.Errorf("everything of this release, but not the API: %q, %v", p.Paths(), err)
	}
	in.Budget = Budget{Unit: PerPlan, Items: 1}
	p, err := Build(in)
	if err != nil || p.Collateral != 1 || !strings.Contains(p.Explain(), "/* also purges whatever is cached for behavior /api/*") {
		t.Errorf("%v\n%s", err, p.Explain())
	}
	d.Behaviors[0].Policy = Policy{QueryStrings: QueryNone}
	if p, err := Build(change(d, in.Known[0], in.Release)); err != nil || len(p.Items) != 1 {
		t.Errorf("an API that is never cached needs no sparing: %q, %v", p.Paths(), err)
	}
	in = change(spa(), listOf("a", "1", "b", "1"), listOf("a", "2", "b", "2"))
	in.Prefix = "docs/"
	if p, err := Build(in); err != nil || !slices.Equal(p.Paths(), []invalidation.Item{"/docs/*"}) {
		t.Errorf("all of a directory: %q, %v", p.Paths(), err)
	}
}

func TestBuildKnowsWebsites(t *testing.T) {
	d := with(spa(), func(d *Distribution) { d.Origins[0].Website = true })
	got, err := Build(change(d, listOf("docs/index.html", "1", "docs/x", "1"), listOf("docs/index.html", "2", "docs/x", "1")))
	if want := []invalidation.Item{"/docs", "/docs/", "/docs/index.html"}; err != nil || !slices.Equal(got.Paths(), want) {
		t.Errorf("%q, %v", got.Paths(), err)
	}
	d.Errors = []ErrorResponse{{Code: 404, CachingMinTTL: time.Hour}}
	got, err = Build(change(d, listOf("404.html", "1"), listOf("404.html", "2")))
	if err != nil || len(got.Items) != 1 || got.Items[0].Item != "/*" || !strings.Contains(got.Items[0].Reason, "error document") {
		t.Errorf("%v, %v", got.Items, err)
	}
}

func TestBuildTags(t *testing.T) {
	in := change(spa(), listOf("a", "1"), listOf("a", "2"))
	in.Tags = []invalidation.Item{"#Product", "#news", "#product"}
	_, err := Build(in)
	var off *TagsOff
	if !errors.As(err, &off) || !strings.Contains(err.Error(), "no cache tag header (CacheTagConfig), so #news, #product would purge nothing") {
		t.Errorf("tags are off, but: %v", err)
	}
	in.Distribution.CacheTagHeader = "x-amz-meta-cache-tag"
	p, err := Build(in)
	if want := []invalidation.Item{"#news", "#product", "/a"}; err != nil || !slices.Equal(p.Paths(), want) {
		t.Errorf("%q, %v", p.Paths(), err)
	}
	in.Limits = invalidation.Limits{Files: 1}
	var infeasible *Infeasible
	if _, err := Build(in); !errors.As(err, &infeasible) || !infeasible.Wait {
		t.Errorf("two tags in one file: %v", err)
	}
	for _, bad := range []Input{{Tags: []invalidation.Item{"/a"}}, {Tags: []invalidation.Item{"#a,b"}}, {Routes: []string{strings.Repeat("x", 5000)}}} {
		var item *invalidation.ItemError
		if _, err := Build(bad); !errors.As(err, &item) {
			t.Errorf("%v", err)
		}
	}
	if _, err := Build(Input{Preset: "best"}); err == nil || !strings.Contains(err.Error(), `preset "best"`) {
		t.Errorf("%v", err)
	}
}
