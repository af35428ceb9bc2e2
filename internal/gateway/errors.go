package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/unstale/unstale/internal/target"
)

// Codes of errors. Those that AWS gives are spelled as CloudFront spells them; Lambda's
// "AccessDeniedException" is reported as AccessDenied.
const (
	AccessDenied                   = "AccessDenied"
	NoSuchDistribution             = "NoSuchDistribution"
	NoSuchInvalidation             = "NoSuchInvalidation"
	InvalidArgument                = "InvalidArgument"
	BatchTooLarge                  = "BatchTooLarge"
	TooManyInvalidationsInProgress = "TooManyInvalidationsInProgress"
	InvalidationBatchAlreadyExists = "InvalidationBatchAlreadyExists"
	Throttling                     = "Throttling"
	ThrottlingException            = "ThrottlingException"
	TooManyRequestsException       = "TooManyRequestsException"
	ServiceUnavailable             = "ServiceUnavailable"
	ResourceNotFoundException      = "ResourceNotFoundException" // the function or alias does not exist

	// The rest are this project's own.
	RequestTimeout         = "RequestTimeout"         // no answer in time; it may have been done nevertheless
	NetworkError           = "NetworkError"           // the connection failed; it may have been done nevertheless
	Canceled               = "Canceled"               // the caller's context was canceled
	RequestNotSent         = "RequestNotSent"         // no request could be made, e.g. for lack of credentials
	ReferenceReused        = "ReferenceReused"        // the reference exists with other items
	ReferenceNotFound      = "ReferenceNotFound"      // the reference exists, but not among the newest
	DistributionNotAllowed = "DistributionNotAllowed" // not on the invalidator's list, or not this gateway's
	FunctionError          = "FunctionError"          // the invalidator failed instead of answering
	BadRequest             = "BadRequest"             // the invalidator does not take such a request
	BadAnswer              = "BadAnswer"              // an answer that cannot be believed
	Unsupported            = "Unsupported"            // the route cannot do that; the error says what can
	ExecutionFailed        = "ExecutionFailed"        // states: the execution ended without a failed call
)

// Error is why an operation on a distribution failed.
type Error struct {
	Code    string // one of the codes above, or AWS's own
	Message string // AWS's text, or ours
	Status  int    // HTTP status; 0 when there was none

	Operation    string       // verb first, e.g. "create invalidation"
	Route        target.Route // the route it went by
	Function     string       // ARN of what was called instead: relay's invalidator, states' machine
	Distribution string       // "" when the invalidator's own single one was meant
	Account      string       // the account of the distribution, 12 digits; "" when not known

	// For a refusal, as far as AWS's text names them.
	Caller   string // ARN of who was refused
	Action   string // e.g. "cloudfront:CreateInvalidation"
	Resource string // ARN

	Endpoint string // that could not be reached or gave no answer, as the SDK names it; "" where one did

	Try       string // the next step as a sentence without capital and full stop; "" when there is none to name
	Temporary bool   // a later try may succeed with nothing changed

	Err error // the cause, where there is one
}

// Error names the operation, its target and AWS's words, but not Try, which a reader gets on a line
// of its own.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Operation)
	if e.Distribution != "" {
		fmt.Fprintf(&b, " on distribution %s", e.Distribution)
	}
	if e.Account != "" {
		fmt.Fprintf(&b, " in account %s", e.Account)
	}
	if e.Function != "" {
		fmt.Fprintf(&b, " through %s", e.Function)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "%s: %s", e.Code, e.Message)
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// place is what all errors of one gateway say of their target.
type place struct {
	route                           target.Route
	function, distribution, account string
}

func placeOf(t target.Target) place {
	return place{t.Route, cmp.Or(t.Function, t.StateMachine), t.Distribution, t.Account}
}

// At says of an error on the way to a target what failed there, verb first, and explains it as far
// as it is known. An *Error keeps what it says already.
func At(t target.Target, operation string, err error) *Error { return placeOf(t).wrap(operation, err) }

