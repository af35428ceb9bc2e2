package lambda

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unstale/unstale/rehearsal/journal"
)

// alive reports whether a process is there and not just waiting to be collected by its parent.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	return !strings.Contains(string(status), ") Z ")
}

// dies reports whether a process that was sent SIGKILL comes to its end. Only a parent can wait for that, and
// what a function started has another one.
func dies(pid int) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if !alive(pid) {
			return true
		}
	}
	return false
}

func TestCloseLeavesNothing(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker")
	w.function(accountA, "other")
	first, second := w.call(accountB, "worker", `{"do":"child"}`), w.call(accountA, "other", `{}`)
	// One more that is at work when the end comes.
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = w.lambda.Invoke(context.Background(), w.root[accountA].Caller, InvokeInput{Function: "other", Payload: []byte(`{"do":"hang"}`)})
	}()
	for range 3 {
		w.await("InvocationStart")
	}
	pids := []int{first.PID, first.Child, second.PID}
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("process %d is not there to begin with", pid)
		}
	}
	if err := w.lambda.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if !dies(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
	if _, err := os.Stat(w.lambda.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
	<-done
	_, err := w.lambda.Invoke(t.Context(), w.root[accountB].Caller, InvokeInput{Function: workerARN})
	if errorCode(err) != "ServiceException" {
		t.Errorf("invoke after Close: %v", err)
	}
}

func TestTimeoutEndsTheProcessAndItsChildren(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker", func(in *CreateInput) { in.Timeout = ptrTo(1) })
	before := w.call(accountB, "worker", `{"do":"child"}`)
	if out := w.invoke(accountB, "worker", `{"do":"hang"}`); out.FunctionError == "" {
		t.Fatalf("%s", out.Payload)
	}
	if alive(before.PID) || !dies(before.Child) {
		t.Error("a process outlived the timeout")
	}
	if after := w.call(accountB, "worker", `{}`); after.PID == before.PID {
		t.Error("the process was used again")
	}
}

func TestEvents(t *testing.T) {
	w := newWorld(t, Options{})
	var names []string
	w.journal.OnEvent(func(e journal.Event) { names = append(names, e.Source+" "+e.Name) })
	w.function(accountB, "worker")
	w.call(accountB, "worker", `{}`)
	start, end := w.await("InvocationStart"), w.await("InvocationEnd")
	if strings.Join(names, ", ") != "lambda InvocationStart, lambda InvocationEnd" {
		t.Errorf("%v", names)
	}
	if start.RequestID != end.RequestID || start.FunctionARN != workerARN || start.Caller != "arn:aws:iam::222222222222:root" ||
		start.CallerAccount != accountB || end.Version != "$LATEST" || end.Duration <= 0 || end.Error != "" {
		t.Errorf("start %+v, end %+v", start, end)
	}
}
