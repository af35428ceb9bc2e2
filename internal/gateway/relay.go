package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// RelayTimeout ends one invocation. It is longer than the invalidator's own timeout (30 s as
// deployed): a client that gives up first invokes again while the first is still at work.
const RelayTimeout = 45 * time.Second

// Relay reaches a distribution through the invalidator function of the account that owns it. It
// invokes synchronously: the asynchronous way loses every error.
type Relay struct {
	lambda *invoker
	at     place
}

// NewRelay makes the gateway behind an invalidator. function is the ARN of its alias, whose region
// is called; distribution may be empty when the invalidator serves a single one.
func NewRelay(cfg aws.Config, function, distribution string) *Relay {
	at := place{route: target.Relay, function: function, distribution: distribution}
	if f, err := target.ParseFunction(function); err == nil {
		at.account = f.Account
	}
	return &Relay{newInvoker(cfg, function), at}
}

// Distribution reads the distribution's configuration.
func (r *Relay) Distribution(ctx context.Context) (plan.Distribution, error) {
	const operation = "read distribution"
	answer, err := r.ask(ctx, operation, Request{Operation: OpDistribution})
	switch {
	case err != nil:
		return plan.Distribution{}, err
	case answer.Distribution == nil || answer.Distribution.ID == "":
		return plan.Distribution{}, r.at.badAnswer(operation, "the invalidator's answer has no distribution")
	case r.at.distribution != "" && answer.Distribution.ID != r.at.distribution:
		return plan.Distribution{}, r.at.badAnswer(operation, "the invalidator answers for %s", answer.Distribution.ID)
	}
	return *answer.Distribution, nil
}

// Create asks the invalidator to create the batch.
func (r *Relay) Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error) {
	const operation = "create invalidation"
	if r.at.distribution != "" && batch.Distribution != r.at.distribution {
		return invalidation.Invalidation{}, r.at.wrap(operation, &Error{
			Code: DistributionNotAllowed, Message: "the batch is for distribution " + batch.Distribution,
		})
	}
	items := make([]string, len(batch.Items))
	for i, item := range batch.Items {
		items[i] = item.String()
	}
	inv, err := r.one(ctx, operation, Request{
		Operation: OpCreate, Distribution: batch.Distribution, Items: items, Reference: batch.Reference,
	})
	if err != nil {
		return invalidation.Invalidation{}, err
	}
	if err := sameBatch(inv, batch); err != nil {
		return invalidation.Invalidation{}, r.at.wrap(operation, err)
	}
	return inv, nil
}

// Get reads one invalidation.
func (r *Relay) Get(ctx context.Context, id string) (invalidation.Invalidation, error) {
	operation := "read invalidation " + id
	inv, err := r.one(ctx, operation, Request{Operation: OpGet, ID: id})
	if err != nil {
		return invalidation.Invalidation{}, err
	}
	if inv.ID != id {
		return invalidation.Invalidation{}, r.at.badAnswer(operation, "the invalidator answers for invalidation %s", inv.ID)
	}
	return inv, nil
}

// InProgress lists what is not completed.
func (r *Relay) InProgress(ctx context.Context) ([]invalidation.Invalidation, error) {
	const operation = "list invalidations in progress"
	answer, err := r.ask(ctx, operation, Request{Operation: OpInProgress})
	if err != nil {
		return nil, err
	}
	if answer.Invalidations == nil {
		return nil, r.at.badAnswer(operation, "the invalidator's answer has no list")
	}
	return answer.Invalidations, nil
}

