package purge

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/unstale/unstale/internal/gateway"
)

// Class is how a failure is met.
type Class string

// The classes.
const (
	Unknown Class = ""      // nothing is known of it: a few fast tries
	Fast    Class = "fast"  // AWS was busy or the network failed: again soon, jittered
	Slow    Class = "slow"  // CloudFront has no room: again when others may have completed
	Never   Class = "never" // trying again changes nothing
)

// classes are the codes whose class is known. Sources: CloudFront API reference, CreateInvalidation;
// Lambda API reference, Invoke; botocore's retry list for the throttling codes.
var classes = map[string]Class{
	gateway.ServiceUnavailable:       Fast,
	gateway.Throttling:               Fast,
	gateway.ThrottlingException:      Fast,
	gateway.TooManyRequestsException: Fast,
	gateway.RequestTimeout:           Fast,
	gateway.NetworkError:             Fast,
	"RequestThrottled":               Fast,
	"SlowDown":                       Fast,
	"RequestTimeoutException":        Fast,
	"InternalError":                  Fast,
	"InternalFailure":                Fast,
	"ServiceException":               Fast, // Lambda's 500
	"EC2ThrottledException":          Fast,
	"ResourceConflictException":      Fast, // the function is being updated
	"ResourceNotReadyException":      Fast, // the function is being woken

	gateway.TooManyInvalidationsInProgress: Slow,

	gateway.AccessDenied:                   Never,
	gateway.NoSuchDistribution:             Never,
	gateway.InvalidArgument:                Never,
	gateway.BatchTooLarge:                  Never,
	gateway.InvalidationBatchAlreadyExists: Never,
	gateway.ResourceNotFoundException:      Never,
	gateway.ReferenceReused:                Never,
	gateway.DistributionNotAllowed:         Never,
	gateway.BadRequest:                     Never,
	gateway.Canceled:                       Never,
	gateway.Unsupported:                    Never,
	gateway.ExecutionFailed:                Never,
	"InconsistentQuantities":               Never,
	"MissingBody":                          Never,
	"MalformedXML":                         Never,
	"ValidationException":                  Never,
	"InvalidRequestContentException":       Never,
	"RequestTooLargeException":             Never,
	"RecursiveInvocationException":         Never,
	"ExpiredToken":                         Never,
	"ExpiredTokenException":                Never,
	"InvalidClientTokenId":                 Never,
	"UnrecognizedClientException":          Never,
	"SignatureDoesNotMatch":                Never,
	"InvalidSignatureException":            Never,
}

// Classify gives the class of a failed call.
func Classify(err error) Class {
	var e *gateway.Error
	if errors.As(err, &e) {
		if class, known := classes[e.Code]; known {
			return class
		}
		if e.Temporary || e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests {
			return Fast
		}
		return Unknown
	}
	var network net.Error
	if errors.As(err, &network) {
		return Fast
	}
	return Unknown
}

// Backoff is a sequence of waits: Base, doubling up to Most, each shortened by chance by up to half.
// Tries is how many calls are made in all; 0 means that only the order's time bounds them.
type Backoff struct {
	Base, Most time.Duration
	Tries      int
}

// Retry is how each class is retried. The zero value is usable.
type Retry struct {
	Fast, Slow, Unknown Backoff
	Rand                func() float64 // in [0, 1); nil means math/rand
}

func (r Retry) orDefault(s Schedule) Retry {
	if r.Fast == (Backoff{}) {
		// People raise the SDKs' 3 attempts to 10 for CloudFront's 503s at peak hours.
		r.Fast = Backoff{Base: 200 * time.Millisecond, Most: 5 * time.Second, Tries: 10}
	}
	if r.Slow == (Backoff{}) {
		// There is room when an invalidation completes, so its usual duration is the measure.
		r.Slow = Backoff{Base: s.Median / 2, Most: 3 * s.Median}
	}
	if r.Unknown == (Backoff{}) {
		r.Unknown = Backoff{Base: 200 * time.Millisecond, Most: time.Second, Tries: 3}
	}
	if r.Rand == nil {
		r.Rand = rand.Float64
	}
	return r
}

func (r Retry) of(class Class) Backoff {
	switch class {
	case Fast:
		return r.Fast
	case Slow:
		return r.Slow
	case Unknown:
		return r.Unknown
	}
	return Backoff{Tries: 1}
}

// Delay is the wait after the failed-th failure (from 1) of a class, and whether there is to be
// another try at all.
func (r Retry) Delay(class Class, failed int) (time.Duration, bool) {
	b := r.of(class)
	if class == Never || (b.Tries > 0 && failed >= b.Tries) {
		return 0, false
	}
	d := b.Base
	for i := 1; i < failed && d < b.Most; i++ {
		d *= 2
	}
	d = min(d, b.Most)
	return d - time.Duration(r.Rand()*float64(d)/2), true
}

// retrying makes a call until it succeeds or its failures say stop. Failures are counted by class, so
// that waiting for room does not use up the tries that the network needs.
func retrying[T any](ctx context.Context, r *run, what string, call func(context.Context) (T, error)) (T, error) {
	failed := map[Class]int{}
	for {
		out, err := call(ctx)
		if err == nil {
			return out, nil
		}
		if ctx.Err() != nil {
			return out, errHandOver
		}
		class := Classify(err)
		failed[class]++
		delay, again := r.Retry.Delay(class, failed[class])
		if !again || r.Now().Add(delay).After(r.Until) {
			return out, err
		}
		r.Log.Warn("retrying", "step", what, "class", string(class), "failed", failed[class],
			"seconds", delay.Seconds(), "error", err.Error())
		if err := r.pause(ctx, class, delay); err != nil {
			return out, err
		}
	}
}
