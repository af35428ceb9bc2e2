package codepipeline

import (
	"encoding/json"
	"regexp"
	"unicode/utf8"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// answer is what a function says about its job.
type answer struct {
	token               string // not empty: it will go on
	failure             *Failure
	summary, externalID string
	percent             int
	variables           map[string]string
}

// Success is PutJobSuccessResult's request. Limits: botocore's model and the User Guide's "Quotas" (H).
type Success struct {
	JobID           string            `json:"jobId"`
	CurrentRevision *Revision         `json:"currentRevision"`
	Token           *string           `json:"continuationToken"`
	Details         *ExecutionDetails `json:"executionDetails"`
	Variables       map[string]string `json:"outputVariables"`
}

// Revision is what a custom source reports. It is checked and otherwise unused, as for Lambda on AWS.
type Revision struct {
	Revision         string   `json:"revision"`
	ChangeIdentifier string   `json:"changeIdentifier"`
	Created          *float64 `json:"created"` // seconds since 1970
	Summary          *string  `json:"revisionSummary"`
}

// ExecutionDetails say how far the work is.
type ExecutionDetails struct {
	Summary    *string `json:"summary"`
	ExternalID *string `json:"externalExecutionId"`
	Percent    *int    `json:"percentComplete"`
}

// Refusal is PutJobFailureResult's request.
type Refusal struct {
	JobID   string          `json:"jobId"`
	Details *FailureDetails `json:"failureDetails"`
}

// FailureDetails say why the job failed.
type FailureDetails struct {
	Type       string  `json:"type"`
	Message    string  `json:"message"`
	ExternalID *string `json:"externalExecutionId"`
}

const maxVariables = 122_880 // bytes of output variables an action

var (
	jobID       = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	variableKey = regexp.MustCompile(`^[A-Za-z0-9@\-_]+$`)
)

// length checks a text's number of characters; nil is an absent optional one.
func length(name string, v *string, most int) error {
	if v == nil {
		return nil
	}
	switch n := utf8.RuneCountInString(*v); {
	case n < 1:
		return constraint(name, *v, "Member must have length greater than or equal to 1")
	case n > most:
		return constraint(name, *v, "Member must have length less than or equal to %d", most)
	}
	return nil
}

func constraint(name, value, rule string, args ...any) error {
	if len(value) > 100 {
		value = value[:100] + "..."
	}
	return invalid("1 validation error detected: Value '"+"%s"+"' at '%s' failed to satisfy constraint: "+rule, append([]any{value, name}, args...)...)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkJobID(id string) error {
	if !jobID.MatchString(id) {
		return constraint("jobId", id, "Member must satisfy regular expression pattern: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
	}
	return nil
}

func (in Success) check() error {
	if err := first(checkJobID(in.JobID), length("continuationToken", in.Token, 2048), in.Details.check(), in.CurrentRevision.check()); err != nil {
		return err
	}
	if in.Token != nil && len(in.Variables) > 0 {
		// That variables come only without a token is H; the text is not known (L).
		return invalid("Output variables cannot be set with a continuation token.")
	}
	size := 0
	for k, v := range in.Variables {
		if !variableKey.MatchString(k) {
			return constraint("outputVariables", k, "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [A-Za-z0-9@\\-_]+]")
		}
		size += len(k) + len(v)
	}
	if size > maxVariables {
		return wire.Errorf(400, "OutputVariablesSizeExceededException", "The total size of output variables is %d bytes; the limit is %d bytes.", size, maxVariables)
	}
	return nil
}

func (d *ExecutionDetails) check() error {
	if d == nil {
		return nil
	}
	if d.Percent != nil && (*d.Percent < 0 || *d.Percent > 100) {
		raw, _ := json.Marshal(*d.Percent)
		return constraint("executionDetails.percentComplete", string(raw), "Member must be between 0 and 100")
	}
	return first(length("executionDetails.summary", d.Summary, 2048), length("executionDetails.externalExecutionId", d.ExternalID, 1500))
}

func (r *Revision) check() error {
	if r == nil {
		return nil
	}
	return first(length("currentRevision.revision", &r.Revision, 1500),
		length("currentRevision.changeIdentifier", &r.ChangeIdentifier, 100), length("currentRevision.revisionSummary", r.Summary, 2048))
}

func (in Refusal) check() error {
	if err := checkJobID(in.JobID); err != nil {
		return err
	}
	d := in.Details
	if d == nil {
		return constraint("failureDetails", "null", "Member must not be null")
	}
	switch d.Type {
	case "JobFailed", "ConfigurationError", "PermissionError", "RevisionOutOfSync", "RevisionUnavailable", "SystemUnavailable":
	default:
		return constraint("failureDetails.type", d.Type, "Member must satisfy enum value set: [JobFailed, ConfigurationError, "+
			"PermissionError, RevisionOutOfSync, RevisionUnavailable, SystemUnavailable]")
	}
	return first(length("failureDetails.message", &d.Message, 5000), length("failureDetails.externalExecutionId", d.ExternalID, 1500))
}

// PutJobSuccessResult takes a function's good answer, or its wish to go on.
func (s *Service) PutJobSuccessResult(caller accounts.Caller, in Success) error {
	// The action has no resource types. Source: Service Authorization Reference (H).
	if err := first(s.authorize(caller, "PutJobSuccessResult", "*"), in.check()); err != nil {
		return err
	}
	a := answer{token: text(in.Token), variables: in.Variables}
	if d := in.Details; d != nil {
		a.summary, a.externalID = text(d.Summary), text(d.ExternalID)
		if d.Percent != nil {
			a.percent = *d.Percent
		}
	}
	return s.answer(caller, in.JobID, a)
}

// PutJobFailureResult takes a function's bad answer.
func (s *Service) PutJobFailureResult(caller accounts.Caller, in Refusal) error {
	if err := first(s.authorize(caller, "PutJobFailureResult", "*"), in.check()); err != nil {
		return err
	}
	d := in.Details
	return s.answer(caller, in.JobID, answer{failure: &Failure{Code: d.Type, Message: d.Message, ExternalExecutionID: text(d.ExternalID)}})
}

func text(v *string) string {
	if v == nil {
		return ""
	}
	return *v
}

func (s *Service) answer(caller accounts.Caller, id string, a answer) error {
	j, err := s.job(caller, id)
	if err != nil {
		return err
	}
	// A job takes one answer. That a second one is an InvalidJobStateException is L.
	if !s.take(j, a) {
		return wire.Errorf(400, "InvalidJobStateException", "Job %s is in an invalid state: it was answered, it timed out or its execution was stopped.", id)
	}
	return nil
}

// job is one that the caller may see; see Visibility.
func (s *Service) job(caller accounts.Caller, id string) (*job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.jobs[id]; j != nil {
		inPipeline := caller.Account == j.run.execution.pipeline.account
		inAction := caller.Account == j.run.Caller.Account
		if s.Jobs == PipelineAccount && inPipeline || s.Jobs == ActionAccount && inAction || s.Jobs == BothAccounts && (inPipeline || inAction) {
			return j, nil
		}
	}
	return nil, wire.Errorf(400, "JobNotFoundException", "No job found with id %s", id)
}

// JobDetails is GetJobDetails' answer about a job.
func (s *Service) JobDetails(caller accounts.Caller, id string) (map[string]any, error) {
	if err := first(s.authorize(caller, "GetJobDetails", "*"), checkJobID(id)); err != nil {
		return nil, err
	}
	j, err := s.job(caller, id)
	if err != nil {
		return nil, err
	}
	e := j.run.execution
	data := j.event()["data"].(object)
	delete(data["artifactCredentials"].(object), "expirationTime") // the Lambda event only
	data["actionTypeId"] = j.run.Action.Type
	data["pipelineContext"] = object{
		"pipelineName": e.declared.Name, "pipelineArn": e.pipeline.arn, "pipelineExecutionId": e.id,
		"stage": object{"name": j.run.stage.name}, "action": object{"name": j.run.Action.Name, "actionExecutionId": j.run.state.ExecutionID},
	}
	return object{"id": id, "accountId": e.pipeline.account, "data": data}, nil
}
