package story

import (
	"io"
	"slices"
	"strings"
	"sync"
)

// keptLines is how many lines of a build that failed are shown: enough for a compiler's complaint.
const keptLines = 20

// output takes what builds print, a whole line a write, and keeps the last lines.
type output struct {
	to      io.Writer // nil: nobody
	command func(string)

	mu    sync.Mutex
	lines []string
}

// own is how lines begin that CodeBuild itself says, and begins how it says that a command begins.
const (
	own    = "[Container] "
	begins = own + "Running command "
)

// Write never fails: a line that cannot be shown must not break a build.
func (o *output) Write(p []byte) (int, error) {
	if o.to != nil {
		_, _ = o.to.Write(p)
	}
	_, line, _ := strings.Cut(strings.TrimRight(string(p), "\n"), " ")
	o.mu.Lock()
	o.lines = append(o.lines, line)
	o.lines = o.lines[max(0, len(o.lines)-keptLines):]
	o.mu.Unlock()
	if command, ok := strings.CutPrefix(line, begins); ok && o.command != nil {
		o.command(command)
	}
	return len(p), nil
}

// forget makes room for another build.
func (o *output) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = nil
}

// last is the end of what was printed; nil when no command printed anything.
func (o *output) last() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.ContainsFunc(o.lines, func(line string) bool { return !strings.HasPrefix(line, own) }) {
		return nil
	}
	return slices.Clone(o.lines)
}
