package codepipeline

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Runner carries out one action type.
type Runner interface {
	// Check refuses a declaration that the type does not take.
	Check(Action) error
	// Run carries the action out as run.Caller. When ctx ends the action was abandoned.
	Run(ctx context.Context, run *Run) (Outcome, error)
}

// Run is one attempt at an action.
type Run struct {
	runner
	Action        Action
	Configuration map[string]string // variables resolved
	Caller        accounts.Caller   // session of the action's role, or of the pipeline's
	Region        string
	stage         *stageRun
	state         *actionRun
	pipelineRole  accounts.Caller // session of the pipeline's role
}

// Outcome is what a successful action leaves besides its artifacts.
type Outcome struct {
	Summary             string
	ExternalExecutionID string
	Variables           map[string]string // for its namespace
	Revision            string            // of a source
	RevisionSummary     string
}

// Failure is an action's failure with the code that its error details show.
type Failure struct {
	Code, Message       string
	ExternalExecutionID string
}

func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// asFailure gives any error a code: a refusal is a PermissionError.
func asFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	var w *wire.Error
	if errors.As(err, &w) && (w.Code == "AccessDenied" || w.Code == "AccessDeniedException") {
		return &Failure{Code: "PermissionError", Message: err.Error()}
	}
	return &Failure{Code: "JobFailed", Message: err.Error()}
}

// perform does the attempt from start to end; true when it succeeded.
func (r *Run) perform() bool {
	s, e := r.service, r.execution
	r.state = &actionRun{action: r.Action, ActionState: ActionState{
		Name: r.Action.Name, Provider: r.Action.Type.Provider, ExecutionID: random.UUID(), Role: r.role(), Start: s.Clock.Now(),
	}}
	s.setAction(e, r.stage, r.state, func() {
		r.state.Status = InProgress
		r.stage.latest[r.Action.Name] = r.state
		r.stage.history = append(r.stage.history, r.state)
	})
	out, err := r.carryOut(e.ctx)
	s.setAction(e, r.stage, r.state, func() {
		switch {
		case err == nil:
			r.succeed(out)
		case e.ctx.Err() != nil:
			r.state.Status = Abandoned
		default:
			f := asFailure(err)
			r.state.Status, r.state.ErrorCode, r.state.Message = Failed, f.Code, f.Message
			if f.ExternalExecutionID != "" {
				r.state.ExternalExecutionID = f.ExternalExecutionID
			}
		}
	})
	return err == nil
}

// role is the ARN of the role that the action acts with.
func (r *Run) role() string {
	if r.Action.RoleARN != "" {
		return r.Action.RoleARN
	}
	return r.execution.declared.RoleARN
}

// succeed records what the action made. The caller holds mu.
func (r *Run) succeed(out Outcome) {
	e := r.execution
	r.state.Status, r.state.Summary, r.state.percent = Succeeded, out.Summary, 100
	if out.ExternalExecutionID != "" {
		r.state.ExternalExecutionID = out.ExternalExecutionID
	}
	from := out.Revision
	for _, in := range r.Action.Inputs {
		if from == "" {
			from = e.artifacts[in.Name].revision
		}
	}
	for _, o := range r.Action.Outputs {
		e.artifacts[o.Name] = produced{r.state.outputs[o.Name], from}
	}
	if out.Revision != "" && len(r.Action.Outputs) > 0 {
		e.sources = append(e.sources, revision{r.Action.Name, r.Action.Outputs[0].Name, out.Revision, out.RevisionSummary})
	}
	r.state.variables = out.Variables
	if r.Action.Namespace != "" {
		e.variables[r.Action.Namespace] = maps.Clone(out.Variables)
	}
}

func (r *Run) carryOut(ctx context.Context) (Outcome, error) {
	s, e := r.service, r.execution
	r.Region = e.pipeline.region
	s.mu.Lock()
	resolved, err := resolve(r.Action.Configuration, e.variables)
	inputs, outputs := map[string]artifact.Location{}, map[string]artifact.Location{}
	for _, in := range r.Action.Inputs {
		inputs[in.Name] = e.artifacts[in.Name].at
	}
	for _, out := range r.Action.Outputs {
		outputs[out.Name] = location(e.declared.ArtifactStore.Location, e.declared.Name, out.Name)
	}
	r.Configuration, r.state.resolved, r.state.inputs, r.state.outputs = resolved, resolved, inputs, outputs
	s.mu.Unlock()
	if err != nil {
		return Outcome{}, err
	}
	for name, at := range inputs {
		if at.Key == "" {
			return Outcome{}, &Failure{Code: "ConfigurationError", Message: "The input artifact " + name + " does not exist"}
		}
	}
	if err := r.assume(ctx); err != nil {
		return Outcome{}, err
	}
	return s.runners[runnerKey(r.Action.Type)].Run(ctx, r)
}

