package test

import (
	"slices"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/test/stage"
)

// crossings are the calls that are the point of each route: caller's account, action, account, end of the
// resource, and what allowed it.
var crossings = map[string][]string{
	"assume": {
		"111111111111 sts:AssumeRole 222222222222 :role/unstale-purge JobRoleAssumes",
		"222222222222 cloudfront:CreateInvalidation 222222222222 :distribution/ID InvalidateDistribution",
		"111111111111 codepipeline:PutJobSuccessResult 111111111111 * AnswerJob",
	},
	"direct": {
		"111111111111 sts:AssumeRole 222222222222 :role/unstale-action PipelineRoleAssumes",
		"222222222222 lambda:InvokeFunction 222222222222 :function:unstale-job InvokeJob",
		"222222222222 cloudfront:CreateInvalidation 222222222222 :distribution/ID InvalidateDistribution",
		"222222222222 sts:AssumeRole 111111111111 :role/unstale-callback JobRoleAssumes",
		"111111111111 codepipeline:PutJobSuccessResult 111111111111 * AnswerJob",
	},
	"states": {
		"111111111111 states:StartExecution 111111111111 :stateMachine:unstale-purge StartMachine",
		"111111111111 sts:AssumeRole 222222222222 :role/unstale-purge MachineRoleAssumes",
		"222222222222 cloudfront:CreateInvalidation 222222222222 :distribution/ID InvalidateDistribution",
	},
	"same-account": {
		"111111111111 cloudfront:CreateInvalidation 111111111111 :distribution/ID InvalidateDistribution",
		"111111111111 codepipeline:PutJobSuccessResult 111111111111 * AnswerJob",
	},
}

// Every route takes release 2 to all viewers and tells it in the same document. Relay has its own
// story, TestStoryAsDocument.
func TestEveryRouteAsDocument(t *testing.T) {
	t.Parallel()
	for _, route := range story.Routes() {
		if route == "relay" {
			continue
		}
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			got := unstale(t, nil, "rehearse", "--route", route, "--json", "--lambdas", stage.Lambdas(t))
			if got.code != 0 || got.stderr != "" {
				t.Fatalf("exit code %d\n%s", got.code, got.stderr)
			}
			d := parse(t, got.stdout)
			if i := d.Invalidation; d.Route != route || d.Pipeline.Status != "Succeeded" || i.Status != "Completed" || i.Reference == "" || !slices.Equal(i.Items, purged(route)) {
				t.Errorf("route %s, pipeline %s, invalidation %+v", d.Route, d.Pipeline.Status, i)
			}
			const hit = "Hit from cloudfront"
			checkViews(t, "before", d.Viewer.Before, "1", hit)
			checkViews(t, "stale", d.Viewer.Stale, "1", hit)
			checkViews(t, "after", d.Viewer.After, "2", "")
			checkCrossings(t, d)
			checkPlan(t, route, got.stdout)
			checkObjects(t, route, got.stdout)
		})
	}
}

func checkCrossings(t *testing.T, d document) {
	t.Helper()
	left := slices.Clone(crossings[d.Route])
	for _, c := range d.Calls {
		if c.Decision != "allow" {
			t.Errorf("refused %+v", c)
		}
		if d.Route == "same-account" && c.Account != "111111111111" {
			t.Errorf("a call to another account: %+v", c)
		}
		left = slices.DeleteFunc(left, func(want string) bool {
			f := strings.Fields(strings.Replace(want, "/ID ", "/"+d.Invalidation.DistributionID+" ", 1))
			return c.CallerAccount == f[0] && c.Action == f[1] && c.Account == f[2] && strings.HasSuffix(c.Resource, f[3]) && strings.HasSuffix(c.Statement, "/"+f[4])
		})
	}
	for _, want := range left {
		t.Errorf("no call %s", want)
	}
}

// Without --route the story takes the default.
func TestDefaultRoute(t *testing.T) {
	t.Parallel()
	got := unstale(t, nil, "rehearse", "--lambdas", stage.Lambdas(t))
	if got.code != 0 || !strings.Contains(got.stdout, "route assume") || !strings.Contains(got.stdout, "border A->B sts:AssumeRole arn:aws:iam::222222222222:role/unstale-purge") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}
