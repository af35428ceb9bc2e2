package job

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/smithy-go/middleware"
)

// answerTimeout ends one try of an answer. CodePipeline answers in a fraction of it. Two fit into the
// margin that is kept before the function's deadline: a connection that hangs must not take the
// answer with it. A try that was carried out nevertheless makes the next one find the job over.
const answerTimeout = 1400 * time.Millisecond

// slowAttempt is a try that took too long. The SDK's retryer knows it by its Timeout method; its own
// error for a context that ended would stop it.
type slowAttempt struct{ limit time.Duration }

func (e *slowAttempt) Error() string { return fmt.Sprintf("no answer within %s", e.limit) }

// Timeout says that another try may do.
func (*slowAttempt) Timeout() bool { return true }

// limitAttempts gives each try of a call its own time.
func limitAttempts(limit time.Duration) func(*middleware.Stack) error {
	try := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		attempt, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		out, metadata, err := next.HandleFinalize(attempt, in)
		if err != nil && attempt.Err() != nil && ctx.Err() == nil {
			err = &slowAttempt{limit}
		}
		return out, metadata, err
	}
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("LimitAttempts", try), "Retry", middleware.After)
	}
}
