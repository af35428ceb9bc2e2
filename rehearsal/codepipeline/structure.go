package codepipeline

import (
	"regexp"
	"slices"
	"strings"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Names and numbers of a pipeline's structure. Source: CodePipeline User Guide, "Quotas" and "Pipeline
// structure reference"; API Reference (H).
var (
	entityName   = regexp.MustCompile(`^[A-Za-z0-9.@\-_]{1,100}$`)
	artifactName = regexp.MustCompile(`^[a-zA-Z0-9_\-]{1,100}$`)
	namespace    = regexp.MustCompile(`^[A-Za-z0-9@\-_]{1,100}$`)
)

const (
	maxStages       = 50
	maxStageActions = 50
	maxRunOrder     = 999
	maxConfigKey    = 50
	maxConfigValue  = 1000
)

// Check refuses a structure that CodePipeline would refuse, or that the rehearsal does not run, without
// asking who may what.
func (s *Service) Check(d Declaration, region string) error { return d.check(region, s.runners) }

// check refuses what CodePipeline would refuse, and what the rehearsal does not run.
func (d Declaration) check(region string, runners map[string]Runner) error {
	switch {
	case !entityName.MatchString(d.Name):
		return invalid("Value %q at 'pipeline.name' failed to satisfy constraint: %s", d.Name, entityName)
	case !strings.Contains(d.RoleARN, ":role/") || !iam.ValidAccount(accounts.AccountOf(d.RoleARN)):
		return invalid("Value %q at 'pipeline.roleArn' is not a role's ARN", d.RoleARN)
	case d.ExecutionMode != "" && d.ExecutionMode != "SUPERSEDED":
		return wire.NotEmulated("the execution mode %s", d.ExecutionMode)
	case d.PipelineType != "" && d.PipelineType != "V1" && d.PipelineType != "V2":
		return invalid("Value %q at 'pipeline.pipelineType' is neither V1 nor V2", d.PipelineType)
	}
	if err := d.ArtifactStore.check(); err != nil {
		return err
	}
	if len(d.Stages) < 2 || len(d.Stages) > maxStages {
		return badStructure("Pipeline has %d stage(s). There should be a minimum of 2 stages and a maximum of %d stages in a pipeline", len(d.Stages), maxStages)
	}
	return d.checkStages(region, runners)
}

func (s ArtifactStore) check() error {
	switch k := s.EncryptionKey; {
	case s.Type != "S3":
		return invalid("Value %q at 'pipeline.artifactStore.type' failed to satisfy constraint: [S3]", s.Type)
	case len(s.Location) < 3 || len(s.Location) > 63:
		return invalid("Value %q at 'pipeline.artifactStore.location' is not a bucket's name", s.Location)
	case k != nil && (k.Type != "KMS" || k.ID == ""):
		return invalid("Value at 'pipeline.artifactStore.encryptionKey' needs an id and the type KMS")
	}
	return nil
}

func (d Declaration) checkStages(region string, runners map[string]Runner) error {
	made := map[string]bool{} // artifacts of earlier stages and lower run orders
	stages, spaces := map[string]bool{}, map[string]bool{}
	for i, st := range d.Stages {
		switch {
		case !entityName.MatchString(st.Name):
			return invalid("Value %q at 'pipeline.stages.%d.member.name' failed to satisfy constraint: %s", st.Name, i+1, entityName)
		case stages[st.Name]:
			return badStructure("Stage names must be unique: %s", st.Name)
		case len(st.Actions) < 1 || len(st.Actions) > maxStageActions:
			return badStructure("Stage %s has %d actions, 1 to %d are allowed", st.Name, len(st.Actions), maxStageActions)
		}
		stages[st.Name] = true
		if err := st.check(i == 0, region, runners, spaces); err != nil {
			return err
		}
		if err := st.flow(made); err != nil {
			return err
		}
	}
	return nil
}

func (st Stage) check(first bool, region string, runners map[string]Runner, spaces map[string]bool) error {
	names := map[string]bool{}
	for _, a := range st.Actions {
		if names[a.Name] {
			return badStructure("Action names in stage %s must be unique: %s", st.Name, a.Name)
		}
		names[a.Name] = true
		switch source := a.Type.Category == "Source"; {
		case first && !source:
			return badStructure("Pipeline should start with a stage that only contains source actions")
		case !first && source:
			return badStructure("Source action %s can only be in the first stage", a.Name)
		case a.Namespace != "" && spaces[a.Namespace]:
			return badStructure("Namespace %s is used more than once", a.Namespace)
		}
		spaces[a.Namespace] = true
		if err := a.check(region, runners); err != nil {
			return err
		}
	}
	return nil
}

func (a Action) check(region string, runners map[string]Runner) error {
	switch {
	case !entityName.MatchString(a.Name):
		return invalid("Value %q at an action's name failed to satisfy constraint: %s", a.Name, entityName)
	case a.order() < 1 || a.order() > maxRunOrder:
		return invalid("Action %s has the runOrder %d, 1 to %d are allowed", a.Name, a.RunOrder, maxRunOrder)
	case a.Region != "" && a.Region != region:
		return wire.NotEmulated("cross-Region actions (%s in %s)", a.Name, a.Region)
	case a.Namespace != "" && (!namespace.MatchString(a.Namespace) || a.Namespace == reservedNamespace):
		return badAction("Namespace %q of action %s is not valid or is reserved", a.Namespace, a.Name)
	}
	for key, value := range a.Configuration {
		if len(key) > maxConfigKey || len(value) > maxConfigValue || len(value) == 0 {
			return badAction("ActionConfiguration %s of action %s has %d characters, 1 to %d are allowed", key, a.Name, len(value), maxConfigValue)
		}
		if err := checkReferences(string(value)); err != nil {
			return badAction("Action %s, %s: %v", a.Name, key, err)
		}
	}
	runner := runners[runnerKey(a.Type)]
	if runner == nil {
		return wire.NotEmulated("the action type %s", a.Type)
	}
	return runner.Check(a)
}

// flow checks that artifacts are made once and before they are used. made is what came before, and
// gains what the stage makes. Actions of one run order run together, so none sees what another makes.
func (st Stage) flow(made map[string]bool) error {
	for _, group := range st.groups() {
		for _, a := range group {
			for _, in := range a.Inputs {
				if !made[in.Name] {
					return badStructure("Input Artifact Bundle %s in action %s is not declared as an output artifact bundle in any of the preceding actions", in.Name, a.Name)
				}
			}
		}
		for _, a := range group {
			for _, out := range a.Outputs {
				switch {
				case !artifactName.MatchString(out.Name):
					return invalid("Value %q at an artifact's name failed to satisfy constraint: %s", out.Name, artifactName)
				case made[out.Name]:
					return badStructure("Output Artifact Bundle name must be unique within the pipeline. %s has been used more than once", out.Name)
				}
				made[out.Name] = true
			}
		}
	}
	return nil
}

// groups are the stage's actions by ascending run order: a group runs in parallel.
func (st Stage) groups() [][]Action {
	actions := slices.Clone(st.Actions)
	slices.SortStableFunc(actions, func(a, b Action) int { return a.order() - b.order() })
	var out [][]Action
	for i, a := range actions {
		if i == 0 || actions[i-1].order() != a.order() {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], a)
	}
	return out
}

func invalid(format string, args ...any) error {
	return wire.Errorf(400, "ValidationException", format, args...)
}

func badStructure(format string, args ...any) error {
	return wire.Errorf(400, "InvalidStructureException", format, args...)
}

func badAction(format string, args ...any) error {
	return wire.Errorf(400, "InvalidActionDeclarationException", format, args...)
}
