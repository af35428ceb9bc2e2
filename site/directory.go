package site

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
)

// FromFS reads the snapshot of a release from a directory, every file in full. Symbolic links to
// files count as files; anything else that is neither file nor directory is refused with a
// *NameError, and so is a name that could not become a key as it stands.
func FromFS(dir fs.FS) (Snapshot, error) {
	snapshot := Snapshot{}
	buffer := make([]byte, 256<<10)
	err := fs.WalkDir(dir, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if reason := refuse(name); reason != "" {
			return &NameError{From: "directory", Name: name, Reason: reason}
		}
		object, err := sum(dir, name, buffer)
		snapshot = append(snapshot, object)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read site: %w", err)
	}
	return snapshot.finish("directory") // a walk goes by path elements: "a/b" comes before "a.b"
}

func sum(dir fs.FS, name string, buffer []byte) (Object, error) {
	// What a link leads to counts, and it is looked at before it is opened: opening a pipe waits for
	// whoever writes to it.
	if info, err := fs.Stat(dir, name); err != nil || !info.Mode().IsRegular() {
		return Object{}, cmp.Or(err, error(&NameError{From: "directory", Name: name, Reason: "is no regular file"}))
	}
	f, err := dir.Open(name)
	if err != nil {
		return Object{}, err
	}
	defer f.Close()
	hash := crc32.NewIEEE()
	// Only Write and Read are shown, so that the buffer is used.
	n, err := io.CopyBuffer(struct{ io.Writer }{hash}, struct{ io.Reader }{f}, buffer)
	if err != nil {
		return Object{}, fmt.Errorf("read %s: %w", name, err)
	}
	return Object{Key: name, CRC32: hash.Sum32(), Size: n}, nil
}
