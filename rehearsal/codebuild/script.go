package codebuild

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// script writes the build as one shell script into dir, and each command into a file beside it. All
// phases run in one shell, so that a cd or an export of one command holds for the next: what
// version 0.2 is. Each command's exit status goes to the file that statuses reads.
//
// The transitions are CodeBuild's (User Guide, "Build phase transitions", M): a failed INSTALL or
// PRE_BUILD ends the build, after a failed BUILD still comes POST_BUILD, and the finally commands
// of a phase that began always run.
func script(b Buildspec, dir string) (path string, err error) {
	w := writer{dir: dir}
	w.line("__cb_failed=0")
	for _, p := range b.Phases {
		w.phase(p)
	}
	w.line("exit $__cb_failed")
	path = filepath.Join(dir, "build.sh")
	if w.err == nil {
		w.err = os.WriteFile(path, []byte(w.text.String()), 0o600)
	}
	if w.err != nil {
		return "", fmt.Errorf("write the build's script: %w", w.err)
	}
	return path, nil
}

type writer struct {
	dir   string
	count int
	text  strings.Builder
	err   error
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.text, format+"\n", args...) }

func (w *writer) phase(p Phase) {
	if p.Name == "POST_BUILD" {
		w.line("if [ $__cb_failed -eq 0 ]; then CODEBUILD_BUILD_SUCCEEDING=1; else CODEBUILD_BUILD_SUCCEEDING=0; fi")
		w.line("export CODEBUILD_BUILD_SUCCEEDING")
	}
	w.line("__cb_status=0")
	w.line(say+"%s", quote(prefix+"Entering phase "+p.Name))
	for _, c := range p.Commands {
		w.line("if [ $__cb_status -eq 0 ]; then")
		w.command(p.Name, c)
		w.line("fi")
	}
	for _, c := range p.Finally {
		w.line("__cb_before=$__cb_status")
		w.command(p.Name, c)
		w.line("if [ $__cb_before -ne 0 ]; then __cb_status=$__cb_before; fi")
	}
	w.line("if [ $__cb_status -ne 0 ]; then __cb_failed=1; fi")
	w.line(say+"%s\"$__cb_status\"", quote(prefix+"Phase complete: "+p.Name+", status "))
	if p.Name == "INSTALL" || p.Name == "PRE_BUILD" {
		w.line("if [ $__cb_failed -ne 0 ]; then exit 1; fi")
	}
}

// command sources the command's file in the running shell. The line before it says that it began, so
// that a command which ends the shell (exit, a syntax error) is known too.
func (w *writer) command(phase, command string) {
	file := filepath.Join(w.dir, strconv.Itoa(w.count)+".sh")
	if err := os.WriteFile(file, []byte(command+"\n"), 0o600); err != nil {
		w.err = cmp.Or(w.err, err)
	}
	status := quote(filepath.Join(w.dir, "status"))
	w.line(say+"%s", quote(prefix+"Running command "+command))
	w.line(say+"%s >>%s", quote(fmt.Sprintf("%s %d -", phase, w.count)), status)
	w.line(". %s </dev/null", quote(file))
	w.line("__cb_status=$?")
	w.line(say+"%s\"$__cb_status\" >>%s", quote(fmt.Sprintf("%s %d ", phase, w.count)), status)
	w.count++
}

const (
	prefix = "[Container] "
	say    = `printf '%%s\n' ` // a shell's own echo may interpret backslashes
)

// quote makes one word of the shell out of any text.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// ran is what became of one command.
type ran struct {
	Phase  string
	Index  int    // among all commands of the build
	Status string // exit status; "-" when the shell ended within it
}

// statuses reads what the script wrote about each command that began.
func statuses(dir string) ([]ran, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("read the build's statuses: %w", err)
	}
	var out []ran
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		index, err := strconv.Atoi(f[1])
		if err != nil {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Index == index {
			out[n-1].Status = f[2]
			continue
		}
		out = append(out, ran{f[0], index, f[2]})
	}
	return out, nil
}
