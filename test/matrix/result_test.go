package matrix

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cloudfrontapi "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/lambda"
)

// result is what came of a release.
type result struct {
	release       string
	execution     codepipeline.Execution
	status        string
	answers       []codepipeline.JobAnswer
	created       []cloudfront.Invalidation
	dropped       []lambda.Invocation
	runs          map[string]int // invocations by function ARN
	struck, calls []faults.Call
	views         []story.View // at the end, from every point of presence
	took          time.Duration
}

// message is what the purge said of itself, or why it failed.
func (r result) message() string {
	for _, stage := range r.execution.Stages {
		for _, a := range stage.Actions {
			if a.Name == "Purge" {
				return a.Message + a.Summary
			}
		}
	}
	return ""
}

// failure is the code of the purge's failure; empty: none.
func (r result) failure() string {
	for _, stage := range r.execution.Stages {
		for _, a := range stage.Actions {
			if a.Name == "Purge" {
				return a.ErrorCode
			}
		}
	}
	return ""
}

// accepted counts the answers of a kind that CodePipeline took.
func (r result) accepted(kind string) int {
	n := 0
	for _, a := range r.answers {
		if a.Accepted && a.Kind == kind {
			n++
		}
	}
	return n
}

// terminal counts the answers that ended the action.
func (r result) terminal() int {
	return r.accepted(codepipeline.AnswerSuccess) + r.accepted(codepipeline.AnswerFailure)
}

// count is how often a function made a call.
func (r result) count(function, operation string) int {
	n := 0
	for _, c := range r.calls {
		if c.Function == function && c.Operation == operation && c.Service != faults.Start {
			n++
		}
	}
	return n
}

// stale names the views that are not of this release.
func (r result) stale() []string {
	var out []string
	for _, v := range r.views {
		if v.Release != r.release {
			out = append(out, fmt.Sprintf("%s from %s: release %q (%d %s)", v.URL, v.POP, v.Release, v.Status, v.XCache))
		}
	}
	return out
}

// lie is what the pipeline said that is not so; empty: it told the truth. A pipeline that succeeded says that
// viewers see the release; one that says that viewers do not must not be contradicted by all of them.
func (r result) lie() string {
	stale := r.stale()
	switch {
	case r.status == codepipeline.Succeeded && len(stale) > 0:
		return "it succeeded while viewers get " + strings.Join(stale, ", ")
	case r.status == codepipeline.Failed && strings.Contains(r.message(), "viewers do not see the release") && len(stale) == 0:
		return "it says that viewers do not see the release, and all do"
	}
	return ""
}

func (r result) String() string {
	return fmt.Sprintf("%s, %d invalidations, answers %+v, %d calls, %v: %s", r.status, len(r.created), r.answers, len(r.calls), r.took.Round(time.Millisecond), r.message())
}

// invalidate creates an invalidation as the delivery account's root.
func (w *world) invalidate(item string) {
	w.t.Helper()
	_, account := story.AccountsOf(w.route.name)
	client := cloudfrontapi.NewFromConfig(w.Config(account))
	_, err := client.CreateInvalidation(w.t.Context(), &cloudfrontapi.CreateInvalidationInput{
		DistributionId: aws.String(w.Outputs["DistributionId"]),
		InvalidationBatch: &cftypes.InvalidationBatch{
			CallerReference: aws.String(item + time.Now().String()), Paths: &cftypes.Paths{Quantity: aws.Int32(1), Items: []string{item}},
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
