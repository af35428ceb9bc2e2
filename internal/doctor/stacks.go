package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/templates"
)

// own are the stacks that stand in the pipeline account for a pipeline of the user's own, by route.
var own = map[target.Route]string{
	target.Assume: "pipeline-job", target.Relay: "pipeline-job", target.Direct: "pipeline-callback",
	target.States: "pipeline-machine", target.SameAccount: "pipeline-job",
}

// deployed walks a stack set: its outputs say where everything is.
func (w *walk) deployed(ctx context.Context) {
	if w.Route == "" {
		if w.Route = w.detect(ctx); w.Route == "" {
			w.add(Rung{
				Name: "stacks", Account: w.home.account, Subject: w.Name, State: Broken,
				Why: fmt.Sprintf("no stacks named %s-... were found in %s: deploy them, or say --name, --route, --pipeline or --region", w.Name, w.home.region),
			})
			return
		}
	}
	w.report.Route = string(w.Route)
	steps, err := templates.Deployment(string(w.Route))
	if err != nil {
		w.add(Rung{Name: "stacks", Subject: w.Name, State: Broken, Why: err.Error()})
		return
	}
	f := facts{outputs: map[string]string{}}
	beside := !w.stands(ctx, w.home, steps[0].Template) && w.stands(ctx, w.home, own[w.Route])
	if beside {
		steps = append(steps[1:len(steps)-min(1, len(steps)-1)], templates.Step{Template: own[w.Route], Side: templates.Pipeline})
	}
	for i, step := range steps {
		r := w.stack(ctx, w.Name+"-"+step.Template, step.Side, f.outputs)
		if last := i == len(steps)-1; last && !beside && r.State == Broken {
			f.missing = &r // it is told where a release would meet it
			break
		}
		w.add(r)
	}
	switch {
	case beside && w.Pipeline == "":
		w.unnamed(ctx, f)
		return
	case f.missing != nil:
		f = w.planned(ctx, f)
	}
	w.pipeline(ctx, cmp.Or(w.Pipeline, f.outputs["PipelineName"], w.Name), f)
}

// detect finds the route of a stack set by the stacks that stand.
func (w *walk) detect(ctx context.Context) target.Route {
	for _, route := range target.Routes() {
		side, template := w.home, "same-account"
		if route != target.SameAccount {
			side, template = w.other(), "delivery-"+string(route)
		}
		if side != nil && w.stands(ctx, side, template) || w.stands(ctx, w.home, "pipeline-"+string(route)) {
			return route
		}
	}
	return ""
}

// stands reports whether there is a stack, in whatever state.
func (w *walk) stands(ctx context.Context, s *side, template string) bool {
	name := w.Name + "-" + template
	w.read("cloudformation:DescribeStacks", name)
	_, err := s.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	return !gone(err)
}

// unnamed walks from the function or machine that a pipeline of the user's own invokes, without knowing
// which pipeline that is.
func (w *walk) unnamed(ctx context.Context, f facts) {
	w.add(Rung{
		Name: "pipeline exists", Account: w.home.account, State: Unknown,
		Why: "the stacks are beside a pipeline of your own: name it with --pipeline, and the way from its role is checked too",
		Try: "unstale doctor --pipeline NAME, with the name of your pipeline",
	})
	f.account, f.name = w.home.account, w.Name
	s := w.home
	if w.Route == target.Direct {
		s = w.other()
	}
	a := action{name: "Purge", function: f.outputs["JobFunctionName"], machine: f.outputs["StateMachineArn"], inputs: true}
	switch {
	case a.machine != "":
		w.machine(ctx, a.machine)
	case a.function != "" && s != nil:
		fn, err := w.function(ctx, s, "", a.function, "")
		if w.exists("the job function exists", s.account, a.function, fn, err) {
			w.job(ctx, f, a, fn, &finding{})
		}
	}
}

