package deploy

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/awsjson"
	"github.com/unstale/unstale/internal/deploy"
)

// destroy takes away what a route made, and what is named besides.
func (w *world) destroy(route string, also ...string) deploy.Removal {
	w.t.Helper()
	w.reset()
	r, err := w.open(route).Destroy(w.t.Context(), also)
	if err != nil {
		w.t.Fatalf("%v\nsaid: %s", err, strings.Join(w.said, "\n"))
	}
	return r
}

// leftovers are the names of what earlier stacks left, "+" before what goes now.
func leftovers(r deploy.Removal) []string {
	var out []string
	for _, l := range r.Left {
		name := l.Account + " " + l.Name
		if l.Goes {
			name = "+" + name
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (w *world) repository(operation string, in map[string]string) error {
	var out struct{}
	return awsjson.Operation{Service: "codecommit", Target: "CodeCommit_20150413." + operation}.Call(w.t.Context(), w.config(accountA), region, in, &out)
}

// What stays when its stack goes is found by its name afterwards, and deleted once somebody names it.
func TestDestroyFindsWhatStayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const bucket = "unstale-site-222222222222-us-east-1"
	outputs := w.run(w.open("states"))
	w.version(accountB, outputs["SiteBucketName"])
	if r := w.destroy("states"); len(r.Left) > 0 {
		t.Errorf("what a stack has is of an earlier one: %q", leftovers(r))
	}
	w.remove = func(deploy.Removal) (bool, error) { return false, errors.New("asked about nothing") }
	r, err := w.open("relay").Destroy(t.Context(), nil)
	if diff := cmp.Diff([]string{"111111111111 unstale", "222222222222 " + bucket}, leftovers(r)); diff != "" || err != nil {
		t.Errorf("left (-want +got)\n%s%v", diff, err)
	}
	// Declined, and unseen, everything stays.
	w.remove = func(deploy.Removal) (bool, error) { return false, nil }
	if _, err := w.open("states").Destroy(t.Context(), []string{"SiteBucket"}); !errors.Is(err, deploy.ErrDeclined) {
		t.Errorf("declined: %v", err)
	}
	operator := w.as(w.denied(accountB, "s3:ListBucket"))
	r, err = w.open("states", func(o *deploy.Options) { o.Delivery = operator }).Destroy(t.Context(), []string{"SiteBucket"})
	if err != nil || len(r.Missing) != 1 || len(leftovers(r)) != 1 {
		t.Errorf("a bucket that may not be seen: %q, missing %+v, %v", leftovers(r), r.Missing, err)
	}
	r = w.destroy("states", "SiteBucket", "unstale", "ArtifactsKey")
	if diff := cmp.Diff([]string{"+111111111111 unstale", "+222222222222 " + bucket}, leftovers(r)); diff != "" {
		t.Errorf("deleted (-want +got)\n%s", diff)
	}
	if len(r.Missing) != 1 || r.Missing[0].Type != deploy.KeyType || !w.hasSaid("delete bucket "+bucket+" (3 objects)") || !w.hasSaid("delete repository unstale") {
		t.Errorf("missing %+v, said %q", r.Missing, w.said)
	}
	if left := w.list(accountB); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if err := w.repository("GetRepository", map[string]string{"repositoryName": "unstale"}); err == nil {
		t.Error("the repository is still there")
	}
	w.destroy("states", "PipelineRepository") // once more changes nothing
}

// A repository that has the name by chance is nobody's business, and is not deleted by a word.
func TestRepositoryOfSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.repository("CreateRepository", map[string]string{"repositoryName": "unstale", "repositoryDescription": "mine"}); err != nil {
		t.Fatal(err)
	}
	if r := w.destroy("states"); len(r.Left) > 0 {
		t.Errorf("left by an earlier stack: %q", leftovers(r))
	}
	var other *deploy.NotOurs
	for _, name := range []string{"PipelineRepository", "unstale"} {
		if _, err := w.open("states").Destroy(t.Context(), []string{name}); !errors.As(err, &other) || other.Name != "unstale" {
			t.Errorf("--delete %s: %v", name, err)
		}
	}
	if err := w.repository("GetRepository", map[string]string{"repositoryName": "unstale"}); err != nil {
		t.Errorf("the repository: %v", err)
	}
}

// The bucket that a stack works with is not an earlier one's.
func TestBucketInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := func(o *deploy.Options) { o.OwnPipeline = true }
	outputs := w.run(w.open("states", first))
	w.destroy("states")
	w.run(w.open("states", first, func(o *deploy.Options) {
		o.Parameters["ExistingDistributionId"], o.Parameters["ExistingBucketName"] = w.siteOfMine(accountB), outputs["SiteBucketName"]
	}))
	if r := w.destroy("states", "SiteBucket"); len(r.Left) > 0 || len(r.Missing) != 1 {
		t.Errorf("left %q, missing %+v", leftovers(r), r.Missing)
	}
}

