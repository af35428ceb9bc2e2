package front_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/fronttest"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

type world struct {
	t         *testing.T
	directory *accounts.Directory
	journal   *journal.Journal
	url       string
	root      accounts.Credentials
	calls     chan front.Call
	ahead     time.Duration // of AWS's clock
}

// newWorld opens a door with one service, "echo", that answers what it was sent.
func newWorld(t *testing.T) *world {
	t.Helper()
	c := clock.New(false)
	t.Cleanup(c.Close)
	w := &world{t: t, journal: &journal.Journal{}, calls: make(chan front.Call, 1)}
	w.directory = accounts.New(c, w.journal)
	var err error
	if w.root, err = w.directory.Add("111111111111"); err != nil {
		t.Fatal(err)
	}
	door, err := front.Listen("", w.directory, c, w.journal)
	if err != nil {
		t.Fatal(err)
	}
	door.Handle("echo", http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if call := front.From(r.Context()); err != nil || !bytes.Equal(body, call.Body) || int64(len(body)) != r.ContentLength {
			t.Errorf("the body is %q, the call's %q, its length %d, %v", body, call.Body, r.ContentLength, err)
		}
		w.calls <- front.From(r.Context())
	}), wire.WriteJSONError)
	door.HandlePath("/git/", http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(http.StatusTeapot) }))
	door.Ahead(func() time.Duration { return w.ahead })
	fronttest.Run(t, door)
	w.url = door.URL()
	return w
}

// send signs body with c for a service, lets change spoil the request, and sends it.
func (w *world) send(c accounts.Credentials, service, body string, change func(*http.Request)) *http.Response {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "POST", w.url+"/x", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	fronttest.Sign(w.t, r, c, service, "eu-west-1", body)
	if change != nil {
		change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (w *world) session() accounts.Credentials {
	w.t.Helper()
	trust, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}}`))
	if err != nil {
		w.t.Fatal(err)
	}
	role, err := w.directory.CreateRole(accounts.Role{Account: "111111111111", Name: "job", Trust: trust})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.directory.Session(role, "s", nil, nil, time.Hour)
}

func TestAVerifiedCallReachesItsService(t *testing.T) {
	w := newWorld(t)
	for _, c := range []accounts.Credentials{w.root, w.session()} {
		if resp := w.send(c, "echo", "hello", nil); resp.StatusCode != 200 {
			t.Fatalf("status %d", resp.StatusCode)
		}
		call := <-w.calls
		if call.Caller.ARN != c.Caller.ARN || call.Caller.AccessKeyID != c.AccessKeyID || call.Region != "eu-west-1" || call.RequestID == "" {
			t.Errorf("call %+v", call)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	session := w.session()
	expired := w.directory.Session(&accounts.Role{ARN: session.Caller.RoleARN, Account: "111111111111"}, "old", nil, nil, time.Hour)
	w.directory.Expire(expired.AccessKeyID)
	withoutToken, foreignToken, wrongSecret, unknown := session, session, w.root, w.root
	withoutToken.SessionToken = ""
	foreignToken.SessionToken = expired.SessionToken
	wrongSecret.SecretAccessKey = "x"
	unknown.AccessKeyID = "AKIAUNKNOWN"
	rootWithToken := w.root
	rootWithToken.SessionToken = session.SessionToken
	tests := []struct {
		name     string
		cred     accounts.Credentials
		service  string
		change   func(*http.Request)
		status   int
		code     string
		recorded bool // in the journal
	}{
		{name: "wrong secret", cred: wrongSecret, status: 403, code: "SignatureDoesNotMatch", recorded: true},
		{name: "unknown key", cred: unknown, status: 403, code: "InvalidClientTokenId", recorded: true},
		{name: "no token", cred: withoutToken, status: 403, code: "InvalidClientTokenId", recorded: true},
		{name: "another session's token", cred: foreignToken, status: 403, code: "InvalidClientTokenId", recorded: true},
		{name: "a token with a long-lived key", cred: rootWithToken, status: 403, code: "InvalidClientTokenId", recorded: true},
		{name: "expired", cred: expired, status: 403, code: "ExpiredToken", recorded: true},
		{name: "anonymous", cred: w.root, change: func(r *http.Request) { r.Header.Del("Authorization") }, status: 403, code: "MissingAuthenticationToken", recorded: true},
		{name: "another host", cred: w.root, change: func(r *http.Request) { r.Host = "attacker.example" }, status: 403, code: "AccessDenied"},
		{name: "another port", cred: w.root, change: func(r *http.Request) { r.Host = "127.0.0.1:1" }, status: 403, code: "AccessDenied"},
		{name: "unknown service", cred: w.root, service: "sqs", status: 501, code: "NotEmulated"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(w.journal.Calls())
			service := tt.service
			if service == "" {
				service = "echo"
			}
			resp := w.send(tt.cred, service, "hello", tt.change)
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(body), tt.code) {
				t.Errorf("%d %s, %v; want %d %s", resp.StatusCode, body, err, tt.status, tt.code)
			}
			if got := len(w.journal.Calls()) > before; got != tt.recorded {
				t.Errorf("recorded %v, want %v", got, tt.recorded)
			}
		})
	}
	select {
	case call := <-w.calls:
		t.Errorf("a refused call reached the service: %+v", call)
	default:
	}
}

func TestPathsThatCheckTheirOwnCallers(t *testing.T) {
	w := newWorld(t)
	for host, want := range map[string]int{"": http.StatusTeapot, "attacker.example": http.StatusForbidden} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/git/repo", nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("host %q: %d, want %d", host, resp.StatusCode, want)
		}
	}
}

func TestOnlyOnLoopback(t *testing.T) {
	w := newWorld(t)
	if !strings.HasPrefix(w.url, "http://127.0.0.1:") {
		t.Errorf("listens at %s", w.url)
	}
	if _, err := front.Listen("256.0.0.1:0", nil, nil, nil); err == nil {
		t.Error("listens at an address that is none")
	}
}

// To whoever calls, his own clock is wrong: he is refused beyond five minutes, and told AWS's time.
func TestAnotherClock(t *testing.T) {
	w := newWorld(t)
	for ahead, want := range map[time.Duration]int{0: 200, 4 * time.Minute: 200, -4 * time.Minute: 200, 6 * time.Minute: 403, -6 * time.Minute: 403} {
		w.ahead = ahead
		resp := w.send(w.root, "echo", "hello", nil)
		if resp.StatusCode != want {
			t.Errorf("%v ahead: status %d, want %d", ahead, resp.StatusCode, want)
		}
		if want == 200 {
			<-w.calls
		}
		at, err := http.ParseTime(resp.Header.Get("Date"))
		if off := time.Since(at) + ahead; err != nil || off < -time.Second || off > 5*time.Second {
			t.Errorf("%v ahead: dated %s, %v", ahead, resp.Header.Get("Date"), err)
		}
	}
}