// stack reads a stack's outputs into all.
func (w *walk) stack(ctx context.Context, name string, where templates.Side, all map[string]string) Rung {
	r := Rung{Name: "stack " + name, Subject: name, State: OK}
	s := w.home
	if where == templates.Delivery {
		if s = w.other(); s == nil {
			r.State, r.Why = Unknown, "no profile of the delivery account was given"
			return r
		}
	}
	r.Account = s.account
	w.read("cloudformation:DescribeStacks", name)
	out, err := s.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	switch {
	case gone(err) || err == nil && len(out.Stacks) != 1:
		r.State, r.Why = Broken, fmt.Sprintf("account %s has no such stack in %s: deploy it", s.account, s.region)
		return r
	case err != nil:
		r.State, r.Why = Unknown, brief(err)
		return r
	}
	st := out.Stacks[0]
	for _, o := range st.Outputs {
		all[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	parameters := map[string]string{}
	for _, p := range st.Parameters {
		parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	if parameters["CodeBucket"] != "" {
		w.zips[s.account] = location{parameters["CodeBucket"], parameters["CodeKey"]}
	}
	r.Why = string(st.StackStatus)
	if !whole(st.StackStatus) {
		r.State, r.Why = Broken, r.Why+w.reasons(ctx, s, name)
	}
	return r
}

// other is who speaks for the delivery account, nil when nobody does.
func (w *walk) other() *side {
	for account, s := range w.sides {
		if account != w.home.account {
			return s
		}
	}
	return nil
}

// whole reports whether a stack holds what it was last asked to hold, or held before an update failed.
func whole(s types.StackStatus) bool {
	switch s {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusUpdateRollbackComplete,
		types.StackStatusUpdateCompleteCleanupInProgress, types.StackStatusImportComplete:
		return true
	}
	return false
}

// reasons is what CloudFormation says of the resources that failed by themselves.
func (w *walk) reasons(ctx context.Context, s *side, name string) string {
	w.read("cloudformation:DescribeStackEvents", name)
	var found []string
	for pages := cloudformation.NewDescribeStackEventsPaginator(s.stacks, &cloudformation.DescribeStackEventsInput{StackName: &name}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "; " + brief(err)
		}
		for _, e := range page.StackEvents {
			reason := aws.ToString(e.ResourceStatusReason)
			if strings.HasSuffix(string(e.ResourceStatus), "_FAILED") && reason != "" && !strings.Contains(reason, "cancelled") {
				found = append([]string{aws.ToString(e.LogicalResourceId) + ": " + reason}, found...)
			}
		}
	}
	return "; " + strings.Join(found, "; ")
}

// planned is the pipeline that a stack was to make and did not: what the other stacks made for it.
func (w *walk) planned(ctx context.Context, f facts) facts {
	o := f.outputs
	f.role, f.bucket, f.key = o["PipelineRoleArn"], o["ArtifactBucketName"], o["ArtifactKeyArn"]
	if o["DeployRoleArn"] != "" {
		f.actions = append(f.actions, action{name: "Deploy", role: o["DeployRoleArn"], bucket: o["SiteBucketName"], inputs: true})
	}
	if o["ActionRoleArn"] != "" {
		f.actions = append(f.actions, action{name: "Purge", role: o["ActionRoleArn"], function: o["JobFunctionName"], inputs: true})
	}
	missing := *f.missing
	missing.Read, w.reads = append([]string{}, w.reads...), nil
	// AWS lets a service have roles of its own account only, whatever the policies say. Source: IAM User
	// Guide, "Grant a user permissions to pass a role to an AWS service".
	if strings.Contains(missing.Why, "Cross-account pass role") && o["JobRoleArn"] != "" && o["PurgeRoleArn"] != "" {
		purge := w.role(ctx, o["PurgeRoleArn"])
		v := w.decide(link{
			caller: w.role(ctx, o["JobRoleArn"]), actions: []string{"sts:AssumeRole"}, resource: o["PurgeRoleArn"],
			kind: iam.ResourceTrust, policy: purge.trust, err: fmt.Errorf("only the caller's side is asked"),
		})
		missing.Why += "; give the function the role " + o["JobRoleArn"] + ", and let that role assume the other"
		missing.Changes = v.Changes
		w.reads = nil
	}
	f.missing = &missing
	f.outputs = maps.Clone(o)
	return f
}
