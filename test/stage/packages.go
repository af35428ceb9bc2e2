package stage

import (
	"os"
	"path/filepath"
	"testing"
)

// Packages is a directory in which the rehearsals of a test process share functions' unpacked code. Main
// removes it.
func Packages(t testing.TB) string {
	t.Helper()
	dir, err := scratch()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "packages")
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) { // another test's
		t.Fatal(err)
	}
	return dir
}
