package plan_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

func snapshot(bucket map[string]stored, object func(string, stored) site.Object) site.Snapshot {
	s := site.Snapshot{}
	for _, key := range slices.Sorted(maps.Keys(bucket)) {
		o := object(key, bucket[key])
		o.Key = key
		s = append(s, o)
	}
	return s
}

// names are keys that share prefixes and hold what is hard to spell.
var names = []string{
	"index.html", "a", "a/index.html", "a/b.html", "a/b.js", "a/b~c", "a b", "a+b", "ab/é.html", "ab/è.html", "ab*c",
	"ab/x[1].js", "c/1.html", "c/2.html", "c/3.html", "c/", "about.html", "c%41", "c?d",
}

func policies() *rapid.Generator[plan.Policy] {
	return rapid.Custom(func(t *rapid.T) plan.Policy {
		p := plan.Policy{MaxTTL: 1000 * time.Hour, QueryStrings: plan.QueryNone}
		p.MinTTL = rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour}).Draw(t, "min")
		p.DefaultTTL = max(p.MinTTL, rapid.SampledFrom([]time.Duration{0, 24 * time.Hour}).Draw(t, "default"))
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			p.MinTTL, p.DefaultTTL, p.MaxTTL = 0, 0, 0
		case 1:
			p.QueryStrings = plan.QueryAll
		}
		return p
	})
}

func distributions() *rapid.Generator[plan.Distribution] {
	return rapid.Custom(func(t *rapid.T) plan.Distribution {
		d := plan.Distribution{ID: "E1", Enabled: true, Origins: []plan.Origin{
			{ID: "site", Bucket: "site", Path: rapid.SampledFrom([]string{"", "", "/c"}).Draw(t, "origin path")}, {ID: "api", Domain: "api.example.com"},
		}}
		if rapid.Bool().Draw(t, "root") {
			d.DefaultRootObject = "index.html"
		}
		d.Default = plan.Behavior{PathPattern: "*", Origins: []string{"site"}, Policy: policies().Draw(t, "policy")}
		for _, pattern := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"/a/*", "/c*.html", "/index.html", "/"}), rapid.ID[string]).Draw(t, "patterns") {
			d.Behaviors = append(d.Behaviors, plan.Behavior{
				PathPattern: pattern, Origins: []string{rapid.SampledFrom([]string{"site", "site", "api"}).Draw(t, "origin")},
				Policy: policies().Draw(t, "policy"),
			})
		}
		for _, code := range []int{403, 404} {
			if rapid.Bool().Draw(t, "error") {
				d.Errors = append(d.Errors, plan.ErrorResponse{
					Code: code, CachingMinTTL: rapid.SampledFrom([]time.Duration{0, 10 * time.Second, 300 * time.Second}).Draw(t, "error ttl"),
					PagePath: rapid.SampledFrom([]string{"", "/index.html", "/c/1.html"}).Draw(t, "page"),
				})
			}
		}
		return d
	})
}

// deploy draws what a deploy leaves, from what was there.
func deploy(t *rapid.T, names []string, before map[string]stored, deletes bool) (bucket, release map[string]stored) {
	release = map[string]stored{}
	for _, name := range names {
		old, had := before[name]
		switch {
		case rapid.IntRange(0, 9).Draw(t, "gone") < 2:
		case had && rapid.IntRange(0, 9).Draw(t, "kept") < 5:
			release[name] = old
		default:
			release[name] = stored{
				strconv.Itoa(rapid.IntRange(0, 3).Draw(t, "content")) + " of " + name,
				rapid.SampledFrom([]string{"", "no-cache", "max-age=2", "max-age=31536000"}).Draw(t, "cache"),
			}
		}
	}
	bucket = maps.Clone(release)
	if !deletes {
		for name, s := range before {
			if _, found := bucket[name]; !found {
				bucket[name] = s
			}
		}
	}
	return bucket, release
}

// visit asks for some of all URLs.
func (e *edge) visit(t *rapid.T, urls []string) {
	for _, u := range urls {
		if rapid.IntRange(0, 2).Draw(t, "visit") > 0 {
			e.get(u, rapid.SampledFrom([]string{"", "", "x=1", "y"}).Draw(t, "query"))
		}
	}
}

func allURLs(d plan.Distribution) (urls []string) {
	root := strings.TrimPrefix(d.Origins[0].Path+"/", "/")
	for _, name := range names {
		for _, path := range []string{name, strings.TrimPrefix(name, root)} {
			urls = append(urls, spellings(path)...)
		}
	}
	urls = append(urls, "/", "/a/", "/about", "/c", "/zz", "/zz/deep", "/a/zz")
	slices.Sort(urls)
	return slices.Compact(urls)
}

