package site

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// lying is zip64's archive with 64-bit values of its zip64 records written over.
func lying(values map[int]uint64) []byte {
	b := zip64("content", 7)
	at := bytes.Index(b, binary.LittleEndian.AppendUint32(nil, end64Signature))
	for off, value := range values {
		binary.LittleEndian.PutUint64(b[at+off:], value)
	}
	return b
}

// Where the zip64 end record and its locator, behind it, keep what is lied about.
const (
	lieEntries = 32
	lieSize    = 40
	lieOffset  = 48
	liePlace   = end64Size + 8
)

// overlapping is an archive whose directory names one file's content many times, which is how a
// small archive is made to unpack to any size.
func overlapping(t tb, times int) []byte {
	t.Helper()
	one := archive(t, map[string][]byte{"0000": bytes.Repeat([]byte("ab"), 1<<20)})
	at := bytes.Index(one, binary.LittleEndian.AppendUint32(nil, entrySignature))
	record := one[at : len(one)-endSize]
	b := bytes.Clone(one[:at])
	for i := range times {
		b = append(b, record...)
		copy(b[len(b)-len(record)+entrySize:], fmt.Sprintf("%04d", i))
	}
	return append(b, end(uint16(times), uint32(times*len(record)), uint32(at))...)
}

// twoDirectories is an archive whose end record lies behind one directory and points at another.
func twoDirectories(t tb) []byte {
	t.Helper()
	b := archive(t, map[string][]byte{"index.html": nil})
	at := bytes.Index(b, binary.LittleEndian.AppendUint32(nil, entrySignature))
	directory := b[at : len(b)-endSize]
	b = append(b[:len(b)-endSize:len(b)-endSize], directory...)
	copy(b[len(b)-len(directory)+entrySize:], "other")
	return append(b, end(1, uint32(len(directory)), uint32(at))...)
}

// lie is an archive whose claims cannot be true.
type lie struct {
	what, says string
	bytes      []byte
}

func lies(t tb) []lie {
	t.Helper()
	noLocator := lying(nil)
	copy(noLocator[len(noLocator)-endSize-locatorSize:], "none")
	short := lying(nil)
	short[bytes.Index(short, []byte{zip64Extra, 0, 16, 0})+2] = 8
	hidden := lying(nil)
	copy(hidden[bytes.Index(hidden, []byte{zip64Extra, 0, 16, 0}):], "xx")
	return []lie{
		{"four billion entries", "claims 4294967296 entries", lying(map[int]uint64{lieEntries: 1 << 32})},
		{"as many as can be written", "claims 18446744073709551615 entries", lying(map[int]uint64{lieEntries: math.MaxUint64})},
		{"a directory of 1 EiB", "and 1152921504606846976 bytes", lying(map[int]uint64{lieSize: 1 << 60})},
		{"a directory as long as may be, in a tiny file", "claims to lie beyond its end", lying(map[int]uint64{lieSize: maxDirectory})},
		{"the same without zip64", "claims to lie beyond its end", end(1, maxDirectory, 0)},
		{"an offset that wraps around", "claims to lie beyond its end", lying(map[int]uint64{lieOffset: math.MaxUint64})},
		{"one entry more than there is room for", "cannot hold the 2 entries", lying(map[int]uint64{lieEntries: 2})},
		{"more entries than there is room for", "cannot hold the 65534 entries", append(make([]byte, 4000), end(65534, 4000, 0)...)},
		{"fewer entries than there are", "behind its 0 entries", lying(map[int]uint64{lieEntries: 0})},
		{"a zip64 record elsewhere", "end record claims to lie beyond its end", lying(map[int]uint64{liePlace: math.MaxUint64})},
		{"no zip64 record there", "missing where its locator says it is", lying(map[int]uint64{liePlace: 3})},
		{"no zip64 locator", "and 4294967295 bytes", noLocator},
		{"one zip64 size of two", `sizes of "f" are missing`, short},
		{"no zip64 sizes", "more bytes than it has", hidden},
		{"two directories", "two directories", twoDirectories(t)},
		{"one content under many names", "files overlap", overlapping(t, 999)},
	}
}