// pipelineOfMine is a pipeline that starts the purge's state machine, as people add it to theirs.
func (w *world) pipelineOfMine(name, machine string) {
	w.t.Helper()
	w.addRole(accountA, name)
	kind := func(category types.ActionCategory, provider string) *types.ActionTypeId {
		return &types.ActionTypeId{Category: category, Owner: types.ActionOwnerAws, Provider: &provider, Version: aws.String("1")}
	}
	_, err := codepipeline.NewFromConfig(w.config(accountA)).CreatePipeline(w.t.Context(), &codepipeline.CreatePipelineInput{Pipeline: &types.PipelineDeclaration{
		Name: &name, RoleArn: aws.String("arn:aws:iam::111111111111:role/" + name),
		ArtifactStore: &types.ArtifactStore{Type: types.ArtifactStoreTypeS3, Location: aws.String("artifacts-of-mine")},
		Stages: []types.StageDeclaration{
			{Name: aws.String("Source"), Actions: []types.ActionDeclaration{{
				Name: aws.String("Commit"), ActionTypeId: kind(types.ActionCategorySource, "CodeCommit"), OutputArtifacts: []types.OutputArtifact{{Name: aws.String("Source")}},
				Configuration: map[string]string{"RepositoryName": "mine", "BranchName": "main", "PollForSourceChanges": "false"},
			}}},
			{Name: aws.String("Deliver"), Actions: []types.ActionDeclaration{{
				Name: aws.String("Purge"), ActionTypeId: kind(types.ActionCategoryInvoke, "StepFunctions"), Configuration: map[string]string{"StateMachineArn": machine},
			}}},
		},
	}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// Who takes away what a pipeline of their own still works with is told so; who may not read pipelines is not
// held up.
func TestPipelinesThatStillCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.open("states"))
	const machine = "arn:aws:states:us-east-1:111111111111:stateMachine:"
	w.pipelineOfMine("mine", machine+"unstale-purge")
	w.pipelineOfMine("another", machine+"unstale-purge-2")
	declined := func(change ...func(*deploy.Options)) []deploy.Caller {
		t.Helper()
		w.remove = func(deploy.Removal) (bool, error) { return false, nil }
		r, err := w.open("states", change...).Destroy(t.Context(), nil)
		if !errors.Is(err, deploy.ErrDeclined) {
			t.Fatal(err)
		}
		return r.Callers
	}
	want := []deploy.Caller{{Account: accountA, Pipeline: "mine", Stage: "Deliver", Action: "Purge", Uses: "state machine unstale-purge"}}
	if diff := cmp.Diff(want, declined()); diff != "" {
		t.Errorf("callers (-want +got)\n%s", diff)
	}
	operator := w.as(w.denied(accountA, "codepipeline:GetPipeline"))
	if got := declined(func(o *deploy.Options) { o.Pipeline = operator }); len(got) > 0 {
		t.Errorf("callers that may not be read: %+v", got)
	}
}
