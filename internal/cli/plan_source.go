package cli

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/unstale/unstale/site"
)

// source is a site as a flag named it.
type source struct {
	name     string
	manifest site.Manifest // of a directory or a zip: its snapshot only
	damage   error         // it is a manifest, or should be, and cannot be read
}

// foreign says that a manifest is of another distribution than id. One that names none fits all.
func (s source) foreign(id string) error {
	if of := s.manifest.Distribution; of != "" && id != "" && of != id {
		return &site.ForeignError{Distribution: of, Want: id}
	}
	return nil
}

// holdsFiles refuses a release without any file, which is nearly always that of a build that wrote elsewhere.
func (s source) holdsFiles(flag string) error {
	if len(s.manifest.Snapshot) > 0 {
		return nil
	}
	return usage{withTry(fmt.Errorf("%s %s holds no files", flag, s.name), "the directory that your build writes, with index.html in it")}
}

// errContent marks what does not unpack as the archive's directory says.
var errContent = errors.New("its content is damaged")

// Bounds of what is read.
const (
	// maxUnpacked is how many bytes of a zip are unpacked to compare them with their checksums.
	maxUnpacked = 4 << 30
	// maxPiped is how many bytes are read from what is no regular file.
	maxPiped = 1 << 30
)

// readSource reads a directory, a zip or a manifest, which it is by what it holds. What is neither a
// directory nor a zip is a manifest: one that is damaged where it cannot be read, or that is missing
// where its name has an extension, other than a zip's.
func readSource(name string) (source, error) {
	s := source{name: name}
	info, err := os.Stat(name)
	if err != nil {
		if ext := filepath.Ext(name); errors.Is(err, os.ErrNotExist) && len(ext) > 1 && !strings.EqualFold(ext, ".zip") && !strings.HasSuffix(ext, "/") {
			s.damage = fmt.Errorf("read manifest: %w", bare(err))
			return s, nil
		}
		return s, bare(err)
	}
	if info.IsDir() {
		s.manifest.Snapshot, err = site.FromFS(os.DirFS(name))
		return s, err
	}
	f, err := os.Open(name)
	if err != nil {
		return s, bare(err)
	}
	defer f.Close()
	if !info.Mode().IsRegular() {
		data, err := io.ReadAll(io.LimitReader(f, maxPiped))
		if err != nil {
			return s, bare(err)
		}
		return s.read(bytes.NewReader(data), int64(len(data)))
	}
	return s.read(f, info.Size())
}

// read reads a file.
func (s source) read(r io.ReaderAt, size int64) (source, error) {
	var err error
	if s.isZip(r, size) {
		if s.manifest.Snapshot, err = site.FromZip(r, size); err == nil {
			err = checkContent(r, size, s.manifest.Snapshot)
		}
		return s, err
	}
	data, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil {
		return s, bare(err)
	}
	s.manifest, s.damage = site.Decode(data, "")
	return s, nil
}

// isZip reports whether a file is a zip, or should be one. Source: APPNOTE.TXT 4.3.7, 4.3.16.
func (s source) isZip(r io.ReaderAt, size int64) bool {
	var head [4]byte
	n, _ := r.ReadAt(head[:min(size, 4)], 0) // what cannot be read is told later
	signature := string(head[:n])
	return strings.EqualFold(filepath.Ext(s.name), ".zip") || signature == "PK\x03\x04" || signature == "PK\x05\x06"
}

// checkContent unpacks a zip's files and compares them with the checksums that plans go by: the
// directory may be whole while the content is not. A site too large for that is left to the deploy,
// which unpacks it too.
func checkContent(r io.ReaderAt, size int64, snapshot site.Snapshot) error {
	total := int64(0)
	for i := range snapshot {
		if total += snapshot[i].Size; total < 0 || total > maxUnpacked {
			return nil
		}
	}
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return fmt.Errorf("%w: %w", errContent, err)
	}
	for _, f := range archive.File {
		if err := unpack(f); err != nil && !errors.Is(err, zip.ErrAlgorithm) {
			return fmt.Errorf("%w: entry %q: %w", errContent, f.Name, err)
		}
	}
	return nil
}

func unpack(f *zip.File) error {
	content, err := f.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(io.Discard, content)
	return err
}
