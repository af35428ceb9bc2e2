package site

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxKey is the longest S3 key in bytes. Source: Amazon S3 user guide, "Naming Amazon S3 objects".
const maxKey = 1024

// NameError says which entry of an archive cannot become a key, and why.
type NameError struct {
	Name   string // as the archive has it
	Reason string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("read archive: entry %q %s", e.Name, e.Reason)
}

// FromZip reads the snapshot of a release from the archive's central directory only: no file is
// decompressed, so an archive of 100,000 files costs the last few megabytes of it. Directories are
// skipped. A name that could not have become a key as it stands is refused with a *NameError, because
// nobody knows what a deploy would make of it.
func FromZip(r io.ReaderAt, size int64) (Snapshot, error) {
	archive, err := zip.NewReader(r, size)
	// Names are judged below, whatever GODEBUG=zipinsecurepath says.
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	snapshot := make(Snapshot, 0, len(archive.File))
	for _, file := range archive.File {
		if reason := refuse(file.Name); reason != "" {
			return nil, &NameError{Name: file.Name, Reason: reason}
		}
		if strings.HasSuffix(file.Name, "/") {
			continue
		}
		if file.UncompressedSize64 > math.MaxInt64 {
			return nil, &NameError{Name: file.Name, Reason: "claims more bytes than a file can have"}
		}
		snapshot = append(snapshot, Object{
			Key:   file.Name,
			CRC32: file.CRC32,
			Size:  int64(file.UncompressedSize64),
		})
	}
	slices.SortFunc(snapshot, func(a, b Object) int { return cmp.Compare(a.Key, b.Key) })
	for i := 1; i < len(snapshot); i++ {
		if snapshot[i].Key == snapshot[i-1].Key {
			return nil, &NameError{Name: snapshot[i].Key, Reason: "is there twice"}
		}
	}
	return snapshot, nil
}

// refuse says why a name cannot become a key; "" means that it can.
func refuse(name string) string {
	switch {
	case name == "":
		return "has no name"
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	case len(name) > maxKey:
		return fmt.Sprintf("is longer than an S3 key may be (%d bytes)", maxKey)
	case strings.ContainsRune(name, 0):
		return "contains a NUL"
	case strings.Contains(name, `\`):
		return `contains a backslash; write "/" between directories`
	case strings.HasPrefix(name, "/"):
		return "is absolute"
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == ".." || segment == "." {
			return fmt.Sprintf("contains the segment %q", segment)
		}
	}
	return ""
}
