// Package wire is how AWS's four protocols look on the network: the errors a service answers
// and the shape each protocol gives them. Services fail with *Error; the protocol writes it.
package wire

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is an answer AWS would give instead of a result.
type Error struct {
	Code    string // AWS's error code, e.g. "NoSuchDistribution"
	Message string // AWS's text where it is known
	Status  int    // HTTP status; 0 means 400
	// Cause, when set, is a second sentence for people that AWS does not send. It goes to the
	// journal, never on the wire.
	Cause string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// HTTPStatus is the status to answer with.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// Errorf makes an Error; status 0 means 400.
func Errorf(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// NotEmulated is the answer to everything the rehearsal does not know: an error that says so,
// never a success. what names the thing as the caller wrote it.
func NotEmulated(format string, args ...any) *Error {
	return Errorf(http.StatusNotImplemented, "NotEmulated",
		"the rehearsal does not emulate %s", fmt.Sprintf(format, args...))
}

// Denied is AWS's refusal by policy. Protocols spell its code their own way.
func Denied(format string, args ...any) *Error {
	return Errorf(http.StatusForbidden, "AccessDenied", format, args...)
}

// AsError turns any error into an *Error; one that is not already one becomes an InternalFailure,
// which is what AWS answers when it breaks.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Errorf(http.StatusInternalServerError, "InternalFailure", "%v", err)
}
