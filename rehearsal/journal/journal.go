// Package journal is what happened in a rehearsal: every API call with the decision about it, and
// the events that a person watching both consoles would see. It only ever grows.
package journal

import (
	"sync"
	"time"

	"github.com/unstale/unstale/iam"
)

// Call is one API call that reached a decision, or that was refused before one.
type Call struct {
	Time      time.Time `json:"time"`      // rehearsal time
	Account   string    `json:"account"`   // of the resource
	Principal string    `json:"principal"` // caller's ARN, or the service's name
	Action    string    `json:"action"`    // e.g. "lambda:InvokeFunction"
	Resource  string    `json:"resource"`  // ARN, or "*" where AWS has no resource level
	Decision  string    `json:"decision"`  // "allow" or "deny"
	// Statement names what decided: "layer policy/sid", or for a denial the layer that was silent.
	Statement string `json:"statement"`
	// Caller is the account of the principal; a call with Caller != Account crossed the border.
	Caller string `json:"callerAccount"`
	// Remedy is, for a denial, the statement that would have allowed it, as JSON, with where it
	// belongs; empty when a Deny decided.
	Remedy string `json:"remedy,omitempty"`
	// Missing is Remedy as data; nil when a Deny decided.
	Missing *iam.Remedy `json:"-"`
	// Reason is the decision in one sentence.
	Reason string `json:"reason,omitempty"`
}

// Event is something that happened on AWS's side. Each service documents the Data it sends.
type Event struct {
	Time   time.Time
	Source string // service, e.g. "codepipeline"
	Name   string // e.g. "ActionStateChange"
	Data   any
}

// Journal collects calls and events. Its zero value is ready.
type Journal struct {
	mu     sync.Mutex
	calls  []Call
	onCall []func(Call)
	onTell []func(Event)
}

// Record appends a call and shows it to the observers.
func (j *Journal) Record(c Call) {
	j.mu.Lock()
	j.calls = append(j.calls, c)
	observers := j.onCall
	j.mu.Unlock()
	for _, f := range observers {
		f(c)
	}
}

// Calls is a copy of all calls so far, in order.
func (j *Journal) Calls() []Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]Call(nil), j.calls...)
}

// Tell shows an event to the observers and returns when all have seen it, so that an observer can
// hold AWS still while it looks.
func (j *Journal) Tell(e Event) {
	j.mu.Lock()
	observers := j.onTell
	j.mu.Unlock()
	for _, f := range observers {
		f(e)
	}
}

// OnCall and OnEvent add observers. They are called on the goroutine of what happened.
func (j *Journal) OnCall(f func(Call)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.onCall = append(j.onCall[:len(j.onCall):len(j.onCall)], f)
}

// OnEvent adds an observer of events; see Tell.
func (j *Journal) OnEvent(f func(Event)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.onTell = append(j.onTell[:len(j.onTell):len(j.onTell)], f)
}
