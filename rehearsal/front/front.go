// Package front is the door through which everything outside talks to both accounts: one loopback
// HTTP server that checks the Host, verifies the signature, finds the caller by access key and
// hands the request to the service whose name was signed.
package front

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/sigv4"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Call is a verified request. Its Body is the plain payload, whatever encoding it came in.
type Call struct {
	Caller    accounts.Caller
	Region    string
	RequestID string
	Body      []byte
	// Trailer holds the headers that came behind a chunked body; nil when there were none.
	Trailer http.Header
}

type callKey struct{}

// From is the verified call behind a request that a service was handed.
func From(ctx context.Context) Call {
	c, _ := ctx.Value(callKey{}).(Call)
	return c
}

// ErrorWriter answers an error in a service's protocol.
type ErrorWriter func(w http.ResponseWriter, requestID string, err error)

type service struct {
	handler http.Handler
	fail    ErrorWriter
}

// Exchange is one verified call on its way to a service, as an Interceptor gets it.
type Exchange struct {
	Service   string // signing name
	Operation string // as AWS calls it, e.g. "CreateInvalidation"
	Call      Call
	Request   *http.Request
	Writer    http.ResponseWriter
	Next      http.Handler // the service
	Fail      ErrorWriter  // answers an error in the service's protocol
}

// Again is the request with its body from the start, so that it can be delivered once more.
func (x Exchange) Again() *http.Request {
	r := x.Request.Clone(x.Request.Context())
	r.Body = io.NopCloser(bytes.NewReader(x.Call.Body))
	return r
}

// Interceptor stands between the door and the services. It lets the call through by calling Next,
// or answers itself.
type Interceptor func(Exchange)

// Server is the door. Register services before Serve.
type Server struct {
	directory *accounts.Directory
	clock     *clock.Clock
	journal   *journal.Journal
	listener  net.Listener
	http      *http.Server
	services  map[string]service // by signing name
	paths     []pathHandler
	intercept Interceptor // nil: none
	ahead     func() time.Duration
}

type pathHandler struct {
	prefix  string
	handler http.Handler
}

// Listen opens the door on a free port of the loopback interface, or on addr when that is set.
func Listen(addr string, d *accounts.Directory, c *clock.Clock, j *journal.Journal) (*Server, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("open the rehearsal's endpoint: %w", err)
	}
	s := &Server{directory: d, clock: c, journal: j, listener: l, services: map[string]service{}}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	return s, nil
}

// URL is what AWS_ENDPOINT_URL is set to.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Handle registers a service under the name that its clients sign with.
func (s *Server) Handle(signingName string, h http.Handler, fail ErrorWriter) {
	s.services[signingName] = service{handler: h, fail: fail}
}

// Intercept puts f between the door and every service. Call it before Serve.
func (s *Server) Intercept(f Interceptor) { s.intercept = f }

// Ahead lets AWS's clock go that much before (or, negative, behind) this machine's where signatures
// and their answers are dated: to whoever calls, his own clock is wrong. Call it before Serve.
func (s *Server) Ahead(by func() time.Duration) { s.ahead = by }

// now is the time that signatures are judged by.
func (s *Server) now() time.Time {
	if s.ahead == nil {
		return time.Now()
	}
	return time.Now().Add(s.ahead())
}

// HandlePath registers what does not sign its requests (git) and checks its callers itself.
func (s *Server) HandlePath(prefix string, h http.Handler) {
	s.paths = append(s.paths, pathHandler{prefix, h})
}

// Serve answers requests until Close.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); err != nil && err != http.ErrServerClosed {
		return fmt.Errorf("serve the rehearsal's endpoint: %w", err)
	}
	return nil
}

// Close stops at once; requests under way are cut.
func (s *Server) Close() error { return s.http.Close() }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.clock.Busy()()
	id := random.UUID()
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	if !s.ownHost(r.Host) {
		wire.WriteXMLError(w, id, wire.Errorf(http.StatusForbidden, "AccessDenied",
			"Host %q is not this rehearsal; it answers at %s only", r.Host, s.listener.Addr()))
		return
	}
	for _, p := range s.paths {
		if strings.HasPrefix(r.URL.Path, p.prefix) {
			p.handler.ServeHTTP(w, r)
			return
		}
	}
	sig, err := sigv4.Parse(r)
	if err != nil {
		s.refuse(r, accounts.Caller{}, err)
		wire.WriteXMLError(w, id, err)
		return
	}
	svc, known := s.services[sig.Service]
	if !known {
		wire.WriteXMLError(w, id, wire.NotEmulated("the service %q", sig.Service))
		return
	}
	call, err := s.verify(r, sig)
	if err != nil {
		s.refuse(r, call.Caller, err)
		svc.fail(w, id, err)
		return
	}
	call.RequestID = id
	r.Body = io.NopCloser(bytes.NewReader(call.Body))
	r.ContentLength = int64(len(call.Body))
	r.Header.Del("Content-Length")
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, call))
	if s.intercept == nil {
		svc.handler.ServeHTTP(w, r)
		return
	}
	s.intercept(Exchange{
		Service: sig.Service, Operation: operation(sig.Service, r, call.Body), Call: call, Request: r, Writer: w, Next: svc.handler, Fail: svc.fail,
	})
}

// verify finds the caller and proves that it signed this request.
func (s *Server) verify(r *http.Request, sig sigv4.Signature) (Call, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, sigv4.MaxBody))
	if err != nil {
		return Call{}, wire.Errorf(http.StatusRequestEntityTooLarge, "RequestTooLarge", "read the request body: %v", err)
	}
	key, ok := s.directory.Key(sig.AccessKeyID)
	if !ok {
		return Call{}, wire.Errorf(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	sig = sig.NeedsBody(raw)
	if err := sig.Verify(r, key.SecretAccessKey, s.now()); err != nil {
		return Call{Caller: key.Caller}, err
	}
	if subtle.ConstantTimeCompare([]byte(key.SessionToken), []byte(sig.Token)) != 1 {
		return Call{Caller: key.Caller}, wire.Errorf(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	if !key.Expires.IsZero() && time.Now().After(key.Expires) {
		return Call{Caller: key.Caller}, wire.Errorf(http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
	}
	payload, err := sig.Payload(raw, key.SecretAccessKey)
	if err != nil {
		return Call{Caller: key.Caller}, err
	}
	return Call{Caller: key.Caller, Region: sig.Region, Body: payload.Body, Trailer: payload.Trailer}, nil
}

// refuse writes a request that never reached a policy decision into the journal.
func (s *Server) refuse(r *http.Request, c accounts.Caller, err error) {
	s.journal.Record(journal.Call{
		Time: s.clock.Now(), Account: c.Account, Caller: c.Account, Principal: c.Name(),
		Action: r.Method + " " + r.URL.Path, Resource: "*", Decision: "deny", Statement: "signature", Reason: err.Error(),
	})
}

// ownHost keeps out pages of other sites that point a browser here (DNS rebinding).
func (s *Server) ownHost(host string) bool {
	_, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return false
	}
	return host == "127.0.0.1:"+port || host == "localhost:"+port || host == "[::1]:"+port
}
