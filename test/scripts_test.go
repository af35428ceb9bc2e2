package test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/unstale/unstale/test/commandline"
	"github.com/unstale/unstale/test/stage"
)

// The command line's specification: each script is what a person types and what comes back.
func TestScripts(t *testing.T) {
	t.Parallel()
	bin := filepath.Dir(stage.Program(t))
	testscript.Run(t, testscript.Params{
		Dir: "scripts",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("BIN", bin)
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": commandline.Exits},
	})
}
