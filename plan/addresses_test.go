package plan_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// Whatever the distribution, an address without doubt serves what it is said to, and where a removed
// object was, certain answers are the ones that come.
func TestAddressesServeWhatTheySay(t *testing.T) {
	told := 0
	rapid.Check(t, func(t *rapid.T) {
		d := distributions().Draw(t, "distribution")
		e := &edge{d: d, other: "api", cache: map[entry]answer{}}
		in := plan.Input{Distribution: e.functions(t), Deletes: rapid.Bool().Draw(t, "deletes")}
		history(t, e, &in, nil)
		addresses := in.Addresses()
		for row := range site.Join(in.Release, in.Known...) {
			served, at := addresses.Changed(row)
			for _, address := range at {
				if address.Doubt {
					continue
				}
				told++
				path := canonical(address.Path)
				got, _ := e.fetch(e.behavior(path), e.rewritten(path))
				if served != nil {
					if got != served.ETag || address.Key != row.Key {
						t.Fatalf("%+v serves %q, not %q", address, got, served.ETag)
					}
					if key, found := addresses.Key(address.Path); e.rewrite == plan.RewriteNothing && (!found || key != row.Key) {
						t.Fatalf("%s asks for %q (%v), not %q", address.Path, key, found, row.Key)
					}
					continue
				}
				if answers, certain := addresses.Instead(address.Path); certain && !slices.ContainsFunc(answers, func(a plan.Instead) bool {
					page, found := e.bucket[in.Prefix+a.Key]
					return got == "error" && (a.Key == "" || !found) || found && got == page.content
				}) {
					t.Fatalf("%s serves %q, none of %+v", address.Path, got, answers)
				}
			}
		}
	})
	if told == 0 {
		t.Error("nothing was compared")
	}
}

// bucketSite is a distribution of one bucket.
func bucketSite() plan.Distribution {
	return plan.Distribution{
		DefaultRootObject: "index.html", Origins: []plan.Origin{{ID: "site", Bucket: "site"}},
		Default: plan.Behavior{PathPattern: "*", Origins: []string{"site"}},
	}
}

func TestAddressesOfAChange(t *testing.T) {
	old := func(key string) site.Snapshot { return site.Snapshot{{Key: key, CRC32: 1}} }
	new := func(key string) site.Snapshot { return site.Snapshot{{Key: key, CRC32: 2}} }
	website := bucketSite()
	website.Origins[0].Website = true
	group := bucketSite()
	group.Origins = append(group.Origins, plan.Origin{ID: "second", Bucket: "second"})
	group.Default.Origins = []string{"site", "second"}
	for _, tt := range []struct {
		what         string
		d            plan.Distribution
		was, release site.Snapshot
		deletes      bool
		want         []plan.Address
	}{
		{"unchanged", bucketSite(), new("a.js"), new("a.js"), true, nil},
		{"the root object", bucketSite(), old("index.html"), new("index.html"), true, []plan.Address{
			{"/index.html", "index.html", false}, {"/", "index.html", false},
		}},
		{"spelled as browsers do", bucketSite(), old("~a b+[é]#.js"), new("~a b+[é]#.js"), true, []plan.Address{{"/~a%20b%2B[%C3%A9]%23.js", "~a b+[é]#.js", false}}},
		{"removed", bucketSite(), old("a.txt"), site.Snapshot{}, true, []plan.Address{{"/a.txt", "a.txt", false}}},
		{"removed, but kept", bucketSite(), old("a.txt"), site.Snapshot{}, false, nil},
		{"removed, named by its content", bucketSite(), old("app.3f9c2b7a.js"), site.Snapshot{}, true, nil},
		{"new, named by its content", bucketSite(), site.Snapshot{}, new("app.3f9c2b7a.js"), true, []plan.Address{{"/app.3f9c2b7a.js", "app.3f9c2b7a.js", false}}},
		{"an index document of a website", website, old("d/index.html"), new("d/index.html"), true, []plan.Address{
			{"/d/index.html", "d/index.html", false}, {"/d/", "d/index.html", false}, {"/d", "d/index.html", true},
		}},
		{"behind a group", group, old("a.js"), new("a.js"), true, []plan.Address{{"/a.js", "a.js", true}}},
	} {
		in := plan.Input{Distribution: tt.d, Deletes: tt.deletes}
		for row := range site.Join(tt.release, tt.was) {
			served, at := in.Addresses().Changed(row)
			if diff := cmp.Diff(tt.want, at); diff != "" || (served == nil) != (tt.deletes && len(tt.release) == 0) {
				t.Errorf("%s: %v\n%s", tt.what, served, diff)
			}
		}
	}
}

func TestKeysOfPaths(t *testing.T) {
	in := plan.Input{Distribution: bucketSite()}
	in.Distribution.Origins[0].Path = "/v"
	in.Distribution.Origins = append(in.Distribution.Origins, plan.Origin{ID: "api", Domain: "api.example.com"})
	in.Distribution.Behaviors = []plan.Behavior{{PathPattern: "/api/*", Origins: []string{"api"}}}
	for path, want := range map[string]string{
		"/": "v/index.html", "/a%20b?c=d": "v/a b", "/100%": "v/100%", "/a+b": "v/a+b", "/api/x": "",
	} {
		if key, served := in.Addresses().Key(path); key != want || served != (want != "") {
			t.Errorf("%s asks for %q (%v); want %q", path, key, served, want)
		}
	}
	if key, served := (plan.Input{}).Addresses().Key("/a%20b"); key != "a b" || !served {
		t.Errorf("without a configuration, a path is its key; got %q, %v", key, served)
	}
}

func TestPlaces(t *testing.T) {
	behind := func(paths ...string) plan.Input {
		in := plan.Input{Bucket: "b", Prefix: "live/", Distribution: plan.Distribution{DefaultRootObject: "index.html"}}
		for _, path := range paths {
			in.Distribution.Origins = append(in.Distribution.Origins, plan.Origin{ID: path, Bucket: "b", Path: path})
			in.Distribution.Default.Origins = append(in.Distribution.Default.Origins, path)
		}
		in.Distribution.Origins = append(in.Distribution.Origins, plan.Origin{ID: "idle", Bucket: "b", Path: "/live/idle"})
		return in
	}
	for _, tt := range []struct {
		what, key string
		in        plan.Input
		want      []string
	}{
		{"nothing is known of the distribution", "a b", plan.Input{}, []string{"/a%20b"}},
		{"the origin path is the prefix", "a b", behind("/live"), []string{"/a%20b"}},
		{"it is above the prefix", "a", behind(""), []string{"/live/a"}},
		{"it is below the prefix", "docs/a", behind("/live/docs"), []string{"/a"}},
		{"the key lies beside it", "a", behind("/live/docs"), nil},
		{"there are two", "docs/a", behind("/live", "/live/docs"), []string{"/docs/a", "/a"}},
		{"only an origin of no behavior has it", "idle/a", behind("/live/docs"), nil},
	} {
		if diff := cmp.Diff(tt.want, slices.Collect(tt.in.Addresses().Places(tt.key))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.what, diff)
		}
	}
}