// Explain makes an Error of what an SDK client returned, for failures that are no operation on a
// distribution.
func Explain(err error) *Error { return place{}.wrap("", err) }

// wrap says of an error where it happened, and explains it as far as it is known.
func (p place) wrap(operation string, err error) *Error {
	var known *Error
	e := &Error{}
	if errors.As(err, &known) {
		*e = *known
	} else {
		*e = classify(err)
	}
	e.Operation, e.Route, e.Function, e.Distribution, e.Account = operation, p.route, p.function, p.distribution, p.account
	if e.Code == AccessDenied && e.Caller == "" {
		e.Caller, e.Action, e.Resource = parseDenial(e.Message)
	}
	if e.Try == "" {
		e.Try = advise(e)
	}
	return e
}

func (p place) badAnswer(operation, format string, args ...any) *Error {
	return p.wrap(operation, &Error{Code: BadAnswer, Message: fmt.Sprintf(format, args...)})
}

// classify makes an Error of whatever an SDK client returned.
func classify(err error) Error {
	e := Error{Err: err, Message: err.Error()}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		e.Status = response.HTTPStatusCode()
	}
	var api smithy.APIError
	var network net.Error
	var unsent *smithyhttp.RequestSendError
	switch {
	case errors.Is(err, context.Canceled):
		e.Code = Canceled
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = RequestTimeout
	case errors.As(err, &api) && api.ErrorCode() != "UnknownError":
		e.Code, e.Message = api.ErrorCode(), api.ErrorMessage()
		if e.Code == "AccessDeniedException" { // Lambda's spelling
			e.Code = AccessDenied
		}
	case e.Status < http.StatusBadRequest && cutShort(err):
		e.Code = NetworkError
	case e.Status >= http.StatusBadRequest: // an answer without AWS's error document, as proxies give
		e.Code = codeOfStatus(e.Status)
	case e.Status != 0:
		e.Code = BadAnswer
	case errors.As(err, &network), errors.As(err, &unsent):
		e.Code = NetworkError
	default:
		e.Code = RequestNotSent
	}
	if e.Code == NetworkError {
		e.Endpoint, e.Message = unreached(err)
	}
	e.Temporary = temporary(e.Code, e.Status)
	return e
}

// unreached names the endpoint that gave no answer, and why, without the SDK's account of its own layers
// ("operation error ..., exceeded maximum number of attempts, 3, ..., StatusCode: 0, RequestID: ").
func unreached(err error) (endpoint, message string) {
	var request *url.Error
	if !errors.As(err, &request) {
		return "", err.Error()
	}
	if endpoint = endpointOf(err); endpoint == "" {
		return "", request.Error()
	}
	return endpoint, fmt.Sprintf("%s does not answer: %v", endpoint, request.Err)
}

// cutShort reports whether a connection failed while an answer was read.
func cutShort(err error) bool {
	return errors.As(err, new(net.Error)) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF)
}

func codeOfStatus(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return TooManyRequestsException
	case status == http.StatusForbidden:
		return AccessDenied
	case status >= http.StatusInternalServerError:
		return ServiceUnavailable
	}
	return BadAnswer
}

// temporary reports whether a failure may pass by itself. How long that takes is the purge's
// business.
func temporary(code string, status int) bool {
	switch code {
	case Throttling, ThrottlingException, TooManyRequestsException, ServiceUnavailable, RequestTimeout,
		NetworkError, TooManyInvalidationsInProgress:
		return true
	}
	return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
}

// SessionOver says whether AWS refused a call because the caller's session has ended. Sources: Common Error
// Types of CloudFront (ExpiredToken) and of services that speak JSON (ExpiredTokenException).
func SessionOver(err error) bool {
	var api interface{ ErrorCode() string } // of the SDK
	code := ""
	if e := (*Error)(nil); errors.As(err, &e) {
		code = e.Code
	} else if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	return code == "ExpiredToken" || code == "ExpiredTokenException"
}
