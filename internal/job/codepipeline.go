package job

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/scrub"
)

// answerTries is how often an answer is tried. It is worth more tries than most calls: an answer that
// is lost leaves the stage waiting for twenty minutes. The context's deadline bounds them.
const answerTries = 8

type codePipeline struct {
	client *codepipeline.Client
	role   string                  // "": the function's own
	own    aws.CredentialsProvider // its credentials
}

// NewAnswerer answers jobs in cfg's region with cfg's credentials: the function's own, or those of
// role, the ARN of a role in the pipeline's account, where the function runs in another one. The
// artifactCredentials of a job are never used for it: they are refused there, and meant for the
// artifacts only.
func NewAnswerer(cfg aws.Config, role string) Answerer {
	return codePipeline{role: role, own: cfg.Credentials, client: codepipeline.NewFromConfig(cfg, func(o *codepipeline.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = answerTries
			o.MaxBackoff = time.Second
		})
		o.APIOptions = append(o.APIOptions, limitAttempts(answerTimeout))
	})}
}

// Answer implements Answerer. A session that AWS says is over is replaced, where there is another to be had.
func (c codePipeline) Answer(ctx context.Context, jobID string, a Answer) error {
	a = a.fit()
	err := c.put(ctx, jobID, a)
	if sessions, ok := c.own.(interface{ Invalidate() }); ok && gateway.SessionOver(err) {
		sessions.Invalidate()
		err = c.put(ctx, jobID, a)
	}
	if err == nil {
		return nil
	}
	return c.explain(ctx, jobID, err)
}

func (c codePipeline) put(ctx context.Context, jobID string, a Answer) error {
	if a.Failure != "" {
		_, err := c.client.PutJobFailureResult(ctx, &codepipeline.PutJobFailureResultInput{
			JobId: &jobID,
			FailureDetails: &types.FailureDetails{
				Type: types.FailureType(a.Failure), Message: &a.Message, ExternalExecutionId: given(a.External),
			},
		})
		return err
	}
	_, err := c.client.PutJobSuccessResult(ctx, &codepipeline.PutJobSuccessResultInput{
		JobId:             &jobID,
		ContinuationToken: given(a.Token),
		ExecutionDetails: &types.ExecutionDetails{
			Summary: given(a.Summary), ExternalExecutionId: given(a.External), PercentComplete: aws.Int32(int32(a.Percent)),
		},
		OutputVariables: a.Variables,
	})
	return err
}

// explain says why an answer was not accepted, and what to do.
func (c codePipeline) explain(ctx context.Context, jobID string, err error) *AnswerError {
	failed := &AnswerError{JobID: jobID, Err: err}
	var assumed *gateway.Error
	if errors.As(err, &assumed) { // there are no credentials to call CodePipeline with
		failed.Code, failed.Err, failed.Try = assumed.Code, assumed, assumed.Try
		return failed
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		failed.Code = api.ErrorCode()
	}
	// The handler scrubs what it knows; a session that was assumed is known here only.
	if own, gone := c.own.Retrieve(ctx); gone == nil {
		if clean := scrub.New(own.SessionToken, own.SecretAccessKey, own.AccessKeyID).Text(err.Error()); clean != err.Error() {
			failed.Err = errors.New(clean)
		}
	}
	switch failed.Code {
	case codeDenied, "AccessDenied":
		failed.Try = tryPermission + cmp.Or(c.role, "the function's role")
	case codeNoSuchJob:
		// Whose account may answer the job of an action that runs in another account is not documented.
		failed.Try = tryOtherRegion
		if c.role == "" {
			failed.Try = tryOtherAccount
		}
	}
	return failed
}

// given is nil for text that is not there: CodePipeline refuses empty texts.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
