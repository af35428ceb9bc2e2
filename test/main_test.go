package test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/test/stage"
)

// limit ends a story that hangs. One with a cold npm build takes a minute.
const limit = 4 * time.Minute

func TestMain(m *testing.M) { stage.Main(m) }

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// set stages a story by route relay, with our functions unless o names others. Its invalidations are
// quick; what it leaves behind is the test's failure.
func set(t *testing.T, o story.Options) *story.Stage {
	t.Helper()
	o.Route, o.Packages = "relay", stage.Packages(t)
	if o.Lambdas == "" {
		o.Lambdas = stage.Lambdas(t)
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
	cmd := exec.CommandContext(deadline(t), stage.Program(t), args...)
	cmd.Env = append(append(os.Environ(), "TMPDIR="+tmp), env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	nothingLeft(t, tmp)
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
