package routes

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	pipelines "github.com/aws/aws-sdk-go-v2/service/codepipeline"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/test/stage"
)

// What a purge action is configured with: a Lambda action's UserParameters, a StepFunctions action's
// Input.
var (
	userParameters = regexp.MustCompile(`"\{\\"targets\\":\[\\"\$\{Target\}\\"\],[^\n]*"`)
	input          = regexp.MustCompile(`"Input": "\{[^\n]*\}"`)
)

// openParameters makes a pipeline that somebody else edits: its actions get whatever a run's build says. On
// AWS that person would call UpdatePipeline.
func openParameters(name string, text []byte) []byte {
	text = userParameters.ReplaceAllFunc(text, func(given []byte) []byte {
		if bytes.Contains(given, []byte(`\"announce\"`)) {
			return []byte(`"#{Editor.Announcement}"`)
		}
		return []byte(`"#{Editor.Parameters}"`)
	})
	text = input.ReplaceAll(text, []byte(`"Input": "#{Editor.Parameters}"`))
	return bytes.ReplaceAll(text, []byte(`"Name": "Build",`), []byte(`"Name": "Build", "Namespace": "Editor",`))
}

// honest is what the template's own Announce action is given.
const honest = `{"targets":["site"],"release":"1","announce":true}`

// announcing asks for the same, before the deploy.
func announcing(parameters string) string {
	return strings.TrimSuffix(parameters, "}") + `,"release":"1","announce":true}`
}

// run takes a release through the pipeline with these parameters of its actions.
func (w *world) run(t *testing.T, announcement, parameters string) codepipeline.Execution {
	t.Helper()
	w.mu.Lock()
	w.announcement, w.parameters = announcement, parameters
	w.mu.Unlock()
	client := pipelines.NewFromConfig(w.Config(story.PipelineAccount))
	out, err := client.StartPipelineExecution(t.Context(), &pipelines.StartPipelineExecutionInput{Name: aws.String(w.Outputs["PipelineName"])})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case end := <-w.ended:
		for _, e := range w.World.Executions(story.PipelineAccount, w.Outputs["PipelineName"]) {
			if e.ID == end.Execution && e.ID == *out.PipelineExecutionId {
				return e
			}
		}
		t.Fatalf("execution %s ended instead of %s", end.Execution, *out.PipelineExecutionId)
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
	panic("unreachable")
}

// ended is an action of an execution, before which none failed.
func ended(t *testing.T, e codepipeline.Execution, name string) codepipeline.ActionState {
	t.Helper()
	for _, st := range e.Stages {
		for _, a := range st.Actions {
			if a.Name == name {
				return a
			}
			if a.Status == codepipeline.Failed {
				t.Fatalf("%s/%s failed: %s", st.Name, a.Name, a.Message)
			}
		}
	}
	t.Fatalf("the pipeline has no action %s", name)
	panic("unreachable")
}

// build keeps a site as the build's artifact and hands the parameters on. What a release goes through
// before it is deployed the stories test.
func (w *world) build(ctx context.Context, run *codepipeline.Run) (codepipeline.Outcome, error) {
	err := stage.KeepSite(ctx, w.Config(story.PipelineAccount), run, map[string]string{"index.html": `<!doctype html><main id="root" data-release="1">`})
	w.mu.Lock()
	defer w.mu.Unlock()
	return codepipeline.Outcome{Variables: map[string]string{"Parameters": w.parameters, "Announcement": w.announcement}}, err
}
