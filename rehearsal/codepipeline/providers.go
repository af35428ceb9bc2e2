package codepipeline

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/unstale/unstale/rehearsal/codebuild"
	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/wire"
)

// sourceAction takes a branch's tip out of CodeCommit. Source: User Guide, "CodeCommit action
// reference" (H).
type sourceAction struct{ *Service }

// Check takes pipelines that a rule starts: the rehearsal does not poll.
func (sourceAction) Check(a Action) error {
	if err := counts(a, 0, 0, 1, 1); err != nil {
		return err
	}
	if err := configKeys(a, []string{"RepositoryName", "BranchName"}, "PollForSourceChanges", "OutputArtifactFormat"); err != nil {
		return err
	}
	if a.Configuration["PollForSourceChanges"] != "false" {
		return wire.NotEmulated("polling for source changes (PollForSourceChanges of action %s is not \"false\")", a.Name)
	}
	if f := a.Configuration["OutputArtifactFormat"]; f != "" && f != "CODE_ZIP" {
		return wire.NotEmulated("the OutputArtifactFormat %s", f)
	}
	return nil
}

func (s sourceAction) Run(ctx context.Context, run *Run) (Outcome, error) {
	repository, branch := run.Configuration["RepositoryName"], run.Configuration["BranchName"]
	src, err := s.Repositories.Archive(ctx, run.Caller, run.Region, repository, branch)
	if err != nil {
		return Outcome{}, err
	}
	err = s.Store.Keep(ctx, run.Caller, artifact.Object{
		Location: run.Output(0), Body: src.Zip, ContentType: "application/zip", KMSKey: run.KMSKey(),
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("store the source artifact: %w", err)
	}
	return Outcome{
		Summary: src.Message, ExternalExecutionID: src.Commit, Revision: src.Commit, RevisionSummary: src.Message,
		Variables: map[string]string{
			"RepositoryName": repository, "BranchName": branch, "CommitId": src.Commit, "CommitMessage": src.Message,
			"AuthorDate": src.AuthorDate,
		},
	}, nil
}

// buildAction runs a CodeBuild project. Source: User Guide, "CodeBuild action reference" (H).
type buildAction struct{ *Service }

// Check takes one input and at most one output: secondary sources and artifacts are not emulated.
func (buildAction) Check(a Action) error {
	if err := counts(a, 1, 5, 0, 5); err != nil {
		return err
	}
	if len(a.Inputs) > 1 || len(a.Outputs) > 1 {
		return wire.NotEmulated("secondary sources and artifacts of builds (action %s)", a.Name)
	}
	if err := configKeys(a, []string{"ProjectName"}, "EnvironmentVariables"); err != nil {
		return err
	}
	_, err := buildVariables(string(a.Configuration["EnvironmentVariables"]))
	return err
}

func buildVariables(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	var list []struct{ Name, Value, Type string }
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, badAction("EnvironmentVariables is not a JSON array of variables: %v", err)
	}
	out := map[string]string{}
	for _, v := range list {
		if v.Type != "" && v.Type != "PLAINTEXT" {
			return nil, wire.NotEmulated("build variables of the type %s", v.Type)
		}
		out[v.Name] = v.Value
	}
	return out, nil
}

func (s buildAction) Run(ctx context.Context, run *Run) (Outcome, error) {
	variables, err := buildVariables(run.Configuration["EnvironmentVariables"])
	if err != nil {
		return Outcome{}, err
	}
	in := codebuild.StartInput{
		Project: run.Configuration["ProjectName"], Initiator: "codepipeline/" + run.execution.declared.Name,
		Source: run.Input(0), Revision: run.revision(0), KMSKey: run.KMSKey(), Variables: variables,
	}
	if len(run.Action.Outputs) > 0 {
		out := run.Output(0)
		in.Output = &out
	}
	b, err := s.Builds.Start(ctx, run.Caller, run.Region, in)
	if err != nil {
		return Outcome{}, err
	}
	run.progress(b.ID, "", 0)
	if b, err = s.Builds.Wait(ctx, run.Caller, b.ID); err != nil {
		return Outcome{}, err
	}
	if b.Status != codebuild.StatusSucceeded {
		return Outcome{}, &Failure{
			Code: "JobFailed", ExternalExecutionID: b.ID,
			Message: fmt.Sprintf("Build terminated with state: %s. Phase: %s. %s", b.Status, b.Phase, b.Message),
		}
	}
	return Outcome{ExternalExecutionID: b.ID}, nil
}
