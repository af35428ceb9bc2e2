package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/test/stage"
)

// The main job by the program itself, with nothing but the document on stdout.
func TestStoryAsDocument(t *testing.T) {
	t.Parallel()
	got := unstale(t, nil, "rehearse", "--route", "relay", "--json", "--lambdas", stage.Lambdas(t))
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	d := parse(t, got.stdout)
	if d.Route != "relay" || d.Pipeline.Status != "Succeeded" || d.Pipeline.ExecutionID == "" || d.Seconds <= 0 {
		t.Errorf("route %q, pipeline %+v, %v seconds", d.Route, d.Pipeline, d.Seconds)
	}
	var actions []string
	for _, st := range d.Pipeline.Stages {
		for _, a := range st.Actions {
			actions = append(actions, st.Name+" "+st.Status+" "+a.Name+" "+a.Status)
		}
	}
	want := []string{
		"Source Succeeded Checkout Succeeded", "Build Succeeded Build Succeeded",
		"Deliver Succeeded Announce Succeeded", "Deliver Succeeded Deploy Succeeded", "Deliver Succeeded Purge Succeeded",
	}
	if !slices.Equal(actions, want) {
		t.Errorf("stages and actions %q", actions)
	}
	i := d.Invalidation
	if i.ID == "" || i.DistributionID == "" || i.Reference == "" || i.Status != "Completed" || !slices.Equal(i.Items, purged("relay")) {
		t.Errorf("invalidation %+v", i)
	}
	const hit = "Hit from cloudfront"
	checkViews(t, "before", d.Viewer.Before, "1", hit)
	checkViews(t, "stale", d.Viewer.Stale, "1", hit)
	checkViews(t, "after", d.Viewer.After, "2", "")
	checkCalls(t, d)
	checkPlan(t, "relay", got.stdout)
	checkObjects(t, "relay", got.stdout)
}

// checkViews wants one view a point of presence, each of a release; xCache empty means any.
func checkViews(t *testing.T, when string, views []seen, release, xCache string) {
	t.Helper()
	pops := map[string]bool{}
	for _, v := range views {
		pops[v.POP] = true
		if v.Release != release || xCache != "" && v.XCache != xCache || v.XCache == "" {
			t.Errorf("viewer.%s: %+v, want release %s %s", when, v, release, xCache)
		}
	}
	if len(views) != 3 || len(pops) != 3 || pops[""] {
		t.Errorf("viewer.%s has not one entry for each of three points of presence: %+v", when, views)
	}
}

// checkCalls wants every call decided by a statement, and the calls that are the point of the route.
func checkCalls(t *testing.T, d document) {
	t.Helper()
	wanted := map[string]string{ // caller's account, action, account, resource's end -> what decides
		"111111111111 lambda:InvokeFunction 222222222222 :function:unstale-invalidator:live":                     "InvalidatorPermission",
		"111111111111 sts:AssumeRole 222222222222 :role/unstale-deploy":                                          "PipelineRoleAssumes",
		"222222222222 s3:PutObject 222222222222 /index.html":                                                     "WriteSite",
		"222222222222 cloudfront:CreateInvalidation 222222222222 :distribution/" + d.Invalidation.DistributionID: "InvalidateDistribution",
		"111111111111 codepipeline:PutJobSuccessResult 111111111111 *":                                           "AnswerJob",
	}
	for _, c := range d.Calls {
		if c.Decision != "allow" || c.Statement == "" || c.Principal == "" || c.Resource == "" || c.Account == "" {
			t.Errorf("call %+v", c)
		}
		for call, statement := range wanted {
			f := strings.Fields(call)
			if c.CallerAccount == f[0] && c.Action == f[1] && c.Account == f[2] && strings.HasSuffix(c.Resource, f[3]) && strings.Contains(c.Statement, statement) {
				delete(wanted, call)
			}
		}
	}
	for call, statement := range wanted {
		t.Errorf("no call %s that %s decided", call, statement)
	}
}

