package codebuild

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Limits on what a source zip unpacks to, so that a bad one cannot fill the disk.
const (
	maxFiles    = 200_000
	maxUnpacked = 4 << 30
)

// unpack writes a source artifact below dir. Names that would leave dir are refused by os.Root.
func unpack(raw []byte, dir string) error {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return fmt.Errorf("read the source artifact: %w", err)
	}
	if len(z.File) > maxFiles {
		return fmt.Errorf("read the source artifact: it has %d files, %d at most", len(z.File), maxFiles)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the build's directory: %w", err)
	}
	defer root.Close()
	var total uint64
	for _, f := range z.File {
		if total += f.UncompressedSize64; total > maxUnpacked {
			return fmt.Errorf("unpack the source artifact: it is larger than %d bytes", int64(maxUnpacked))
		}
		if err := unpackFile(root, f); err != nil {
			return fmt.Errorf("unpack %s: %w", f.Name, err)
		}
	}
	return nil
}

func unpackFile(root *os.Root, f *zip.File) error {
	name := strings.TrimSuffix(f.Name, "/")
	mode := f.Mode()
	switch {
	case mode.IsDir():
		return root.MkdirAll(name, 0o755)
	case mode&fs.ModeSymlink != 0:
		target, err := read(f)
		if err != nil {
			return err
		}
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		return root.Symlink(string(target), name)
	case !mode.IsRegular():
		return fmt.Errorf("it is neither a file nor a directory")
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	data, err := read(f)
	if err != nil {
		return err
	}
	return root.WriteFile(name, data, mode.Perm()&0o755|0o600)
}

func read(f *zip.File) ([]byte, error) {
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, int64(f.UncompressedSize64)))
}

// pack zips the files below src/base that the patterns name: deflated, in order of name, with
// forward slashes. No file at all is an error, as it is in CodeBuild.
func pack(src, base string, patterns []string) ([]byte, error) {
	dir := filepath.Join(src, filepath.FromSlash(base))
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("the build made no directory %q, which buildspec.yml names as base-directory", base)
	}
	names, err := matching(dir, patterns)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no matching artifact paths found in %q for %q", path.Join("/", base), patterns)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	for _, name := range names {
		if err := packFile(z, dir, name); err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack the artifact: %w", err)
	}
	return out.Bytes(), nil
}

func packFile(z *zip.Writer, dir, name string) error {
	file := filepath.Join(dir, filepath.FromSlash(name))
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	header, err := zip.FileInfoHeader(info)
	if err != nil {
		return err
	}
	header.Name, header.Method = name, zip.Deflate
	w, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// matching lists regular files below dir, by slash-separated name, that one of the patterns names.
func matching(dir string, patterns []string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return nil // a link may lead out of the build: it is left out
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if slices.ContainsFunc(patterns, func(pattern string) bool { return Glob(pattern, name) }) {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the artifact's files: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// Glob says whether a buildspec's pattern names a file: "*" and "?" stay within one part of the
// path, "**" stands for any number of parts, including none.
func Glob(pattern, name string) bool {
	return globParts(strings.Split(strings.TrimPrefix(pattern, "./"), "/"), strings.Split(name, "/"))
}

func globParts(pattern, name []string) bool {
	for len(pattern) > 0 && pattern[0] != "**" {
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	if len(pattern) == 0 {
		return len(name) == 0
	}
	for len(pattern) > 1 && pattern[1] == "**" {
		pattern = pattern[1:] // "**/**" is "**": keeps the work polynomial
	}
	for skip := range len(name) + 1 {
		if len(pattern) == 1 || globParts(pattern[1:], name[skip:]) {
			return len(pattern) > 1 || len(name) > 0
		}
	}
	return false
}
