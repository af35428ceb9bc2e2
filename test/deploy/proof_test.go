package deploy

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/deploy"
)

// The buckets that stacks of the name unstale keep, in either account.
const (
	bucketA = "unstale-site-111111111111-us-east-1"
	bucketB = "unstale-site-222222222222-us-east-1"
)

func (w *world) has(account, bucket string) bool {
	return slices.Contains(w.list(account), "bucket "+bucket)
}

// byHand makes a bucket that no stack has.
func (w *world) byHand(account, bucket string) {
	w.t.Helper()
	if _, err := s3.NewFromConfig(w.config(account)).CreateBucket(w.t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		w.t.Fatal(err)
	}
	w.put(account, bucket, "precious")
}

// byStack makes a stack that has nothing but a bucket, by the name of SiteBucket or another.
func (w *world) byStack(account, stack, logicalID, bucket string) {
	w.t.Helper()
	_, err := cloudformation.NewFromConfig(w.config(account)).CreateStack(w.t.Context(), &cloudformation.CreateStackInput{
		StackName:    &stack,
		TemplateBody: aws.String(`{"Resources":{"` + logicalID + `":{"Type":"AWS::S3::Bucket","DeletionPolicy":"Retain","Properties":{"BucketName":"` + bucket + `"}}}}`),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	<-w.ended
	w.put(account, bucket, "precious")
}

// A bucket that has the name by chance, or on purpose, is not deleted by a word: none of our stacks made it.
func TestBucketOfSomebodyElse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		make func(w *world)
		want string
	}{
		"by hand": {
			func(w *world) { w.byHand(accountB, bucketB) },
			"account 222222222222: bucket " + bucketB + " was made by no stack (it has no tag aws:cloudformation:stack-name), so it is left alone",
		},
		"of another stack": {
			func(w *world) { w.byStack(accountB, "marketing", "SiteBucket", bucketB) },
			"was made by another stack (its tag aws:cloudformation:stack-name is marketing, and aws:cloudformation:logical-id is SiteBucket)",
		},
		"of a stack that is gone, as something else": {
			func(w *world) {
				w.byStack(accountB, "unstale-delivery-relay", "Archive", bucketB)
				if err := deleteStack(w, accountB, "unstale-delivery-relay"); err != nil {
					t.Fatal(err)
				}
			},
			"its tag aws:cloudformation:stack-name is unstale-delivery-relay, and aws:cloudformation:logical-id is Archive",
		},
		"of another name": {
			func(w *world) {
				w.byStack(accountB, "shop-delivery-states", "SiteBucket", bucketB)
				if err := deleteStack(w, accountB, "shop-delivery-states"); err != nil {
					t.Fatal(err)
				}
			},
			"stack-name is shop-delivery-states",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tt.make(w)
			if r := w.destroy("states"); len(r.Left) > 0 {
				t.Errorf("left by an earlier stack: %q", leftovers(r))
			}
			for _, word := range []string{"SiteBucket", bucketB} {
				var other *deploy.NotOurs
				if _, err := w.open("states").Destroy(t.Context(), []string{word}); !errors.As(err, &other) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("--delete %s: %v, want %q", word, err, tt.want)
				}
			}
			if !w.has(accountB, bucketB) {
				t.Error("the bucket is gone")
			}
		})
	}
}

func deleteStack(w *world, account, name string) error {
	_, err := cloudformation.NewFromConfig(w.config(account)).DeleteStack(w.t.Context(), &cloudformation.DeleteStackInput{StackName: &name})
	<-w.ended
	return err
}

// Who may not read who made a bucket does not delete it.
func TestBucketOfNobodyKnowsWhom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.open("states"))
	w.destroy("states", "PipelineRepository")
	operator := w.as(w.denied(accountB, "s3:GetBucketTagging"))
	as := func(o *deploy.Options) { o.Delivery = operator }
	if r, err := w.open("relay", as).Destroy(t.Context(), nil); err != nil || len(r.Left) > 0 {
		t.Errorf("left by an earlier stack: %q, %v", leftovers(r), err)
	}
	var other *deploy.NotOurs
	_, err := w.open("relay", as).Destroy(t.Context(), []string{"SiteBucket"})
	if !errors.As(err, &other) || other.Action != "s3:GetBucketTagging" || !strings.Contains(err.Error(), "may not be read: s3:GetBucketTagging: ") {
		t.Errorf("tags that may not be read: %v", err)
	}
	if r := w.destroy("relay", bucketB); !slices.Equal(leftovers(r), []string{"+222222222222 " + bucketB}) || w.has(accountB, bucketB) {
		t.Errorf("left %q", leftovers(r))
	}
}