// The same as a person reads it. What is no terminal gets no escape codes.
func TestStoryAsText(t *testing.T) {
	t.Parallel()
	got := unstale(t, nil, "rehearse", "--route", "relay", "--lambdas", stage.Lambdas(t))
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if strings.Contains(got.stdout, "\x1b") {
		t.Error("there are escape codes in what is not for a terminal")
	}
	inOrder(t, got.stdout,
		"route relay", "B  stack unstale-delivery-relay", "CREATE_COMPLETE", "A  stack unstale-pipeline-relay", "CREATE_COMPLETE",
		"release 1: git push", "$ sh build.sh", "border A->B lambda:InvokeFunction", "allowed by resource:", "pipeline unstale Succeeded",
		"viewers: release 1 is cached", "FRA56-P1", "release 1", "Hit from cloudfront", "NRT57-P3",
		"release 2: git push", "Build    Succeeded", "border A->B sts:AssumeRole", "allowed by trust:",
		"viewers: release 2 is in the bucket", "IAD89-C2", "release 1", "Hit from cloudfront", "Deploy   Succeeded",
		"invalidation I", ": / /index.html /release.json\n", "purged", "Completed", "Purge    Succeeded", "pipeline unstale Succeeded",
		"plan: 3 paths for 3 stale URLs, nothing that did not change; $0.00", "/release.json  it changed", "evidence  s3://unstale-state-111111111111-us-east-1/evidence/",
		"viewers: after the pipeline ended", "FRA56-P1", "release 2", "IAD89-C2", "release 2", "NRT57-P3", "release 2",
		"viewers of the whole site", "FRA56-P1  IAD89-C2  NRT57-P3  serves", "/release.json ", "Miss      Miss      release 2",
		"/images/arc.svg ", "Hit       Hit       Hit       the same", "that did not change: 15 of 15 answers are hits", "done in",
	)
}

func inOrder(t *testing.T, text string, phrases ...string) {
	t.Helper()
	rest := text
	for i, phrase := range phrases {
		_, after, ok := strings.Cut(rest, phrase)
		if !ok {
			t.Fatalf("there is no %q after %q in\n%s", phrase, phrases[:i], text)
		}
		rest = after
	}
}

