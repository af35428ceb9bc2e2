package site

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// What an archive's directory may claim. An artifact of CodePipeline with more files than this could
// not be deployed within its 90 minutes either; a larger directory is damaged, or a bomb.
const (
	maxEntries   = 4_000_000
	maxDirectory = 256 << 20 // bytes
	// maxRatio is the most that deflate compresses. Source: zlib, "Technical details" (1032:1).
	maxRatio = 1032
)

// ArchiveError says why something cannot be read as an archive.
type ArchiveError struct{ Reason string }

func (e *ArchiveError) Error() string { return "read archive: " + e.Reason }

func damaged(format string, args ...any) error {
	return &ArchiveError{Reason: fmt.Sprintf(format, args...)}
}

// FromZip reads the snapshot of a release from the archive's central directory only: no file is
// decompressed, so an archive of 100,000 files costs the last few megabytes of it. The end is read
// first, then the directory in one go. Directories are skipped. A name that could not have become a
// key as it stands is refused with a *NameError, because nobody knows what a deploy would make of
// it; an archive that is truncated, or whose sizes cannot be true, with an *ArchiveError. Errors of r
// are wrapped.
func FromZip(r io.ReaderAt, size int64) (Snapshot, error) {
	end, err := findEnd(r, size)
	if err != nil {
		return nil, err
	}
	directory := make([]byte, end.size)
	if err := readAt(r, directory, end.at, "its directory"); err != nil {
		return nil, err
	}
	snapshot := make(Snapshot, 0, end.entries)
	var names arena
	var stored uint64 // bytes that the files must take in the archive
	for i := range end.entries {
		e, rest, err := parseEntry(directory)
		if err != nil {
			return nil, fmt.Errorf("%w (entry %d of %d)", err, i+1, end.entries)
		}
		directory = rest
		name := names.join("", e.name)
		if reason := e.refuse(name); reason != "" {
			return nil, &NameError{From: "archive", Name: name, Reason: reason}
		}
		if stored += e.room(); stored > uint64(end.at) {
			return nil, damaged("its files claim more bytes than it has; it is damaged, or files overlap")
		}
		if !strings.HasSuffix(name, "/") {
			snapshot = append(snapshot, Object{Key: name, CRC32: e.crc, Size: int64(e.size)})
		}
	}
	if len(directory) > 0 {
		return nil, damaged("its directory has %d bytes behind its %d entries", len(directory), end.entries)
	}
	return snapshot.finish("archive")
}

// refuse says why an entry cannot be an object; "" means that it can.
func (e entry) refuse(name string) string {
	if reason := refuse(name); reason != "" {
		return reason
	}
	switch {
	case e.size > math.MaxInt64 || e.packed > math.MaxInt64:
		return "claims more bytes than a file can have"
	case e.flags&flagEncrypted != 0:
		return "is encrypted"
	case e.method == methodStore && e.size != e.packed:
		return fmt.Sprintf("is stored as it is, but claims %d bytes in %d", e.size, e.packed)
	case e.method == methodDeflate && e.size/maxRatio > e.packed:
		return fmt.Sprintf("claims %d bytes in %d, more than deflate can", e.size, e.packed)
	}
	return ""
}

// readAt fills b. An archive that ends early is an *ArchiveError; other errors are the reader's.
func readAt(r io.ReaderAt, b []byte, at int64, what string) error {
	n, err := r.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return damaged("%s ends early; it is truncated", what)
	}
	return fmt.Errorf("read archive: %w", err)
}
