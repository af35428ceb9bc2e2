package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/nearest"
)

// lastHint is what to try after an error that does not know it: most come from the machine, wherever it was
// met. An interruption has no need of one.
func lastHint(err error, cmd *cobra.Command) string {
	var cause interrupted
	var at *fs.PathError
	switch {
	case errors.As(err, &cause), errors.Is(err, errMistaken): // whose explanation was printed
		return ""
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room where it is written to, then the same command again"
	case errors.Is(err, syscall.EPIPE):
		return "the same command with a reader that reads to the end"
	case errors.As(err, &at) && below(at.Path, os.TempDir()):
		return "TMPDIR=DIR with a directory that is there and that you may write to"
	case errors.Is(err, story.ErrStale):
		return cmd.CommandPath() + " --verbose with the same flags, which shows what builds print"
	}
	return cmd.CommandPath() + " --help"
}

// noSuch is the error of a name that nothing of a kind has. It says which was probably meant.
func noSuch(kind, name string, known []string) error {
	if hint := nearest.Hint(name, known); hint != "" {
		return fmt.Errorf("there is no %s %.120q; %s", kind, name, hint)
	}
	return fmt.Errorf("there is no %s %.120q", kind, name)
}

// verbs are the commands that help tells of.
func verbs(root *cobra.Command) (names []string) {
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() || cmd.Name() == "help" {
			names = append(names, cmd.Name())
		}
	}
	return names
}

// flagError says what is wrong with a flag, in other words than those of the functions that read its value.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var number *strconv.NumError
	if !errors.As(err, &value) || !errors.As(err, &number) {
		return withTry(err, "%s --help", cmd.CommandPath())
	}
	flag, want := value.GetFlag(), "not a whole number"
	try := fmt.Sprintf("--%s %s", flag.Name, flag.DefValue)
	switch {
	case flag.Value.Type() == "bool":
		want, try = "neither true nor false", "--"+flag.Name
	case errors.Is(number, strconv.ErrRange):
		want = "too large"
	}
	return withTry(fmt.Errorf("--%s is %.120q, which is %s", flag.Name, value.GetValue(), want), "%s", try)
}

// below says whether a path is a directory or in it.
func below(path, dir string) bool {
	rest, err := filepath.Rel(dir, path)
	return err == nil && rest != ".." && !strings.HasPrefix(rest, ".."+string(filepath.Separator))
}
