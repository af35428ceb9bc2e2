// Package invalidator is the delivery account's side of the relay: it takes requests of the pipeline
// account, checks them as if they came from a stranger, carries them out on the distributions it was
// given and on no others, and answers what happened.
package invalidator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/scrub"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// answerMargin is kept of the function's time for answering: a function that is killed reports
// neither what it did nor why.
const answerMargin = time.Second

// Gateway is what the invalidator needs to reach one distribution.
type Gateway interface {
	Distribution(ctx context.Context) (plan.Distribution, error)
	Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error)
	Get(ctx context.Context, id string) (invalidation.Invalidation, error)
	InProgress(ctx context.Context) ([]invalidation.Invalidation, error)
	Objects(ctx context.Context, origin plan.Origin, keys []string) ([]gateway.Stored, error)
}

// Handler carries requests out.
type Handler struct {
	Gateways map[string]Gateway // by distribution ID; the keys are the allow-list
	Log      *slog.Logger       // one line per request; the event itself is never logged
	Now      func() time.Time   // for durations in the log
	Secrets  []string           // the function's own credentials, which no answer and no log may quote
}

// Handle answers one invocation. Refusals and AWS's errors travel in the answer, so that the other
// side can tell them apart; an error is returned only if no answer can be written.
func (h *Handler) Handle(ctx context.Context, event json.RawMessage) (json.RawMessage, error) {
	began := h.Now()
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerMargin))
		defer cancel()
	}
	request, err := gateway.DecodeRequest(event)
	response := gateway.Response{}
	if err == nil {
		response, err = h.do(ctx, &request)
	}
	if err != nil {
		response = gateway.Fail(err)
	}
	response.Version = gateway.Version
	clean(response.Error, scrub.New(h.Secrets...))
	answer, err := json.Marshal(response)
	if err == nil && len(answer) > gateway.MaxMessage {
		response = gateway.Fail(&gateway.Error{
			Code: gateway.BadAnswer, Message: fmt.Sprintf("the answer has %d bytes; Lambda gives back %d", len(answer), gateway.MaxMessage),
		})
		answer, err = json.Marshal(response)
	}
	h.record(ctx, request, response, h.Now().Sub(began))
	if err != nil {
		return nil, fmt.Errorf("write answer to operation %s: %w", request.Operation, err)
	}
	return answer, nil
}

// clean takes credentials out of what AWS said: the pipeline account is told it, and the log.
func clean(f *gateway.Failure, s scrub.Scrubber) {
	if f == nil {
		return
	}
	for _, text := range []*string{&f.Code, &f.Message, &f.Caller, &f.Action, &f.Resource, &f.Try} {
		*text = s.Text(*text)
	}
}

// do carries a request out and fills in the distribution that it meant.
func (h *Handler) do(ctx context.Context, request *gateway.Request) (gateway.Response, error) {
	gate, err := h.admit(request)
	if err != nil {
		return gateway.Response{}, err
	}
	switch request.Operation {
	case gateway.OpDistribution:
		d, err := gate.Distribution(ctx)
		return gateway.Response{Distribution: &d}, err
	case gateway.OpCreate:
		batch, err := receive(request)
		if err != nil {
			return gateway.Response{}, err
		}
		inv, err := gate.Create(ctx, batch)
		return gateway.Response{Invalidation: &inv}, err
	case gateway.OpGet:
		inv, err := gate.Get(ctx, request.ID)
		return gateway.Response{Invalidation: &inv}, err
	case gateway.OpInProgress:
		list, err := gate.InProgress(ctx)
		if list == nil {
			list = []invalidation.Invalidation{}
		}
		return gateway.Response{Invalidations: list}, err
	case gateway.OpObjects:
		objects, err := objects(ctx, gate, request)
		return gateway.Response{Objects: objects}, err
	}
	return gateway.Response{}, &gateway.Error{Code: gateway.BadRequest, Message: "there is no such operation"}
}

// objects looks at an origin of the distribution, and at no bucket that is none of its origins.
func objects(ctx context.Context, gate Gateway, request *gateway.Request) ([]gateway.Stored, error) {
	d, err := gate.Distribution(ctx)
	if err != nil {
		return nil, err
	}
	for _, origin := range d.Origins {
		if origin.ID == request.Origin {
			return gate.Objects(ctx, origin, request.Keys)
		}
	}
	return nil, &gateway.Error{
		Code: gateway.BadRequest, Message: fmt.Sprintf("distribution %s has no origin %.64q", request.Distribution, request.Origin),
	}
}

