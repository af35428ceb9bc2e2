package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// replies bounds what an endpoint can make the command line wait for and hold: AWS_ENDPOINT_URL or a proxy
// makes it anybody's, and the SDK reads replies to their end. Objects of S3 are streams, whose length their
// readers bound.
type replies struct {
	size int64         // of a reply's body, in bytes
	send time.Duration // to connect and send, and to receive an object
	wait time.Duration // from there to the reply's beginning, and from its beginning to its end
	run  time.Duration // the same as wait where a Lambda function runs meanwhile
}

// defaultReplies: nothing that AWS answers here is longer than 6 MB (Lambda quotas, "Invocation payload"); a
// function's code goes out over slow lines too; gateways give a function 45 s.
func defaultReplies() replies {
	return replies{size: 16 << 20, send: 5 * time.Minute, wait: 20 * time.Second, run: time.Minute}
}

// endless is more than anybody sends.
const endless = 1 << 62

// bound puts the bounds next to the wire: they hold for each attempt, and for whatever reads the reply.
func (b replies) bound(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("BoundReply", b.handle), middleware.After)
}

func (b replies) handle(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	host := ""
	if r, ok := in.Request.(*smithyhttp.Request); ok {
		host = r.URL.Host
		var err error
		if in.Request, err = readable(r); err != nil {
			return middleware.DeserializeOutput{}, middleware.Metadata{}, err
		}
	}
	wait, operation := b.wait, awsmiddleware.GetServiceID(ctx)+" "+awsmiddleware.GetOperationName(ctx)
	if operation == "Lambda Invoke" {
		wait = b.run
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{host: host, cancel: cancel}
	w.phase(b.send, "could not be reached or sent to")
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { w.phase(wait, "did not begin to answer") },
	})
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || response.Body == nil {
		w.end()
		return out, metadata, w.reason(ctx, err)
	}
	size := b.size
	if operation == "S3 GetObject" && response.StatusCode < http.StatusMultipleChoices {
		wait, size = b.send, endless
	}
	w.phase(wait, "did not finish its answer")
	response.Body = &reply{ReadCloser: response.Body, ctx: ctx, watch: w, left: size, most: size}
	return out, metadata, nil
}

// readable has a request's body without WriteTo, which smithy-go answers with io.EOF once the reply has begun. Where
// that is sooner than net/http has looked for the body's end, as with an endpoint on this machine, net/http takes
// it for a failed write and closes the connection under the reply.
func readable(r *smithyhttp.Request) (*smithyhttp.Request, error) {
	if body, ok := r.GetStream().(io.ReadSeeker); ok {
		return r.SetStream(struct{ io.ReadSeeker }{body})
	}
	return r, nil
}

// reply is a body that ends in an error where it is too long or takes too long.
type reply struct {
	io.ReadCloser
	ctx        context.Context
	watch      *watch
	left, most int64
}

func (r *reply) Read(p []byte) (int, error) {
	if r.left < 0 {
		return 0, r.tooLong()
	}
	// One byte more than is left tells a body that just fits from one that does not.
	n, err := r.ReadCloser.Read(p[:min(int64(len(p)), r.left+1)])
	r.left -= int64(n)
	if r.left < 0 {
		return n + int(r.left), r.tooLong()
	}
	if err != nil {
		r.watch.end()
		err = r.watch.reason(r.ctx, err)
	}
	return n, err
}

func (r *reply) tooLong() error {
	return fmt.Errorf("read the answer of %s: it is longer than %d MiB, which nothing of AWS is", r.watch.host, r.most>>20)
}

func (r *reply) Close() error {
	defer r.watch.end()
	return r.ReadCloser.Close()
}

// watch ends one attempt when a phase of it takes too long.
type watch struct {
	host   string
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer
	ended bool
}

// phase begins the next one.
func (w *watch) phase(most time.Duration, otherwise string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	if !w.ended { // what is sent may be told after the reply, or after the end
		w.timer = time.AfterFunc(most, func() { w.cancel(&slowError{w.host, otherwise, most}) })
	}
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.ended = true
	w.cancel(nil) // of a context whose cause is there already, this changes nothing
}

// reason is the watch's own error where that is why the attempt ended, and not the interruption of whoever
// called.
func (w *watch) reason(ctx context.Context, err error) error {
	if slow, ok := context.Cause(ctx).(*slowError); ok && err != nil && err != io.EOF {
		return slow
	}
	return err
}

// slowError is an attempt that took too long. Another may be made, as after any failure of the network.
type slowError struct {
	host, failure string
	most          time.Duration
}

func (e *slowError) Error() string {
	return fmt.Sprintf("wait for %s: it %s within %s", e.host, e.failure, e.most)
}

// ConnectionError makes the SDK's retryer try again.
func (*slowError) ConnectionError() bool { return true }
