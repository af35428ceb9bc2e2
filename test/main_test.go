package test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/story"
)

// root is the module's directory, seen from this package's.
const root = ".."

// limit ends a story that hangs. One with a cold npm build takes a minute.
const limit = 4 * time.Minute

// scratch holds what is built once for all tests; TestMain sets and removes it.
var scratch string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if scratch, err = os.MkdirTemp("", "unstale-test-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	return m.Run(), nil
}

// What the stories run is built from the source as it is, never taken from an earlier build.
var (
	program = sync.OnceValues(func() (string, error) {
		path := filepath.Join(scratch, "bin", "unstale")
		// Without version control's stamp: who runs the tests need not own the checkout.
		return path, command(root, "go", "build", "-buildvcs=false", "-o", path, "./cmd/unstale")
	})
	lambdas = sync.OnceValues(func() (string, error) {
		return zips("lambda", "./cmd/pipeline-job", "./cmd/invalidator")
	})
	articleLambdas = sync.OnceValues(func() (string, error) {
		return zips("article", "./test/testdata/article/pipeline-job", "./test/testdata/article/invalidator")
	})
)

// zips packs functions with the tool that packs those of a release.
func zips(name string, packages ...string) (string, error) {
	dir := filepath.Join(scratch, name)
	from, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	out, err := filepath.Rel(from, dir)
	if err != nil {
		return "", err
	}
	return dir, command(filepath.Join(root, "tools"), "go", append([]string{"run", "./lambdazip", "-C", "..", "-o", out}, packages...)...)
}

func command(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// must is the value of something that is built once.
func must[T any](t *testing.T, build func() (T, error)) T {
	t.Helper()
	v, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// set stages a story by route relay, with our functions unless o names others. Its invalidations are
// quick; what it leaves behind is the test's failure.
func set(t *testing.T, o story.Options) *story.Stage {
	t.Helper()
	o.Route = "relay"
	if o.Lambdas == "" {
		o.Lambdas = must(t, lambdas)
	}
	if o.Median == 0 {
		o.Median = 200 * time.Millisecond
	}
	stage, err := story.Set(deadline(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stage.Close(); err != nil {
			t.Errorf("close the stage: %v", err)
		}
	})
	return stage
}

// empty is two accounts with nothing in them.
func empty(t *testing.T) *story.Stage {
	t.Helper()
	stage, err := story.Set(t.Context(), story.Options{Route: "assume", Source: static.Files, Empty: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stage.Close(); err != nil {
			t.Error(err)
		}
	})
	return stage
}

// outcome is what a run of the program gave.
type outcome struct {
	stdout, stderr string
	code           int
}

// unstale runs the program as a process of its own, with env on top of this process's environment,
// and demands that it leaves nothing behind.
func unstale(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	tmp := t.TempDir()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(deadline(t), must(t, program), args...)
	cmd.Env = append(append(os.Environ(), "TMPDIR="+tmp), env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	nothingLeft(t, tmp)
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
