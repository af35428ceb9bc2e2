// Package docs_test holds the documents against what they describe.
package docs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/mistakes"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/templates"
	"github.com/unstale/unstale/test/stage"
)

func TestMain(m *testing.M) { stage.Main(m) }

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("routes.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// cells are the rows of the table that has a heading, by first cell; code quotes are left in.
func cells(t *testing.T, text, heading string) map[string][]string {
	t.Helper()
	_, rest, found := strings.Cut(text, heading)
	if !found {
		t.Fatalf("there is no table %q", heading)
	}
	table, _, _ := strings.Cut(rest, "\n\n")
	rows := map[string][]string{}
	for _, line := range strings.Split(table, "\n")[2:] {
		row := strings.Split(strings.Trim(line, "| "), " | ")
		rows[strings.Trim(row[0], "`")] = row[1:]
	}
	return rows
}

var quoted = regexp.MustCompile("`([^`]+)`")

func names(cell ...string) []string {
	var list []string
	for _, match := range quoted.FindAllStringSubmatch(strings.Join(cell, " "), -1) {
		list = append(list, match[1])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// shape is what stacks exchange.
type shape struct {
	Parameters map[string]struct{ Default *string }
	Outputs    map[string]any
}

func load(t *testing.T, name string) shape {
	t.Helper()
	body, err := templates.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	var s shape
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// crossing are the outputs of one template that another takes.
func crossing(from, to shape) []string {
	var list []string
	for name := range to.Parameters {
		if _, ok := from.Outputs[name]; ok {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// What the document says about parameters is what the templates take.
func TestWhatCrosses(t *testing.T) {
	rows := cells(t, document(t), "| route | outputs of `pipeline-base`")
	base := load(t, "pipeline-base")
	for _, route := range []string{"assume", "relay", "direct", "states"} {
		delivery, pipeline := load(t, "delivery-"+route), load(t, "pipeline-"+route)
		for i, want := range [][]string{crossing(base, delivery), crossing(delivery, pipeline)} {
			if got := names(rows["all four"][i], rows[route][i]); !slices.Equal(got, want) {
				t.Errorf("route %s, column %d: the document says %q, the templates %q", route, i+1, got, want)
			}
		}
		if own := crossing(base, pipeline); !slices.Equal(own, []string{"ArtifactBucketName", "ArtifactKeyArn"}) {
			t.Errorf("route %s: the last stack takes %q from pipeline-base", route, own)
		}
	}
}

// Every parameter is either an output or in the table of those that people supply.
func TestWhatPeopleSupply(t *testing.T) {
	text := document(t)
	_, table, _ := strings.Cut(text, "| parameter | of | |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, route := range templates.Routes() {
		steps, err := templates.Deployment(route)
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]any{}
		for _, step := range steps {
			s := load(t, step.Template)
			for name := range s.Parameters {
				if _, ok := known[name]; !ok && !strings.Contains(table, "`"+name+"`") {
					t.Errorf("route %s: nothing says where %s of %s comes from", route, name, step.Template)
				}
			}
			maps.Copy(known, s.Outputs)
		}
	}
}

// The table of templates is the order in which they are deployed.
func TestOrder(t *testing.T) {
	rows := cells(t, document(t), "| route | first, in A | then, in B | last, in A |")
	for _, route := range templates.Routes() {
		steps, err := templates.Deployment(route)
		if err != nil {
			t.Fatal(err)
		}
		for i, step := range steps {
			cell := rows[route][i]
			if !strings.HasPrefix(cell, "`"+step.Template+"`") || strings.Contains(cell, " with ") != (step.Function != "") {
				t.Errorf("route %s, step %d: the document says %q, it is %+v", route, i+1, cell, step)
			}
			if function := map[string]string{"pipeline-job": "the job function", "invalidator": "the invalidator"}[step.Function]; !strings.HasSuffix(cell, function) {
				t.Errorf("route %s, step %d: %q is not about %s", route, i+1, cell, step.Function)
			}
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	text := document(t)
	for _, match := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1) {
		if anchor, ok := strings.CutPrefix(match[1], "#"); ok {
			if !slices.Contains(anchors(text), anchor) {
				t.Errorf("there is no heading #%s", anchor)
			}
			continue
		}
		if _, err := os.Stat(filepath.FromSlash(match[1])); err != nil {
			t.Errorf("a link: %v", err)
		}
	}
}

func anchors(text string) []string {
	var list []string
	for _, match := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		list = append(list, strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-"))
	}
	return list
}

func TestMistakesExist(t *testing.T) {
	for _, match := range regexp.MustCompile(`--break ([a-z-]+)`).FindAllStringSubmatch(document(t), -1) {
		if _, ok := mistakes.Find(match[1]); !ok && match[1] != "help" {
			t.Errorf("there is no mistake %q", match[1])
		}
	}
}

// The script makes the stacks of every route in their order, and uploads a function before the stack that takes it.
func TestScriptHasEveryRoute(t *testing.T) {
	text := document(t)
	for _, route := range templates.Routes() {
		steps, err := templates.Deployment(route)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, step := range steps {
			profile := map[templates.Side]string{templates.Pipeline: "a", templates.Delivery: "b"}[step.Side]
			if step.Function != "" {
				want = append(want, "code "+profile+" $"+strings.ToUpper(profile)+" "+step.Function)
			}
			want = append(want, "stack "+profile+" "+step.Template)
		}
		_, line, _ := strings.Cut(text, "\n"+route+")")
		line, _, _ = strings.Cut(line, " ;;")
		if got := strings.TrimSpace(line); got != strings.Join(want, "; ") {
			t.Errorf("route %s: the script does %q, not %q", route, got, want)
		}
	}
}

// TestScriptDeploys types the document's script into a shell, with the AWS CLI, on two empty accounts; then a release has
// to reach viewers. One route does, for the CLI takes its time: the README's test takes another, and what differs between
// them is held by the tests above.
func TestScriptDeploys(t *testing.T) {
	const route = "direct"
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Fatal("the AWS CLI is missing; make setup installs it")
	}
	lambdas := stage.Lambdas(t)
	world, err := story.Set(t.Context(), story.Options{Route: route, Source: static.Files, Empty: true, Lambdas: lambdas})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	outputs := run(t, world, route, filepath.Dir(aws), lambdas)
	for _, name := range []string{"RepositoryCloneUrl", "DistributionDomain", "PipelineName"} {
		_, rest, found := strings.Cut(outputs, name+"=")
		if !found {
			t.Fatalf("the script prints no %s:\n%s", name, outputs)
		}
		world.Outputs[name], _, _ = strings.Cut(rest, "\n")
	}
	if report, err := world.Run(t.Context(), story.Narrator{}); err != nil {
		t.Errorf("a release on what the script deployed: %v\n%+v", err, report.Pipeline)
	}
}

// run is the script on the accounts of a rehearsal.
func run(t *testing.T, world *story.Stage, route, cli, lambdas string) string {
	t.Helper()
	_, script, found := strings.Cut(document(t), "```sh\nROUTE=assume ")
	if !found {
		t.Fatal("there is no script")
	}
	script, _, _ = strings.Cut("ROUTE="+route+" "+script, "```")
	script = strings.NewReplacer("ARCH=arm64 ", "ARCH="+story.Architecture()+" ", "make lambdas\n", "", "dist/lambda", lambdas).Replace(script)
	var config strings.Builder
	a, b := story.AccountsOf(route)
	for profile, account := range map[string]string{"a": a, "b": b} {
		root := world.World.Root(account)
		fmt.Fprintf(&config, "[profile %s]\nregion = %s\nendpoint_url = %s\naws_access_key_id = %s\naws_secret_access_key = %s\n",
			profile, story.Region, world.World.URL(), root.AccessKeyID, root.SecretAccessKey)
	}
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", script)
	cmd.Dir = ".."
	cmd.Env = []string{
		"PATH=" + cli + ":" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "AWS_PAGER=",
		"AWS_CONFIG_FILE=" + file, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true", stage.Impatient(t),
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the script fails: %v\n%s", err, out)
	}
	return string(out)
}
