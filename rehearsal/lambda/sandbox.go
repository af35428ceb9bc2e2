package lambda

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
)

// initLimit is how long a process may take before it asks for its first event. Source: Lambda
// Developer Guide, "Lambda execution environment lifecycle" (H). AWS then starts it once more, on
// the function's own time; here it just goes on, on the function's own time.
const initLimit = 10 * time.Second

// sandbox is one process of a version, AWS's execution environment. One invocation has it at a time.
type sandbox struct {
	version *version
	dir     string // its own, removed when it is over
	cmd     *exec.Cmd
	api     *http.Server // the Runtime API, for this process alone
	log     *outputLog
	caller  accounts.Caller // the session of the function's role
	renew   time.Time       // when its credentials are too old to begin with
	started time.Time

	jobs  chan *job
	ready chan struct{} // closed when the process first asks for an event
	dead  chan struct{} // closed when the process is over and its files are gone

	mu      sync.Mutex
	current *job
	init    *failure // what the process said before it asked for an event
	begun   bool
	exit    string // how the process ended; set before dead closes
	initFor time.Duration
}

// job is an invocation inside a sandbox.
type job struct {
	*invocation
	deadline time.Time     // wall time
	finished chan struct{} // closed when the process asks for the next event

	// Guarded by the sandbox's mu.
	answered bool
	payload  []byte
	failure  *failure
}

// failure is an error as a runtime reports it.
type failure struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
	raw     []byte // as the runtime wrote it; nil: written here
}

func (f *failure) json() []byte {
	if f.raw != nil {
		return f.raw
	}
	text, _ := json.Marshal(f) // two strings always encode
	return text
}

// result is what came of an invocation.
type result struct {
	payload        []byte
	fault, message string // empty when the function succeeded
	tail           string // of the log
}

// kill ends the process with all that it started. It does not wait; see dead.
func (b *sandbox) kill() {
	if b.cmd != nil && b.cmd.Process != nil {
		_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL)
	}
}

func (b *sandbox) over() bool {
	select {
	case <-b.dead:
		return true
	default:
		return false
	}
}

// reap waits for the process and cleans up after it.
func (b *sandbox) reap() {
	err := b.cmd.Wait()
	b.kill() // what it started and left behind
	_ = b.api.Close()
	b.mu.Lock()
	b.exit = "Runtime exited without providing a reason"
	if err != nil {
		b.exit = "Runtime exited with error: " + err.Error()
	}
	b.mu.Unlock()
	b.log.last()
	_ = removeAll(b.dir)
	close(b.dead)
}

// run hands i to the process and waits for the answer. ok is false when the process, used before,
// was already over and i has not been touched.
func (b *sandbox) run(i *invocation) (r result, ok bool) {
	timeout := seconds(b.version.Timeout)
	j := &job{invocation: i, finished: make(chan struct{})}
	first := b.first()
	b.log.begin(i.requestID, b.version.Version)
	started := time.Now()
	timer := time.NewTimer(initLimit + timeout)
	defer timer.Stop()
	if !first {
		timer.Reset(timeout)
	}
	flush := time.NewTicker(logInterval)
	defer flush.Stop()

	ready, jobs := b.ready, chan<- *job(nil)
	taken, timedOut := false, false
wait:
	for {
		select {
		case <-ready:
			ready, jobs = nil, b.jobs
			if first {
				b.mu.Lock()
				b.initFor = time.Since(b.started)
				b.mu.Unlock()
				started = time.Now()
				timer.Reset(timeout)
			}
			j.deadline = time.Now().Add(timeout)
		case jobs <- j:
			jobs, taken = nil, true
		case <-j.finished:
			break wait
		case <-b.dead:
			if !first && !taken {
				return result{}, false
			}
			break wait
		case <-timer.C:
			timedOut = true
			b.kill()
			<-b.dead
			break wait
		case <-flush.C:
			b.log.flush()
		}
	}
	return b.conclude(j, timedOut, time.Since(started), first), true
}

// first reports whether this is the first invocation, to whose time the start belongs.
func (b *sandbox) first() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.begun
	b.begun = true
	return !was
}

// conclude says what came of j and writes its last log lines.
func (b *sandbox) conclude(j *job, timedOut bool, took time.Duration, first bool) result {
	b.mu.Lock()
	f := j.failure
	r := result{payload: j.payload}
	switch {
	case j.answered: // whatever became of the process after it had answered
	case timedOut:
		f = &failure{Type: "Sandbox.Timedout", Message: fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", j.requestID, seconds(b.version.Timeout).Seconds())}
	case b.init != nil && b.init.raw != nil:
		f = b.init
	case b.init != nil:
		f = &failure{Type: b.init.Type, Message: "RequestId: " + j.requestID + " " + b.init.Message}
	default:
		f = &failure{Type: "Runtime.ExitError", Message: fmt.Sprintf("RequestId: %s Error: %s", j.requestID, b.exit)}
	}
	init := time.Duration(0)
	if first {
		init = b.initFor
	}
	b.mu.Unlock()
	if f != nil {
		r.payload, r.fault, r.message = f.json(), f.Type, f.Message
	}
	if timedOut {
		b.log.add(fmt.Sprintf("%s %s Task timed out after %.2f seconds", b.log.now().Format("2006-01-02T15:04:05.000Z"), j.requestID, seconds(b.version.Timeout).Seconds()))
	} else if r.fault == "Runtime.ExitError" {
		b.log.add(r.message + "\n" + r.fault)
	}
	r.tail = b.log.end(report{
		requestID: j.requestID, took: took, init: init, memory: b.version.MemorySize, peak: peakMemory(b.cmd),
	})
	return r
}

// peakMemory is the most memory the process has used, in MiB; 0 where that is not known.
func peakMemory(cmd *exec.Cmd) int {
	if cmd == nil || cmd.Process == nil {
		return 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		return 0 // not Linux, or over
	}
	var kib int
	for line := range lines(string(status)) {
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return (kib + 1023) / 1024
		}
	}
	return 0
}
