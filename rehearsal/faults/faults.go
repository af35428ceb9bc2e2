// Package faults is AWS on a bad day: by a script, a call fails, hangs, loses its answer, is
// delivered twice, or costs the function that made it its life.
package faults

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Call is one call that went through the door, numbered among its like.
type Call struct {
	Function  string // that made it: the name of the caller's session; empty when a person called
	Service   string // signing name, e.g. "cloudfront"
	Operation string // e.g. "CreateInvalidation"
	N         int    // 1 for the function's first call of this operation
}

func (c Call) String() string { return fmt.Sprintf("%s %s:%s #%d", c.Function, c.Service, c.Operation, c.N) }

// Rule says what befalls which calls. Empty fields match everything.
type Rule struct {
	Function, Service, Operation string
	From, To                     int // numbers of the calls it strikes; 0 means 1, and without end
	Do                           Action
}

func (r Rule) matches(c Call) bool {
	return (r.Function == "" || r.Function == c.Function) && (r.Service == "" || r.Service == c.Service) &&
		(r.Operation == "" || r.Operation == c.Operation) && c.N >= max(r.From, 1) && (r.To == 0 || c.N <= r.To)
}

// Action is what befalls a call. Make it with Fail, Hang, Lose, Twice, KillBefore, KillAfter or Delay.
type Action func(s *Script, c Call, x front.Exchange)

// Script holds the rules of a rehearsal and remembers every call. Its zero value has no rules.
type Script struct {
	// Kill ends every process of a function at once. The rehearsal sets it.
	Kill func(function string)

	mu     sync.Mutex
	rules  []Rule
	counts map[Call]int
	calls  []Call
	struck []Call
}

// Add appends rules; of several that match a call the first added strikes.
func (s *Script) Add(rules ...Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, rules...)
}

// Clear forgets rules, counts and calls.
func (s *Script) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules, s.counts, s.calls, s.struck = nil, nil, nil, nil
}

// Calls lists every call that functions made, in the order they came.
func (s *Script) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Struck lists the calls that a rule struck.
func (s *Script) Struck() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.struck...)
}

// Intercept is the script as the front door's interceptor.
func (s *Script) Intercept(x front.Exchange) {
	c, do := s.meet(x)
	if do == nil {
		x.Next.ServeHTTP(x.Writer, x.Request)
		return
	}
	do(s, c, x)
}

// meet numbers a call, remembers it and finds its rule.
func (s *Script) meet(x front.Exchange) (Call, Action) {
	c := Call{Function: function(x.Call.Caller.ARN), Service: x.Service, Operation: x.Operation}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[Call]int{}
	}
	s.counts[c]++
	c.N = s.counts[Call{Function: c.Function, Service: c.Service, Operation: c.Operation}]
	if c.Function != "" {
		s.calls = append(s.calls, c)
	}
	for _, r := range s.rules {
		if r.matches(c) {
			s.struck = append(s.struck, c)
			return c, r.Do
		}
	}
	return c, nil
}

// function is the session's name in the ARN of an assumed role, which Lambda makes the function's.
func function(arn string) string {
	if !strings.Contains(arn, ":assumed-role/") {
		return ""
	}
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// Fail answers an error; the service never hears of the call.
func Fail(status int, code, message string) Action {
	return func(_ *Script, _ Call, x front.Exchange) {
		x.Fail(x.Writer, x.Call.RequestID, wire.Errorf(status, code, "%s", message))
	}
}

// Hang never answers: the connection stays open until the caller gives up.
func Hang() Action {
	return func(_ *Script, _ Call, x front.Exchange) {
		<-x.Request.Context().Done()
		panic(http.ErrAbortHandler)
	}
}

// Lose lets the service act and cuts the connection instead of answering.
func Lose() Action {
	return func(_ *Script, _ Call, x front.Exchange) {
		x.Next.ServeHTTP(httptest.NewRecorder(), x.Request)
		panic(http.ErrAbortHandler)
	}
}

// Twice delivers the call to the service two times and answers the second result.
func Twice() Action {
	return func(_ *Script, _ Call, x front.Exchange) {
		x.Next.ServeHTTP(httptest.NewRecorder(), x.Again())
		x.Next.ServeHTTP(x.Writer, x.Again())
	}
}

// KillBefore lets the service act, then kills the function before the answer reaches it.
func KillBefore() Action {
	return func(s *Script, c Call, x front.Exchange) {
		x.Next.ServeHTTP(httptest.NewRecorder(), x.Request)
		s.Kill(c.Function)
		panic(http.ErrAbortHandler)
	}
}

// KillAfter answers, and kills the function once the answer is on its way.
func KillAfter() Action {
	return func(s *Script, c Call, x front.Exchange) {
		x.Next.ServeHTTP(x.Writer, x.Request)
		_ = http.NewResponseController(x.Writer).Flush() // the answer leaves whole; the kill follows
		s.Kill(c.Function)
	}
}

// KillInstead kills the function before the service hears of the call.
func KillInstead() Action {
	return func(s *Script, c Call, _ front.Exchange) {
		s.Kill(c.Function)
		panic(http.ErrAbortHandler)
	}
}

// Delay holds the call for d of wall time, then lets it through.
func Delay(d time.Duration) Action {
	return func(_ *Script, _ Call, x front.Exchange) {
		ctx, cancel := context.WithTimeout(x.Request.Context(), d)
		defer cancel()
		<-ctx.Done()
		x.Next.ServeHTTP(x.Writer, x.Request)
	}
}
