package targetfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Variable is the environment variable that holds the file's path.
const Variable = "UNSTALE_CONFIG"

// ErrNone says that there is no targets file. Commands that need none go on without.
var ErrNone = errors.New("find " + Name + ": neither this directory nor one above it has one")

// Locate is the path of the targets file: flag's when it is not "", else that of the variable
// UNSTALE_CONFIG, else what Find finds above dir. lookup is os.LookupEnv in production.
func Locate(flag string, lookup func(string) (string, bool), dir string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if path, set := lookup(Variable); set && path != "" {
		return path, nil
	}
	return Find(dir)
}

// Find looks for unstale.yaml in dir and then in each directory above it, up to the root of the file
// system, as git and eslint do. Without one the error is ErrNone. A file called unstale.yml is an
// error: passing over it in silence would use another one further up.
func Find(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", Name, err)
	}
	for {
		path := filepath.Join(dir, Name)
		switch info, err := os.Stat(path); {
		case err == nil && !info.IsDir():
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return "", fmt.Errorf("find %s: %w", Name, err)
		}
		if other := filepath.Join(dir, "unstale.yml"); exists(other) {
			return "", fmt.Errorf("find %s: %s is not read; rename it to %s", Name, other, Name)
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", ErrNone
		}
		dir = above
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Read reads the targets file at path. lookup gives the variables that the file may name, and is
// os.LookupEnv in production. What is wrong with the content comes as *Problems, all at once.
func Read(path string, lookup func(string) (string, bool)) (*File, error) {
	// Opening a pipe or a device could wait for ever, so its kind is looked at first.
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read targets: %w", err)
	case !info.Mode().IsRegular():
		return nil, whole(path, "", "this is not a regular file")
	case info.Size() > maxSize:
		return nil, whole(path, tooMuchText, "the file has %d bytes, more than %d", info.Size(), maxSize)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read targets: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read targets: %w", err)
	}
	return Parse(path, text, lookup)
}
