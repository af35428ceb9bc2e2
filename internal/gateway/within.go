package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Within makes one call and ends it after limit. That the call took too long is told apart from the
// caller's own deadline, so that a caller with time left may try again.
func Within[T any](ctx context.Context, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return bounded(ctx, limited, limit, nil, call)
}

// Answered makes calls that belong together for as long as somebody answers: it ends them once nothing has begun to
// come back on the wire for patience, and tells that like [Within]. However many answers it takes, they have their
// time.
func Answered[T any](ctx context.Context, patience time.Duration, call func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(patience, cancel)
	defer timer.Stop()
	return bounded(ctx, limited, patience, func() { timer.Reset(patience) }, call)
}

// bounded makes a call in a context that ends for want of an answer, or with ctx. heard is told of each answer.
func bounded[T any](ctx, limited context.Context, limit time.Duration, heard func(), call func(context.Context) (T, error)) (T, error) {
	var asked atomic.Value // the SDK's error of a call that was ended does not tell
	out, err := call(httptrace.WithClientTrace(limited, &httptrace.ClientTrace{
		GetConn: func(host string) { asked.Store(host) }, GotFirstResponseByte: heard,
	}))
	if err == nil || limited.Err() == nil {
		return out, err
	}
	host, _ := asked.Load().(string)
	err = &unheard{err, strings.TrimSuffix(host, ":443")}
	if ctx.Err() == nil {
		err = Unanswered(err, limit)
	}
	return out, err
}

// unheard is the error of a call that was ended while somebody's answer was waited for.
type unheard struct {
	error
	endpoint string
}

func (u *unheard) Unwrap() error { return u.error }

// Unanswered makes of the error of a call that was ended for want of an answer one that says so, and names the
// endpoint where that is known. What an *Error says of its operation stays.
func Unanswered(err error, within time.Duration) *Error {
	var e Error
	if known := (*Error)(nil); errors.As(err, &known) {
		e = *known
	}
	who := ""
	if e.Endpoint = cmp.Or(endpointOf(err), e.Endpoint); e.Endpoint != "" {
		who = e.Endpoint + " gave "
	}
	e.Code, e.Message, e.Temporary, e.Err = RequestTimeout, fmt.Sprintf("%sno answer within %s", who, within), true, nil
	e.Try = advise(&e)
	return &e
}

// endpointOf is the endpoint whose answer was waited for, "" where the error does not tell.
func endpointOf(err error) string {
	var ended *unheard
	if errors.As(err, &ended) && ended.endpoint != "" {
		return ended.endpoint
	}
	var request *url.Error
	if !errors.As(err, &request) {
		return ""
	}
	at, bad := url.Parse(request.URL)
	if bad != nil || at.Host == "" {
		return ""
	}
	return at.Scheme + "://" + at.Host
}
