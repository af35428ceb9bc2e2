// Package cli is the command line: one file a verb. It parses, calls, and prints; what a command
// does is in the packages it calls.
package cli

import (
	"bytes"
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

// interrupted is the cause of a context that a signal ended. A command that returns it says nothing else
// than what goes on, where something does.
type interrupted struct {
	signal syscall.Signal
	goesOn string
}

func (i interrupted) Error() string {
	if i.goesOn != "" {
		return "interrupted: " + i.goesOn
	}
	return "interrupted"
}

// cutOff is the interruption in place of an error that comes of it; any other error stays what it is, and
// so does one that has an exit code of its own.
func cutOff(ctx context.Context, err error) error {
	var cause, said interrupted
	var own coded
	if err == nil || errors.As(err, &own) || errors.As(err, &said) || !errors.As(context.Cause(ctx), &cause) {
		return err
	}
	// By its text, too: documents such as that of status keep no more of an error.
	if !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), context.Canceled.Error()) {
		return err
	}
	return cause
}

// untilDone is a reader whose Read ends with the context, although the one below it may never return: a
// person at a terminal may not have anything to say.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	type result struct {
		n   int
		err error
	}
	own, read := make([]byte, len(p)), make(chan result, 1)
	go func() {
		n, err := u.r.Read(own)
		read <- result{n, err}
	}()
	select {
	case got := <-read:
		return copy(p, own[:got.n]), got.err
	case <-u.ctx.Done():
		return 0, u.ctx.Err()
	}
}

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
	helped := helping(root)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(typed(ctx, args))
	if err == nil {
		err = helped()
	}
	err = cutOff(ctx, err)
	if err == nil {
		return exitDone
	}
	_, _ = fmt.Fprintf(stderr, "unstale: %v\n", err) // where stderr is closed there is nobody to tell
	h := hinted{try: lastHint(err, cmd)}
	_ = errors.As(err, &h) // it knows better
	if h.try != "" {
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

// helping has the help told whole: cobra forgets what its writing comes to. helped is that.
func helping(root *cobra.Command) (helped func() error) {
	var failure error
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		var text bytes.Buffer
		out := cmd.OutOrStdout()
		cmd.SetOut(&text)
		help(cmd, args)
		if _, err := out.Write(text.Bytes()); err != nil {
			failure = fmt.Errorf("print the help: %w", err)
		}
	})
	return func() error { return failure }
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
			cancel(interrupted{signal: number})
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
  130  Ctrl-C ended it; invalidate then ends with 3, since AWS goes on

An error ends with a line "try:" that says what to do next.`,
		Example: `  unstale rehearse   # both accounts on this machine: nothing to set up, or to pay
  unstale deploy assume --own-pipeline \
    --pipeline-profile build --delivery-profile site
  unstale doctor --pipeline-profile build --delivery-profile site`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usage{withTry(noSuch("command", args[0], verbs(cmd)), "unstale --help")}
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage{flagError(cmd, err)}
	})
	root.AddCommand(newDeploy(), newDoctor(), newInvalidate(), newPlan(), newRehearse(), newStatus(), newTemplate(), newVersion())
	for _, cmd := range root.Commands() {
		cmd.Flags().SortFlags = false // they are declared in the order in which they are best read
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	folding(root)
	strict(root)
	complete(root)
	return root
}

// strict makes cobra's own commands refuse what they do not know, instead of telling of something else.
func strict(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Run = nil
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				about, rest, err := root.Find(args)
				if err == nil && about == root && len(rest) > 0 {
					err = noSuch("command", rest[0], verbs(root))
				}
				if err != nil {
					return usage{withTry(err, "%s --help", root.Name())}
				}
				about.InitDefaultHelpFlag()
				return about.Help()
			}
		case "completion":
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return usage{withTry(fmt.Errorf("there is no completion for %q", args[0]), "%s --help", cmd.CommandPath())}
				}
				return cmd.Help()
			}
		}
	}
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