// A story that fails ends with code 1 and still with a whole document.
func TestFailedBuildEndsWithOne(t *testing.T) {
	t.Parallel()
	site := t.TempDir()
	for name, content := range map[string]string{
		"RELEASE": "1\n", "buildspec.yml": "version: 0.2\nphases:\n  build:\n    commands:\n      - echo the compiler is not amused >&2; exit 3\nartifacts:\n  files: ['**/*']\n",
	} {
		if err := os.WriteFile(filepath.Join(site, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := unstale(t, nil, "rehearse", "--route", "relay", "--json", "--site", site, "--lambdas", stage.Lambdas(t))
	if got.code != 1 || !strings.Contains(got.stderr, "did not reach every viewer") {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
	}
	if !strings.Contains(got.stdout, `"the compiler is not amused"`) {
		t.Error("the document does not have what the build printed")
	}
	d := parse(t, got.stdout)
	if d.Pipeline.Status != "Failed" || len(d.Pipeline.Stages) != 3 || d.Pipeline.Stages[1].Status != "Failed" || d.Pipeline.Stages[2].Status == "Succeeded" {
		t.Errorf("pipeline %+v", d.Pipeline)
	}
	if d.Invalidation.ID != "" || len(d.Viewer.After) != 0 {
		t.Errorf("invalidation %+v, viewers %+v", d.Invalidation, d.Viewer)
	}
}

// A build that fails shows what it printed, without being asked to.
func TestFailedBuildShowsItsOutput(t *testing.T) {
	t.Parallel()
	site := t.TempDir()
	for name, content := range map[string]string{
		"RELEASE": "1\n", "buildspec.yml": "version: 0.2\nphases:\n  build:\n    commands:\n      - seq 100; echo the compiler is not amused >&2; exit 3\nartifacts:\n  files: ['**/*']\n",
	} {
		if err := os.WriteFile(filepath.Join(site, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := unstale(t, nil, "rehearse", "--site", site, "--lambdas", stage.Lambdas(t))
	if got.code != 1 || strings.Contains(got.stdout, " 70\n") {
		t.Errorf("exit code %d\n%s", got.code, got.stdout)
	}
	inOrder(t, got.stdout, "$ seq 100", "Build    Failed", "exit status 3", "the build's last 20 lines", " 99\n", " 100\n", " the compiler is not amused\n")
}

// What is not read is not pretended to have been told: a full disk is an error, a closed stdout is named.
func TestStoryThatNobodyReads(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		redirection, says string
		code              int
	}{
		{">/dev/full", "unstale: show the story: write /dev/stdout: no space left on device", 1},
		{">&-", "unstale: stdout is closed, so the story is told to nobody", 0},
		{">/dev/null", "", 0},
	} {
		cmd := exec.CommandContext(deadline(t), "sh", "-c", `exec "$0" rehearse --lambdas "$1" `+tt.redirection, stage.Program(t), stage.Lambdas(t))
		var stderr strings.Builder
		cmd.Stderr = &stderr
		_ = cmd.Run() // its code is judged
		if code := cmd.ProcessState.ExitCode(); code != tt.code || !strings.HasPrefix(stderr.String(), tt.says) || tt.says == "" && stderr.Len() > 0 {
			t.Errorf("%s: exit code %d, stderr %q", tt.redirection, code, stderr.String())
		}
	}
}

// Without the one statement that lets A's role in, B's function is not invoked, and all say why: the
// pipeline, the document and the text.
func TestMissingPermissionIsNamed(t *testing.T) {
	t.Parallel()
	var told bytes.Buffer
	narrator := story.NewNarrator(&told, true)
	stage := set(t, story.Options{
		Source: static.Files,
		Template: func(name string, text []byte) []byte {
			return rewrite(t, text, func(resources map[string]any) { delete(resources, "InvalidatorPermission") })
		},
		Observe: func(w *rehearsal.World) {
			w.Journal().OnEvent(narrator.Event)
			w.Journal().OnCall(narrator.Call)
		},
	})
	report, err := stage.Run(deadline(t), narrator)
	if !errors.Is(err, story.ErrStale) || report.Pipeline.Status != "Failed" {
		t.Fatalf("the pipeline ended %s, error %v", report.Pipeline.Status, err)
	}
	deliver := report.Pipeline.Stages[2]
	for _, part := range []string{"lambda:InvokeFunction", "unstale-invalidator:live", "no resource-based policy allows"} {
		if !strings.Contains(deliver.Actions[0].Message, part) {
			t.Errorf("the Announce action does not say %q: %+v", part, deliver)
		}
	}
	denied := false
	for _, c := range report.Calls {
		if c.Decision == "deny" {
			denied = true
			if c.Action != "lambda:InvokeFunction" || c.Statement != "resource" || // the layer that was silent
				!strings.Contains(c.Remedy, `"lambda:InvokeFunction"`) || !strings.Contains(c.Remedy, "unstale-invalidator:live") {
				t.Errorf("refused call %+v", c)
			}
		}
	}
	if !denied {
		t.Error("no call was refused")
	}
	inOrder(t, told.String(), "border A->B", "lambda:InvokeFunction", "\x1b[31mrefused by\x1b[0m resource", "add in account 222222222222", "{\n", `"Action": "lambda:InvokeFunction"`,
		"Announce", "\x1b[31mFailed\x1b[0m")
}

// rewrite changes the resources of a template.
func rewrite(t *testing.T, text []byte, change func(resources map[string]any)) []byte {
	t.Helper()
	var template map[string]any
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	change(template["Resources"].(map[string]any))
	out, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
