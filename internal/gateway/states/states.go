// Package states is the gateway of route states: it lets the state machine of the pipeline account
// purge, and reads from the executions' histories what CloudFront said. No function is needed on this
// route; a pipeline's StepFunctions action starts the same machine. What the machine cannot do (read
// the distribution, see other people's invalidations) this gateway cannot either, and says so.
package states

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

const (
	// timeout ends one call of Step Functions.
	timeout = 10 * time.Second
	// patience is how long Create waits for the machine to have created the invalidation. The machine
	// retries by itself for minutes; the same Create asked again finds the same execution.
	patience = 30 * time.Second
	// The machine needs about a second for its first steps; looks begin there and grow slower, since
	// histories are throttled (Step Functions developer guide, "Quotas related to API action throttling").
	firstLook, lastLook = 500 * time.Millisecond, 4 * time.Second
	// searched is how many executions, newest first, are looked through for an invalidation. Each costs a call.
	searched = 100
	// maxName and maxInput are Step Functions' limits. Source: API reference, StartExecution.
	maxName, maxInput = 80, 256 << 10
)

// Gateway reaches one distribution through a state machine. Make it with New.
type Gateway struct {
	client  *sfn.Client
	target  target.Target
	machine target.StateMachine

	mu    sync.Mutex
	found map[string]string // execution ARN by invalidation ID
}

// New makes the gateway of a target of route states. cfg holds credentials of the machine's account
// that may start executions and read them: states:StartExecution and ListExecutions on the machine,
// GetExecutionHistory on its executions.
func New(cfg aws.Config, t target.Target) (*Gateway, error) {
	machine, err := target.ParseStateMachine(t.StateMachine)
	if err != nil {
		return nil, fmt.Errorf("reach target %q: %w", t.Name, err)
	}
	client := sfn.NewFromConfig(cfg, func(o *sfn.Options) {
		o.Region = machine.Region
		o.Retryer, o.RetryMaxAttempts = aws.NopRetryer{}, 0
	})
	return &Gateway{client: client, target: t, machine: machine, found: map[string]string{}}, nil
}

// Distribution cannot read anything: what comes with the error is what the target says.
func (g *Gateway) Distribution(context.Context) (plan.Distribution, error) {
	return plan.Distribution{ID: g.target.Distribution, Account: g.target.Account}, gateway.At(g.target, "read distribution", &gateway.Error{
		Code:    gateway.Unsupported,
		Message: "route states purges given items; it neither reads the distribution nor looks at what viewers get",
		Try:     "name the items, and verify in a step of its own; or take route assume",
	})
}

// Create starts an execution that is named by the batch's reference, and waits until it has created
// the invalidation. CloudFront's own reference follows from the execution's ID, so the batch's is
// what the invalidation has here.
func (g *Gateway) Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error) {
	inv, err := g.create(ctx, batch)
	if err != nil {
		return invalidation.Invalidation{}, gateway.At(g.target, "create invalidation", err)
	}
	return inv, nil
}

func (g *Gateway) create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error) {
	input, err := g.input(batch)
	if err != nil {
		return invalidation.Invalidation{}, err
	}
	_, err = gateway.Within(ctx, timeout, func(ctx context.Context) (*sfn.StartExecutionOutput, error) {
		return g.client.StartExecution(ctx, &sfn.StartExecutionInput{
			StateMachineArn: &g.target.StateMachine, Name: &batch.Reference, Input: aws.String(string(input)),
		})
	})
	execution := g.machine.ExecutionARN(batch.Reference)
	// A name is taken for 90 days. Of a running execution with the same input Step Functions gives the
	// ARN; it refuses when the execution is over, though it may be ours, and when the input differs.
	if errors.As(err, new(*types.ExecutionAlreadyExists)) {
		err = g.sameInput(ctx, execution, batch)
	}
	if err != nil {
		return invalidation.Invalidation{}, g.explain(err)
	}
	return gateway.Within(ctx, patience, func(ctx context.Context) (invalidation.Invalidation, error) {
		return g.await(ctx, execution, batch.Reference)
	})
}

// request is the machine's input.
type request struct {
	Items []string `json:"items"`
}

// input checks a batch and writes it as the machine's input.
func (g *Gateway) input(batch invalidation.Batch) ([]byte, error) {
	if batch.Distribution != g.target.Distribution {
		return nil, &gateway.Error{Code: gateway.DistributionNotAllowed, Message: "the batch is for distribution " + batch.Distribution}
	}
	if len(batch.Reference) > maxName || !validName(batch.Reference) {
		return nil, &gateway.Error{
			Code:    gateway.InvalidArgument,
			Message: fmt.Sprintf("reference %q cannot name an execution: it has more than %d characters, or a colon", batch.Reference, maxName),
		}
	}
	r := request{Items: make([]string, len(batch.Items))}
	for i, item := range batch.Items {
		r.Items[i] = item.String()
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write input: %w", err)
	}
	if len(text) > maxInput {
		return nil, &gateway.Error{
			Code: gateway.BatchTooLarge, Message: fmt.Sprintf("the input has %d bytes; Step Functions takes %d", len(text), maxInput),
		}
	}
	return text, nil
}

// validName leaves out what references may have and names of executions not.
func validName(reference string) bool {
	return invalidation.CheckReference(reference) == nil && !slices.Contains([]byte(reference), ':')
}

// sameInput checks that the execution of a reference purges what the batch does.
func (g *Gateway) sameInput(ctx context.Context, execution string, batch invalidation.Batch) error {
	h, err := g.read(ctx, execution)
	if err != nil {
		return err
	}
	var earlier request
	wanted := make([]string, len(batch.Items))
	for i, item := range batch.Items {
		wanted[i] = item.String()
	}
	if err := json.Unmarshal([]byte(h.input), &earlier); err != nil || !slices.Equal(earlier.Items, wanted) {
		return &gateway.Error{
			Code:    gateway.ReferenceReused,
			Message: fmt.Sprintf("execution %s purges other items than the %d asked for", batch.Reference, len(wanted)),
			Try:     "begin a new attempt: it has a new reference",
		}
	}
	return nil
}

// await looks at an execution until it has created its invalidation.
func (g *Gateway) await(ctx context.Context, execution, reference string) (invalidation.Invalidation, error) {
	for wait := firstLook; ; wait = min(2*wait, lastLook) {
		h, err := g.read(ctx, execution)
		if err != nil {
			return invalidation.Invalidation{}, g.explain(err)
		}
		if h.invalidation.ID != "" {
			return g.report(h, execution, reference)
		}
		if h.over {
			return invalidation.Invalidation{}, h.failure(reference)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return invalidation.Invalidation{}, ctx.Err()
		case <-timer.C:
		}
	}
}

// report fills in what the history does not know. A machine that purges another distribution than the
// target says is not taken for it.
func (g *Gateway) report(h history, execution, reference string) (invalidation.Invalidation, error) {
	if h.distribution != "" && h.distribution != g.target.Distribution {
		return invalidation.Invalidation{}, &gateway.Error{
			Code:    gateway.BadAnswer,
			Message: fmt.Sprintf("the state machine purges distribution %s: it made invalidation %s", h.distribution, h.invalidation.ID),
			Try:     "correct the target's distribution, or name another state machine",
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.found[h.invalidation.ID] = execution
	h.invalidation.Distribution, h.invalidation.Reference = g.target.Distribution, reference
	return h.invalidation, nil
}
