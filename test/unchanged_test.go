package test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// told is what the document says besides its contract: what was purged and why, and what viewers got of the
// whole site.
type told struct {
	Plan []struct {
		Release           string
		Given             bool
		Items             []struct{ Item, Reason string }
		Stale, Collateral int
		Price             float64
		Notes             []string
		Evidence          string
	}
	Viewer struct {
		Objects []struct {
			URL, Key, POP, Change string
			Before, After         *answer
		}
	}
}

type answer struct {
	Status               int
	XCache, MD5, Release string
}

// stale is what release 2 of the smallest site changes, by URL path.
var stale = []string{"/", "/index.html", "/release.json"}

// purged is what a route invalidates for release 2: what is stale, where it plans.
func purged(route string) []string {
	if route == "states" { // no function of ours is there to plan
		return []string{"/*"}
	}
	return stale
}

func more(t *testing.T, stdout string) told {
	t.Helper()
	var m told
	if err := json.Unmarshal([]byte(stdout), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// checkPlan wants the plan of both releases: the first purges everything, as nothing is known before.
func checkPlan(t *testing.T, route, stdout string) {
	t.Helper()
	plans := more(t, stdout).Plan
	if len(plans) != 2 || plans[0].Release != "1" || plans[1].Release != "2" {
		t.Fatalf("plans %+v", plans)
	}
	for i, want := range [][]string{{"/*"}, purged(route)} {
		p := plans[i]
		var items []string
		for _, item := range p.Items {
			items = append(items, item.Item)
			if item.Reason == "" {
				t.Errorf("release %s: no reason for %s", p.Release, item.Item)
			}
		}
		if !slices.Equal(items, want) || p.Given != (route == "states") || p.Price != 0 || p.Collateral != 0 {
			t.Errorf("plan %+v, want items %q", p, want)
		}
		if kept := strings.HasPrefix(p.Evidence, "s3://unstale-state-"); kept == p.Given {
			t.Errorf("release %s: evidence %q", p.Release, p.Evidence)
		}
	}
	if p := plans[1]; !p.Given && p.Stale != len(stale) {
		t.Errorf("%d URLs are stale, want %d", p.Stale, len(stale))
	}
}

// checkObjects wants release 2 at every URL that it changed, from everywhere; and of all others, where
// something was planned, the bytes that were cached before, from the cache.
func checkObjects(t *testing.T, route, stdout string) {
	t.Helper()
	hits, changed := 0, map[string]int{}
	for _, o := range more(t, stdout).Viewer.Objects {
		if o.Before == nil || o.After == nil || o.Before.XCache != "Hit from cloudfront" || o.Before.Status != 200 || o.After.Status != 200 {
			t.Errorf("%s at %s: before %+v, after %+v", o.URL, o.POP, o.Before, o.After)
			continue
		}
		switch o.Change {
		case "changed":
			_, path, _ := strings.Cut(strings.TrimPrefix(o.URL, "https://"), "/")
			changed["/"+path]++
			if o.Before.Release != "1" || o.After.Release != "2" || o.Before.MD5 == o.After.MD5 {
				t.Errorf("%s at %s changed: before %+v, after %+v", o.URL, o.POP, o.Before, o.After)
			}
		case "unchanged":
			hits++
			if o.After.MD5 != o.Before.MD5 || o.After.Release != "1 and 2" || route != "states" && o.After.XCache != "Hit from cloudfront" {
				t.Errorf("%s at %s did not change: before %+v, after %+v", o.URL, o.POP, o.Before, o.After)
			}
		default:
			t.Errorf("%s: change %q", o.URL, o.Change)
		}
	}
	const pops, others = 3, 8 // what else the smallest site has
	if hits != pops*others || len(changed) != len(stale) {
		t.Errorf("%d answers about what did not change, and changed are %v", hits, changed)
	}
	for _, path := range stale {
		if changed[path] != pops {
			t.Errorf("%s changed and was looked at %d times, want %d", path, changed[path], pops)
		}
	}
}