// None of them costs more memory than it has bytes, give or take.
func TestFromZipRefusesLies(t *testing.T) {
	for _, lie := range lies(t) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := read(lie.bytes)
		runtime.ReadMemStats(&after)
		var bad *ArchiveError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), lie.says) || got != nil {
			t.Errorf("%s: %v, %v; want an error with %q", lie.what, got, err, lie.says)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: %d bytes took %d", lie.what, len(lie.bytes), used)
		}
	}
}

// The content is not read, so a wrong CRC-32 cannot be told. What has one counts as modified: it is
// purged, and then viewers do not get what the release claims.
func TestAWrongCRC32CountsAsModified(t *testing.T) {
	good := archive(t, map[string][]byte{"a.html": []byte("a"), "b.html": []byte("b")})
	bad := bytes.Clone(good)
	bad[bytes.LastIndex(bad, []byte("b.html"))-entrySize+16]++
	old, err := read(good)
	if err != nil {
		t.Fatal(err)
	}
	release, err := read(bad)
	if diff := cmp.Diff([]string{"modified b.html"}, names(Diff(old, release))); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestInvalidUTF8IsRefused(t *testing.T) {
	const name = "caf\xe9.html"
	zipped := archiveOf(t, []zip.FileHeader{{Name: "index.html"}, {Name: name, NonUTF8: true}}, nil)
	for what, read := range map[string]func() (Snapshot, error){
		"archive":   func() (Snapshot, error) { return read(zipped) },
		"directory": func() (Snapshot, error) { return FromFS(fstest.MapFS{name: {}}) },
		"listing":   func() (Snapshot, error) { return FromListing(entries(Listed{Key: name, ETag: "x"})) },
	} {
		var bad *NameError
		if _, err := read(); !errors.As(err, &bad) || bad.Name != name || !strings.HasSuffix(err.Error(), `entry "caf\xe9.html" is not valid UTF-8`) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// However a manifest is cut or changed, it is known to be damaged.
func TestDecodeOfDamage(t *testing.T) {
	b := Manifest{Distribution: "E1", Snapshot: Snapshot{{Key: "a", Size: 1}, {Key: "b", ETag: "x"}}}.Encode()
	for i := range b {
		changed := bytes.Clone(b)
		changed[i] ^= 0xff
		for what, damaged := range map[string][]byte{"cut to": b[:i], "changed at": changed} {
			m, err := Decode(damaged, "E1")
			var bad *DamagedError
			var newer *VersionError // the byte of the version was changed
			if !errors.As(err, &bad) && !errors.As(err, &newer) || m.Snapshot != nil {
				t.Errorf("%s %d of %d bytes: %v, %v", what, i, len(b), m, err)
			}
		}
	}
}

func TestAMillionChanges(t *testing.T) {
	const n = 1_000_000
	old := make(Snapshot, n)
	for i := range old {
		old[i] = Object{Key: fmt.Sprintf("p/%07d", i), CRC32: uint32(i), Size: 1}
	}
	m, err := Decode(Manifest{Distribution: "E1", Snapshot: old}.Encode(), "E1")
	if err != nil || len(m.Snapshot) != n {
		t.Fatalf("%d objects, %v", len(m.Snapshot), err)
	}
	for i := range m.Snapshot {
		m.Snapshot[i].CRC32++
	}
	changes := Diff(old, m.Snapshot)
	if len(changes) != n || changes[n-1].What != Modified || changes[n-1].Old.CRC32 != n-1 || changes[n-1].New.CRC32 != n {
		t.Errorf("%d changes, the last %+v", len(changes), changes[len(changes)-1])
	}
	if removed := Diff(old, Snapshot{}); len(removed) != n || removed[0].What != Removed {
		t.Errorf("%d removed", len(removed))
	}
}
