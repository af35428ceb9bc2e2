package site

import (
	"errors"
	"hash/crc32"
	"io/fs"
	"iter"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFromFS(t *testing.T) {
	dir := fstest.MapFS{
		"index.html":  {Data: []byte("hi")},
		"a/b.js":      {Data: []byte("b")},
		"a.html":      {Data: nil},
		"empty":       {Mode: fs.ModeDir},
		"café/ü.html": {Data: []byte("ü")},
		"link.js":     {Data: []byte("a/b.js"), Mode: fs.ModeSymlink},
	}
	got, err := FromFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(s string) uint32 { return crc32.ChecksumIEEE([]byte(s)) }
	want := Snapshot{
		{Key: "a.html"},
		{Key: "a/b.js", CRC32: sum("b"), Size: 1},
		{Key: "café/ü.html", CRC32: sum("ü"), Size: 2},
		{Key: "index.html", CRC32: sum("hi"), Size: 2},
		{Key: "link.js", CRC32: sum("b"), Size: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := FromFS(fstest.MapFS{}); err != nil || got == nil || len(got) != 0 {
		t.Errorf("an empty directory gives %#v, %v", got, err)
	}
}

func TestFromFSRefuses(t *testing.T) {
	for _, tt := range []struct {
		what string
		dir  fs.FS
		says string
	}{
		{"a device", fstest.MapFS{"dev": {Mode: fs.ModeDevice}}, `entry "dev" is no regular file`},
		{"a backslash", fstest.MapFS{`a\b`: {}}, "backslash"},
		{"no directory", fstest.MapFS(nil), ""},
		{"a dangling link", fstest.MapFS{"l": {Data: []byte("gone"), Mode: fs.ModeSymlink}}, "read site: "},
	} {
		_, err := FromFS(tt.dir)
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v; want %q", tt.what, err, tt.says)
		}
	}
}

func TestFromFSAgreesWithFromZip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ab.]x(/[ab]x){0,2}`)
		files := rapid.MapOf(name, rapid.SliceOfN(rapid.Byte(), 0, 9)).Draw(t, "files")
		dir := fstest.MapFS{}
		for name, data := range files {
			for at := range files { // a file cannot also be a directory
				if strings.HasPrefix(at, name+"/") {
					delete(files, at)
					delete(dir, at)
				}
			}
			dir[name] = &fstest.MapFile{Data: data}
		}
		for name := range dir {
			if _, found := files[name]; !found {
				delete(dir, name)
			}
		}
		a, err := FromFS(dir)
		if err != nil {
			t.Fatal(err)
		}
		b, err := read(archive(t, files))
		if diff := cmp.Diff(a, b); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	})
}

func entries(list ...Listed) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		for _, l := range list {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func TestFromListing(t *testing.T) {
	got, err := FromListing(entries(
		Listed{Key: "b", ETag: `"123-2"`, Size: 9}, Listed{Key: "a/", ETag: "x"}, Listed{Key: "/../odd", ETag: `W/"y"`}))
	want := Snapshot{{Key: "/../odd", ETag: "y"}, {Key: "a/", ETag: "x"}, {Key: "b", ETag: "123-2", Size: 9}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, tt := range []struct {
		list []Listed
		says string
	}{
		{[]Listed{{Key: "", ETag: "x"}}, "has no name"},
		{[]Listed{{Key: "a\xff", ETag: "x"}}, "UTF-8"},
		{[]Listed{{Key: strings.Repeat("k", 1025), ETag: "x"}}, "longer"},
		{[]Listed{{Key: "a", ETag: `""`}}, "no ETag"},
		{[]Listed{{Key: "a", ETag: "x", Size: -1}}, "-1 bytes"},
		{[]Listed{{Key: "a", ETag: "x"}, {Key: "a", ETag: "y"}}, "is there twice"},
	} {
		var name *NameError
		if _, err := FromListing(entries(tt.list...)); !errors.As(err, &name) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%v: %v; want %q", tt.list, err, tt.says)
		}
	}
	broken := errors.New("page 2 is gone")
	if _, err := FromListing(func(yield func(Listed, error) bool) { yield(Listed{}, broken) }); !errors.Is(err, broken) {
		t.Errorf("a listing's error is lost: %v", err)
	}
}
