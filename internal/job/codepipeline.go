package job

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"
)

// answerTries is how often an answer is tried. It is worth more tries than most calls: an answer that
// is lost leaves the stage waiting for twenty minutes. The context's deadline bounds them.
const answerTries = 8

type codePipeline struct{ client *codepipeline.Client }

// NewAnswerer answers jobs with the function's own credentials. The artifactCredentials of a job are
// never used for it: they are refused there, and meant for the artifacts only.
func NewAnswerer(cfg aws.Config) Answerer {
	return codePipeline{codepipeline.NewFromConfig(cfg, func(o *codepipeline.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = answerTries
			o.MaxBackoff = time.Second
		})
	})}
}

// Answer implements Answerer.
func (c codePipeline) Answer(ctx context.Context, jobID string, a Answer) error {
	a = a.fit()
	var err error
	if a.Failure != "" {
		_, err = c.client.PutJobFailureResult(ctx, &codepipeline.PutJobFailureResultInput{
			JobId: &jobID,
			FailureDetails: &types.FailureDetails{
				Type: types.FailureType(a.Failure), Message: &a.Message, ExternalExecutionId: given(a.External),
			},
		})
	} else {
		_, err = c.client.PutJobSuccessResult(ctx, &codepipeline.PutJobSuccessResultInput{
			JobId:             &jobID,
			ContinuationToken: given(a.Token),
			ExecutionDetails: &types.ExecutionDetails{
				Summary: given(a.Summary), ExternalExecutionId: given(a.External), PercentComplete: aws.Int32(int32(a.Percent)),
			},
			OutputVariables: a.Variables,
		})
	}
	if err == nil {
		return nil
	}
	failed := &AnswerError{JobID: jobID, Err: err}
	var api smithy.APIError
	if errors.As(err, &api) {
		failed.Code = api.ErrorCode()
	}
	switch failed.Code {
	case codeDenied, "AccessDenied":
		failed.Try = tryPermission
	case codeNoSuchJob:
		failed.Try = tryOtherRegion
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
