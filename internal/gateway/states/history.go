package states

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/invalidation"
)

// history is what an execution's history tells. It is read instead of the execution's output so that
// it does not matter how the machine's definition shapes that.
type history struct {
	input        string
	invalidation invalidation.Invalidation // as the last successful call reported it; no ID: there was none
	over         bool                      // the execution has ended
	succeeded    bool
	error, cause string // of an execution that failed
	distribution string // that the invalidation was made on, as CloudFront's answer locates it
	call         string // error of the last call that failed, e.g. "CloudFront.AccessDeniedException"
	said         string // its cause
}

// read reads an execution's history from its beginning.
func (g *Gateway) read(ctx context.Context, execution string) (history, error) {
	var h history
	in := &sfn.GetExecutionHistoryInput{ExecutionArn: &execution, MaxResults: 1000, IncludeExecutionData: aws.Bool(true)}
	for {
		out, err := gateway.Within(ctx, timeout, func(ctx context.Context) (*sfn.GetExecutionHistoryOutput, error) {
			return g.client.GetExecutionHistory(ctx, in)
		})
		if err != nil {
			return history{}, err
		}
		for _, e := range out.Events {
			if err := h.add(e); err != nil {
				return history{}, &gateway.Error{Code: gateway.BadAnswer, Message: fmt.Sprintf("read history of execution %s: %v", execution, err), Err: err}
			}
		}
		if aws.ToString(out.NextToken) == "" {
			return h, nil
		}
		in.NextToken = out.NextToken
	}
}

// integration is how histories name calls of the AWS SDK integration with CloudFront.
const integration = "aws-sdk:cloudfront"

// add takes in the next event. Those that say nothing here are let pass. Source: Step Functions API
// reference, HistoryEvent.
func (h *history) add(e types.HistoryEvent) error {
	switch {
	case e.ExecutionStartedEventDetails != nil:
		h.input = aws.ToString(e.ExecutionStartedEventDetails.Input)
	case e.TaskSucceededEventDetails != nil && aws.ToString(e.TaskSucceededEventDetails.ResourceType) == integration:
		h.call, h.said = "", ""
		return h.result(aws.ToString(e.TaskSucceededEventDetails.Output))
	case e.TaskFailedEventDetails != nil:
		h.call, h.said = aws.ToString(e.TaskFailedEventDetails.Error), aws.ToString(e.TaskFailedEventDetails.Cause)
	case e.TaskTimedOutEventDetails != nil:
		h.call, h.said = aws.ToString(e.TaskTimedOutEventDetails.Error), aws.ToString(e.TaskTimedOutEventDetails.Cause)
	case e.Type == types.HistoryEventTypeExecutionSucceeded:
		h.over, h.succeeded = true, true
	case e.ExecutionFailedEventDetails != nil:
		h.end(e.ExecutionFailedEventDetails.Error, e.ExecutionFailedEventDetails.Cause, "failed")
	case e.ExecutionTimedOutEventDetails != nil:
		h.end(e.ExecutionTimedOutEventDetails.Error, e.ExecutionTimedOutEventDetails.Cause, "timed out")
	case e.ExecutionAbortedEventDetails != nil:
		h.end(e.ExecutionAbortedEventDetails.Error, e.ExecutionAbortedEventDetails.Cause, "was stopped")
	}
	return nil
}

func (h *history) end(code, cause *string, what string) {
	h.over, h.error, h.cause = true, aws.ToString(code), aws.ToString(cause)
	if h.cause == "" {
		h.cause = "the execution " + what + " and says nothing else"
	}
}

// result reads what a successful call gave: CloudFront's answer with the names of the SDK for Java,
// as all SDK integrations give it. Source: Step Functions developer guide, "AWS SDK service integrations".
func (h *history) result(output string) error {
	var answer struct {
		Invalidation struct {
			ID         string    `json:"Id"`
			Status     string    `json:"Status"`
			CreateTime time.Time `json:"CreateTime"`
			Batch      struct {
				Paths struct {
					Items []string `json:"Items"`
				} `json:"Paths"`
			} `json:"InvalidationBatch"`
		} `json:"Invalidation"`
		Location string `json:"Location"` // of createInvalidation only
	}
	if err := json.Unmarshal([]byte(output), &answer); err != nil {
		return fmt.Errorf("read the result of a call: %w", err)
	}
	in := answer.Invalidation
	if in.ID == "" {
		return nil // the result of another call
	}
	h.invalidation.ID, h.invalidation.Status = in.ID, invalidation.Status(in.Status)
	h.invalidation.Created, h.invalidation.Items = in.CreateTime, in.Batch.Paths.Items
	if _, rest, ok := strings.Cut(answer.Location, "/distribution/"); ok {
		h.distribution, _, _ = strings.Cut(rest, "/")
	}
	return nil
}

// failure is why an execution ended without what was asked of it. It is never temporary: the name is
// taken, and the same request finds the same end.
func (h history) failure(name string) *gateway.Error {
	if h.succeeded {
		return &gateway.Error{Code: gateway.BadAnswer, Message: fmt.Sprintf("execution %s succeeded without an invalidation", name)}
	}
	code := h.code()
	message := h.cause
	if h.error != "" {
		message = h.error + ": " + message
	}
	e := &gateway.Error{
		Code: code, Message: fmt.Sprintf("execution %s ended: %s", name, message),
		Try: "do what the cause says, then begin a new attempt: this execution's name is taken",
	}
	if code == gateway.AccessDenied {
		described := gateway.Explain(&gateway.Error{Code: code, Message: h.said})
		e.Caller, e.Action, e.Resource = described.Caller, described.Action, described.Resource
	}
	return e
}

// code is the failed call's as CloudFront spells it. Step Functions names errors SERVICE.NAME with the
// suffix Exception even where the API has none, and what the API's model does not know, such as
// throttling, after the service (developer guide, "AWS SDK service integrations"; that the latter is
// CloudFront.CloudFrontException is what public definitions retry).
func (h history) code() string {
	name, ours := strings.CutPrefix(h.call, "CloudFront.")
	switch {
	case h.call == "States.Timeout":
		return gateway.RequestTimeout
	case strings.Contains(h.said, "is not authorized to assume"):
		return gateway.AccessDenied
	case name == "CloudFrontException" && strings.Contains(h.said, "Rate exceeded"):
		return gateway.Throttling
	case name == "CloudFrontException" && strings.Contains(h.said, "Status Code: 503"):
		return gateway.ServiceUnavailable
	case name == "CloudFrontException" && strings.Contains(h.said, "Status Code: 403"):
		return gateway.AccessDenied
	case ours && name != "CloudFrontException":
		return strings.TrimSuffix(name, "Exception")
	}
	return gateway.ExecutionFailed
}
