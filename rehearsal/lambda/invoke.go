package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// The invocation types.
const (
	RequestResponse = "RequestResponse"
	Event           = "Event"
	DryRun          = "DryRun"
)

// Limits of payloads, in bytes. Source: AWS-documented quotas and the botocore model (H).
const (
	maxSync  = 6 << 20
	maxAsync = 1 << 20
)

// InvokeInput is an Invoke request.
type InvokeInput struct {
	Region    string // where the call arrives; empty: us-east-1
	Function  string // name, ACCOUNT:function:NAME or ARN, with or without a qualifier
	Qualifier string // version or alias; empty: the one in Function, or else $LATEST
	Type      string // RequestResponse (the zero value), Event or DryRun
	Payload   []byte // JSON; empty means {}
	// ClientContext is handed to the function as it is (JSON); empty means none.
	ClientContext string
	RequestID     string // empty: a new one
}

// InvokeOutput is the answer to an Invoke request.
type InvokeOutput struct {
	Status          int    // 200, 202 (Event) or 204 (DryRun)
	Payload         []byte // the function's answer, or the JSON of its error
	FunctionError   string // "Unhandled" when the function failed, else empty
	ExecutedVersion string // "$LATEST" or a number; empty for Event
	RequestID       string
	LogTail         string // the last 4 KiB that the invocation logged
}

// Invocation is the Data of the events InvocationStart and InvocationEnd; EventDropped is told of
// an asynchronous event that AWS gave up on.
type Invocation struct {
	FunctionARN   string // qualified as the caller did
	Account       string // of the function
	Version       string // executed; empty before it is known
	RequestID     string
	Caller        string // principal, as the journal's calls name it
	CallerAccount string
	Type          string // RequestResponse or Event
	Attempt       int    // 1 for the first
	// Duration is wall time; zero at the start.
	Duration time.Duration
	// Error is the type of what went wrong, such as "Runtime.ExitError" or a type the function
	// chose, and Message its text; both empty at the start and on success.
	Error, Message string
}

// Invoke runs a function for a caller, or queues the event for it.
func (s *Service) Invoke(ctx context.Context, c accounts.Caller, in InvokeInput) (InvokeOutput, error) {
	t, err := parseTarget(in.Function, in.Qualifier, place{c.Account, regionOf(in)})
	if err != nil {
		return InvokeOutput{}, err
	}
	if err := s.mayInvoke(c, t); err != nil {
		return InvokeOutput{}, err
	}
	v, err := s.executable(t)
	if err != nil {
		return InvokeOutput{}, err
	}
	if len(in.Payload) == 0 {
		in.Payload = []byte("{}")
	}
	if err := checkPayload(in); err != nil {
		return InvokeOutput{}, err
	}
	i := &invocation{
		target: t, payload: in.Payload, clientContext: in.ClientContext, caller: c,
		requestID: cmp.Or(in.RequestID, random.UUID()), kind: RequestResponse, attempt: 1,
	}
	switch in.Type {
	case "", RequestResponse:
		return s.invokeSync(ctx, i)
	case Event:
		i.kind = Event
		s.enqueue(i)
		return InvokeOutput{Status: 202, RequestID: i.requestID}, nil
	case DryRun:
		return InvokeOutput{Status: 204, ExecutedVersion: v.Version, RequestID: i.requestID}, nil
	}
	return InvokeOutput{}, wire.Errorf(400, "ValidationException",
		"1 validation error detected: Value '%s' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]", in.Type)
}

// regionOf is where a call without a Region arrives: where its function is.
func regionOf(in InvokeInput) string {
	if arn, err := iam.ParseARN(in.Function); err == nil && in.Region == "" {
		return arn.Region
	}
	return cmp.Or(in.Region, "us-east-1")
}

// mayInvoke decides on exactly the ARN that the caller named. A grant on an alias is of no use to
// whoever names the function or the version behind it. Source: Lambda Developer Guide, "Using
// Lambda aliases in event sources and permissions policies" (H).
func (s *Service) mayInvoke(c accounts.Caller, t target) error {
	var p *iam.Policy
	s.mu.Lock()
	if f := s.functions[t.key]; f != nil {
		p = f.decisionPolicy(t)
	}
	s.mu.Unlock()
	return s.Directory.Authorize(accounts.Check{
		Caller: c, Action: "lambda:InvokeFunction", Resource: t.arn(), Policy: p, Kind: iam.ResourcePolicy,
	})
}

