package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/unstale/unstale/internal/job"
)

// action is an action of a pipeline that matters here.
type action struct {
	name, role string // role "": the pipeline's
	stage      string // its name
	at         int    // the stage's place in the pipeline
	runOrder   int
	provider   string // such as "CodeBuild"
	bucket     string // of an S3 deploy action
	function   string // of a Lambda action: a name
	machine    string // of a Step Functions action: an ARN
	inputs     bool   // it has input artifacts
	artifact   string // the first one's name
	told       job.Parameters
	toldErr    error // why UserParameters cannot be read
	// beside are those that take the same way as this one, so that one ladder is enough: actions that announce, or
	// whose parameters cannot be read.
	beside []action
	found  finding
}

// finding is what a climb learns of what an action invokes or starts.
type finding struct {
	err         error    // why nothing is known of it
	ours        bool     // it does unstale's job
	targets     []string // names of all that a function has; nil: not known
	refused     bool     // the function refuses what an action tells it; it is said already
	remembers   bool     // a function keeps releases
	buckets     []string // that the distributions read that it purges
	nothingElse bool     // they read nothing else
}

// weight is why an action is looked at.
type weight int

const (
	noMatter weight = iota
	matters
	mayBeAnything // it runs what cannot be read here
)

// declared reads an action. Its stage is for the caller to say.
func declared(d types.ActionDeclaration) (action, weight) {
	a := action{name: aws.ToString(d.Name), role: aws.ToString(d.RoleArn), inputs: len(d.InputArtifacts) > 0, runOrder: 1}
	if d.RunOrder != nil {
		a.runOrder = int(*d.RunOrder) // 1 where it is not said. Source: CodePipeline User Guide, action structure reference
	}
	if a.inputs {
		a.artifact = aws.ToString(d.InputArtifacts[0].Name)
	}
	if d.ActionTypeId == nil {
		return a, noMatter
	}
	a.provider = aws.ToString(d.ActionTypeId.Provider)
	category := d.ActionTypeId.Category
	if d.ActionTypeId.Owner == types.ActionOwnerAws {
		switch string(category) + " " + a.provider {
		case "Deploy S3":
			a.bucket = d.Configuration["BucketName"]
			return a, matters
		case "Invoke Lambda":
			a.function = d.Configuration["FunctionName"]
			a.told, a.toldErr = job.ParseParameters(d.Configuration["UserParameters"])
			return a, matters
		case "Invoke StepFunctions":
			a.machine = d.Configuration["StateMachineArn"]
			return a, matters
		}
	}
	if category == types.ActionCategorySource || category == types.ActionCategoryApproval {
		return a, noMatter
	}
	return a, mayBeAnything
}

// folded puts an action beside the one with the same function and role: an action that announces, one whose parameters
// cannot be read, and one that purges the same again.
func folded(all []action) []action {
	var out, guests []action
	for _, a := range all {
		host := slices.IndexFunc(out, func(b action) bool {
			return a.sameWay(b) && a.inputs == b.inputs && slices.Equal(a.told.Targets, b.told.Targets)
		})
		switch {
		case a.function != "" && (a.toldErr != nil || a.told.Announce):
			guests = append(guests, a)
		case host >= 0:
			out[host].beside = append(out[host].beside, a)
		default:
			out = append(out, a)
		}
	}
	for _, g := range guests {
		if host := slices.IndexFunc(out, g.sameWay); host >= 0 {
			out[host].beside = append(out[host].beside, g)
			continue
		}
		out = append(out, g)
	}
	slices.SortStableFunc(out, placed)
	return out
}

// sameWay reports whether both invoke the same function, as the same.
func (a action) sameWay(b action) bool {
	return a.function != "" && a.function == b.function && a.role == b.role
}

// all are the actions one by one, as a release meets them, each with what was found.
func (f facts) all() []action {
	var out []action
	for _, a := range f.actions {
		out = append(out, a)
		for _, b := range a.beside {
			b.found = a.found
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, placed)
	return out
}

func placed(a, b action) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.runOrder, b.runOrder))
}

// takesArtifacts reports whether the action's role has to read artifacts.
func (a action) takesArtifacts() bool {
	return a.inputs || slices.ContainsFunc(a.beside, func(b action) bool { return b.inputs })
}

// speaksOurs reports whether the parameters are such as only a job function is told.
func (a action) speaksOurs() bool {
	return a.told.Targets != nil || a.told.Items != nil || a.told.Verify != nil || a.told.Announce
}

// before reports whether an action ends before another one begins, with no other release between the two:
// CodePipeline lets one execution at a time into a stage. Source: CodePipeline User Guide, "How
// pipeline executions work".
func (a action) before(b action) bool { return a.at == b.at && a.runOrder < b.runOrder }

// where is an action and where it stands, for people.
func (a action) where() string {
	return fmt.Sprintf("action %s (stage %s, runOrder %d)", a.name, a.stage, a.runOrder)
}

// part is what an action does for a release.
type part int

const (
	other      part = iota // nothing that unstale knows
	unclear                // it is not known
	deploying              // to S3
	announcing             // before the deploy
	purging
)

// part is known after the climb.
func (a action) part() part {
	switch {
	case a.machine != "" && !a.found.ours && a.found.err == nil:
		return unclear // started, and what it does is not in its definition
	case a.machine != "":
		return purging
	case a.function == "" && a.bucket == "":
		return other
	case a.function == "":
		return deploying
	case a.found.err == nil && !a.found.ours:
		return other
	case a.toldErr != nil || a.found.err != nil && !a.speaksOurs() && a.told.Release == "":
		return unclear
	case a.told.Announce:
		return announcing
	}
	return purging
}

// why says of an action of which it is not known what it does, why.
func (a action) why() string {
	switch {
	case a.machine != "":
		return "the definition of its state machine has no task that calls createInvalidation for a distribution it names"
	case a.toldErr != nil:
		return a.toldErr.Error()
	}
	return brief(a.found.err)
}

// match is how surely an action purges what another one deploys.
type match int

const (
	never match = iota
	perhaps
	surely
)

// purgesOf tells by the buckets that the distributions read, and where those are not known by the artifacts.
func (a action) purgesOf(deploy action) match {
	switch {
	case slices.Contains(a.found.buckets, deploy.bucket):
		return surely
	case a.found.nothingElse && !strings.Contains(deploy.bucket, "#{"): // no variable
		return never
	case a.artifact != "" && a.artifact != deploy.artifact:
		return never
	}
	return perhaps
}

// of are the deploying actions that an action purges: those that it surely does, or else those that it may.
func (a action) of(deploys []action) []action {
	var sure, maybe []action
	for _, d := range deploys {
		switch a.purgesOf(d) {
		case surely:
			sure = append(sure, d)
		case perhaps:
			maybe = append(maybe, d)
		}
	}
	if sure != nil {
		return sure
	}
	return maybe
}
