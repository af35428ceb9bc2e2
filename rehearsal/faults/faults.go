// Package faults is AWS on a bad day: by a script, a call fails, hangs, loses its answer, is
// delivered twice, or costs the function that made it its life.
package faults

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Call is one call that went through the door, numbered among its like.
type Call struct {
	Function  string // that made it: the name of the caller's session; empty when a person called
	Service   string // signing name, e.g. "cloudfront"; Viewer for a viewer's request to the edge, or Start
	Operation string // e.g. "CreateInvalidation"; of a viewer's request "GET" and the path
	N         int    // 1 for the function's first call of this operation
}

// The Service of calls that are no client's of AWS.
const (
	Viewer = "viewer" // a viewer's request
	Start  = "start"  // Lambda's sts:AssumeRole of a function's role, before it starts a process
)

func (c Call) String() string {
	return fmt.Sprintf("%s %s:%s #%d", c.Function, c.Service, c.Operation, c.N)
}

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

// Action is what befalls a call. Make it with Fail, Hang, Cut, Lose, Twice, Delay,
// KillInstead, KillBefore or KillAfter.
type Action func(s *Script, c Call, x front.Exchange)

// Script holds the rules of a rehearsal and remembers every call. Its zero value has no rules.
type Script struct {
	// Kill ends every process of a function at once. The rehearsal sets it.
	Kill func(function string)
	// Who names the function behind a call whose caller does not tell: a job that uses the artifact
	// credentials it was given, or a viewer. nil, or an empty answer: nobody knows.
	Who func(front.Exchange) string

	mu     sync.Mutex
	rules  []Rule
	counts map[Call]int
	calls  []Call
	struck []Call
	ahead  time.Duration
}

// SetAhead makes every caller's clock wrong: AWS's is that much ahead of it. See front.Server.Ahead.
func (s *Script) SetAhead(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = d
}

// Ahead is what SetAhead set.
func (s *Script) Ahead() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ahead
}

// Add appends rules; of several that match a call the first added strikes.
func (s *Script) Add(rules ...Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, rules...)
}

// Clear forgets rules, counts, calls and what SetAhead set.
func (s *Script) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules, s.counts, s.calls, s.struck = nil, nil, nil, nil
	s.ahead = 0
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

// Visit is the script as the edge's interceptor.
func (s *Script) Visit(pop string, w http.ResponseWriter, r *http.Request, next http.Handler) {
	s.Intercept(front.Exchange{
		Service: Viewer, Operation: r.Method + " " + r.URL.Path, Request: r, Writer: w, Next: next,
		Fail: func(w http.ResponseWriter, _ string, err error) {
			e := wire.AsError(err)
			w.Header().Set("X-Amz-Cf-Pop", pop)
			http.Error(w, e.Message, e.HTTPStatus())
		},
	})
}

// Assume is what befalls Lambda when it takes on a function's role to start a process: the call
// AssumeRole of that function to Start, which the function itself does not make. Only Fail makes
// sense there.
func (s *Script) Assume(ctx context.Context, function string) (err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", http.NoBody)
	if err != nil {
		return fmt.Errorf("assume the role of %s: %w", function, err)
	}
	s.Intercept(front.Exchange{
		Service: Start, Operation: "AssumeRole", Request: r, Writer: httptest.NewRecorder(),
		Call: front.Call{Caller: accounts.Caller{Principal: iam.Principal{ARN: "arn:aws:sts:::assumed-role/lambda/" + function}}},
		Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		Fail: func(_ http.ResponseWriter, _ string, failed error) { err = failed },
	})
	return err
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
	if s.Who != nil {
		c.Function = cmp.Or(s.Who(x), c.Function)
	}
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

// Cut ends the connection; the service never hears of the call.
func Cut() Action {
	return func(*Script, Call, front.Exchange) { panic(http.ErrAbortHandler) }
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
		answer := httptest.NewRecorder()
		x.Next.ServeHTTP(answer, x.Request)
		for name, values := range answer.Header() {
			x.Writer.Header()[name] = values
		}
		// With its length told the answer leaves whole before the kill.
		x.Writer.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
		x.Writer.WriteHeader(answer.Code)
		_, _ = x.Writer.Write(answer.Body.Bytes())
		_ = http.NewResponseController(x.Writer).Flush()
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
