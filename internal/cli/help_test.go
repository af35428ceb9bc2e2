package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// walk visits every command that people see.
func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "completion" {
			walk(sub, visit)
		}
	}
}

// Every command says what it is for, shows how it is used, and describes each flag.
func TestHelpIsComplete(t *testing.T) {
	root := newRoot()
	root.InitDefaultCompletionCmd()
	walk(root, func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short is %q", path, cmd.Short)
		}
		if cmd.Long == "" {
			t.Errorf("%s has no Long", path)
		}
		ours := cmd.Name() != "completion" && (cmd.Parent() == nil || cmd.Parent().Name() != "completion") // cobra's have examples in Long
		if ours && !strings.Contains(cmd.Example, "unstale") {
			t.Errorf("%s has no Example", path)
		}
		for line := range strings.Lines(cmd.Example) {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: the example %q is not indented", path, line)
			}
		}
		for line := range strings.Lines(cmd.Long) {
			if ours && len([]rune(strings.TrimSpace(line))) > 110 { // in the source; printed it is wrapped
				t.Errorf("%s: a line of Long is %d characters: %s", path, len(line), line)
			}
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s is not described", path, f.Name)
			}
		})
	})
}

// The examples of --help are command lines that the flags take.
func TestExamplesParse(t *testing.T) {
	walk(newRoot(), func(cmd *cobra.Command) {
		for _, line := range strings.Split(strings.ReplaceAll(cmd.Example, "\\\n", " "), "\n") {
			line, _, _ = strings.Cut(line, " #")
			_, line, found := strings.Cut(line, "unstale ")
			if !found {
				continue
			}
			line = strings.FieldsFunc(line, func(r rune) bool { return r == '|' || r == '>' })[0]
			sub, args, err := newRoot().Find(strings.Fields(line))
			if err == nil {
				err = sub.ParseFlags(args)
			}
			if err != nil {
				t.Errorf("%s: the example %q: %v", cmd.CommandPath(), line, err)
			}
		}
	})
}

// helpOf is what a command's help prints.
func helpOf(t *testing.T, cmd *cobra.Command) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
	if code := Main(t.Context(), args, strings.NewReader(""), &stdout, &stderr); code != exitDone || stderr.Len() > 0 {
		t.Fatalf("%q: exit code %d: %s", args, code, &stderr)
	}
	return stdout.String()
}

// No line of help is too long for the narrowest terminal that people have, and nothing is lost for that.
func TestHelpFits(t *testing.T) {
	walk(newRoot(), func(cmd *cobra.Command) {
		help := helpOf(t, cmd)
		for line := range strings.Lines(help) {
			line = strings.TrimSuffix(line, "\n")
			if n := len([]rune(line)); n > 80 || strings.Contains(line, "\t") {
				t.Errorf("%s: %d columns: %s", cmd.CommandPath(), n, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("%s: blanks at the end of %q", cmd.CommandPath(), line)
			}
		}
		words := strings.Join(strings.Fields(help), " ")
		whole := []string{cmd.Long, cmd.UseLine()}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { whole = append(whole, "--"+f.Name, f.Usage) })
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				whole = append(whole, sub.Name()+" "+sub.Short)
			}
		}
		for _, text := range whole {
			if text = strings.ReplaceAll(text, "`", ""); !strings.Contains(words, strings.Join(strings.Fields(text), " ")) {
				t.Errorf("%s does not tell %q", cmd.CommandPath(), text)
			}
		}
	})
}

// A command line that is too long goes on as shells take it; one that fits stays as it was written.
func TestHelpFoldsExamples(t *testing.T) {
	long := strings.Repeat("x", 40)
	for _, tt := range []struct{ written, told string }{
		{"  unstale plan --json   # so", "  unstale plan --json   # so\n"},
		{"  a \\\n    --b # c\n  d", "  a \\\n    --b # c\n  d\n"},
		{
			"  unstale plan --site " + long + " --previous " + long + " '/a b'   # so and so",
			"  # so and so\n  unstale plan --site " + long + " \\\n    --previous " + long + " '/a b'\n",
		},
		{
			"  unstale plan --site " + long + " \\\n    --x 1 --y " + long + " -v | jq -r '.a | .b'  # so",
			"  # so\n  unstale plan --site " + long + " --x 1 \\\n    --y " + long + " -v | jq -r '.a | .b'\n",
		},
	} {
		var p printer
		p.examples(tt.written)
		if p.String() != tt.told {
			t.Errorf("%s\nis told as\n%s", tt.written, p.String())
		}
	}
}

