package deploy

import (
	"encoding/json"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/templates"
)

func TestTemplates(t *testing.T) {
	names := Templates()
	if !slices.IsSorted(names) || !slices.Contains(names, BucketTemplate) || len(names) != len(templates.Names())+1 {
		t.Errorf("Templates() = %q", names)
	}
	for _, name := range names {
		body, err := Template(name)
		if err != nil || !json.Valid(body) || len(body) > 51_200 {
			t.Errorf("%s: %d bytes, %v", name, len(body), err)
		}
	}
	if _, err := Template("nonsense"); err == nil || !strings.Contains(err.Error(), BucketTemplate) {
		t.Errorf("err = %v, want the names", err)
	}
}

// cfn-lint knows the schemas of resource types. It is a Python program, so it is asked where it is installed only.
func TestCodeBucketIsClean(t *testing.T) {
	linter, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Skip("cfn-lint is not installed")
	}
	if said, err := exec.CommandContext(t.Context(), linter, "code-bucket.template.json").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestSteps(t *testing.T) {
	for _, c := range []struct {
		route string
		own   bool
		want  string
	}{
		{"assume", false, "pipeline-base delivery-assume code-bucket pipeline-assume"},
		{"relay", false, "pipeline-base code-bucket delivery-relay code-bucket pipeline-relay"},
		{"direct", false, "pipeline-base code-bucket delivery-direct pipeline-direct"},
		{"states", false, "pipeline-base delivery-states pipeline-states"},
		{"same-account", false, "code-bucket same-account"},
		{"assume", true, "delivery-assume code-bucket pipeline-job"},
		{"relay", true, "code-bucket pipeline-job code-bucket delivery-relay"},
		{"direct", true, "pipeline-callback code-bucket delivery-direct"},
		{"states", true, "delivery-states pipeline-machine"},
		{"same-account", true, "code-bucket pipeline-job"},
	} {
		d := &Deployment{options: Options{Route: c.route, OwnPipeline: c.own}}
		steps, err := d.steps()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range steps {
			got = append(got, s.Template)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("route %s, own pipeline %v: %q, want %s", c.route, c.own, got, c.want)
		}
	}
	if _, err := own("tunnel"); err == nil || !strings.Contains(err.Error(), "relay") {
		t.Errorf("err = %v, want the routes", err)
	}
}

// What is taken away is what any route can have made in the accounts, what others use last.
func TestBackwards(t *testing.T) {
	a, b := &side{}, &side{}
	for _, c := range []struct {
		sides map[templates.Side]*side
		route string
		first string
		last  string
		count int
	}{
		{map[templates.Side]*side{templates.Pipeline: a, templates.Delivery: b}, "relay", "pipeline-relay delivery-relay", "pipeline-base code-bucket code-bucket", 15},
		{map[templates.Side]*side{templates.Pipeline: a}, "same-account", "same-account pipeline-job", "pipeline-base code-bucket", 10},
	} {
		d := &Deployment{options: Options{Route: c.route}, sides: c.sides}
		steps, err := d.backwards()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range steps {
			got = append(got, s.Template)
		}
		if all := strings.Join(got, " "); !strings.HasPrefix(all, c.first) || !strings.HasSuffix(all, c.last) || len(got) != c.count {
			t.Errorf("route %s: %d stacks: %s", c.route, len(got), all)
		}
	}
}

func TestNameOf(t *testing.T) {
	for id, want := range map[string]string{"arn:aws:cloudformation:us-east-1:111111111111:stack/shop-base/5d2a": "shop-base", "shop-base": "shop-base"} {
		if got := nameOf(id); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

// The job function can read the targets that it is given here.
func TestTargetsAreUnderstood(t *testing.T) {
	for route, known := range map[string]map[string]string{
		"assume":       {"PurgeRoleArn": "arn:aws:iam::222222222222:role/unstale-purge", "DistributionId": "E2EXAMPLE"},
		"relay":        {"InvalidatorArn": "arn:aws:lambda:us-east-1:222222222222:function:unstale-invalidator:live"},
		"same-account": {},
	} {
		d := &Deployment{external: "unstale-x", options: Options{Route: route, Parameters: map[string]string{}}}
		if route == "same-account" {
			if got := d.targets(known); got != nil {
				t.Errorf("a distribution from nowhere: %v", got)
			}
			d.options.Parameters["DistributionArns"] = "arn:aws:cloudfront::111111111111:distribution/E2EXAMPLE"
		}
		parsed, err := target.Parse([]byte(d.targets(known)["Targets"]))
		if err != nil || string(parsed["site"].Route) != route {
			t.Errorf("route %s: %+v, %v", route, parsed, err)
		}
	}
	d := &Deployment{options: Options{Route: "assume", Parameters: map[string]string{"Targets": "{}"}}}
	if got := d.targets(nil); got != nil {
		t.Errorf("targets that were given are overridden: %v", got)
	}
}

func TestRetains(t *testing.T) {
	const key, repository = KeyType, repositoryType
	for name, want := range map[string]map[string]string{
		"pipeline-base": {"ArtifactsKey": key}, "delivery-relay": {"SiteBucket": bucketType}, "pipeline-relay": {"PipelineRepository": repository}, BucketTemplate: {},
		"same-account": {"ArtifactsKey": key, "PipelineRepository": repository, "SiteBucket": bucketType},
	} {
		body, err := Template(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := retains(body); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s retains %q, %v, want %q", name, got, err, want)
		}
	}
}
