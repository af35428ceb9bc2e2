package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/plural"
)

// facts are what is known of a pipeline: what it says of itself, or what the stacks say that were to hold it.
type facts struct {
	name, arn   string
	account     string
	role        string // ARN
	bucket, key string // of the artifacts; key "" is the account's default
	actions     []action
	outputs     map[string]string // of the stacks; nil: there are none
	missing     *Rung             // the stack that was to make the pipeline and did not
}

// action is an action of a pipeline that matters here.
type action struct {
	name, role string // role "": the pipeline's
	bucket     string // of an S3 deploy action
	function   string // of a Lambda action: a name
	machine    string // of a Step Functions action: an ARN
	parameters string // UserParameters
	// announcement is UserParameters of the action before it that announces; "": there is none
	announcement string
	inputs       bool // it has input artifacts
}

// pipeline reads a pipeline and climbs.
func (w *walk) pipeline(ctx context.Context, name string, f facts) {
	w.read("codepipeline:GetPipeline", name)
	out, err := w.home.pipelines.GetPipeline(ctx, &codepipeline.GetPipelineInput{Name: &name})
	if err == nil && out.Pipeline == nil {
		err = errEmpty
	}
	rung := Rung{Name: "pipeline exists", Account: w.home.account, Subject: name, State: OK}
	f.name, f.account = name, w.home.account
	switch {
	case gone(err):
		rung.State, rung.Why = Broken, fmt.Sprintf("account %s has no pipeline %s in %s", w.home.account, name, w.home.region)
	case err != nil:
		rung.State, rung.Why = Unknown, fmt.Sprintf("codepipeline:GetPipeline %s: %s", name, brief(err))
	default:
		f = f.declared(out)
		n := len(f.actions)
		for _, a := range f.actions {
			if a.announcement != "" {
				n++
			}
		}
		rung.Subject, rung.Why = f.arn, fmt.Sprintf("%d of its actions %s", n,
			plural.Word(n, "deploys to S3, invokes a function or starts a state machine", "deploy to S3, invoke a function or start a state machine"))
	}
	if f.missing == nil || rung.State == OK {
		w.add(rung)
	}
	w.climb(ctx, f)
}

// declared takes over what a pipeline says of itself.
func (f facts) declared(out *codepipeline.GetPipelineOutput) facts {
	d := out.Pipeline
	f.role = aws.ToString(d.RoleArn)
	if out.Metadata != nil {
		f.arn = aws.ToString(out.Metadata.PipelineArn)
	}
	if store := d.ArtifactStore; store != nil {
		f.bucket, f.key = aws.ToString(store.Location), ""
		if store.EncryptionKey != nil {
			f.key = aws.ToString(store.EncryptionKey.Id)
		}
	}
	f.actions = nil
	for _, stage := range d.Stages {
		for _, a := range stage.Actions {
			if read, ok := matters(a); ok {
				f.actions = slices.DeleteFunc(f.actions, read.announcedBy)
				f.actions = append(f.actions, read)
			}
		}
	}
	return f
}

// functions counts the Lambda actions.
func (f facts) functions() (n int) {
	for _, a := range f.actions {
		if a.function != "" {
			n++
		}
	}
	return n
}

// announcedBy reports whether an earlier action announces, before the deploy, the release that this one purges. It takes the
// same way, so that one ladder is enough; what it is told is kept.
func (a *action) announcedBy(earlier action) bool {
	if a.function == "" || a.function != earlier.function || a.role != earlier.role || a.inputs != earlier.inputs ||
		!strings.Contains(earlier.parameters, `"announce"`) {
		return false
	}
	a.announcement = earlier.parameters
	return true
}

func matters(a types.ActionDeclaration) (action, bool) {
	out := action{name: aws.ToString(a.Name), role: aws.ToString(a.RoleArn), inputs: len(a.InputArtifacts) > 0}
	if a.ActionTypeId == nil || a.ActionTypeId.Owner != types.ActionOwnerAws {
		return out, false
	}
	switch string(a.ActionTypeId.Category) + " " + aws.ToString(a.ActionTypeId.Provider) {
	case "Deploy S3":
		out.bucket = a.Configuration["BucketName"]
	case "Invoke Lambda":
		out.function, out.parameters = a.Configuration["FunctionName"], a.Configuration["UserParameters"]
	case "Invoke StepFunctions":
		out.machine = a.Configuration["StateMachineArn"]
	default:
		return out, false
	}
	return out, true
}

// climb goes from the pipeline's role to the distribution.
func (w *walk) climb(ctx context.Context, f facts) {
	if f.role == "" {
		if f.missing != nil {
			w.add(*f.missing)
		}
		return
	}
	own := w.role(ctx, f.role)
	if f.missing != nil {
		own.pending = f.missing.Subject
	}
	w.takes(ctx, "codepipeline.amazonaws.com", "CodePipeline may take the pipeline's role", f.role)
	// CodePipeline tries the roles of all actions when a pipeline is made.
	for _, a := range f.actions {
		if a.role != "" && a.role != f.role {
			w.assume(ctx, fmt.Sprintf("the pipeline's role may assume the role of action %s", a.name), own, a.role, "")
		}
	}
	if f.missing != nil {
		w.reads = append(w.reads, f.missing.Read...)
		w.add(*f.missing)
	}
	w.artifacts(ctx, f, "the pipeline's role", own, true)
	for _, a := range f.actions {
		w.act(ctx, f, a, own)
	}
}

// act checks one action of the pipeline.
func (w *walk) act(ctx context.Context, f facts, a action, own *role) {
	caller, who := own, "the pipeline's role"
	if a.role != "" && a.role != f.role {
		caller, who = w.role(ctx, a.role), "the role of action "+a.name
		if a.inputs {
			w.artifacts(ctx, f, who, caller, false)
		}
	}
	account := caller.principal.Account
	switch {
	case a.bucket != "":
		w.check(w.objects(ctx, who+" may write the site", caller, account, a.bucket, "s3:PutObject"))
	case a.function != "":
		w.invoked(ctx, f, a, caller, who)
	case a.machine != "":
		w.started(ctx, a, caller, who)
	}
}

// takes checks that a service may take a role: the role's trust policy names it.
func (w *walk) takes(ctx context.Context, service, name, arn string) {
	r := w.role(ctx, arn)
	if r.missing {
		w.add(Rung{Name: name, Account: r.principal.Account, Subject: arn, State: Broken, Why: r.err.Error()})
		return
	}
	w.check(link{
		name: name, service: service, actions: []string{"sts:AssumeRole"}, resource: arn, kind: iam.ResourceTrust,
		policy: r.trust, err: r.trustErr(),
	})
}

// assume checks that a caller may assume a role: its own policy and the role's trust policy both say so.
func (w *walk) assume(ctx context.Context, name string, caller *role, arn, externalID string) *role {
	r := w.role(ctx, arn)
	if r.missing {
		w.add(Rung{Name: name, Account: r.principal.Account, Subject: arn, State: Broken, Why: r.err.Error()})
		return r
	}
	l := link{
		name: name, caller: caller, actions: []string{"sts:AssumeRole"}, resource: arn, kind: iam.ResourceTrust,
		policy: r.trust, err: r.trustErr(), context: map[string][]string{},
	}
	if externalID != "" {
		l.context["sts:ExternalId"] = []string{externalID}
	}
	w.check(l)
	return r
}

// trustErr is why the trust policy is not known, nil when it is.
func (r *role) trustErr() error {
	if r.trust == nil {
		return r.err
	}
	return nil
}
