package docs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// declaration is as much of a pipeline as people look at who put an action into it; what else there is stays.
type declaration map[string]any

func (d declaration) list(key string) []declaration {
	var out []declaration
	list, _ := d[key].([]any)
	for _, v := range list {
		m, _ := v.(map[string]any)
		out = append(out, m)
	}
	return out
}

func readJSONFile(t *testing.T, file string) declaration {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var d declaration
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%s: %v\n%s", file, err, text)
	}
	return d
}

func writeJSONFile(t *testing.T, file string, d any) {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// printedJSON are the objects that begin a line of what was printed.
func printedJSON(text string) []declaration {
	var all []declaration
	for i := range text {
		if text[i] != '{' || i > 0 && text[i-1] != '\n' {
			continue
		}
		var d declaration
		if json.NewDecoder(strings.NewReader(text[i:])).Decode(&d) == nil {
			all = append(all, d)
		}
	}
	return all
}

const update = "aws --profile build codepipeline update-pipeline --cli-input-json file://pipeline.json"

// addActions does the guide's step "Add the actions" on a pipeline that builds and deploys only: what was
// printed goes into the stage that deploys, and the policy to the pipeline's role.
func addActions(r *reader, dir, printed string) {
	t, file := r.t, filepath.Join(dir, "pipeline.json")
	t.Helper()
	r.run(dir, "aws --profile build codepipeline get-pipeline --name "+r.stage.Outputs["PipelineName"]+" > before.json; cp before.json pipeline.json")
	whole := readJSONFile(t, file)
	if _, ok := whole["metadata"]; !ok {
		t.Error("get-pipeline gives no metadata that has to go")
	}
	delete(whole, "metadata")
	pipeline := declaration(whole["pipeline"].(map[string]any))
	stages := pipeline.list("stages")
	stage := stages[len(stages)-1]
	var actions []any
	for _, a := range stage.list("actions") {
		if a["name"] == "Deploy" {
			a["runOrder"] = 2
			actions = append(actions, a)
		}
	}
	if len(actions) != 1 {
		t.Fatalf("the last stage deploys %d times: %v", len(actions), stage)
	}
	artifact := actions[0].(declaration).list("inputArtifacts")[0]["name"].(string)
	pieces := printedJSON(printed)
	for _, p := range pieces {
		switch {
		case p["Statement"] != nil:
			writeJSONFile(t, filepath.Join(dir, "policy.json"), p)
		case p["actionTypeId"] != nil:
			for _, in := range p.list("inputArtifacts") {
				if in["name"] != "BUILD-OUTPUT" {
					t.Errorf("an action takes %v", in)
				}
				in["name"] = artifact
			}
			actions = append(actions, p)
		}
	}
	if len(pieces) != 3 || len(actions) != 3 {
		t.Fatalf("the guide tells of three pieces of JSON; there are %d, and with the deploying action %d actions", len(pieces), len(actions))
	}
	stage["actions"] = actions
	writeJSONFile(t, file, whole)
	role := pipeline["roleArn"].(string)
	r.run(dir, update+"\naws --profile build iam put-role-policy --role-name "+role[strings.LastIndexByte(role, '/')+1:]+
		" --policy-name purge --policy-document file://policy.json")
}

// releaseAndRemoveActions does the guide's step "Release", on the pipeline as it was edited, and then takes the
// actions out again, before what they call goes.
func releaseAndRemoveActions(r *reader, dir, _ string) {
	t := r.t
	t.Helper()
	e, err := r.stage.Release(t.Context(), "2", nil)
	if err != nil {
		t.Fatal(err)
	}
	last := e.Stages[len(e.Stages)-1]
	var did []string
	for _, a := range last.Actions {
		did = append(did, a.Name+" "+a.Status)
	}
	slices.Sort(did)
	if want := []string{"Announce Succeeded", "Deploy Succeeded", "Purge Succeeded"}; !slices.Equal(did, want) {
		t.Errorf("the release did %q: %+v", did, e)
	}
	whole := readJSONFile(t, filepath.Join(dir, "before.json"))
	delete(whole, "metadata")
	writeJSONFile(t, filepath.Join(dir, "pipeline.json"), whole)
	r.run(dir, update)
}