// A word that fits what is in both accounts deletes neither; names tell them apart.
func TestOneWordOneThing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.open(sameOnly)) // in A, and leaves its site
	w.put(accountA, bucketA, "precious")
	w.destroy(sameOnly, "PipelineRepository")
	w.reset()
	w.run(w.open("states"))
	before := w.left()
	w.remove = func(deploy.Removal) (bool, error) {
		return false, errors.New("asked though it is not clear about what")
	}
	var several *deploy.Ambiguous
	_, err := w.open("states").Destroy(t.Context(), []string{"SiteBucket"})
	if !errors.As(err, &several) || !slices.Equal(several.Names(), []string{bucketB, bucketA}) ||
		err.Error() != "SiteBucket may mean the bucket "+bucketB+" of account 222222222222, or the bucket "+bucketA+" of account 111111111111" {
		t.Errorf("a live stack's bucket and one that was left: %v", err)
	}
	if diff := cmp.Diff(before, w.left()); diff != "" {
		t.Errorf("something was done (-before +after)\n%s", diff)
	}
	// By its name the one goes, and the other stays.
	if r := w.destroy("states", bucketB); !slices.Equal(leftovers(r), []string{"111111111111 " + bucketA}) || !w.has(accountA, bucketA) || w.has(accountB, bucketB) {
		t.Errorf("left %q, A has %q, B has %q", leftovers(r), w.list(accountA), w.list(accountB))
	}
	w.destroy("relay", "SiteBucket", "unstale") // which means one now
	if w.has(accountA, bucketA) {
		t.Error("what was left is still there")
	}
}

// What two stacks left is not told apart by their common word, either; the word is no reason to refuse where
// somebody else's bucket has the name.
func TestOneWordOfTwoThatWereLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := func(o *deploy.Options) { o.OwnPipeline = true }
	w.run(w.open("states", own))
	w.byHand(accountA, bucketA)
	w.destroy("states", "SiteBucket") // clear enough: nobody's is not meant
	if w.has(accountB, bucketB) || !w.has(accountA, bucketA) {
		t.Errorf("A has %q, B has %q", w.list(accountA), w.list(accountB))
	}
	if _, err := s3.NewFromConfig(w.config(accountA)).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucketA), Key: aws.String("precious")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s3.NewFromConfig(w.config(accountA)).DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(bucketA)}); err != nil {
		t.Fatal(err)
	}
	w.reset()
	w.run(w.open("states", own))
	w.destroy("states")
	w.reset()
	w.run(w.open(sameOnly))
	w.destroy("states", "PipelineRepository")
	var several *deploy.Ambiguous
	if _, err := w.open("states").Destroy(t.Context(), []string{"SiteBucket"}); !errors.As(err, &several) || len(several.Meant) != 2 {
		t.Errorf("two that were left: %v", err)
	}
	r := w.destroy("states", bucketA, bucketB)
	if diff := cmp.Diff([]string{"+111111111111 " + bucketA, "+222222222222 " + bucketB}, leftovers(r)); diff != "" {
		t.Errorf("deleted (-want +got)\n%s", diff)
	}
}

// What a stack that could not be made was given goes with it, and is asked for again before anything is done.
func TestParametersOfAFailedStack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRole(accountA, "unstale-job") // the name that the stack wants
	own := func(o *deploy.Options) { o.OwnPipeline = true }
	arn := "arn:aws:cloudfront::111111111111:distribution/" + w.siteOfMine(accountA)
	give := func(o *deploy.Options) { o.Parameters["DistributionArns"] = arn }
	if _, err := w.open(sameOnly, own, give).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "is ROLLBACK_COMPLETE") {
		t.Fatalf("err = %v", err)
	}
	before := w.left()
	w.reset()
	var missing *deploy.MissingParameter
	if _, err := w.open(sameOnly, own).Run(t.Context()); !errors.As(err, &missing) || missing.Template != "pipeline-job" || len(w.said) > 0 {
		t.Errorf("again without its parameters: %v, said %q", err, w.said)
	}
	if left := w.left(); !slices.Equal(before, left) {
		t.Errorf("something was done: %q", left)
	}
	w.deleteRole(accountA, "unstale-job")
	w.run(w.open(sameOnly, own, give))
	w.reset()
	w.run(w.open(sameOnly, own)) // what a whole stack was given is kept
}

// A bucket that another account has taken in the meantime is not emptied, whatever that account allows.
func TestEmptiesOnlyItsOwnBuckets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.open("states"))
	w.remove = func(deploy.Removal) (bool, error) {
		if _, err := s3.NewFromConfig(w.config(accountB)).DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(bucketB)}); err != nil {
			return false, err
		}
		w.byHand(accountA, bucketB)
		_, err := s3.NewFromConfig(w.config(accountA)).PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucketB), Policy: aws.String(
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"s3:*","Resource":["arn:aws:s3:::` + bucketB + `","arn:aws:s3:::` + bucketB + `/*"]}}`)})
		return true, err
	}
	if _, err := w.open("states").Destroy(t.Context(), []string{"SiteBucket"}); err == nil || !strings.Contains(err.Error(), "list bucket "+bucketB) {
		t.Errorf("err = %v", err)
	}
	if _, err := s3.NewFromConfig(w.config(accountA)).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucketB), Key: aws.String("precious")}); err != nil {
		t.Errorf("what the other account has: %v", err)
	}
}