// assume becomes the pipeline's role, and from there the action's.
func (r *Run) assume(ctx context.Context) error {
	s, e := r.service, r.execution
	cred, err := s.assumePipelineRole(ctx, e.pipeline, e.declared.RoleARN, "")
	if err != nil {
		return err
	}
	r.pipelineRole = cred.Caller
	if r.Action.RoleARN == "" || r.Action.RoleARN == e.declared.RoleARN {
		r.Caller = cred.Caller
		return nil
	}
	cred, err = s.assumeActionRole(ctx, r.pipelineRole, r.Action.RoleARN, "")
	r.Caller = cred.Caller
	return err
}

// assumePipelineRole is codepipeline.amazonaws.com becoming the service role. policy narrows the session.
func (s *Service) assumePipelineRole(ctx context.Context, p *pipeline, role, policy string) (accounts.Credentials, error) {
	caller := accounts.ServiceCaller(Principal, "", "")
	if s.SourceKeys {
		caller = accounts.ServiceCaller(Principal, p.account, p.arn)
	}
	cred, err := s.Sessions.Assume(ctx, caller, s.session(role, policy))
	if err != nil {
		return cred, &Failure{Code: "PermissionError", Message: "CodePipeline is not authorized to perform AssumeRole on role " + role + ": " + err.Error()}
	}
	return cred, nil
}

// assumeActionRole is the pipeline's role becoming the action's, which may be in another account.
func (s *Service) assumeActionRole(ctx context.Context, caller accounts.Caller, role, policy string) (accounts.Credentials, error) {
	cred, err := s.Sessions.Assume(ctx, caller, s.session(role, policy))
	if err != nil {
		// The words that people report; source: aws-cdk issue 22489 (M).
		return cred, &Failure{Code: "PermissionError", Message: caller.ARN + " is not authorized to perform AssumeRole on role " + role + ": " + err.Error()}
	}
	return cred, nil
}

// session is what to ask of STS. The session's name looked like milliseconds since 1970 (M).
func (s *Service) session(role, policy string) sts.Input {
	in := sts.Input{RoleARN: role, SessionName: strconv.FormatInt(s.Clock.Now().UnixMilli(), 10)}
	if policy != "" {
		in.Policies = []string{policy}
	}
	return in
}

// Input is where an input artifact lies; Output is where an output artifact has to go.
func (r *Run) Input(i int) artifact.Location { return r.state.inputs[r.Action.Inputs[i].Name] }

// Output is where the output artifact i has to go.
func (r *Run) Output(i int) artifact.Location { return r.state.outputs[r.Action.Outputs[i].Name] }

// KMSKey is the key of the pipeline's artifacts; empty: the bucket's default.
func (r *Run) KMSKey() string {
	if k := r.execution.declared.ArtifactStore.EncryptionKey; k != nil {
		return k.ID
	}
	return ""
}

// revision is the source revision behind an input artifact.
func (r *Run) revision(i int) string {
	r.service.mu.Lock()
	defer r.service.mu.Unlock()
	return r.execution.artifacts[r.Action.Inputs[i].Name].revision
}

// progress shows where the work is done while it is under way: a build's ID, a job's details.
func (r *Run) progress(externalID, summary string, percent int) {
	r.service.setAction(r.execution, r.stage, r.state, func() {
		if externalID != "" {
			r.state.ExternalExecutionID = externalID
		}
		if summary != "" {
			r.state.Summary = summary
		}
		if percent > 0 {
			r.state.percent = percent
		}
	})
}

// configKeys refuses configuration keys that an action type does not take, and asks for the others.
func configKeys(a Action, required []string, optional ...string) error {
	for _, key := range required {
		if a.Configuration[key] == "" {
			return badAction("Action configuration for action '%s' is missing required configuration '%s'", a.Name, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a.Configuration)) {
		if !slices.Contains(required, key) && !slices.Contains(optional, key) {
			return wire.NotEmulated("the configuration %s of the action type %s (action %s)", key, a.Type, a.Name)
		}
	}
	return nil
}

// counts refuses numbers of artifacts that an action type does not take.
func counts(a Action, minIn, maxIn, minOut, maxOut int) error {
	if n := len(a.Inputs); n < minIn || n > maxIn {
		return badAction("Action %s has %d input artifacts; %s takes %d to %d", a.Name, n, a.Type.Provider, minIn, maxIn)
	}
	if n := len(a.Outputs); n < minOut || n > maxOut {
		return badAction("Action %s has %d output artifacts; %s takes %d to %d", a.Name, n, a.Type.Provider, minOut, maxOut)
	}
	return nil
}
