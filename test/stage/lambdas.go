// Package stage is what the tests of whole stories share: the Lambda zips that they deploy, and the program.
package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Lambdas is the directory of the Lambda zips of this checkout, those of make lambdas. Where one is
// missing, or older than a source, so that something stale would be tested, the first test that asks
// builds them anew, and those of every other package wait and take the same.
func Lambdas(t testing.TB) string {
	t.Helper()
	dir, err := lambdas()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Zips packs functions, by their packages in this module, with the tool that packs those of a release,
// and returns the directory of their zips. Main removes it.
func Zips(t testing.TB, packages ...string) string {
	t.Helper()
	dir, err := scratch()
	if err == nil {
		dir, err = os.MkdirTemp(dir, "lambda-")
	}
	if err == nil {
		err = pack(dir, packages...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Program is the path of the program as its source is, built once in a test process.
func Program(t testing.TB) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Main runs a package's tests and removes what was built for them alone. What follows the tests comes last
// of all that is printed.
func Main(m *testing.M, after ...func()) {
	code := m.Run()
	for _, f := range after {
		f()
	}
	if built != "" {
		_ = os.RemoveAll(built) // a temporary directory
	}
	os.Exit(code)
}

var built string // the temporary directory of what is built for this process; empty: none

var scratch = sync.OnceValues(func() (dir string, err error) {
	built, err = os.MkdirTemp("", "unstale-built-")
	return built, err
})

var program = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, err := scratch()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bin", "unstale")
	// Without version control's stamp: who runs the tests need not own the checkout.
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./cmd/unstale")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w: %s", err, out)
	}
	return path, nil
})

var lambdas = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "dist", "lambda")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// The packages' tests are processes of their own: one builds.
	lock, err := os.Open(dir)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }() // unlocks
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", dir, err)
	}
	if fresh, err := newer(dir, root); err != nil || fresh {
		return dir, err
	}
	return dir, renew(dir)
})

// renew replaces the zips in dir, each at once: tests may be reading the old ones. They are as old as
// the build's beginning, so that what is edited meanwhile is newer.
func renew(dir string) error {
	began := time.Now()
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "lambda-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(fresh) }() // what a failure left
	if err := pack(fresh, "./cmd/pipeline-job", "./cmd/invalidator"); err != nil {
		return err
	}
	zips, err := os.ReadDir(fresh)
	if err != nil {
		return err
	}
	for _, zip := range zips {
		path := filepath.Join(fresh, zip.Name())
		if err := errors.Join(os.Chtimes(path, began, began), os.Rename(path, filepath.Join(dir, zip.Name()))); err != nil {
			return err
		}
	}
	return nil
}

// pack has the release's tool build functions into dir.
func pack(dir string, packages ...string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	relative, err := filepath.Rel(root, dir) // the tool takes its directory from the module's
	if err != nil {
		return fmt.Errorf("build the Lambda zips: %w", err)
	}
	cmd := exec.Command("go", append([]string{"run", "./lambdazip", "-C", "..", "-o", relative}, packages...)...)
	cmd.Dir = filepath.Join(root, "tools")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the Lambda zips: %w: %s", err, out)
	}
	return nil
}

// moduleRoot is the checkout's top directory, above the package under test.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", errors.New("find the module: there is no go.mod above the tests")
		}
		dir = above
	}
}

// sources are the trees that the functions are built from, and more: a tree too many costs a build,
// one too few would test old code.
var sources = []string{"cmd", "internal", "invalidation", "plan", "site", "tools", "go.mod", "go.sum"}

// newer says whether every zip in dir is newer than every source.
func newer(dir, root string) (bool, error) {
	var oldest time.Time
	for _, function := range []string{"pipeline-job", "invalidator"} {
		for _, arch := range []string{"arm64", "x86_64"} {
			info, err := os.Stat(filepath.Join(dir, function+"_"+arch+".zip"))
			if err != nil {
				return false, nil //nolint:nilerr // not built: not newer
			}
			if oldest.IsZero() || info.ModTime().Before(oldest) {
				oldest = info.ModTime()
			}
		}
	}
	fresh := true
	for _, source := range sources {
		err := filepath.WalkDir(filepath.Join(root, source), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || !strings.Contains(filepath.Base(path), ".") {
				return err
			}
			info, err := d.Info()
			fresh = fresh && err == nil && info.ModTime().Before(oldest)
			return err
		})
		if err != nil {
			return false, fmt.Errorf("look at the sources of the Lambda functions: %w", err)
		}
	}
	return fresh, nil
}
