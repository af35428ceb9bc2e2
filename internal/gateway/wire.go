package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// What a job function and an invalidator say to each other, as JSON payloads of Lambda invocations.
// Both sides refuse fields that they do not know: two releases that do not understand each other say
// so instead of doing half of what was meant. Whatever changes the meaning changes Version.

// Version is the version of the contract.
const Version = 1

// MaxMessage is the most bytes of a request or an answer: Lambda's limit for synchronous
// invocations (Lambda developer guide, "Lambda quotas").
const MaxMessage = 6 * 1024 * 1024

// maxID is the most characters of an ID. CloudFront's have 13 or 14; it states no limit.
const maxID = 64

// Operation is what an invalidator is asked to do.
type Operation string

// The operations, and the members of Request that each needs besides the distribution.
const (
	OpDistribution Operation = "distribution" // nothing
	OpCreate       Operation = "create"       // items, reference
	OpGet          Operation = "get"          // id
	OpInProgress   Operation = "inProgress"   // nothing
	OpObjects      Operation = "objects"      // origin, keys
)

// Request is what the job function sends.
type Request struct {
	Version      int       `json:"version"`
	Operation    Operation `json:"operation"`
	Distribution string    `json:"distribution,omitempty"` // "": the invalidator's single one
	Items        []string  `json:"items,omitempty"`
	Reference    string    `json:"reference,omitempty"`
	ID           string    `json:"id,omitempty"`
	Origin       string    `json:"origin,omitempty"` // ID of one of the distribution's
	Keys         []string  `json:"keys,omitempty"`
	Cause        *Cause    `json:"cause,omitempty"` // for the log
}

// Response is what the invalidator answers: the one member that the operation gives, or the error.
type Response struct {
	Version       int                         `json:"version"`
	Distribution  *plan.Distribution          `json:"distribution,omitempty"`
	Invalidation  *invalidation.Invalidation  `json:"invalidation,omitempty"`
	Invalidations []invalidation.Invalidation `json:"invalidations,omitzero"` // not nil when asked for
	Objects       []Stored                    `json:"objects,omitzero"`       // likewise
	Error         *Failure                    `json:"error,omitempty"`
}

// Failure is an Error on its way across the border.
type Failure struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Status    int    `json:"status,omitempty"` // HTTP status that AWS gave the invalidator
	Caller    string `json:"caller,omitempty"`
	Action    string `json:"action,omitempty"`
	Resource  string `json:"resource,omitempty"`
	Try       string `json:"try,omitempty"`
	Temporary bool   `json:"temporary,omitempty"`
}

// Fail turns an error into the answer that carries it. An error that is not an *Error is reported
// with its text and the code BadRequest: nothing but a refused request reaches here otherwise.
func Fail(err error) Response {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: BadRequest, Message: err.Error()}
	}
	return Response{Version: Version, Error: &Failure{
		Code: e.Code, Message: e.Message, Status: e.Status,
		Caller: e.Caller, Action: e.Action, Resource: e.Resource, Try: e.Try, Temporary: e.Temporary,
	}}
}

// error is the failure as the job function sees it.
func (f *Failure) error() *Error {
	return &Error{
		Code: f.Code, Message: f.Message, Status: f.Status,
		Caller: f.Caller, Action: f.Action, Resource: f.Resource, Try: f.Try, Temporary: f.Temporary,
	}
}

// DecodeRequest reads a request strictly. An event that is none, such as the empty one that simpler
// pipelines send, is refused by an *Error with code BadRequest.
func DecodeRequest(raw []byte) (Request, error) {
	var versioned struct {
		Version json.RawMessage `json:"version"`
	}
	if len(raw) <= MaxMessage && json.Unmarshal(raw, &versioned) == nil && versioned.Version == nil {
		return Request{}, &Error{
			Code:    BadRequest,
			Message: "the event is not a request of unstale: it has no version; nothing was done",
			Try:     `send {"version":1,"operation":"create",...}, or let unstale's job function do it`,
		}
	}
	var r Request
	if err := decode(raw, &r); err != nil {
		return Request{}, &Error{Code: BadRequest, Message: "read request: " + err.Error()}
	}
	if r.Version != Version {
		return Request{}, &Error{
			Code:    BadRequest,
			Message: fmt.Sprintf("the request has version %d, not %d", r.Version, Version),
			Try:     "deploy the same release of unstale in both accounts",
		}
	}
	if err := r.check(); err != nil {
		return Request{}, err
	}
	return r, nil
}

// check refuses members that the operation does not take, and asks for those that it needs.
func (r Request) check() error {
	batch, one, objects := r.Items != nil || r.Reference != "", r.ID != "", r.Origin != "" || r.Keys != nil
	fits := false
	switch r.Operation {
	case OpDistribution, OpInProgress:
		fits = !batch && !one && !objects
	case OpCreate:
		fits = len(r.Items) > 0 && r.Reference != "" && !one && !objects
	case OpGet:
		fits = one && !batch && !objects
	case OpObjects:
		fits = r.Origin != "" && len(r.Keys) > 0 && !one && !batch
	default:
		return &Error{Code: BadRequest, Message: fmt.Sprintf("there is no operation %.40q", r.Operation)}
	}
	if len(r.ID) > maxID || len(r.Distribution) > maxID {
		return &Error{Code: BadRequest, Message: fmt.Sprintf("an ID has more than %d characters", maxID)}
	}
	if !fits {
		return &Error{Code: BadRequest, Message: fmt.Sprintf("operation %s lacks a member or has one too many", r.Operation)}
	}
	return nil
}

// decodeResponse reads an answer strictly; exactly one member besides the version must be there.
func decodeResponse(raw []byte) (Response, error) {
	var r Response
	if err := decode(raw, &r); err != nil {
		return Response{}, fmt.Errorf("read the invalidator's answer: %w", err)
	}
	if r.Version != Version {
		return Response{}, fmt.Errorf("the invalidator's answer has version %d, not %d", r.Version, Version)
	}
	members := 0
	for _, there := range []bool{
		r.Distribution != nil, r.Invalidation != nil, r.Invalidations != nil, r.Objects != nil, r.Error != nil,
	} {
		if there {
			members++
		}
	}
	if members != 1 {
		return Response{}, fmt.Errorf("the invalidator's answer has %d members instead of one", members)
	}
	return r, nil
}

// decode reads one JSON value of limited size without unknown fields and without anything after it.
func decode(raw []byte, into any) error {
	if len(raw) > MaxMessage {
		return fmt.Errorf("it has %d bytes, more than %d", len(raw), MaxMessage)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}
