package doctor

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/doctor"
)

// edited changes a stage's pipeline as its owner does: get it, edit it, give it back.
func edited(t *testing.T, s *story.Stage, change func(d *types.PipelineDeclaration)) {
	t.Helper()
	c := codepipeline.NewFromConfig(s.Config(story.PipelineAccount))
	out, err := c.GetPipeline(t.Context(), &codepipeline.GetPipelineInput{Name: aws.String("unstale")})
	if err != nil {
		t.Fatal(err)
	}
	change(out.Pipeline)
	if _, err := c.UpdatePipeline(t.Context(), &codepipeline.UpdatePipelineInput{Pipeline: out.Pipeline}); err != nil {
		t.Fatal(err)
	}
}

// take takes an action out of a pipeline and gives it.
func take(d *types.PipelineDeclaration, name string) types.ActionDeclaration {
	for i, stage := range d.Stages {
		if at := slices.IndexFunc(stage.Actions, func(a types.ActionDeclaration) bool { return *a.Name == name }); at >= 0 {
			taken := stage.Actions[at]
			d.Stages[i].Actions = slices.Delete(stage.Actions, at, at+1)
			return taken
		}
	}
	panic("there is no action " + name)
}

// delivers is an action of the stage that deploys.
func delivers(d *types.PipelineDeclaration, name string) *types.ActionDeclaration {
	actions := d.Stages[2].Actions
	return &actions[slices.IndexFunc(actions, func(a types.ActionDeclaration) bool { return *a.Name == name })]
}

// copied is a pipeline that may be changed without the other.
func copied(t *testing.T, d types.PipelineDeclaration) types.PipelineDeclaration {
	t.Helper()
	raw, err := json.Marshal(d)
	var out types.PipelineDeclaration
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What a person does to a pipeline by hand, one edit after another of the one that the stacks made, and what the
// doctor says: which action, in which stage, and what to change.
func TestEditedPipelines(t *testing.T) {
	order := func(name string, runOrder int32) func(d *types.PipelineDeclaration) {
		return func(d *types.PipelineDeclaration) { delivers(d, name).RunOrder = &runOrder }
	}
	tells := func(name, old, text string) func(d *types.PipelineDeclaration) {
		return func(d *types.PipelineDeclaration) {
			c := delivers(d, name).Configuration
			if !strings.Contains(c["UserParameters"], old) {
				panic(c["UserParameters"])
			}
			c["UserParameters"] = strings.Replace(c["UserParameters"], old, text, 1)
		}
	}
	own := func(name string, before int) func(d *types.PipelineDeclaration) {
		return func(d *types.PipelineDeclaration) {
			d.Stages = slices.Insert(d.Stages, before, types.StageDeclaration{Name: aws.String("Own"), Actions: []types.ActionDeclaration{take(d, name)}})
		}
	}
	const announces, knows, ordered = "announces what is purged", "knows its targets", "stand in order"
	tests := []struct {
		name   string
		change func(d *types.PipelineDeclaration)
		rung   string
		state  doctor.State
		why    string
		all    bool // routes; false: those that announce
	}{
		{"as it was", func(*types.PipelineDeclaration) {}, ordered, doctor.OK, "Deploy (", true},
		{"purge beside the deploy", order("Purge", 2), ordered, doctor.Broken, "action Purge (stage Deliver, runOrder 2) does not follow action Deploy (stage Deliver, runOrder 2)", true},
		{"purge in a stage of its own", own("Purge", 3), ordered, doctor.Broken, "action Purge (stage Own, runOrder 3) is in another stage than action Deploy (stage Deliver, runOrder 2)", true},
		{"nothing purges", func(d *types.PipelineDeclaration) {
			take(d, "Purge")
			if len(d.Stages[2].Actions) > 1 {
				take(d, "Announce")
			}
		}, ordered, doctor.Broken, "nothing purges what action Deploy (stage Deliver, runOrder 2) deploys", true},
		{"another deploys", func(d *types.PipelineDeclaration) {
			delivers(d, "Deploy").ActionTypeId = d.Stages[1].Actions[0].ActionTypeId
			delivers(d, "Deploy").Configuration = d.Stages[1].Actions[0].Configuration
			delivers(d, "Deploy").RoleArn = nil
		}, ordered, doctor.Note, "no action deploys to S3", true},
		{"announced in a stage of its own", own("Announce", 2), ordered, doctor.Broken, "action Announce (stage Own, runOrder 1) is in another stage than action Deploy (stage Deliver, runOrder 2)", false},
		{"announced after the deploy", order("Announce", 3), ordered, doctor.Broken, "action Announce (stage Deliver, runOrder 3) does not end before action Deploy", false},
		{"not announced", func(d *types.PipelineDeclaration) { take(d, "Announce") }, ordered, doctor.Note, "no action announces the release that action Purge (stage Deliver, runOrder 3) purges", false},
		{"told not to announce", tells("Announce", `"announce":true`, `"announce":false`), ordered, doctor.Broken, `do not say "announce": true`, false},
		{"told nonsense", tells("Announce", `true`, `"yes"`), knows, doctor.Broken, "action Announce: read UserParameters: announce is not true or false", false},
		{"announces another release", tells("Announce", "#{codepipeline.PipelineExecutionId}", "7"), announces, doctor.Broken, `release is "7" in action Announce and "#{codepipeline.PipelineExecutionId}" in action Purge`, false},
		{"announces another artifact", func(d *types.PipelineDeclaration) {
			delivers(d, "Announce").InputArtifacts = d.Stages[1].Actions[0].InputArtifacts
		}, announces, doctor.Broken, "action Announce takes artifact Source and action Purge artifact Site", false},
	}
	for _, route := range []string{"assume", "direct", "states"} {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			s := set(t, route)
			p := profiles(t, s)
			q := doctor.Question{Pipeline: "unstale", Code: ask(t, route).Code}
			var before types.PipelineDeclaration
			edited(t, s, func(d *types.PipelineDeclaration) { before = *d })
			for _, tt := range tests {
				if route == "states" && !tt.all {
					continue
				}
				edited(t, s, func(d *types.PipelineDeclaration) {
					again := copied(t, before)
					tt.change(&again)
					*d = again
				})
				report := p.check(t, q)
				r, wrong := find(t, report, tt.rung), 0
				if tt.state == doctor.Broken {
					wrong = 1
				}
				if r.State != tt.state || !strings.Contains(r.Why, tt.why) || report.Broken != wrong || report.Unknown > 0 && tt.state != doctor.Broken {
					t.Errorf("%s: %s: %s\n%s", tt.name, r.State, r.Why, ladder(report))
				}
			}
		})
	}
}