func (s *Service) executable(t target) (*version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(t)
	if err != nil {
		return nil, err
	}
	return f.resolve(t.qualifier)
}

func checkPayload(in InvokeInput) error {
	switch {
	case in.Type == Event && len(in.Payload) > maxAsync:
		return wire.Errorf(413, "RequestTooLargeException",
			"%d byte payload is too large for the Event invocation type (limit %d bytes)", len(in.Payload), maxAsync)
	case len(in.Payload) > maxSync:
		return wire.Errorf(413, "RequestTooLargeException",
			"%d byte payload is too large for the RequestResponse invocation type (limit %d bytes)", len(in.Payload), maxSync)
	case !json.Valid(in.Payload):
		return wire.Errorf(400, "InvalidRequestContentException", "Could not parse request body into json: the payload is not valid JSON")
	}
	return nil
}

// invocation is one event on its way to a function.
type invocation struct {
	target
	payload       []byte
	clientContext string
	caller        accounts.Caller
	requestID     string // the same on every attempt
	kind          string
	attempt       int
	enqueued      time.Time // rehearsal time; of events only
	waited        time.Duration
}

// describe is the invocation for the journal and for hooks.
func (i *invocation) describe() Invocation {
	return Invocation{
		FunctionARN: i.arn(), Account: i.account, RequestID: i.requestID, Caller: i.caller.Name(),
		CallerAccount: i.caller.Account, Type: i.kind, Attempt: i.attempt,
	}
}

func (s *Service) tell(name string, data Invocation) {
	s.Journal.Tell(journal.Event{Time: s.Clock.Now(), Source: "lambda", Name: name, Data: data})
}

// invokeSync runs i and waits for it as long as the caller does. As on AWS, the function goes on
// when its caller has hung up.
func (s *Service) invokeSync(ctx context.Context, i *invocation) (InvokeOutput, error) {
	type answer struct {
		out InvokeOutput
		err error
	}
	done := make(chan answer, 1)
	go func() {
		out, err := s.execute(i)
		done <- answer{out, err}
	}()
	select {
	case a := <-done:
		return a.out, a.err
	case <-ctx.Done():
		return InvokeOutput{}, ctx.Err()
	}
}

// execute runs one attempt. An error means that the function did not run: AWS's side failed.
func (s *Service) execute(i *invocation) (InvokeOutput, error) {
	if !s.begin() {
		return InvokeOutput{}, wire.Errorf(503, "ServiceException", "the rehearsal is closing")
	}
	defer s.running.Done()
	defer s.Clock.Busy()()
	data := i.describe()
	s.tell("InvocationStart", data)
	started := time.Now()
	out, r, err := s.attempt(i, data)
	data.Duration, data.Version = time.Since(started), out.ExecutedVersion
	if err != nil {
		e := wire.AsError(err)
		data.Error, data.Message = e.Code, e.Message
	} else if r.fault != "" {
		data.Error, data.Message = r.fault, r.message
	}
	s.tell("InvocationEnd", data)
	return out, err
}

func (s *Service) attempt(i *invocation, data Invocation) (InvokeOutput, result, error) {
	if s.Hooks != nil {
		if err := s.Hooks.BeforeInvoke(data); err != nil {
			return InvokeOutput{}, result{}, err
		}
	}
	// An alias is followed now, not when the event was queued.
	v, err := s.executable(i.target)
	if err != nil {
		return InvokeOutput{}, result{}, err
	}
	r, err := s.runOn(v, i)
	if err != nil {
		return InvokeOutput{}, result{}, err
	}
	out := InvokeOutput{
		Status: 200, Payload: r.payload, ExecutedVersion: v.Version, RequestID: i.requestID, LogTail: r.tail,
	}
	if r.fault != "" {
		out.FunctionError = "Unhandled"
	}
	return out, r, nil
}

// runOn finds a process for v, or starts one, and gives it i. A process that ended while idle is
// passed over.
func (s *Service) runOn(v *version, i *invocation) (result, error) {
	for {
		b, err := s.pool.acquire(v)
		if err != nil {
			return result{}, err
		}
		r, ok := b.run(i)
		s.pool.release(b)
		if ok {
			return r, nil
		}
	}
}
