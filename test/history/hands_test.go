package history

import (
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cloudfrontapi "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	pipelines "github.com/aws/aws-sdk-go-v2/service/codepipeline"
	pipelinetypes "github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/accounts"
)

// What people do to a pipeline by hand, now and then.

// setAfterDeploy has something done as soon as a deploy action has succeeded; nil: nothing.
func (w *world) setAfterDeploy(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.afterDeploy = f
}

const forbidden = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"lambda:InvokeFunction","Resource":"*"}}`

// attach gives a role one more policy; "" takes it away.
func (w *world) attach(role, account, policy string) {
	err := w.World.Directory().UpdateRole("arn:aws:iam::"+account+":role/"+role, func(r *accounts.Role) (err error) {
		const name = "by hand"
		r.Inline = maps.Clone(r.Inline)
		if delete(r.Inline, name); policy != "" {
			r.Inline[name], err = iam.Parse([]byte(policy))
		}
		return err
	})
	if err != nil {
		w.Error(err)
	}
}

// again retries the failed actions of a release.
func (w *world) again(pipeline, execution string) {
	w.Helper()
	w.mu.Lock()
	delete(w.ended, execution)
	w.mu.Unlock()
	client := pipelines.NewFromConfig(w.Config(story.PipelineAccount))
	_, err := client.RetryStageExecution(w.Context(), &pipelines.RetryStageExecutionInput{
		PipelineName: &pipeline, PipelineExecutionId: &execution, StageName: aws.String("Deliver"), RetryMode: pipelinetypes.StageRetryModeFailedActions,
	})
	if err != nil {
		w.Fatal(err)
	}
}

// invalidate does by hand, in the delivery account, what a pipeline would do, and waits for it.
func (w *world) invalidate(paths ...string) {
	w.Helper()
	client := cloudfrontapi.NewFromConfig(w.Config(story.DeliveryAccount))
	id := aws.String(w.Outputs["DistributionId"])
	out, err := client.CreateInvalidation(w.Context(), &cloudfrontapi.CreateInvalidationInput{DistributionId: id, InvalidationBatch: &cftypes.InvalidationBatch{
		CallerReference: aws.String("by hand"), Paths: &cftypes.Paths{Quantity: aws.Int32(int32(len(paths))), Items: paths},
	}})
	if err == nil {
		err = cloudfrontapi.NewInvalidationCompletedWaiter(client, func(o *cloudfrontapi.InvalidationCompletedWaiterOptions) {
			o.MinDelay, o.MaxDelay = 10*time.Millisecond, 50*time.Millisecond
		}).Wait(w.Context(), &cloudfrontapi.GetInvalidationInput{DistributionId: id, Id: out.Invalidation.Id}, patience)
	}
	if err != nil {
		w.Fatal(err)
	}
}