// admit finds the gateway of the request's distribution, and refuses what is not on the list.
func (h *Handler) admit(request *gateway.Request) (Gateway, error) {
	allowed := slices.Sorted(maps.Keys(h.Gateways))
	if request.Distribution == "" && len(allowed) == 1 {
		request.Distribution = allowed[0]
	}
	gate, ok := h.Gateways[request.Distribution]
	if ok {
		return gate, nil
	}
	list := strings.Join(allowed, ", ")
	if request.Distribution == "" {
		return nil, &gateway.Error{
			Code:    gateway.DistributionNotAllowed,
			Message: "the request names no distribution; this invalidator serves " + list,
			Try:     "name the distribution in the target",
		}
	}
	return nil, &gateway.Error{
		Code:    gateway.DistributionNotAllowed,
		Message: fmt.Sprintf("this invalidator does not serve distribution %.64q, only %s", request.Distribution, list),
		Try:     fmt.Sprintf("add it to %s of the invalidator, and to its role's policy", DistributionsVariable),
	}
}

// receive checks the items of a request here, whatever the other side may have checked.
func receive(request *gateway.Request) (invalidation.Batch, error) {
	items := make([]invalidation.Item, len(request.Items))
	for i, item := range request.Items {
		items[i] = invalidation.Item(item)
	}
	batch, err := invalidation.ReceivedBatch(request.Reference, request.Distribution, items)
	if err != nil {
		return invalidation.Batch{}, &gateway.Error{Code: gateway.InvalidArgument, Message: err.Error(), Err: err}
	}
	return batch, nil
}

// record logs what was asked and what came of it. Of an event that was no request only that is
// logged: whatever else sends events here may put secrets into them.
func (h *Handler) record(ctx context.Context, request gateway.Request, response gateway.Response, took time.Duration) {
	fields := []slog.Attr{
		slog.String("operation", string(request.Operation)),
		slog.String("distribution", request.Distribution),
		slog.Int64("milliseconds", took.Milliseconds()),
	}
	if c := request.Cause; c != nil {
		fields = append(fields, slog.String("release", short(c.Release)), slog.String("target", short(c.Target)))
	}
	reference := request.Reference
	if reference == "" && response.Invalidation != nil {
		reference = response.Invalidation.Reference
	}
	fields = append(fields, slog.String("reference", short(reference)))
	if request.Operation == gateway.OpCreate {
		fields = append(fields, slog.Int("items", len(request.Items)))
	}
	if response.Invalidation != nil {
		fields = append(fields,
			slog.String("invalidation", response.Invalidation.ID), slog.String("status", string(response.Invalidation.Status)))
	}
	if response.Error != nil {
		fields = append(fields, slog.String("code", response.Error.Code), slog.String("message", response.Error.Message))
		h.Log.LogAttrs(ctx, slog.LevelError, "refused", fields...)
		return
	}
	h.Log.LogAttrs(ctx, slog.LevelInfo, "done", fields...)
}

// maxField is the most characters of a request's text in the log: one that breaks the rules may have
// any length. A reference that keeps them has fewer.
const maxField = 200

func short(text string) string { return fmt.Sprintf("%.*s", maxField, text) }

// The environment variables that hold the allow-list. One of them is set.
const (
	DistributionVariable  = "DISTRIBUTION_ID"  // a single distribution
	DistributionsVariable = "DISTRIBUTION_IDS" // several, parted by commas
)

// Distributions reads the allow-list. getenv is os.Getenv in production. Without one the invalidator
// must not start: an empty list that allowed everything would be the worst reading.
func Distributions(getenv func(string) string) ([]string, error) {
	one, many := strings.TrimSpace(getenv(DistributionVariable)), getenv(DistributionsVariable)
	if one != "" && many != "" {
		return nil, fmt.Errorf("read allow-list: both %s and %s are set; keep one", DistributionVariable, DistributionsVariable)
	}
	if one != "" {
		many = one
	}
	var ids []string
	for id := range strings.SplitSeq(many, ",") {
		if id = strings.TrimSpace(id); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if !target.ValidDistribution(id) {
			return nil, fmt.Errorf("read allow-list: %q is not a distribution ID, such as E2EXAMPLE", id)
		}
	}
	if len(ids) == 0 {
		return nil, errors.New("read allow-list: neither " + DistributionVariable + " nor " + DistributionsVariable +
			" is set; name the distributions that may be invalidated")
	}
	return ids, nil
}
