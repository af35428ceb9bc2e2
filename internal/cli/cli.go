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
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// The exit codes. What a signal ends has its number added to exitSignal, as in shells.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitSignal = 128
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

// interrupted is the cause of a context that a signal ended. A command that returns it says nothing else.
type interrupted struct{ signal syscall.Signal }

func (interrupted) Error() string { return "interrupted" }

// withTry adds the next step to an error.
func withTry(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// Main runs one command line and returns its exit code. The first interrupt ends the command's
// context, the second ends the process at once.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal(ctx)
	defer stop()
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
	var c coded
	if errors.As(err, &c) {
		return c.code
	}
	var i interrupted
	if errors.As(err, &i) {
		return exitSignal + int(i.signal)
	}
	return exitFailed
}

// untilSignal is a context that the first signal cancels. From then on a signal kills, as by default.
func untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		select {
		case s := <-signals:
			number, _ := s.(syscall.Signal)
			signal.Stop(signals)
			cancel(interrupted{number})
		case <-ctx.Done():
			signal.Stop(signals)
		}
	}()
	return ctx, func() { cancel(nil) }
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "unstale",
		Short: "Clear CloudFront caches across AWS accounts, and prove that viewers see the new release",
		Long: `Clear CloudFront caches across AWS accounts, and prove that viewers see the new release.

The exit codes are the same for every command:

    0  done
    1  a target failed, or something else that was asked for
    2  the command line or a file that it names is wrong
    3  still in progress at AWS when the wait ended
    4  completed, but viewers still see the old release

An error ends with a line "try:" that says what to do next.`,
		Example: `  unstale rehearse                 # both accounts on this machine; nothing to set up, nothing to pay
  unstale deploy assume --own-pipeline --pipeline-profile build --delivery-profile site
  unstale doctor --pipeline-profile build --delivery-profile site`,
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
	root.AddCommand(newDeploy(), newDoctor(), newInvalidate(), newPlan(), newRehearse(), newStatus(), newTemplate())
	complete(root)
	return root
}

// widthOf is how many columns the terminal has that w is; 0 when it is none.
func widthOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// colored says whether w is a terminal that wants colours. Source: no-color.org.
func colored(w io.Writer, getenv func(string) string) bool {
	f, ok := w.(*os.File)
	return ok && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
