// Package commandline is what the tests share of people at a shell: the command line as a process of its own,
// and a command for their scripts.
package commandline

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/unstale/unstale/internal/cli"
)

// Variable, set in the environment, makes the binary of a test the command line, where its TestMain begins
// with Main. It spares linking the program: a process is needed, as one reads its environment once.
const Variable = "UNSTALE_TEST_COMMAND"

// Main is the command line and does not return, if the environment says so.
func Main() {
	if os.Getenv(Variable) != "" {
		os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
}

// Exits is a script's command that runs a program which must end with a code: exits CODE PROGRAM [ARG...].
func Exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var exit *exec.ExitError
	code := 0
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("%s: exit code %d, want %d", strings.Join(args[1:], " "), code, want)
	}
}
