package site

import (
	"testing"

	"pgregory.net/rapid"
)

func TestLookup(t *testing.T) {
	s := Snapshot{{Key: "a"}, {Key: "assets/app.js", CRC32: 7, Size: 3}, {Key: "index.html", CRC32: 9}}
	for _, tt := range []struct {
		key   string
		found bool
		crc   uint32
	}{
		{"assets/app.js", true, 7},
		{"index.html", true, 9},
		{"assets/", false, 0},
		{"", false, 0},
		{"zzz", false, 0},
	} {
		got, found := s.Lookup(tt.key)
		if found != tt.found || got.CRC32 != tt.crc {
			t.Errorf("Lookup(%q) = %v, %v; want crc %d, %v", tt.key, got, found, tt.crc, tt.found)
		}
	}
	if _, found := Snapshot(nil).Lookup("index.html"); found {
		t.Error("a snapshot that knows nothing found a key")
	}
}

// Every key of a snapshot is found again, and nothing else is.
func TestLookupFindsWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := rapid.MapOf(key(), rapid.SliceOfN(rapid.Byte(), 0, 20)).Draw(t, "files")
		snapshot, err := read(archive(t, files))
		if err != nil {
			t.Fatal(err)
		}
		if len(snapshot) != len(files) {
			t.Fatalf("%d objects of %d files", len(snapshot), len(files))
		}
		for name := range files {
			if _, found := snapshot.Lookup(name); !found {
				t.Fatalf("%q is lost", name)
			}
		}
		other := key().Draw(t, "other")
		if _, there := files[other]; !there {
			if _, found := snapshot.Lookup(other); found {
				t.Fatalf("%q is invented", other)
			}
		}
	})
}