// Objects looks at what an origin of the distribution holds. The invalidator finds the origin by its ID
// in its own distribution, so that no other bucket can be named from here.
func (r *Relay) Objects(ctx context.Context, origin plan.Origin, keys []string) ([]Stored, error) {
	operation := "read origin " + origin.ID
	if err := CheckObjects(origin, keys); err != nil {
		return nil, r.at.wrap(operation, err)
	}
	answer, err := r.ask(ctx, operation, Request{Operation: OpObjects, Origin: origin.ID, Keys: keys})
	switch {
	case err != nil:
		return nil, err
	case len(answer.Objects) != len(keys):
		return nil, r.at.badAnswer(operation, "the invalidator answers for %d keys instead of %d", len(answer.Objects), len(keys))
	}
	for i, key := range keys {
		if answer.Objects[i].Key != key {
			return nil, r.at.badAnswer(operation, "the invalidator answers for key %.40q instead of %.40q", answer.Objects[i].Key, key)
		}
	}
	return answer.Objects, nil
}

// one asks for what is answered with a single invalidation.
func (r *Relay) one(ctx context.Context, operation string, request Request) (invalidation.Invalidation, error) {
	answer, err := r.ask(ctx, operation, request)
	switch {
	case err != nil:
		return invalidation.Invalidation{}, err
	case answer.Invalidation == nil || answer.Invalidation.ID == "":
		return invalidation.Invalidation{}, r.at.badAnswer(operation, "the invalidator's answer has no invalidation")
	case request.Distribution != "" && answer.Invalidation.Distribution != request.Distribution,
		r.at.distribution != "" && answer.Invalidation.Distribution != r.at.distribution:
		return invalidation.Invalidation{}, r.at.badAnswer(operation,
			"the invalidator answers for distribution %s", answer.Invalidation.Distribution)
	}
	return *answer.Invalidation, nil
}

// ask invokes the invalidator once. An error that it answers is returned as if it had happened here.
func (r *Relay) ask(ctx context.Context, operation string, request Request) (Response, error) {
	request.Version, request.Cause = Version, causeOf(ctx)
	if request.Distribution == "" {
		request.Distribution = r.at.distribution
	}
	payload, err := json.Marshal(request)
	if err != nil {
		return Response{}, r.at.wrap(operation, fmt.Errorf("write request: %w", err))
	}
	if len(payload) > MaxMessage {
		return Response{}, r.at.wrap(operation, &Error{
			Code: BatchTooLarge, Message: fmt.Sprintf("the request has %d bytes; Lambda takes %d", len(payload), MaxMessage),
		})
	}
	out, err := Within(ctx, RelayTimeout, func(ctx context.Context) (invocation, error) {
		return r.lambda.invoke(ctx, r.at.function, payload)
	})
	if err != nil {
		return Response{}, r.at.wrap(operation, err)
	}
	if out.failed {
		return Response{}, r.at.wrap(operation, functionError(out.payload))
	}
	if out.status != http.StatusOK {
		return Response{}, r.at.badAnswer(operation, "Lambda answers status %d instead of 200", out.status)
	}
	answer, err := decodeResponse(out.payload)
	if err != nil {
		return Response{}, r.at.badAnswer(operation, "%v", err)
	}
	if answer.Error != nil {
		return Response{}, r.at.wrap(operation, answer.Error.error())
	}
	return answer, nil
}

// functionError reports a function that failed instead of answering, from Lambda's document
// {"errorType":...,"errorMessage":...}. One that ran out of time, or whose process was killed, may
// succeed when asked again; others fail the same way, such as one that ends by itself ("exit status 1").
// Source: Lambda developer guide, "Invoke: FunctionError".
func functionError(payload []byte) *Error {
	var document struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if err := json.Unmarshal(payload, &document); err != nil || document.Message == "" && document.Type == "" {
		return &Error{Code: FunctionError, Message: fmt.Sprintf("the invalidator failed with %.200q", payload)}
	}
	return &Error{
		Code:    FunctionError,
		Message: fmt.Sprintf("the invalidator failed: %s: %s", document.Type, document.Message),
		Temporary: document.Type == "Sandbox.Timedout" ||
			document.Type == "Runtime.ExitError" && strings.Contains(document.Message, "signal: "),
	}
}
