package site

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// objects draws objects of every kind.
func objects() *rapid.Generator[Object] {
	return rapid.Custom(func(t *rapid.T) Object {
		o := Object{Key: key().Draw(t, "key"), Size: rapid.Int64Min(0).Draw(t, "size")}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			o.ETag = rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "md5")
		case 1:
			o.ETag = rapid.StringMatching(`[0-9a-fA-F-]{1,40}`).Draw(t, "etag")
		default:
			o.CRC32 = rapid.Uint32().Draw(t, "crc")
		}
		if o.CacheKnown = rapid.Bool().Draw(t, "known"); o.CacheKnown {
			o.CacheControl = rapid.SampledFrom([]string{"", "no-cache", "max-age=60"}).Draw(t, "cache")
		}
		return o
	})
}

func manifests() *rapid.Generator[Manifest] {
	return rapid.Custom(func(t *rapid.T) Manifest {
		all := rapid.SliceOfNDistinct(objects(), 0, 30, func(o Object) string { return o.Key }).Draw(t, "objects")
		s, err := Snapshot(all).finish("test")
		if err != nil {
			t.Fatal(err)
		}
		return Manifest{
			Distribution: "E1", Release: rapid.String().Draw(t, "release"),
			Verified: rapid.Bool().Draw(t, "verified"), Snapshot: s,
		}
	})
}

func TestManifestComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := manifests().Draw(t, "manifest")
		b := m.Encode()
		if !bytes.Equal(b, m.Encode()) {
			t.Fatal("the same manifest was written in two ways")
		}
		got, err := Decode(b, "E1")
		if diff := cmp.Diff(m, got); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	})
}

func TestManifestIsCompact(t *testing.T) {
	m := Manifest{Distribution: "E1"}
	for i := range 10_000 {
		m.Snapshot = append(m.Snapshot, Object{Key: fmt.Sprintf("de/products/page-%06d.html", i), CRC32: uint32(i) * 2654435761, Size: int64(i) * 7 % 5000})
	}
	if b := m.Encode(); len(b) > 13*len(m.Snapshot) {
		t.Errorf("%d bytes for %d objects", len(b), len(m.Snapshot))
	}
}

// sealed is a manifest of a payload, with the checksum that it needs.
func sealed(version byte, payload []byte) []byte {
	out := bytes.NewBufferString(manifestMagic)
	out.WriteByte(version)
	w, _ := flate.NewWriter(out, flate.BestSpeed)
	_, _ = w.Write(payload)
	_ = w.Close()
	sum := sha256.Sum256(out.Bytes())
	return append(out.Bytes(), sum[:]...)
}

func TestDecodeRefuses(t *testing.T) {
	good := Manifest{Distribution: "E1", Snapshot: Snapshot{{Key: "a", Size: 1}}}.Encode()
	flipped := bytes.Clone(good)
	flipped[len(flipped)-40] ^= 1
	p := func(parts ...string) []byte { return []byte("\x02E1\x00" + strings.Join(parts, "")) }
	for _, tt := range []struct {
		what  string
		bytes []byte
		says  string
	}{
		{"nothing", nil, "no manifest"},
		{"something else", []byte("<html></html> and a little more"), "no manifest"},
		{"an old format", sealed(0, nil), "there is no format 0"},
		{"only a head", good[:18], "ends early"},
		{"a cut one", good[:len(good)-1], "checksum is wrong"},
		{"a flipped bit", flipped, "checksum is wrong"},
		{"a short payload", sealed(1, []byte("\x02E")), "payload is damaged"},
		{"unknown flags", sealed(1, p("\x08")), "flags 0x8"},
		{"a count without objects", sealed(1, p("\x00\xff\xff\x7f\x00")), "payload is damaged"},
		{"too many objects", sealed(1, p("\x00\xff\xff\xff\xff\x7f\x00")), "is more than"},
		{"keys out of order", sealed(1, p("\x00\x02\x00", "\x00\x01b\x00\x01\x00\x00\x00\x00", "\x00\x01a\x00\x01\x00\x00\x00\x00")), "not in order"},
		{"a bad key", sealed(1, p("\x00\x01\x00", "\x00\x01\xff\x00\x01\x00\x00\x00\x00")), "UTF-8"},
		{"more shared than there is", sealed(1, p("\x00\x01\x00", "\x05\x01a\x00\x01\x00\x00\x00\x00")), "is more than 0"},
		{"a Cache-Control that is not there", sealed(1, p("\x00\x01\x00", "\x00\x01a\x04\x01\x00\x00\x00\x00\x00")), "not there"},
		{"both kinds of ETag", sealed(1, p("\x00\x01\x00", "\x00\x01a\x03\x01")), "flags 0x3"},
		{"an empty ETag", sealed(1, p("\x00\x01\x00", "\x00\x01a\x01\x01\x00")), "empty ETag"},
		{"more behind", sealed(1, p("\x00\x00\x00more")), "behind its last object"},
	} {
		m, err := Decode(tt.bytes, "E1")
		var damaged *DamagedError
		if !errors.As(err, &damaged) || !strings.Contains(err.Error(), tt.says) || m.Snapshot != nil {
			t.Errorf("%s: %v; want %q", tt.what, err, tt.says)
		}
	}
}

func TestDecodeTellsForeignAndNewerApart(t *testing.T) {
	good := Manifest{Distribution: "E1"}.Encode()
	var foreign *ForeignError
	if _, err := Decode(good, "E2"); !errors.As(err, &foreign) || foreign.Distribution != "E1" || !strings.Contains(err.Error(), "of distribution E1, not of E2") {
		t.Errorf("another distribution's: %v", err)
	}
	if _, err := Decode(good, ""); err != nil {
		t.Errorf("any distribution will do, but: %v", err)
	}
	var newer *VersionError
	if _, err := Decode(sealed(2, nil), "E1"); !errors.As(err, &newer) || newer.Version != 2 || !strings.Contains(err.Error(), "update unstale") {
		t.Errorf("a newer one: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x02E1\x00\x00\x01\x01\x08no-cache\x00\x01a\x04\x01\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x02E1\x01r\x01\x02\x00\x00\x01a\x01\x05\x03abc\x01\x01b\x00\x01\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		_, _ = Decode(payload, "E1")
		m, err := Decode(sealed(manifestVersion, payload), "")
		if err != nil {
			if m.Snapshot != nil {
				t.Fatal("a snapshot besides an error")
			}
			return
		}
		again, err := Decode(m.Encode(), m.Distribution)
		if diff := cmp.Diff(m, again); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	})
}

func BenchmarkManifest(b *testing.B) {
	m := Manifest{Distribution: "E1"}
	for i := range 1_000_000 {
		m.Snapshot = append(m.Snapshot, Object{Key: fmt.Sprintf("de/products/page-%07d.html", i), CRC32: uint32(i) * 2654435761, Size: int64(i) % 5000})
	}
	encoded := m.Encode()
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			m.Encode()
		}
		b.ReportMetric(float64(len(encoded)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := Decode(encoded, "E1"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
