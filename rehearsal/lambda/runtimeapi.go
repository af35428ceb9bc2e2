package lambda

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/unstale/unstale/rehearsal/random"
)

// runtimeAPI is what a process talks to instead of AWS's own. Source: Lambda Developer Guide,
// "Using the Lambda runtime API for custom runtimes" (H). The Host is checked because the events
// carry credentials and a browser could be pointed at the port.
func (b *sandbox) runtimeAPI(host string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", b.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", b.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", b.fail)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", b.failInit)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "NotEmulated", "the rehearsal does not emulate "+r.Method+" "+r.URL.Path+" of the Runtime API")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host {
			refuse(w, http.StatusForbidden, "Forbidden", "this is the Runtime API at "+host)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// next ends the invocation before, if there was one, and waits for an event.
func (b *sandbox) next(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	if b.current != nil {
		if !b.current.answered {
			b.mu.Unlock()
			refuse(w, http.StatusForbidden, "InvalidStateTransition", "the invocation before this one has not been answered")
			return
		}
		close(b.current.finished)
		b.current = nil
	}
	select {
	case <-b.ready:
	default:
		close(b.ready)
	}
	b.mu.Unlock()

	var j *job
	select {
	case j = <-b.jobs:
	case <-b.dead:
		return
	case <-r.Context().Done():
		return
	}
	b.mu.Lock()
	b.current = j
	b.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", j.requestID)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(j.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", j.arn())
	h.Set("Lambda-Runtime-Trace-Id", traceID(j))
	if j.clientContext != "" {
		h.Set("Lambda-Runtime-Client-Context", j.clientContext)
	}
	_, _ = w.Write(j.invocation.payload)
}

// traceID is a trace that is not sampled: there is no X-Ray here.
func traceID(j *job) string {
	id := random.UUID()
	return fmt.Sprintf("Root=1-%08x-%s%s;Parent=%s%s;Sampled=0", j.deadline.Unix(), id[24:], id[:8]+id[9:13], random.UUID()[:8], random.UUID()[:8])
}

func (b *sandbox) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSync+1))
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidResponse", "read the response: "+err.Error())
		return
	}
	if len(body) > maxSync {
		b.answer(w, r, nil, &failure{
			Type:    "Function.ResponseSizeTooLarge",
			Message: fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxSync),
		}, http.StatusRequestEntityTooLarge)
		return
	}
	// A runtime that finds out while it streams its answer says so in trailers.
	if kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		b.answer(w, r, nil, &failure{Type: kind, Message: "the function failed while it answered"}, http.StatusAccepted)
		return
	}
	b.answer(w, r, body, nil, http.StatusAccepted)
}

func (b *sandbox) fail(w http.ResponseWriter, r *http.Request) {
	b.answer(w, r, nil, readFailure(r), http.StatusAccepted)
}

func (b *sandbox) failInit(w http.ResponseWriter, r *http.Request) {
	f := readFailure(r)
	b.mu.Lock()
	b.init = f
	b.mu.Unlock()
	accept(w)
}

// readFailure reads an error that a runtime reports. The body is handed to the caller as it is;
// the type is also in a header, for bodies that do not tell.
func readFailure(r *http.Request) *failure {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxSync))
	f := &failure{}
	if json.Unmarshal(body, f) != nil || len(body) == 0 {
		f.Message = string(body)
	} else {
		f.raw = body
	}
	if f.Type == "" {
		f.Type = r.Header.Get("Lambda-Runtime-Function-Error-Type")
	}
	if f.Type == "" {
		f.Type = "Runtime.Unknown"
	}
	return f
}

// answer takes what the process says about the event it has.
func (b *sandbox) answer(w http.ResponseWriter, r *http.Request, payload []byte, f *failure, status int) {
	b.mu.Lock()
	j := b.current
	ok := j != nil && !j.answered && j.requestID == r.PathValue("id")
	if ok {
		j.answered, j.payload, j.failure = true, payload, f
	}
	b.mu.Unlock()
	switch {
	case !ok:
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
	case status == http.StatusAccepted:
		accept(w)
	default:
		refuse(w, status, f.Type, f.Message)
	}
}

func accept(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(failure{Type: kind, Message: message})
}
