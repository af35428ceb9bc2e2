//go:build unix

package site_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/unstale/unstale/site"
)

// A pipe in a directory is refused; opening it would wait for ever.
func TestFromFSDoesNotWaitForAPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skip("this file system has no pipes:", err)
	}
	var wrong *site.NameError
	if _, err := site.FromFS(os.DirFS(dir)); !errors.As(err, &wrong) || wrong.Name != "pipe" {
		t.Error(err)
	}
}
