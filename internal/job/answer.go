package job

import (
	"context"
	"strings"
	"unicode/utf8"
)

// FailureType is CodePipeline's word for why a job failed.
type FailureType string

// The failure types that are answered. Source: API reference, FailureDetails.
const (
	JobFailed          FailureType = "JobFailed"
	ConfigurationError FailureType = "ConfigurationError"
	PermissionError    FailureType = "PermissionError"
	SystemUnavailable  FailureType = "SystemUnavailable"
)

// Limits of an answer, in characters; bytes are counted, which is never more lenient.
// Source: API reference, ExecutionDetails and FailureDetails.
const (
	maxMessage  = 5000
	maxSummary  = 2048
	maxExternal = 1500
	// maxVariable keeps four variables well under the 122,880 bytes an action may have.
	maxVariable = 8192
)

// Answer is what a job is answered with: a failure when Failure is set, a continuation when Token
// is, otherwise success.
type Answer struct {
	Failure  FailureType
	Message  string // of a failure, 1 to 5,000
	Token    string // of a continuation, 1 to 2,048
	Summary  string // of the others, 1 to 2,048
	External string // invalidation IDs, up to 1,500; "" for none
	Percent  int    // 0 to 100
	// Variables are the action's output variables. Only a success has them.
	Variables map[string]string
}

// Answerer gives an answer to CodePipeline. Its errors tell by *AnswerError what CodePipeline said.
type Answerer interface {
	Answer(ctx context.Context, jobID string, a Answer) error
}

// AnswerError is an answer that was not accepted. It is a wire contract: Lambda reports the type's
// name when even its retries could not answer.
type AnswerError struct {
	JobID string
	Code  string // CodePipeline's code, "" when it did not answer
	Try   string // the next step; "" when there is none to name
	Err   error
}

func (e *AnswerError) Error() string {
	s := "answer job " + e.JobID + ": " + e.Err.Error()
	if e.Try != "" {
		s += "; try: " + e.Try
	}
	return s
}

// Unwrap gives the cause.
func (e *AnswerError) Unwrap() error { return e.Err }

// Codes of CodePipeline that mean something here. Source: API reference, PutJobSuccessResult.
const (
	codeTerminal    = "InvalidJobStateException"
	codeInvalid     = "ValidationException"
	codeVariables   = "OutputVariablesSizeExceededException"
	codeDenied      = "AccessDeniedException"
	codeNoSuchJob   = "JobNotFoundException"
	tryPermission   = "allow codepipeline:PutJobSuccessResult and codepipeline:PutJobFailureResult on \"*\" in "
	tryOtherRegion  = "check that the role belongs to the pipeline's account, and that the answer goes to the pipeline's region"
	tryOtherAccount = "check that the function runs in the pipeline's account and region; in another account it answers by a role of " +
		"the pipeline's account, which UNSTALE_CALLBACK_ROLE names"
)

// fit keeps an answer within CodePipeline's limits, whatever it was made of.
func (a Answer) fit() Answer {
	a.Message, a.Summary, a.External = cut(a.Message, maxMessage), cut(a.Summary, maxSummary), cut(a.External, maxExternal)
	if a.Failure != "" && a.Message == "" {
		a.Message = "failed without saying why"
	}
	a.Percent = max(0, min(100, a.Percent))
	if a.Failure != "" || a.Token != "" {
		a.Variables = nil
	}
	if len(a.Variables) == 0 {
		a.Variables = nil
		return a
	}
	fitting := make(map[string]string, len(a.Variables))
	for name, value := range a.Variables {
		if value == "" {
			value = "-" // whether an empty value is taken is not documented
		}
		fitting[name] = cut(value, maxVariable)
	}
	a.Variables = fitting
	return a
}

const ellipsis = "..."

// cut shortens valid text to a number of bytes, between characters, and says so at its end.
func cut(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	end := most - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}
