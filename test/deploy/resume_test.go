package deploy

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/unstale/unstale/internal/deploy"
)

func (w *world) addRole(account, name string) {
	w.t.Helper()
	_, err := sdkiam.NewFromConfig(w.config(account)).CreateRole(w.t.Context(), &sdkiam.CreateRoleInput{
		RoleName: aws.String(name), AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"codepipeline.amazonaws.com"},"Action":"sts:AssumeRole"}}`),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) deleteRole(account, name string) {
	w.t.Helper()
	if _, err := sdkiam.NewFromConfig(w.config(account)).DeleteRole(w.t.Context(), &sdkiam.DeleteRoleInput{RoleName: aws.String(name)}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) put(account, bucket, key string) {
	w.t.Helper()
	if _, err := s3.NewFromConfig(w.config(account)).PutObject(w.t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader([]byte(key))}); err != nil {
		w.t.Fatal(err)
	}
}

// version turns a bucket's versioning on, and leaves two versions and a deletion mark in it.
func (w *world) version(account, bucket string) {
	w.t.Helper()
	client := s3.NewFromConfig(w.config(account))
	_, err := client.PutBucketVersioning(w.t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String(bucket), VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(account, bucket, "a")
	w.put(account, bucket, "a")
	if _, err := client.DeleteObject(w.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("a")}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) status(account, stack string) types.StackStatus {
	w.t.Helper()
	out, err := cloudformation.NewFromConfig(w.config(account)).DescribeStacks(w.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String(stack)})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Stacks[0].StackStatus
}

func (w *world) hasSaid(text string) bool {
	return slices.ContainsFunc(w.said, func(s string) bool { return strings.Contains(s, text) })
}

// A stack that could not be made is made by the next run, once what stood in the way is gone.
func TestGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRole(accountB, "unstale-invalidator") // the name that the stack wants
	_, err := w.open("relay").Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "account 222222222222: stack unstale-delivery-relay is ROLLBACK_COMPLETE: InvalidatorRole: ") {
		t.Fatalf("err = %v", err)
	}
	if got := w.status(accountB, "unstale-delivery-relay"); got != types.StackStatusRollbackComplete {
		t.Fatalf("status %s", got)
	}
	w.deleteRole(accountB, "unstale-invalidator")
	w.reset()
	outputs := w.run(w.open("relay"))
	if outputs["InvalidatorArn"] == "" || !w.hasSaid("it is ROLLBACK_COMPLETE from an earlier run, and is deleted first") || !w.hasSaid("unstale-pipeline-base: no changes") {
		t.Errorf("outputs %v, said %q", outputs, w.said)
	}
	// An update that fails goes back by itself; the next one can be made.
	w.reset()
	good := w.code
	w.code = func(string, string) ([]byte, error) { return []byte("no zip"), nil }
	if _, err := w.open("relay").Run(t.Context()); err == nil || !strings.Contains(err.Error(), "UPDATE_ROLLBACK_COMPLETE") {
		t.Errorf("err = %v", err)
	}
	w.reset()
	w.code = good
	if w.run(w.open("relay")); w.status(accountB, "unstale-delivery-relay") != types.StackStatusUpdateRollbackComplete || len(w.asked) > 0 {
		t.Errorf("status %s, asked %q", w.status(accountB, "unstale-delivery-relay"), w.shown())
	}
}

// New code is a new version behind the same alias.
func TestNewCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.open("relay"))
	w.reset()
	w.code = func(function, architecture string) ([]byte, error) {
		if function == "invalidator" {
			function = "pipeline-job" // any other program
		}
		return os.ReadFile(w.lambdas + "/" + function + "_" + architecture + ".zip")
	}
	w.run(w.open("relay"))
	want := []string{
		"unstale-delivery-relay Modify InvalidatorFunction False Code",
		"unstale-delivery-relay Modify InvalidatorVersion True Description",
		"unstale-delivery-relay Modify InvalidatorAlias False FunctionVersion",
	}
	if shown := w.shown(); !slices.Equal(shown, want) {
		t.Errorf("changes %q, want %q", shown, want)
	}
}

// A declined stack leaves no trace of itself.
func TestDeclined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.confirm = func(p deploy.Proposal) (bool, error) { return p.Stack != "unstale-delivery-states", nil }
	if _, err := w.open("states").Run(t.Context()); !errors.Is(err, deploy.ErrDeclined) {
		t.Errorf("err = %v", err)
	}
	if got := w.list(accountB); len(got) > 0 {
		t.Errorf("the delivery account has %q", got)
	}
}

// A run that was killed between two calls left a change set, or work in progress.
func TestGoesOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := cloudformation.NewFromConfig(w.config(accountA))
	propose := func(name string) {
		t.Helper()
		_, err := client.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
			StackName: aws.String("unstale-pipeline-base"), ChangeSetName: aws.String(name), ChangeSetType: types.ChangeSetTypeCreate,
			TemplateBody: aws.String(`{"Resources":{"B":{"Type":"AWS::S3::Bucket"}}}`),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	propose("unstale-left-behind")
	ctx, cancel := context.WithCancel(t.Context())
	w.confirm = func(p deploy.Proposal) (bool, error) {
		if p.Stack == "unstale-delivery-states" {
			cancel()
		}
		return true, nil
	}
	if _, err := w.open("states").Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if !w.hasSaid("nothing but a change set of an earlier run") {
		t.Errorf("said %q", w.said)
	}
	w.reset()
	w.run(w.open("states"))
	if _, err := w.open("states").Destroy(t.Context(), kept("states", false)); err != nil {
		t.Fatal(err)
	}
	// Somebody else's change set of that name's stack is left alone.
	propose("mine")
	var foreign *deploy.Foreign
	if _, err := w.open("states").Run(t.Context()); !errors.As(err, &foreign) {
		t.Errorf("err = %v", err)
	}
}

// Whoever is interrupted at the question has nothing of it left in the account.
func TestInterruptedAtTheQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.confirm = func(deploy.Proposal) (bool, error) {
		cancel()
		return false, ctx.Err()
	}
	if _, err := w.open("states").Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if left := w.left(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Everything of a name goes, whichever route made it, with or without a pipeline; what another account
// would keep is not forgotten.
func TestDestroyTakesWhateverMadeIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ownPipeline := func(o *deploy.Options) { o.OwnPipeline = true }
	for _, other := range []string{"states", "direct"} {
		w.run(w.open("states", ownPipeline))
		var two *deploy.TwoAccounts
		if _, err := w.open(sameOnly).Destroy(t.Context(), nil); !errors.As(err, &two) || two.Stack != "unstale-pipeline-machine" {
			t.Errorf("destroy with one account: %v", err)
		}
		if _, err := w.open(other).Destroy(t.Context(), []string{"SiteBucket"}); err != nil {
			t.Fatal(err)
		}
		if left := w.left(); len(left) > 0 {
			t.Errorf("left behind by route %s: %q", other, left)
		}
	}
}

// A stack of the same name that someone else made is never touched.
func TestForeignStack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := deploy.New(w.config(accountA), 1)
	if _, err := d.Create(t.Context(), deploy.Stack{Name: "unstale-pipeline-base", Template: []byte(`{"Resources":{"B":{"Type":"AWS::S3::Bucket"}}}`)}); err != nil {
		t.Fatal(err)
	}
	var foreign *deploy.Foreign
	if _, err := w.open("assume").Run(t.Context()); !errors.As(err, &foreign) || foreign.Stack != "unstale-pipeline-base" {
		t.Errorf("run: %v", err)
	}
	if _, err := w.open("assume").Destroy(t.Context(), nil); !errors.As(err, &foreign) {
		t.Errorf("destroy: %v", err)
	}
	if got := w.status(accountA, "unstale-pipeline-base"); got != types.StackStatusCreateComplete {
		t.Errorf("status %s", got)
	}
}

func TestRefusedOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*deploy.Options)
		want   string
	}{
		"no such route":     {func(o *deploy.Options) { o.Route = "tunnel" }, `routes are assume, relay`},
		"no such parameter": {func(o *deploy.Options) { o.Parameters["Branches"] = "x" }, `has no parameter "Branches" to give; did you mean Branch?`},
		"like nothing":      {func(o *deploy.Options) { o.Parameters["X"] = "x" }, `has no parameter "X" to give; there are Architecture, `},
		"not theirs":        {func(o *deploy.Options) { o.Parameters["CodeKey"] = "x" }, `has no parameter "CodeKey" to give`},
		"one account twice": {func(o *deploy.Options) { o.Delivery = o.Pipeline }, "take the route same-account"},
	} {
		o := deploy.Options{Route: "relay", Pipeline: w.config(accountA), Delivery: w.config(accountB), Parameters: map[string]string{}}
		c.change(&o)
		if _, err := deploy.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	var missing *deploy.MissingParameter
	_, err := w.open("direct", func(o *deploy.Options) { o.OwnPipeline = true }).Run(t.Context())
	if !errors.As(err, &missing) || missing.Name != "ArtifactBucketArn" {
		t.Errorf("a pipeline of one's own without its bucket: %v", err)
	}
}
