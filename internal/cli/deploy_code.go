package cli

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// code finds the Lambda zips: in a directory, in an archive that has them, or as the one zip itself.
type code struct {
	given string
	dir   string // once looked for
	whole bool   // given is the function's own zip
}

// check demands that there is code for the functions before anything is made.
func (c *code) check(functions []string) error {
	if len(functions) == 0 {
		return nil
	}
	if info, err := os.Stat(c.given); c.given != "" && err == nil && !info.IsDir() {
		return c.checkArchive(functions)
	}
	var err error
	c.dir, err = lambdaDirectory(c.given)
	if err != nil {
		return withTry(errors.Unwrap(err), "make lambdas, or --code with the directory or the archive of the Lambda zips")
	}
	return nil
}

func (c *code) checkArchive(functions []string) error {
	archive, err := zip.OpenReader(c.given)
	if err != nil {
		return usage{withTry(fmt.Errorf("open --code %s: %w", c.given, err), "--code with the directory or the archive of the Lambda zips")}
	}
	defer func() { _ = archive.Close() }() // it was only read
	c.whole = slices.ContainsFunc(archive.File, func(f *zip.File) bool { return f.Name == "bootstrap" })
	if c.whole && len(functions) > 1 {
		return usage{withTry(fmt.Errorf("--code %s is the code of one function, but the route needs %s", c.given, strings.Join(functions, " and ")), "--code with the directory of both")}
	}
	return nil
}

// read is the zip of a function for a processor.
func (c *code) read(function, architecture string) ([]byte, error) {
	name := function + "_" + architecture + ".zip"
	if c.dir != "" {
		return readFile(filepath.Join(c.dir, name))
	}
	if c.whole {
		return readFile(c.given)
	}
	archive, err := zip.OpenReader(c.given)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", c.given, err)
	}
	defer func() { _ = archive.Close() }() // it was only read
	for _, f := range archive.File {
		if path.Base(f.Name) != name {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", f.Name, c.given, err)
		}
		body, err := io.ReadAll(io.LimitReader(r, maxCode+1))
		if err = errors.Join(err, r.Close()); err == nil && len(body) > maxCode {
			err = errTooBig
		}
		if err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", f.Name, c.given, err)
		}
		return body, nil
	}
	return nil, fmt.Errorf("read the Lambda code: %s has no %s", c.given, name)
}

// maxCode is how big a function's zip may be. Source: Lambda quotas, 250 MB unzipped.
const maxCode = 250 << 20

var errTooBig = errors.New("it is bigger than the 250 MB that Lambda takes")

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxCode {
		err = errTooBig
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the Lambda code: there is no %s", name)
	}
	var body []byte
	if err == nil {
		body, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the Lambda code %s: %w", name, err)
	}
	return body, nil
}
