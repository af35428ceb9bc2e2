// Package cli is the command line: one file a verb. It parses, calls, and prints; what a command
// does is in the packages it calls.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// hinted is an error that knows what to try next.
type hinted struct {
	error
	try string
}

func (h hinted) Unwrap() error { return h.error }

// usage marks an error as the caller's: exit code 2.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// withTry adds the next step to an error.
func withTry(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// Main runs one command line and returns its exit code. The first interrupt ends the command's
// context, the second ends the process at once.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // from here on a signal kills, as by default
	// A reader that goes away (| head) is an error of the write, not the end of the process: what was
	// started is still to be ended.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	_, _ = fmt.Fprintf(stderr, "unstale: %v\n", err) // where stderr is closed there is nobody to tell
	var h hinted
	if errors.As(err, &h) {
		_, _ = fmt.Fprintf(stderr, "try: %s\n", h.try)
	}
	var u usage
	if errors.As(err, &u) {
		return exitUsage
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "unstale",
		Short:         "Clear CloudFront caches across AWS accounts, and prove that viewers see the new release",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			text := fmt.Sprintf("there is no command %q", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				text += "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return usage{withTry(errors.New(text), "unstale --help")}
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage{withTry(err, "%s --help", cmd.CommandPath())}
	})
	root.AddCommand(newDeploy(), newDoctor(), newPlan(), newRehearse(), newTemplate())
	return root
}

// version is what the build knows of itself: the module's version, or the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value
		}
		if s.Key == "vcs.modified" && s.Value == "true" {
			v += " (modified)"
		}
	}
	return strings.TrimSpace(v)
}

// colored says whether w is a terminal that wants colours. Source: no-color.org.
func colored(w io.Writer, getenv func(string) string) bool {
	f, ok := w.(*os.File)
	return ok && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
