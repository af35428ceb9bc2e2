package site

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSame(t *testing.T) {
	crc := Object{Key: "a", CRC32: 1, Size: 2}
	etag := Object{Key: "a", ETag: "x", Size: 2}
	for _, tt := range []struct {
		what string
		a, b Object
		want bool
	}{
		{"the same CRC-32 and size", crc, Object{Key: "b", CRC32: 1, Size: 2, CacheKnown: true, CacheControl: "no-cache"}, true},
		{"another CRC-32", crc, Object{CRC32: 3, Size: 2}, false},
		{"another size", crc, Object{CRC32: 1, Size: 3}, false},
		{"the same ETag", etag, etag, true},
		{"another ETag", etag, Object{ETag: "y", Size: 2}, false},
		{"different kinds", crc, etag, false},
		{"different kinds, all else zero", Object{}, Object{ETag: "x"}, false},
		{"two empty files", Object{}, Object{}, true},
	} {
		if got := tt.a.Same(tt.b); got != tt.want || tt.b.Same(tt.a) != got {
			t.Errorf("%s: %v", tt.what, got)
		}
	}
	if crc.Kind() != CRC32Size || etag.Kind() != ETagSize || crc.Kind().String() != "CRC-32" || etag.Kind().String() != "ETag" {
		t.Error("kinds are mixed up")
	}
}

func of(pairs ...string) Snapshot {
	s := Snapshot{}
	for i := 0; i < len(pairs); i += 2 {
		s = append(s, Object{Key: pairs[i], ETag: pairs[i+1]})
	}
	return s
}

// names lists changes as "added a".
func names(changes []Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.What.String()+" "+c.Key)
	}
	return out
}

func TestStale(t *testing.T) {
	for _, tt := range []struct {
		what    string
		release Snapshot
		known   []Snapshot
		want    []string
	}{
		{"nothing known", of("a", "1"), nil, nil},
		{"a diff", of("a", "1", "b", "2", "d", "1"), []Snapshot{of("a", "1", "b", "1", "c", "1")}, []string{"modified b", "removed c", "added d"}},
		{"release 2 was never purged, release 3 reverts it", of("a", "1"), []Snapshot{of("a", "1"), of("a", "2")}, []string{"modified a"}},
		{"a key only a pending release had", of("a", "1"), []Snapshot{of("a", "1"), of("a", "1", "b", "1")}, []string{"removed b"}},
		{"new since the verified release, not since the pending one", of("a", "1"), []Snapshot{of(), of("a", "1")}, []string{"added a"}},
		{"back again with other content", of("a", "3"), []Snapshot{of("a", "1"), of()}, []string{"modified a"}},
	} {
		if diff := cmp.Diff(tt.want, names(Stale(tt.release, tt.known...))); diff != "" {
			t.Errorf("%s: %s", tt.what, diff)
		}
	}
	if got := Diff(of("a", "1"), of("a", "2")); len(got) != 1 || got[0].Old.ETag != "1" || got[0].New.ETag != "2" {
		t.Errorf("a change without its objects: %v", got)
	}
	if What(9).String() != "What(9)" {
		t.Error("an unknown way to differ has a name")
	}
}

// snapshots draws a small snapshot.
func snapshots() *rapid.Generator[Snapshot] {
	return rapid.Custom(func(t *rapid.T) Snapshot {
		files := rapid.MapOfN(rapid.StringMatching(`[ab]{1,2}(/[ab])?`), rapid.SampledFrom([]string{"1", "2"}), 0, 6).Draw(t, "files")
		s := Snapshot{}
		for _, key := range slices.Sorted(maps.Keys(files)) {
			s = append(s, Object{Key: key, ETag: files[key]})
		}
		return s
	})
}

// Stale is the union of all differences, and an overlay serves all keys.
func TestStaleIsWhatDiffersFromAny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		release := snapshots().Draw(t, "release")
		known := rapid.SliceOfN(snapshots(), 0, 3).Draw(t, "known")
		want := map[string]bool{}
		for _, s := range known {
			for _, o := range append(slices.Clone(s), release...) {
				old, had := s.Lookup(o.Key)
				now, has := release.Lookup(o.Key)
				if had != has || old.ETag != now.ETag {
					want[o.Key] = true
				}
			}
		}
		got := map[string]bool{}
		for _, c := range Stale(release, known...) {
			got[c.Key] = true
		}
		if !maps.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		beneath := snapshots().Draw(t, "beneath")
		over := Overlay(beneath, release)
		for _, c := range Diff(over, release) {
			if old, found := beneath.Lookup(c.Key); c.What != Removed || !found || !old.Same(*c.Old) {
				t.Fatalf("overlay of %v on %v: %v", release, beneath, over)
			}
		}
		for _, c := range Diff(beneath, over) {
			if c.What == Removed {
				t.Fatalf("overlay lost %s", c.Key)
			}
		}
	})
}

func TestJoinCanBeLeft(t *testing.T) {
	for row := range Join(of("a", "1", "b", "1"), of("b", "1")) {
		if row.Key != "a" || row.Any() != nil {
			t.Errorf("first row %+v", row)
		}
		break
	}
}
