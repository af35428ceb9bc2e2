package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"
)

// entry is a file of an archive: of the disk, or made here.
type entry struct {
	path string
	body []byte
	mode fs.FileMode // 0 means 0644
}

func (e entry) read() ([]byte, error) {
	if e.path == "" {
		return e.body, nil
	}
	return os.ReadFile(e.path)
}

func sorted(files map[string]entry) []string { return slices.Sorted(maps.Keys(files)) }

// pack writes an archive with everything below one directory, and returns its SHA-256. Order, times and
// owners are always the same.
func pack(path, base string, files map[string]entry, made time.Time) (sum []byte, err error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	hash := sha256.New()
	compressed, err := gzip.NewWriterLevel(io.MultiWriter(file, hash), gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(compressed)
	for _, name := range sorted(files) {
		body, err := files[name].read()
		if err != nil {
			return nil, err
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: base + "/" + name, Size: int64(len(body)), ModTime: made,
			Mode: int64(cmp.Or(files[name].mode, 0o644)), Format: tar.FormatPAX,
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(body); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(archive.Close(), compressed.Close()); err != nil {
		return nil, err
	}
	return hash.Sum(nil), nil
}
