package coldstart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// runLimit ends a run that does not answer.
	runLimit = 30 * time.Second
	// functionTime is how long a function is told it has. It is too short to wait for a completion,
	// so that a job is handed over as soon as the invalidation is created.
	functionTime = 5 * time.Second
)

// event is the one event that a process gets, and what it answered.
type event struct {
	payload string
	done    chan struct{} // closed with the answer

	mu     sync.Mutex
	given  time.Time // zero until a process asks
	at     time.Time // zero until it answers
	failed bool
	answer string
}

// ServeHTTP is the Runtime API. Source: Lambda developer guide, "Using the Lambda runtime API".
func (e *event) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/invocation/next"):
		if !e.take() {
			<-r.Context().Done() // there is no second event; the process is killed waiting
			return
		}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "r1")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(functionTime).UnixMilli(), 10))
		_, _ = io.WriteString(w, e.payload)
	case r.Method == http.MethodPost:
		at := time.Now()
		body, err := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		e.give(at, string(body), err != nil || !strings.HasSuffix(r.URL.Path, "/r1/response"))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// take reports whether the event is still to be had.
func (e *event) take() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.given.IsZero() {
		return false
	}
	e.given = time.Now()
	return true
}

// give keeps the first answer.
func (e *event) give(at time.Time, answer string, failed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.at.IsZero() {
		e.at, e.answer, e.failed = at, answer, failed
		close(e.done)
	}
}

// start runs a function once, from nothing to its first answer.
func (w *world) start(ctx context.Context, f Function) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Sample{}, err
	}
	e := &event{payload: f.Event, done: make(chan struct{})}
	api := &http.Server{Handler: e, ReadHeaderTimeout: runLimit}
	go func() { _ = api.Serve(listener) }() // ends with Close
	defer func() { _ = api.Close() }()
	w.aws.reset()

	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, f.Command[0], f.Command[1:]...)
	cmd.Env = append(w.env(listener.Addr().String()), f.Env...)
	cmd.Stdout, cmd.Stderr = &output, &output
	spawned := time.Now()
	if err := cmd.Start(); err != nil {
		return Sample{}, err
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }() // the context ends a process that does not
	var peak int64
	select {
	case <-e.done:
		peak = peakMemory(cmd.Process.Pid)
		_ = cmd.Process.Kill()
		<-exited
	case <-exited:
		return Sample{}, errors.Join(ctx.Err(), fmt.Errorf("it ended before its answer was measured; its output: %s", output.String()))
	}
	calls, first := w.aws.record()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed || !slices.Equal(calls, f.Calls) {
		return Sample{}, fmt.Errorf("it answered %.500q after the calls %q instead of %q; its output: %s", e.answer, calls, f.Calls, output.String())
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return Sample{First: first.Sub(spawned), Answered: e.at.Sub(spawned), Event: e.at.Sub(e.given), CPU: cpu, Peak: peak}, nil
}

// peakMemory is the high-water mark of a process that is alive, in bytes. The kernel's count of the
// dead (rusage) would not do: a child inherits the peak of the process that spawned it.
func peakMemory(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0 // not Linux
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}
