package states

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// Get reads an invalidation as its execution last saw it. An execution that ended without seeing it
// completed is an error: nobody looks at it any more.
func (g *Gateway) Get(ctx context.Context, id string) (invalidation.Invalidation, error) {
	inv, err := g.get(ctx, id)
	if err != nil {
		return invalidation.Invalidation{}, gateway.At(g.target, "read invalidation "+id, g.explain(err))
	}
	return inv, nil
}

func (g *Gateway) get(ctx context.Context, id string) (invalidation.Invalidation, error) {
	g.mu.Lock()
	execution, known := g.found[id]
	g.mu.Unlock()
	if known {
		h, err := g.read(ctx, execution)
		if err != nil {
			return invalidation.Invalidation{}, err
		}
		return g.outcome(h, execution)
	}
	looked := 0
	for one, err := range g.executions(ctx, "") {
		if err != nil {
			return invalidation.Invalidation{}, err
		}
		h, err := g.read(ctx, one)
		if err != nil {
			return invalidation.Invalidation{}, err
		}
		if h.invalidation.ID == id {
			return g.outcome(h, one)
		}
		if looked++; looked == searched {
			break
		}
	}
	return invalidation.Invalidation{}, &gateway.Error{
		Code: gateway.NoSuchInvalidation, Message: fmt.Sprintf("none of the %d newest executions made it", looked),
	}
}

func (g *Gateway) outcome(h history, execution string) (invalidation.Invalidation, error) {
	name := nameOf(execution)
	if h.over && !h.invalidation.Status.Done() {
		return invalidation.Invalidation{}, h.failure(name)
	}
	return g.report(h, execution, name)
}

// InProgress lists the invalidations that the machine's running executions wait for. Those that
// somebody else made on the distribution are not seen on this route.
func (g *Gateway) InProgress(ctx context.Context) ([]invalidation.Invalidation, error) {
	const operation = "list invalidations in progress"
	var list []invalidation.Invalidation
	for execution, err := range g.executions(ctx, types.ExecutionStatusRunning) {
		if err != nil {
			return nil, gateway.At(g.target, operation, g.explain(err))
		}
		h, err := g.read(ctx, execution)
		if err != nil {
			return nil, gateway.At(g.target, operation, g.explain(err))
		}
		if h.invalidation.ID != "" && !h.over && !h.invalidation.Status.Done() {
			inv, err := g.report(h, execution, nameOf(execution))
			if err != nil {
				return nil, gateway.At(g.target, operation, err)
			}
			list = append(list, inv)
		}
	}
	return list, nil
}

// Objects cannot be had: the machine creates and looks, and nothing else.
func (g *Gateway) Objects(_ context.Context, origin plan.Origin, _ []string) ([]gateway.Stored, error) {
	return nil, gateway.At(g.target, "read origin "+origin.ID, &gateway.Error{
		Code: gateway.Unsupported, Message: "the state machine does not read the site's bucket",
		Try: "choose another route to have a release checked before it is purged",
	})
}

// executions lists the machine's executions of a status ("" for all), newest first, a page at a time
// as needed.
func (g *Gateway) executions(ctx context.Context, status types.ExecutionStatus) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in := &sfn.ListExecutionsInput{StateMachineArn: &g.target.StateMachine, StatusFilter: status, MaxResults: searched}
		for {
			out, err := gateway.Within(ctx, timeout, func(ctx context.Context) (*sfn.ListExecutionsOutput, error) {
				return g.client.ListExecutions(ctx, in)
			})
			if err != nil {
				yield("", err)
				return
			}
			for _, e := range out.Executions {
				if !yield(aws.ToString(e.ExecutionArn), nil) {
					return
				}
			}
			if aws.ToString(out.NextToken) == "" {
				return
			}
			in.NextToken = out.NextToken
		}
	}
}

// nameOf is the name in an execution's ARN.
func nameOf(execution string) string { return execution[strings.LastIndexByte(execution, ':')+1:] }

// explain names the next step for what Step Functions itself refuses.
func (g *Gateway) explain(err error) error {
	e := gateway.At(g.target, "", err)
	switch e.Code {
	case "StateMachineDoesNotExist":
		e.Try = fmt.Sprintf("deploy the state machine in account %s, or correct its ARN", g.machine.Account)
	case "ExecutionLimitExceeded": // too many run; some end
		e.Temporary = true
	}
	return e
}
