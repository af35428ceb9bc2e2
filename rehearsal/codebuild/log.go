package codebuild

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/logs"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Lines are sent to the log group together, well below the limits of PutLogEvents.
const (
	batchLines = 500
	batchBytes = 512 << 10
)

// maxLine is where a longer line is cut in two: CloudWatch Logs takes 256 KiB an event (H).
const maxLine = 128 << 10

// buildLog takes a build's output to its log group, as the build's role, and to the rehearsal's
// Output.
type buildLog struct {
	service *Service
	build   *build

	mu      sync.Mutex
	caller  accounts.Caller
	opened  bool
	partial []byte
	pending []logs.Event
	size    int // bytes pending
}

// open makes the log stream, and its group where it is missing. A role that may not write logs fails
// its build, as on AWS (M).
func (l *buildLog) open(caller accounts.Caller) error {
	b := l.build
	if b.Group == "" {
		return nil
	}
	err := l.service.Logs.CreateStream(caller, b.place, b.Group, b.Stream)
	if err != nil && wire.AsError(err).Code == "ResourceNotFoundException" {
		if err = l.service.Logs.CreateGroup(caller, b.place, b.Group); err == nil {
			err = l.service.Logs.CreateStream(caller, b.place, b.Group, b.Stream)
		}
	}
	if err != nil {
		return fmt.Errorf("ACCESS_DENIED: Service role %s does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams for build %s. Error message: %w",
			b.Role, b.ARN, err)
	}
	l.caller, l.opened = caller, true
	return nil
}

// say writes one line of CodeBuild's own.
func (l *buildLog) say(format string, args ...any) {
	_, _ = l.Write([]byte(prefix + fmt.Sprintf(format, args...) + "\n"))
}

// Write takes output of the build's processes. It never fails, as a lost log line must not break a build.
func (l *buildLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		end := bytes.IndexByte(l.partial, '\n')
		if end < 0 && len(l.partial) > maxLine {
			end = maxLine
		}
		if end < 0 {
			break
		}
		l.line(string(l.partial[:end]))
		if l.partial = l.partial[end:]; l.partial[0] == '\n' {
			l.partial = l.partial[1:]
		}
	}
	return len(p), nil
}

func (l *buildLog) line(text string) {
	text = strings.TrimRight(text, "\r")
	if out := l.service.Output; out != nil {
		_, _ = fmt.Fprintf(out, "%s %s\n", l.build.Project, text)
	}
	if text == "" {
		text = " " // an event's message has at least one character
	}
	for ; len(text) > maxLine; text = text[maxLine:] {
		l.add(text[:maxLine])
	}
	l.add(text)
}

func (l *buildLog) add(message string) {
	l.pending = append(l.pending, logs.Event{Time: l.service.Clock.Now(), Message: message})
	if l.size += len(message); len(l.pending) >= batchLines || l.size >= batchBytes {
		l.send()
	}
}

// flush sends what there is, a last line without its end too.
func (l *buildLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) > 0 {
		l.line(string(l.partial))
		l.partial = nil
	}
	l.send()
}

// send gives the lines to the log group. A denial shows in the journal; the lines are lost, as on AWS.
func (l *buildLog) send() {
	if l.opened && len(l.pending) > 0 {
		_ = l.service.Logs.Put(l.caller, l.build.place, l.build.Group, l.build.Stream, l.pending)
	}
	l.pending, l.size = nil, 0
}
