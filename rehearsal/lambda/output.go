package lambda

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/logs"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	logInterval = 500 * time.Millisecond // between looks at the output of a function at work
	maxLine     = 256 << 10              // Source: CloudWatch Logs quotas, event size (H)
	maxTail     = 4096                   // Source: Lambda API Reference, Invoke, LogType (H)
)

// outputLog carries what a process prints to its log group, between START and END of each
// invocation. The process writes to a file and not to a pipe, so that whatever it printed before
// it answered is there when the answer is.
type outputLog struct {
	sink   LogSink
	clock  *clock.Clock
	caller accounts.Caller // the function's role: what it may not write is dropped
	place  logs.Place
	group  string
	stream string

	mu      sync.Mutex
	file    *os.File
	offset  int64
	pending []logs.Event
	tail    strings.Builder // of this invocation
	made    bool            // the stream is there
}

func (l *outputLog) now() time.Time { return l.clock.Now() }

// begin writes START, after what the process printed before.
func (l *outputLog) begin(requestID, version string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail.Reset()
	l.line(fmt.Sprintf("START RequestId: %s Version: %s", requestID, version))
}

// add writes a line of Lambda's own.
func (l *outputLog) add(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.collect()
	l.line(text)
}

// report is what REPORT says.
type report struct {
	requestID    string
	took, init   time.Duration // init 0: not a cold start
	memory, peak int           // MiB; peak 0: unknown
}

func (r report) String() string {
	out := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %.0f ms\tMemory Size: %d MB\t",
		r.requestID, millis(r.took), math.Ceil(millis(r.took+r.init)), r.memory)
	if r.peak > 0 {
		out += fmt.Sprintf("Max Memory Used: %d MB\t", r.peak)
	}
	if r.init > 0 {
		out += fmt.Sprintf("Init Duration: %.2f ms\t", millis(r.init))
	}
	return out
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// end writes END and REPORT, sends everything, and gives the tail of this invocation's log.
func (l *outputLog) end(r report) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.collect()
	l.line("END RequestId: " + r.requestID)
	l.line(r.String())
	l.send()
	text := l.tail.String()
	return text[max(0, len(text)-maxTail):]
}

// flush sends what there is.
func (l *outputLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.collect()
	l.send()
}

// last takes what the process still printed and closes the file. What comes after the last
// invocation is kept only if another line is sent later, as on AWS.
func (l *outputLog) last() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.collect()
	_ = l.file.Close()
	l.file = nil
}

// collect reads what was printed since the last time. The caller holds mu.
func (l *outputLog) collect() {
	if l.file == nil {
		return
	}
	data, err := io.ReadAll(io.NewSectionReader(l.file, l.offset, 1<<30))
	if err != nil || len(data) == 0 {
		return
	}
	l.offset += int64(len(data))
	for text := range lines(string(data)) {
		l.line(text)
	}
}

// line takes one line. The caller holds mu.
func (l *outputLog) line(text string) {
	if text == "" {
		return // CloudWatch Logs takes no empty event
	}
	text = text[:min(len(text), maxLine)]
	l.tail.WriteString(text + "\n")
	l.pending = append(l.pending, logs.Event{Time: l.clock.Now(), Message: text + "\n"})
}

// send writes the pending lines with the function's own permissions; what it may not write is
// lost, and the journal has the denial. Lambda makes the group and the stream when they are
// missing and the role may. The caller holds mu.
func (l *outputLog) send() {
	if l.sink == nil || len(l.pending) == 0 {
		return
	}
	batch := l.pending
	l.pending = nil
	if !l.made {
		err := l.sink.CreateStream(l.caller, l.place, l.group, l.stream)
		if err != nil && wire.AsError(err).Code == "ResourceNotFoundException" {
			if l.sink.CreateGroup(l.caller, l.place, l.group) != nil {
				return
			}
			err = l.sink.CreateStream(l.caller, l.place, l.group, l.stream)
		}
		if err != nil {
			return
		}
		l.made = true
	}
	for len(batch) > 0 {
		n := fitting(batch)
		if err := l.sink.Put(l.caller, l.place, l.group, l.stream, batch[:n]); err != nil {
			l.made = false // the group may have been deleted; look again next time
			return
		}
		batch = batch[n:]
	}
}

// fitting is how many of the events go into one PutLogEvents call, well inside its limits.
func fitting(events []logs.Event) int {
	n, size := 0, 0
	for n < len(events) && n < 1000 && (n == 0 || size+len(events[n].Message) < 500_000) {
		size += len(events[n].Message)
		n++
	}
	return n
}

// streamName is a log stream as Lambda names them: date, version and a random ID.
func streamName(t time.Time, version string) string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return t.Format("2006/01/02") + "/[" + version + "]" + hex.EncodeToString(b)
}

// lines splits text at newlines; a last line without one counts.
func lines(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for text != "" {
			line, rest, _ := strings.Cut(text, "\n")
			if !yield(line) {
				return
			}
			text = rest
		}
	}
}
