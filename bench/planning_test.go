package main

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/bench/releases"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// small is a site of few keys in three directories.
func small() site.Snapshot {
	var s site.Snapshot
	for _, key := range strings.Fields("a/1 a/2 a/3 b/1 b/2 b/3 c/1 c/2 c/3 c/4 index.html") {
		s = append(s, site.Object{Key: key, Size: 1})
	}
	return s
}

func TestCompareRelease(t *testing.T) {
	d, err := plan.FromConfig([]byte(distribution))
	if err != nil {
		t.Fatal(err)
	}
	c, err := compareRelease(d, small(), releases.Release{Name: "ten", Changed: func(key string) bool { return key != "c/4" }}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if c.other != (purged{4, 1}) || c.plan.others != 0 || c.stale != 10 || c.ours.took <= 0 || c.ours.peak <= 0 {
		t.Errorf("%+v", c)
	}
	line := c.purge()
	if line.what != "purging ten" || line.peer != "8 directories and `/*`: 1 others" || line.verdict() != "no others: PASS" {
		t.Errorf("%+v: %s", line, line.verdict())
	}
	c.plan.others, c.bound = 2, 1
	if line := c.purge(); line.ratio != 0.5 || line.verdict() != "no more others than today: MISS" {
		t.Errorf("%+v: %s", line, line.verdict())
	}
	c.other.others = 0
	if line := c.purge(); line.peer != "8 directories: 4 items, 0 others; `/*`: 1 others" {
		t.Errorf("%+v", line)
	}
}

func TestCost(t *testing.T) {
	c := compared{keys: 1_000_000, stale: 10, ours: usage{took: time.Second, processor: 400 * time.Millisecond, beyond: 20 << 20, peak: 301 << 20}}
	line := c.cost(true)
	if line.what != "planning, 1,000,000 keys, 10 changed" || line.ours != "1.00 s (processor: 0.40 s), 20 MiB beside both snapshots, 301 with them" ||
		line.verdict() != "under 0.5 s: PASS; under 300 MiB with both snapshots: MISS" {
		t.Errorf("%+v: %s", line, line.verdict())
	}
	if c.cost(false).targets != nil {
		t.Error("a release without limits has targets")
	}
	if (usage{took: 1}).alone() != 1 || (usage{took: 1, processor: 2}).alone() != 1 {
		t.Error("a time is made up")
	}
}

func TestCountRefusesWhatIsNoPlan(t *testing.T) {
	p := plan.Given(plan.Distribution{}, []invalidation.Item{"/a/*", "/b/1"}, "")
	if got, err := count(p, small(), []string{"a/2", "b/1"}); err != nil || got != (purged{2, 2}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := count(p, small(), []string{"b/2"}); err == nil || !strings.Contains(err.Error(), "b/2 changed and is not purged") {
		t.Errorf("a change is left out: %v", err)
	}
}

func TestArtifact(t *testing.T) {
	object, err := manyFiles(artifactFiles, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := &bucket{object: object}
	server := httptest.NewServer(b)
	defer server.Close()
	var ours, theirs reading
	if err := ours.measure(b, func() error { return readDirectory(t.Context(), server.URL) }); err != nil {
		t.Fatal(err)
	}
	if err := theirs.measure(b, func() error { return downloadAll(t.Context(), server.URL) }); err != nil {
		t.Fatal(err)
	}
	if theirs.requests != 1 || theirs.bytes != int64(len(object)) || ours.requests != 2 || ours.bytes >= theirs.bytes {
		t.Errorf("ours %+v, theirs %+v of %d bytes", ours, theirs, len(object))
	}
	ours.requests, ours.took = 4, time.Second
	if got := readingRow(ours, theirs).verdict(); got != "under 0.3 s: MISS; at most 3 ranged reads: MISS" {
		t.Error(got)
	}
}

func TestParts(t *testing.T) {
	all, err := options{}.parts()
	if err != nil || len(all) < 5 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, p := range all {
		if got, err := (options{only: p.name}).parts(); err != nil || len(got) != 1 || got[0].name != p.name {
			t.Errorf("%s: %v, %v", p.name, got, err)
		}
	}
	if _, err := (options{only: "x"}).parts(); err == nil || !strings.Contains(err.Error(), "planning, artifact") {
		t.Error(err)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 999_987: "999,987", 1_000_020: "1,000,020"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