// The exit codes that --help tells are those there are.
func TestHelpTellsExitCodes(t *testing.T) {
	help := newRoot().Long
	for code, text := range []string{"done", "a target failed", "the command line", "still in progress", "viewers still see"} {
		if !strings.Contains(help, "    "+string(rune('0'+code))+"  ") || !strings.Contains(help, text) {
			t.Errorf("the help does not tell exit code %d: %s", code, text)
		}
	}
	if !strings.Contains(help, "  130  Ctrl-C") {
		t.Error("the help does not tell exit code 130")
	}
}

// completed is what a shell is offered for a command line.
func completed(t *testing.T, args ...string) []string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := Main(t.Context(), append([]string{cobra.ShellCompNoDescRequestCmd}, args...), strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("complete %q: exit code %d: %s", args, code, &stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	lines = lines[:len(lines)-1]                                                                                   // the last one is the directive
	return slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(line, args[len(args)-1]) }) // as the shell does
}

func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config":       "[default]\nregion = x\n[profile build]\n  [ profile no ]\n[profile  site ]\n[sso-session team]\n",
		"credentials":  "# [gone]\n[build]\n[old]\naws_access_key_id = [x\n",
		"targets.yaml": "version: 1\ntargets:\n  shop: {route: same-account, distribution: E1}\n  docs: {route: same-account, distribution: E2}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"deploy |", []string{"assume", "direct", "relay", "same-account", "states"}},
		{"deploy relay --pipeline-profile |", []string{"build", "default", "old", "site"}},
		{"deploy relay --delivery-profile s|", []string{"site"}},
		{"rehearse --route s|", []string{"same-account", "states"}},
		{"rehearse --break external|", []string{"external-id"}},
		{"rehearse |", nil},
		{"plan --preset c|", []string{"cheapest"}},
		{"template delivery-r|", []string{"delivery-relay"}},
		{"doctor --config TARGETS s|", []string{"shop"}},
		{"doctor shop --config TARGETS |", nil},
		{"status shop --config TARGETS |", []string{"docs"}},
	} {
		line, _ := strings.CutSuffix(tt.line, "|")
		args := strings.Split(strings.ReplaceAll(line, "TARGETS", filepath.Join(dir, "targets.yaml")), " ")
		got := completed(t, args...)
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s completes to %q, not %q", tt.line, got, tt.want)
		}
	}
}

// Targets and groups come out of the file that the command would read; a file that is wrong completes
// to nothing and says nothing.
func TestCompletionOfTargets(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	const text = `version: 1
targets:
  shop: {route: same-account, distribution: E1, groups: [web]}
  docs: {route: same-account, distribution: E2, groups: [web, eu]}
  ring: {route: direct, distribution: E3}
`
	for file, text := range map[string]string{good: text, bad: "version: 2"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newCommand := func(file string) *cobra.Command {
		cmd := &cobra.Command{Use: "any"}
		cmd.Flags().String("config", file, "")
		return cmd
	}
	for _, tt := range []struct {
		file   string
		choose chooses
		args   []string
		start  string
		want   []string
	}{
		{good, targetNames, nil, "", []string{"shop", "docs"}},
		{good, targetNames, []string{"shop"}, "", []string{"docs"}},
		{good, targetNames, nil, "s", []string{"shop"}},
		{good, groupNames, nil, "", []string{"eu", "web"}},
		{bad, targetNames, nil, "", nil},
		{filepath.Join(dir, "none.yaml"), groupNames, nil, "", nil},
	} {
		got, directive := offer(tt.choose)(newCommand(tt.file), tt.args, tt.start)
		if !slices.Equal(got, tt.want) || directive != cobra.ShellCompDirectiveNoFileComp {
			t.Errorf("%s %q %q: %q, not %q (%d)", filepath.Base(tt.file), tt.args, tt.start, got, tt.want, directive)
		}
	}
}
