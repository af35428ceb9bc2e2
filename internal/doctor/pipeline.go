package doctor

import (
	"context"
	"fmt"

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
	route       string // as far as the climb found it
	actions     []action
	others      []action          // that may do anything: it cannot be read what
	declared    bool              // the pipeline says so of itself
	parallel    bool              // several releases run at once, in the same stage too
	outputs     map[string]string // of the stacks; nil: there are none
	missing     *Rung             // the stack that was to make the pipeline and did not
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
		rung.Try = "another name, or --region; aws codepipeline list-pipelines names those of a region"
	case err != nil:
		rung.State, rung.Why = Unknown, fmt.Sprintf("codepipeline:GetPipeline %s: %s", name, brief(err))
	default:
		f = f.read(out)
		n := len(f.all())
		rung.Subject, rung.Why = f.arn, fmt.Sprintf("%d of its actions %s", n,
			plural.Word(n, "deploys to S3, invokes a function or starts a state machine", "deploy to S3, invoke a function or start a state machine"))
	}
	if f.missing == nil || rung.State == OK {
		w.add(rung)
	}
	w.climb(ctx, f)
}

// read takes over what a pipeline says of itself.
func (f facts) read(out *codepipeline.GetPipelineOutput) facts {
	d := out.Pipeline
	f.role, f.declared, f.parallel = aws.ToString(d.RoleArn), true, d.ExecutionMode == types.ExecutionModeParallel
	if out.Metadata != nil {
		f.arn = aws.ToString(out.Metadata.PipelineArn)
	}
	if store := d.ArtifactStore; store != nil {
		f.bucket, f.key = aws.ToString(store.Location), ""
		if store.EncryptionKey != nil {
			f.key = aws.ToString(store.EncryptionKey.Id)
		}
	}
	var all []action
	f.others = nil
	for i, stage := range d.Stages {
		for _, declaration := range stage.Actions {
			a, what := declared(declaration)
			if a.stage, a.at = aws.ToString(stage.Name), i; a.role == f.role {
				a.role = ""
			}
			switch what {
			case matters:
				all = append(all, a)
			case mayBeAnything:
				f.others = append(f.others, a)
			}
		}
	}
	f.actions = folded(all)
	return f
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
	for i, a := range f.actions {
		f.actions[i].found = w.act(ctx, f, a, own)
	}
	if f.declared {
		f.route = w.report.Route
		w.announced(f)
		w.read("codepipeline:GetPipeline", f.name)
		w.add(f.order())
	}
}

// act checks one action of the pipeline.
func (w *walk) act(ctx context.Context, f facts, a action, own *role) finding {
	caller, who := own, "the pipeline's role"
	if a.role != "" && a.role != f.role {
		caller, who = w.role(ctx, a.role), "the role of action "+a.name
		if a.takesArtifacts() {
			w.artifacts(ctx, f, who, caller, false)
		}
	}
	account := caller.principal.Account
	switch {
	case a.bucket != "":
		w.check(w.objects(ctx, who+" may write the site", caller, account, a.bucket, "s3:PutObject"))
	case a.function != "":
		return w.invoked(ctx, f, a, caller, who)
	case a.machine != "":
		return w.started(ctx, a, caller, who)
	}
	return finding{}
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
