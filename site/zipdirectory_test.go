package site

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// listed is what the standard library reads of an archive.
func listed(t tb, r *zip.Reader) Snapshot {
	t.Helper()
	s := Snapshot{}
	for _, f := range r.File {
		if !strings.HasSuffix(f.Name, "/") {
			s = append(s, Object{Key: f.Name, CRC32: f.CRC32, Size: int64(f.UncompressedSize64)})
		}
	}
	s, err := s.finish("archive")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// library opens an archive with the standard library.
func library(t tb, b []byte) *zip.Reader {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFromZipReadsWhatTheStandardLibraryReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := rapid.MapOf(key(), rapid.SliceOfN(rapid.Byte(), 0, 300)).Draw(t, "files")
		b := archive(t, files)
		before := rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "before")
		got, err := read(append(before, b...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(listed(t, library(t, b)), got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestFromZipSkipsAComment(t *testing.T) {
	for _, length := range []int{1, firstLook - endSize, firstLook, math.MaxUint16} {
		var buf bytes.Buffer
		w := zip.NewWriter(&buf)
		if _, err := w.Create("index.html"); err != nil {
			t.Fatal(err)
		}
		if err := w.SetComment(strings.Repeat("PK\x05\x06", length/4+1)[:length]); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := read(buf.Bytes()); err != nil || len(got) != 1 {
			t.Errorf("with a comment of %d bytes: %v, %v", length, got, err)
		}
	}
}

// zip64 is an archive of one file whose sizes, and whose directory's place, are written as zip64.
func zip64(content string, real uint64) []byte {
	le := binary.LittleEndian
	crc := crc32.ChecksumIEEE([]byte(content))
	b := le.AppendUint32(nil, 0x04034b50)
	b = append(b, make([]byte, localSize-4-4)...)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint16(b, 0)
	b = append(b, 'f')
	b = append(b, content...)

	at := len(b)
	b = le.AppendUint32(b, entrySignature)
	b = append(b, 45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint32(b, crc)
	b = le.AppendUint32(b, math.MaxUint32)
	b = le.AppendUint32(b, math.MaxUint32)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint16(b, 4+3+4+16)
	b = append(b, make([]byte, entrySize-32)...)
	b = append(b, 'f')
	b = append(b, 0x55, 0x54, 3, 0, 9, 9, 9) // another extra field first
	b = append(b, zip64Extra, 0, 16, 0)
	b = le.AppendUint64(b, real)
	b = le.AppendUint64(b, real)
	size := len(b) - at

	end := len(b)
	b = le.AppendUint32(b, end64Signature)
	b = le.AppendUint64(b, end64Size-12)
	b = append(b, 45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint64(b, 1)
	b = le.AppendUint64(b, 1)
	b = le.AppendUint64(b, uint64(size))
	b = le.AppendUint64(b, uint64(at))
	b = le.AppendUint32(b, locatorSignature)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, uint64(end))
	b = le.AppendUint32(b, 1)
	b = le.AppendUint32(b, endSignature)
	b = append(b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0)
	return b
}

func TestFromZip64(t *testing.T) {
	b := zip64("content", 7)
	got, err := read(b)
	want := Snapshot{{Key: "f", CRC32: crc32.ChecksumIEEE([]byte("content")), Size: 7}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if diff := cmp.Diff(listed(t, library(t, b)), got); diff != "" {
		t.Error("the standard library reads it otherwise:", diff)
	}
}

// end makes an end record.
func end(entries uint16, size, offset uint32) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, endSignature)
	b = append(b, 0, 0, 0, 0)
	b = le.AppendUint16(b, entries)
	b = le.AppendUint16(b, entries)
	b = le.AppendUint32(b, size)
	b = le.AppendUint32(b, offset)
	return append(b, 0, 0)
}

func TestFromZipRefusesClaims(t *testing.T) {
	whole := archive(t, map[string][]byte{"index.html": bytes.Repeat([]byte("x"), 1000), "other.html": []byte("y")})
	at := bytes.Index(whole, binary.LittleEndian.AppendUint32(nil, entrySignature))
	patched := func(off int, value ...byte) []byte {
		b := bytes.Clone(whole)
		copy(b[at+off:], value)
		return b
	}
	stored := archiveOf(t, []zip.FileHeader{{Name: "a", Method: zip.Store}}, map[string][]byte{"a": []byte("abc")})
	storedAt := bytes.Index(stored, binary.LittleEndian.AppendUint32(nil, entrySignature))
	stored[storedAt+24]++
	for _, tt := range []struct {
		what  string
		bytes []byte
		says  string
	}{
		{"a directory outside", end(1, 1<<20, 0), "lie beyond its end"},
		{"more entries than fit", append(make([]byte, 100), end(60000, 100, 0)...), "cannot hold the 60000 entries"},
		{"fewer entries than there are", append(whole[:len(whole)-22:len(whole)-22], end(1, uint32(len(whole)-22-at), uint32(at))...), "behind its 1 entries"},
		{"no entry where one should be", patched(0, 'X'), "does not begin where it should (entry 1 of 2)"},
		{"a name longer than the rest", patched(28, 0xff, 0xff), "longer than the rest"},
		{"an encrypted file", patched(8, 1), "is encrypted"},
		{"a size that deflate cannot reach", patched(24, 0xff, 0xff, 0xff, 0x7f), "more than deflate can"},
		{"a stored file of another size", stored, "is stored as it is, but claims 4 bytes in 3"},
		{"files that overlap", patched(20, 0xff, 0xff), "claim more bytes than it has"},
		{"a part", patched(len(whole)-22-at+6, 9, 0), "one of several parts"},
		{"too large for zip64", zip64("content", math.MaxUint64), "claims more bytes than a file can have"},
		{"a directory bomb", bomb(), "more than the"},
	} {
		got, err := read(tt.bytes)
		if err == nil || !strings.Contains(err.Error(), tt.says) || got != nil {
			t.Errorf("%s: %v, %v; want an error with %q", tt.what, got, err, tt.says)
		}
	}
	var bad *ArchiveError
	if _, err := read([]byte("x")); !errors.As(err, &bad) {
		t.Errorf("something else is no *ArchiveError: %v", err)
	}
}

// bomb claims in zip64 that it has more entries than memory.
func bomb() []byte {
	b := zip64("content", 7)
	at := bytes.Index(b, binary.LittleEndian.AppendUint32(nil, end64Signature))
	binary.LittleEndian.PutUint64(b[at+32:], 1<<40)
	return b
}

func TestFromZipPassesOnReadErrors(t *testing.T) {
	broken := errors.New("broken")
	if _, err := FromZip(failing{broken}, 1000); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// However an archive is cut or changed, it is read or refused, and never for more memory than it has.
func TestFromZipOfDamage(t *testing.T) {
	b := archive(t, map[string][]byte{"index.html": []byte("x"), "a/b": []byte("yy"), "c/": nil})
	want, err := read(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		if got, err := read(b[:i]); err == nil {
			t.Errorf("cut to %d of %d bytes it gives %v", i, len(b), got)
		}
		changed := bytes.Clone(b)
		changed[i] ^= 0xff
		if got, err := read(changed); err == nil && len(got) > len(want)+1 {
			t.Errorf("with byte %d changed it gives %v", i, got)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _ = read(bomb())
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("a bomb of %d bytes took %d", len(bomb()), used)
	}
}

// counter tells how often an archive was read.
type counter struct {
	r     *bytes.Reader
	reads int
}

func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	c.reads++
	return c.r.ReadAt(p, off)
}

func TestFromZipTakesTwoReads(t *testing.T) {
	var headers []zip.FileHeader
	for i := range 2000 {
		headers = append(headers, zip.FileHeader{Name: strings.Repeat("d/", i%30) + string(rune('a'+i%26)) + strings.Repeat("x", i/26)})
	}
	b := archiveOf(t, headers, nil)
	c := &counter{r: bytes.NewReader(b)}
	if got, err := FromZip(c, int64(len(b))); err != nil || len(got) != len(headers) {
		t.Fatalf("%d objects, %v", len(got), err)
	}
	if c.reads > 2 {
		t.Errorf("%d reads", c.reads)
	}
}

func BenchmarkFromZip(b *testing.B) {
	var headers []zip.FileHeader
	for i := range 100_000 {
		headers = append(headers, zip.FileHeader{Name: "assets/" + strings.Repeat("x", i%40) + "/" + string(rune('a'+i%26)) + strings.Repeat("y", i/2600) + ".js" + string(rune('a'+i/26%26)) + string(rune('a'+i/676%26)) + string(rune('a'+i/17576))})
	}
	slices.SortFunc(headers, func(a, b zip.FileHeader) int { return strings.Compare(a.Name, b.Name) })
	headers = slices.CompactFunc(headers, func(a, b zip.FileHeader) bool { return a.Name == b.Name })
	data := archiveOf(b, headers, nil)
	b.ReportMetric(float64(len(headers)), "files")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(data); err != nil {
			b.Fatal(err)
		}
	}
}