// However sites, distributions, releases and visits fall out: after a purge by plan and the time to
// wait out, no URL serves an old byte.
func TestNothingStaysStale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := distributions().Draw(t, "distribution")
		e := &edge{d: d, other: "api", cache: map[entry]answer{}}
		in := plan.Input{Preset: rapid.SampledFrom([]plan.Preset{"", plan.Gentlest, plan.Cheapest}).Draw(t, "preset")}
		in.Distribution = e.functions(t)
		in.Used = rapid.SampledFrom([]int{0, 995, 2000}).Draw(t, "used")
		in.InProgress = invalidation.Limits{
			Wildcards: rapid.IntRange(0, 14).Draw(t, "wildcards"), Files: rapid.SampledFrom([]int{0, 2990, 3000}).Draw(t, "files"),
		}
		in.Deletes = rapid.Bool().Draw(t, "deletes")
		urls := allURLs(d)
		history(t, e, &in, urls)
		p, err := plan.Build(in) // there is always a wildcard left
		if err != nil {
			t.Fatal(err)
		}
		e.purge(p.Paths())
		e.now += p.WaitOut
		for _, u := range urls {
			for _, query := range []string{"", "x=1", "y"} {
				got, hit := e.get(u, query)
				want, _ := e.fetch(e.behavior(canonical(u)), e.rewritten(canonical(u)))
				if got != want {
					t.Fatalf("%s?%s serves %q (hit: %v), not %q\n%s", u, query, got, hit, want, p.Explain())
				}
			}
		}
		sane(t, p, in)
	})
}

// functions gives every behavior a function that rewrites, declared or not.
func (e *edge) functions(t *rapid.T) plan.Distribution {
	d := e.d
	e.rewrite = rapid.SampledFrom([]plan.Rewrite{plan.RewriteNothing, plan.RewriteNothing, plan.RewriteIndex, plan.RewriteHTML, plan.RewriteFallback}).Draw(t, "rewrite")
	if e.rewrite == plan.RewriteNothing {
		return d
	}
	e.asked = e.rewrite != plan.RewriteFallback && rapid.Bool().Draw(t, "asked")
	f := []plan.Function{{ARN: "arn:aws:cloudfront::222222222222:function/f", Event: "viewer-request"}}
	d.Default.Functions = f
	d.Behaviors = slices.Clone(d.Behaviors)
	for i := range d.Behaviors {
		d.Behaviors[i].Functions = f
	}
	if rapid.IntRange(0, 3).Draw(t, "declared") > 0 {
		d, _ = d.Declare("f", e.rewrite)
	}
	return d
}

// history deploys some releases, with visitors in between, none of them purged.
func history(t *rapid.T, e *edge, in *plan.Input, urls []string) {
	known := rapid.Bool().Draw(t, "known")
	keys := names
	prefix := e.d.Origins[0].Path == "/c" && rapid.Bool().Draw(t, "prefix")
	if prefix { // the prefix itself is no key of the release
		keys = slices.DeleteFunc(slices.Clone(names), func(key string) bool { return key == "c/" })
	}
	var release map[string]stored
	releases := rapid.IntRange(2, 4).Draw(t, "releases")
	for i := range releases {
		if i > 0 {
			e.visit(t, urls)
		}
		e.bucket, release = deploy(t, keys, e.bucket, in.Deletes)
		if i < releases-1 {
			in.Known = append(in.Known, keep(e.bucket, func(string) bool { return known }))
		}
	}
	in.Release = keep(release, func(string) bool { return known })
	if prefix {
		*in = below(*in, "c/")
	}
}

// below takes the prefix off all keys, and leaves out the others.
func below(in plan.Input, prefix string) plan.Input {
	cut := func(s site.Snapshot) site.Snapshot {
		out := site.Snapshot{}
		for _, o := range s {
			if name, found := strings.CutPrefix(o.Key, prefix); found && name != "" {
				o.Key = name
				out = append(out, o)
			}
		}
		return out
	}
	in.Prefix, in.Bucket, in.Release = prefix, "site", cut(in.Release)
	known := in.Known
	in.Known = nil
	for _, s := range known {
		in.Known = append(in.Known, cut(s))
	}
	return in
}

// sane checks what a plan says of itself.
func sane(t *rapid.T, p plan.Plan, in plan.Input) {
	n := invalidation.Count(p.Paths())
	limits := invalidation.DefaultLimits()
	if n.Files > limits.Files-in.InProgress.Files || n.Wildcards > limits.Wildcards-in.InProgress.Wildcards {
		t.Fatalf("%+v is more than may be in progress besides %+v", n, in.InProgress)
	}
	if len(p.Items) > 0 {
		if _, err := invalidation.NewBatch("attempt", "E1", p.Paths()); err != nil {
			t.Fatal(err)
		}
	}
	if p.WaitOut > plan.DefaultPatience {
		t.Fatalf("%s to wait", p.WaitOut)
	}
	covers, collateral := 0, 0
	for _, c := range p.Items {
		covers, collateral = covers+c.Covers, collateral+c.Collateral
		if c.Reason == "" || c.Covers == 0 {
			t.Fatalf("%+v says too little", c)
		}
	}
	if covers != p.Stale || collateral != p.Collateral || p.Bound > p.Collateral || p.Exact && p.Bound != p.Collateral {
		t.Fatalf("sums are wrong: %d of %d, %d\n%s", covers, p.Stale, collateral, p.Explain())
	}
	if p.Price != invalidation.Cost(len(p.Items), in.Used) {
		t.Fatalf("price %s", p.Price)
	}
	again, err := plan.Build(in)
	if diff := cmp.Diff(p, again); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
}
