package deploy

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/deploy"
	routes "github.com/unstale/unstale/templates"
)

// kept is what each route keeps unless it is named: people's content, and the key that it was encrypted with.
func kept(route string, ownPipeline bool) []string {
	switch {
	case ownPipeline && route == sameOnly:
		return nil
	case ownPipeline:
		return []string{"SiteBucket"}
	}
	return []string{"ArtifactsKey", "PipelineRepository", "SiteBucket"}
}

// A route is made, found to be as it should be, changed, and taken away without a trace.
func TestRouteFromNothingToNothing(t *testing.T) {
	for _, route := range routes.Routes() {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			outputs := w.run(w.open(route))
			if outputs["DistributionId"] == "" || outputs["PipelineName"] == "" {
				t.Errorf("outputs %v", outputs)
			}
			w.reset()
			again := w.run(w.open(route))
			if len(w.asked) > 0 {
				t.Errorf("asked again about %v", w.shown())
			}
			if diff := cmp.Diff(outputs, again); diff != "" {
				t.Errorf("outputs (-first +second)\n%s", diff)
			}
			w.reset()
			w.run(w.open(route, func(o *deploy.Options) { o.Parameters["Branch"] = "release" }))
			if shown := w.shown(); !slices.ContainsFunc(shown, func(s string) bool { return strings.HasSuffix(s, "Modify Pipeline False Stages") }) {
				t.Errorf("another branch changes %q", shown)
			}
			// What was given once stays given.
			w.reset()
			w.run(w.open(route, func(o *deploy.Options) { clear(o.Parameters) }))
			if len(w.asked) > 0 {
				t.Errorf("forgetting the parameters changes %q", w.shown())
			}
			w.reset()
			if _, err := w.open(route).Destroy(t.Context(), kept(route, false)); err != nil {
				t.Fatalf("%v\nsaid: %s", err, strings.Join(w.said, "\n"))
			}
			if left := w.left(); len(left) > 0 {
				t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
			}
		})
	}
}

func TestPipelineOfOnesOwn(t *testing.T) {
	for _, route := range routes.Routes() {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			distribution := ""
			if route == sameOnly {
				distribution = w.siteOfMine(accountA)
			}
			own := func(o *deploy.Options) {
				o.OwnPipeline = true
				switch route {
				case "direct":
					o.Parameters["PipelineRoleArn"] = "arn:aws:iam::111111111111:role/mine"
					o.Parameters["ArtifactBucketArn"] = "arn:aws:s3:::artifacts-of-mine"
					o.Parameters["ArtifactKeyArn"] = "arn:aws:kms:us-east-1:111111111111:key/00000000-0000-0000-0000-000000000000"
				case sameOnly:
					o.Parameters["DistributionArns"] = "arn:aws:cloudfront::111111111111:distribution/" + distribution
				}
			}
			if route == "direct" {
				w.addRole(accountA, "mine")
			}
			before := w.left()
			outputs := w.run(w.open(route, own))
			if outputs["Action"] == "" || outputs["ActionPolicy"] == "" || (outputs["AnnounceAction"] == "") != (route == "states") {
				t.Errorf("nothing to paste: %v", outputs)
			}
			w.reset()
			if w.run(w.open(route, own)); len(w.asked) > 0 {
				t.Errorf("asked again about %v", w.shown())
			}
			if _, err := w.open(route, own).Destroy(t.Context(), kept(route, true)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, w.left()); diff != "" {
				t.Errorf("left behind (-before +after)\n%s", diff)
			}
		})
	}
}

// Buckets are emptied of former versions and deletion marks as well, whatever people have set up since.
func TestVersionedBuckets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	outputs := w.run(w.open("states"))
	w.version(accountA, outputs["ArtifactBucketName"])
	w.version(accountB, outputs["SiteBucketName"])
	var objects int
	w.remove = func(r deploy.Removal) (bool, error) {
		for _, s := range r.Stacks {
			for _, i := range s.Goes {
				objects += i.Objects
			}
		}
		return true, nil
	}
	if _, err := w.open("states").Destroy(t.Context(), kept("states", false)); err != nil {
		t.Fatal(err)
	}
	if left := w.left(); len(left) > 0 || objects != 6 {
		t.Errorf("%d objects; left behind:\n%s", objects, strings.Join(left, "\n"))
	}
}

// Nothing of people's is taken away that they did not name, and they are told what stays.
func TestContentStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	outputs := w.run(w.open("relay"))
	w.put(accountB, outputs["SiteBucketName"], "index.html")
	var seen deploy.Removal
	w.remove = func(r deploy.Removal) (bool, error) {
		seen = r
		return true, nil
	}
	if _, err := w.open("relay").Destroy(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	var stays []string
	for _, s := range seen.Stacks {
		for _, i := range s.Stays {
			stays = append(stays, s.Stack+" "+i.LogicalID)
			if i.Type == "AWS::CodeCommit::Repository" && i.Name != "unstale" {
				t.Errorf("the repository is called %s", i.Name)
			}
			if i.LogicalID == "SiteBucket" && i.Objects != 1 {
				t.Errorf("the site's bucket is said to have %d objects", i.Objects)
			}
		}
	}
	if diff := cmp.Diff([]string{"unstale-pipeline-relay PipelineRepository", "unstale-delivery-relay SiteBucket", "unstale-pipeline-base ArtifactsKey"}, stays); diff != "" {
		t.Errorf("stays (-want +got)\n%s", diff)
	}
	if len(seen.Callers) > 0 {
		t.Errorf("the pipeline of the stacks, which goes, still needs something: %+v", seen.Callers)
	}
	var left []string
	for _, l := range w.left() {
		if !strings.Contains(l, " AWS::") {
			left = append(left, l)
		}
	}
	if diff := cmp.Diff([]string{"222222222222 bucket " + outputs["SiteBucketName"]}, left); diff != "" {
		t.Errorf("left behind (-want +got)\n%s", diff)
	}
}

func TestNamesThatNothingHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.open("states"))
	var unknown *deploy.NotRetained
	if _, err := w.open("states").Destroy(t.Context(), []string{"SiteBuckets"}); !errors.As(err, &unknown) || !slices.Contains(unknown.Kept, "SiteBucket") {
		t.Errorf("err = %v", err)
	}
	before := len(w.left())
	w.remove = func(deploy.Removal) (bool, error) { return false, nil }
	if _, err := w.open("states").Destroy(t.Context(), nil); !errors.Is(err, deploy.ErrDeclined) || len(w.left()) != before {
		t.Errorf("err = %v, %d things left of %d", err, len(w.left()), before)
	}
}
