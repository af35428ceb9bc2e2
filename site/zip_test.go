package site

import (
	"archive/zip"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type tb interface {
	Helper()
	Fatal(args ...any)
}

// archive zips files, in order of their names.
func archive(t tb, files map[string][]byte) []byte {
	t.Helper()
	var names []zip.FileHeader
	for _, name := range slices.Sorted(maps.Keys(files)) {
		names = append(names, zip.FileHeader{Name: name, Method: zip.Deflate})
	}
	return archiveOf(t, names, files)
}

func archiveOf(t tb, headers []zip.FileHeader, files map[string][]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, header := range headers {
		f, err := w.CreateHeader(&header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(files[header.Name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func read(b []byte) (Snapshot, error) { return FromZip(bytes.NewReader(b), int64(len(b))) }

// key draws names that may be keys.
func key() *rapid.Generator[string] {
	return rapid.StringMatching(`[a-zé0-9 %+]{1,5}(/[a-z0-9_.é]{1,4}x){0,3}`)
}

func TestFromZip(t *testing.T) {
	index, app := []byte("<html>2</html>"), []byte(strings.Repeat("app", 1000))
	got, err := read(archive(t, map[string][]byte{
		"index.html": index, "assets/": nil, "assets/app.js": app, "vide/": nil, "empty": {},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := Snapshot{
		{Key: "assets/app.js", CRC32: crc32.ChecksumIEEE(app), Size: int64(len(app))},
		{Key: "empty"},
		{Key: "index.html", CRC32: crc32.ChecksumIEEE(index), Size: int64(len(index))},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFromZipOfNothing(t *testing.T) {
	got, err := read(archive(t, nil))
	if err != nil || got == nil || len(got) != 0 {
		t.Errorf("an empty archive gives %#v, %v; want an empty snapshot that is not nil", got, err)
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct{ name, reason string }{
		{"index.html", ""},
		{"a//b", ""},
		{"..a/b..", ""},
		{"...", ""},
		{"café/ü.html", ""},
		{strings.Repeat("k", 1024), ""},
		{"", "has no name"},
		{"/etc/passwd", "absolute"},
		{"../up", `segment ".."`},
		{"a/../b", `segment ".."`},
		{"a/..", `segment ".."`},
		{"./index.html", `segment "."`},
		{`a\b`, "backslash"},
		{"a\xffb", "UTF-8"},
		{"a\x00b", "NUL"},
		{strings.Repeat("k", 1025), "longer"},
	} {
		got := refuse(tt.name)
		if (got == "") != (tt.reason == "") || !strings.Contains(got, tt.reason) {
			t.Errorf("refuse(%.20q) = %q; want %q", tt.name, got, tt.reason)
		}
	}
}

func TestFromZipRefuses(t *testing.T) {
	twice := archiveOf(t, []zip.FileHeader{{Name: "a"}, {Name: "b"}, {Name: "a"}}, nil)
	climbing := archive(t, map[string][]byte{"../../secret": nil, "index.html": nil})
	whole := archive(t, map[string][]byte{"index.html": []byte("x")})
	for _, tt := range []struct {
		what  string
		bytes []byte
		says  string
	}{
		{"a name that is there twice", twice, `entry "a" is there twice`},
		{"a name that climbs", climbing, `entry "../../secret" contains the segment`},
		{"a truncated archive", whole[:len(whole)-30], "read archive: it is no zip, or truncated"},
		{"an archive without its beginning", whole[20:], "lie beyond its end"},
		{"something else", []byte("<html></html>"), "read archive: it is no zip"},
		{"nothing", nil, "read archive: it is no zip"},
	} {
		got, err := read(tt.bytes)
		if err == nil || !strings.Contains(err.Error(), tt.says) || got != nil {
			t.Errorf("%s: %v, %v; want an error with %q", tt.what, got, err, tt.says)
		}
	}
	var name *NameError
	if _, err := read(climbing); !errors.As(err, &name) || name.Name != "../../secret" {
		t.Errorf("a bad name is no *NameError: %v", err)
	}
}

// counting tells how much of an archive was read.
type counting struct {
	r    io.ReaderAt
	read int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	c.read += n
	return n, err
}

func TestFromZipReadsTheDirectoryOnly(t *testing.T) {
	big := make([]byte, 4<<20)
	headers := []zip.FileHeader{{Name: "big.bin", Method: zip.Store}}
	b := archiveOf(t, headers, map[string][]byte{"big.bin": big})
	c := &counting{r: bytes.NewReader(b)}
	if _, err := FromZip(c, int64(len(b))); err != nil {
		t.Fatal(err)
	}
	if c.read > 128<<10 {
		t.Errorf("%d bytes read of an archive of %d with one entry", c.read, len(b))
	}
}

func FuzzFromZip(f *testing.F) {
	f.Add(archive(f, map[string][]byte{"index.html": []byte("x"), "a/b": nil}))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Add(zip64("content", 7))
	for _, lie := range lies(f) {
		if len(lie.bytes) < 1<<12 {
			f.Add(lie.bytes)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		snapshot, err := read(b)
		if err != nil && snapshot != nil {
			t.Fatal("a snapshot besides an error")
		}
		if r, libraryErr := zip.NewReader(bytes.NewReader(b), int64(len(b))); err == nil && libraryErr == nil {
			if diff := cmp.Diff(listed(t, r), snapshot); diff != "" {
				t.Fatal("the standard library reads it otherwise:", diff)
			}
		}
		for i, object := range snapshot {
			if refuse(object.Key) != "" || object.Size < 0 {
				t.Fatalf("bad object %+v", object)
			}
			if i > 0 && snapshot[i-1].Key >= object.Key {
				t.Fatalf("%q and %q are not in order", snapshot[i-1].Key, object.Key)
			}
		}
	})
}
