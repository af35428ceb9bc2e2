package lambda

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Limits of deployment packages, in bytes. Source: Lambda Developer Guide, "Lambda quotas" (H).
const (
	maxUpload   = 70_167_211 // of a request with the zip inside
	maxUnpacked = 262_144_000
)

// code is an unpacked deployment package.
type code struct {
	dir  string // read-only
	sha  string // SHA-256 of the zip, base64
	size int64  // of the zip
}

// load fetches a deployment package and unpacks it.
func (s *Service) load(ctx context.Context, c accounts.Caller, p Package) (*code, error) {
	data := p.ZipFile
	switch {
	case len(data) > 0 && (p.S3Bucket != "" || p.S3Key != ""):
		return nil, invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case len(data) > maxUpload:
		return nil, wire.Errorf(413, "RequestEntityTooLargeException", "Request must be smaller than %d bytes for the CreateFunction operation", maxUpload)
	case len(data) == 0 && (p.S3Bucket == "" || p.S3Key == ""):
		return nil, invalid("Please provide a source for function code.")
	case len(data) == 0:
		var err error
		if data, err = s.GetObject(ctx, c, p.S3Bucket, p.S3Key); err != nil {
			return nil, objectError(p, wire.AsError(err))
		}
	}
	return s.unpack(data)
}

// objectError is what Lambda says when S3 will not give it the package (M).
func objectError(p Package, e *wire.Error) error {
	if e.HTTPStatus() == 403 {
		return &wire.Error{
			Status: 403, Code: "AccessDenied", Cause: e.Message,
			Message: fmt.Sprintf("Your access has been denied by S3, please make sure your request credentials have permission to GetObject for %s/%s. S3 Error Code: AccessDenied. S3 Error Message: %s", p.S3Bucket, p.S3Key, e.Message),
		}
	}
	if e.HTTPStatus() >= 500 {
		return e
	}
	return invalid("Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", e.Code, e.Message)
}

// unpack writes a zip's files, once for each zip, into a directory that nothing can write to.
func (s *Service) unpack(data []byte) (*code, error) {
	sum := sha256.Sum256(data)
	packages := cmp.Or(s.Packages, s.dir)
	c := &code{dir: filepath.Join(packages, "code-"+hex.EncodeToString(sum[:])), sha: base64.StdEncoding.EncodeToString(sum[:]), size: int64(len(data))}
	if _, err := os.Stat(c.dir); err == nil {
		return c, nil
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	var total uint64
	for _, f := range archive.File {
		total += f.UncompressedSize64
	}
	if total > maxUnpacked {
		return nil, invalid("Unzipped size must be smaller than %d bytes", maxUnpacked)
	}
	scratch, err := os.MkdirTemp(packages, "unpack-")
	if err != nil {
		return nil, fmt.Errorf("unpack code: %w", err)
	}
	if err := unzip(archive, scratch); err != nil {
		_ = removeAll(scratch)
		return nil, err
	}
	if err := os.Rename(scratch, c.dir); err != nil {
		_ = removeAll(scratch) // somebody else was faster with the same zip
	}
	return c, nil
}

func unzip(archive *zip.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack code: %w", err)
	}
	defer root.Close()
	for _, f := range archive.File {
		if err := unzipFile(root, f); err != nil {
			return err
		}
	}
	return nil
}

func unzipFile(root *os.Root, f *zip.File) error {
	name := path.Clean(f.Name)
	if !filepath.IsLocal(name) {
		return invalid("Could not unzip uploaded file: %s is outside of the package.", f.Name)
	}
	if strings.HasSuffix(f.Name, "/") {
		if err := root.MkdirAll(name, 0o755); err != nil {
			return badZip(f, err)
		}
		return nil
	}
	if !f.Mode().IsRegular() {
		return wire.NotEmulated("links and devices in a deployment package: %s", f.Name)
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return badZip(f, err)
	}
	in, err := f.Open()
	if err != nil {
		return badZip(f, err)
	}
	defer in.Close()
	// A process that is forked while the file is open for writing would inherit it for a moment, and
	// running the file would then fail with "text file busy": no forks meanwhile.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	out, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, f.Mode().Perm()&0o555|0o400)
	if err != nil {
		return badZip(f, err)
	}
	if _, err := io.Copy(out, io.LimitReader(in, maxUnpacked)); err != nil {
		_ = out.Close()
		return badZip(f, err)
	}
	if err := out.Close(); err != nil {
		return badZip(f, err)
	}
	return nil
}

// badZip is AWS's answer to a package that cannot be unpacked; what was wrong goes to the journal.
func badZip(f *zip.File, err error) error {
	e := wire.AsError(invalid("Could not unzip uploaded file. Please check your file, then try to upload again."))
	e.Cause = fmt.Sprintf("unpack %s: %v", f.Name, err)
	return e
}

// removeAll removes a directory, also one that a function made unwritable.
func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
