package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/invalidator"
	"github.com/unstale/unstale/internal/target"
)

// What a gateway needs of CloudFront, and what a state machine does, which neither plans nor looks for an
// invalidation that is in progress.
var (
	gatewayActions = []string{"cloudfront:CreateInvalidation", "cloudfront:GetInvalidation", "cloudfront:ListInvalidations", "cloudfront:GetDistribution"}
	machineActions = gatewayActions[:2]
)

// reach goes from a caller to a target's distribution. gated says that a purge waits for the origin, and
// fails where it may not look.
func (w *walk) reach(ctx context.Context, who string, caller *role, t target.Target, gated bool) {
	switch t.Route {
	case target.Assume:
		purge := w.assume(ctx, who+" may assume the purge role", caller, t.Role, t.ExternalID)
		if !purge.missing {
			w.gateway(ctx, "the purge role", narrowed(purge, t), t, gated)
		}
	case target.Relay:
		w.relay(ctx, who, caller, t, gated)
	case target.Direct, target.SameAccount:
		w.gateway(ctx, who, caller, t, gated)
	case target.States:
		w.add(Rung{
			Name: "target " + t.Name, Account: w.home.account, Subject: t.StateMachine, State: Unknown,
			Why: "a state machine is started by a pipeline's action: check the pipeline that starts it",
		})
	}
}

// relay goes over the invalidator, which has a list of its own.
func (w *walk) relay(ctx context.Context, who string, caller *role, t target.Target, gated bool) {
	f, err := target.ParseFunction(t.Function)
	if err != nil {
		w.add(Rung{Name: "the invalidator exists", Subject: t.Function, State: Broken, Why: err.Error()})
		return
	}
	var fn function
	s, err := w.at(f.Account)
	if err == nil {
		err = w.alias(ctx, s, f)
	}
	if err == nil {
		fn, err = w.function(ctx, s, f.Region, f.Name, f.Qualifier)
	}
	subject := strings.TrimSuffix(f.Name+":"+f.Qualifier, ":")
	found := w.exists("the invalidator exists", f.Account, subject, fn, err)
	w.invoke(ctx, who+" may invoke the invalidator", caller, t.Function)
	if !found {
		return
	}
	w.runs(fn, "invalidator")
	w.takes(ctx, "lambda.amazonaws.com", "Lambda may take the invalidator's role", fn.role)
	if distribution, ok := w.listed(fn, t.Distribution); ok {
		t.Distribution, t.Account = distribution, f.Account
		w.gateway(ctx, "the invalidator's role", w.role(ctx, fn.role), t, gated)
	}
}

// alias reads the alias that a function is called by; a version or the function itself needs no look.
func (w *walk) alias(ctx context.Context, s *side, f target.Function) error {
	if f.Qualifier == "" || strings.Trim(f.Qualifier, "0123456789") == "" {
		return nil
	}
	w.read("lambda:GetAlias", f.Name+":"+f.Qualifier)
	out, err := s.lambda.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &f.Name, Name: &f.Qualifier}, inRegion(f.Region))
	if err == nil && aws.ToString(out.FunctionVersion) == "" {
		return errEmpty
	}
	return err
}

// listed checks the invalidator's allow-list, which no policy knows, and says which distribution is meant.
func (w *walk) listed(fn function, distribution string) (string, bool) {
	r := Rung{Name: "the invalidator lists the distribution", Account: accountOf(fn.arn), Subject: fn.arn, State: OK}
	ids, err := invalidator.Distributions(func(name string) string { return fn.environment[name] })
	switch {
	case err != nil:
		r.State, r.Why = Broken, err.Error()
	case distribution == "" && len(ids) > 1:
		r.State, r.Why = Broken, fmt.Sprintf("the target names none of %s", strings.Join(ids, ", "))
	case distribution == "":
		distribution = ids[0]
		r.Why = "it has one, " + distribution
	case !slices.Contains(ids, distribution):
		r.State, r.Why = Broken, fmt.Sprintf("it has %s, and the target is %s: it purges what its own configuration names, whoever asks", strings.Join(ids, ", "), distribution)
	default:
		r.Why = distribution
	}
	if r.State == Broken && distribution != "" {
		r.Changes = set(r.Account, environmentOf(fn), allowing(fn.environment, ids, distribution))
	}
	w.add(r)
	return distribution, distribution != ""
}

// allowing is the variable that lists a distribution besides those that are on a list of several.
func allowing(environment map[string]string, ids []string, distribution string) map[string]string {
	if environment[invalidator.DistributionsVariable] != "" {
		return map[string]string{invalidator.DistributionsVariable: strings.Join(append(ids, distribution), ",")}
	}
	return map[string]string{invalidator.DistributionVariable: distribution}
}

// purge checks what CloudFront is asked, by a role of the distribution's account, and the distribution.
func (w *walk) purge(ctx context.Context, who string, caller *role, distribution, account string, actions []string) {
	if account == "" {
		account = caller.principal.Account
	}
	w.check(link{
		name: who + " may invalidate the distribution", caller: caller, actions: actions,
		resource: fmt.Sprintf("arn:%s:cloudfront::%s:distribution/%s", partition(caller.principal.ARN), account, distribution),
		kind:     iam.ResourceNone,
	})
	if _, seen := w.origins[distribution]; !seen {
		w.origins[distribution] = nil
		w.distribution(ctx, distribution, account)
	}
}
