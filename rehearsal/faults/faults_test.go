package faults

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// aws is a door behind which one service counts its calls. Every call is one of function "f".
type aws struct {
	script *Script
	server *httptest.Server

	mu     sync.Mutex
	served int
	killed []string
}

func open(t *testing.T) *aws {
	a := &aws{script: &Script{}}
	a.script.Kill = func(function string) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.killed = append(a.killed, function)
	}
	service := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a.mu.Lock()
		a.served++
		a.mu.Unlock()
		w.Header().Set("X-Service", "answered")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "done")
	})
	a.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.script.Intercept(front.Exchange{
			Service: "cloudfront", Operation: r.URL.Path[1:], Call: front.Call{Caller: session("f")}, Request: r, Writer: w, Next: service, Fail: wire.WriteXMLError,
		})
	}))
	t.Cleanup(a.server.Close)
	return a
}

func session(function string) accounts.Caller {
	return accounts.Caller{Principal: iam.Principal{ARN: "arn:aws:sts::111111111111:assumed-role/role/" + function}}
}

// call gives the status and body of an answer; status 0: there was none.
func (a *aws) call(ctx context.Context, operation string) (int, string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server.URL+"/"+operation, nil)
	if err != nil {
		return 0, err.Error()
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(body)
}

func TestActions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		do     Action
		status int
		body   string
		served int
		killed bool
	}{
		{"fail", Fail(503, "ServiceUnavailable", "busy"), 503, "", 0, false},
		{"cut", Cut(), 0, "", 0, false},
		{"lose", Lose(), 0, "", 1, false},
		{"twice", Twice(), 201, "done", 2, false},
		{"delay", Delay(time.Millisecond), 201, "done", 1, false},
		{"kill instead", KillInstead(), 0, "", 0, true},
		{"kill before the reply", KillBefore(), 0, "", 1, true},
		{"kill after the reply", KillAfter(), 201, "done", 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := open(t)
			a.script.Add(Rule{Function: "f", Do: tt.do})
			status, body := a.call(t.Context(), "CreateInvalidation")
			if status != tt.status || tt.body != "" && body != tt.body {
				t.Errorf("answered %d %q; want %d %q", status, body, tt.status, tt.body)
			}
			a.server.Close() // waits for the handler, which may still be at its kill
			if a.served != tt.served || (len(a.killed) == 1 && a.killed[0] == "f") != tt.killed {
				t.Errorf("served %d times, killed %v", a.served, a.killed)
			}
		})
	}
}

func TestHangEndsWithTheCaller(t *testing.T) {
	a := open(t)
	a.script.Add(Rule{Do: Hang()})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if status, _ := a.call(ctx, "GetInvalidation"); status != 0 || a.served != 0 {
		t.Errorf("answered %d, served %d times", status, a.served)
	}
}

// A rule strikes the calls of its numbers, the first rule before the others, and each is remembered.
func TestRulesAndMemory(t *testing.T) {
	a := open(t)
	a.script.Add(
		Rule{Operation: "Get", From: 2, To: 3, Do: Fail(400, "Throttling", "slow")},
		Rule{Operation: "Get", From: 3, Do: Fail(503, "Busy", "busy")},
		Rule{Function: "g", Do: Cut()},
		Rule{Service: "s3", Do: Cut()},
	)
	var got []int
	for range 4 {
		status, _ := a.call(t.Context(), "Get")
		got = append(got, status)
	}
	status, _ := a.call(t.Context(), "List")
	if want := []int{201, 400, 400, 503, 201}; !slices.Equal(append(got, status), want) {
		t.Errorf("answered %v; want %v", append(got, status), want)
	}
	calls := []Call{{"f", "cloudfront", "Get", 1}, {"f", "cloudfront", "Get", 2}, {"f", "cloudfront", "Get", 3}, {"f", "cloudfront", "Get", 4}, {"f", "cloudfront", "List", 1}}
	if diff := cmp.Diff(calls, a.script.Calls()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(calls[1:4], a.script.Struck()); diff != "" {
		t.Error(diff)
	}
	if s := calls[1].String(); s != "f cloudfront:Get #2" {
		t.Error(s)
	}
	a.script.SetAhead(time.Hour)
	a.script.Clear()
	if len(a.script.Calls())+len(a.script.Struck()) > 0 || a.script.Ahead() != 0 {
		t.Error("something is remembered")
	}
	if status, _ := a.call(t.Context(), "Get"); status != 201 {
		t.Errorf("a forgotten rule struck: %d", status)
	}
}

// What does not say whose it is belongs to whom Who names, and to nobody otherwise.
func TestWho(t *testing.T) {
	s := &Script{Who: func(x front.Exchange) string {
		if x.Request.UserAgent() == "viewer" {
			return "f"
		}
		return ""
	}}
	s.Add(Rule{Function: "f", Do: Fail(503, "Busy", "the edge is busy")})
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for agent, want := range map[string]int{"viewer": 503, "browser": http.StatusTeapot} {
		r := httptest.NewRequest(http.MethodGet, "https://d1.cloudfront.net/a?b", nil)
		r.Header.Set("User-Agent", agent)
		w := httptest.NewRecorder()
		s.Visit("FRA56-P1", w, r, next)
		if w.Code != want {
			t.Errorf("%s got %d; want %d", agent, w.Code, want)
		}
	}
	if diff := cmp.Diff([]Call{{"f", Viewer, "GET /a", 1}}, s.Calls()); diff != "" {
		t.Error(diff)
	}
}

func TestAssume(t *testing.T) {
	s := &Script{}
	s.Add(Rule{Function: "f", Service: Start, Operation: "AssumeRole", To: 1, Do: Fail(400, "Throttling", "Rate exceeded")})
	if err := s.Assume(t.Context(), "g"); err != nil {
		t.Error(err)
	}
	if err := s.Assume(t.Context(), "f"); err == nil || wire.AsError(err).Code != "Throttling" {
		t.Errorf("got %v", err)
	}
	if err := s.Assume(t.Context(), "f"); err != nil {
		t.Error(err)
	}
}
