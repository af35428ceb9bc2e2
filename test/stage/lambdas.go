// Package stage is what the tests of whole stories share: the Lambda zips that they deploy.
package stage

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Lambdas is the directory of the Lambda zips of this checkout: those of make lambdas when they are
// newer than every source, so that nothing stale is tested, and otherwise fresh ones. What is built
// is built once in a test process and removed by the main function's cleanup.
func Lambdas(t testing.TB) string {
	t.Helper()
	dir, err := lambdas()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Main runs a package's tests and removes what Lambdas built. What follows the tests comes last of all
// that is printed.
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

var built string // the temporary directory that lambdas filled; empty: none

var lambdas = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	made := filepath.Join(root, "dist", "lambda")
	if fresh, err := newer(made, root); err != nil || fresh {
		return made, err
	}
	if built, err = os.MkdirTemp("", "unstale-lambdas-"); err != nil {
		return "", fmt.Errorf("build the Lambda zips: %w", err)
	}
	relative, err := filepath.Rel(root, built) // the tool takes its directory from the module's
	if err != nil {
		return "", fmt.Errorf("build the Lambda zips: %w", err)
	}
	cmd := exec.Command("go", "run", "./lambdazip", "-C", "..", "-o", relative, "./cmd/pipeline-job", "./cmd/invalidator")
	cmd.Dir = filepath.Join(root, "tools")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the Lambda zips: %w: %s", err, out)
	}
	return built, nil
})

// moduleRoot is the checkout's top directory, above the package under test.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
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
