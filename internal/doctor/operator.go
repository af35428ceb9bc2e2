package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/plural"
	"github.com/unstale/unstale/internal/target"
)

// operator walks from the caller itself to a target, as unstale invalidate would. What can be tried without
// changing anything is tried: AWS's own answer is better than ours.
func (w *walk) operator(ctx context.Context, t target.Target) {
	w.report.Route = string(t.Route)
	caller := w.caller(ctx)
	switch t.Route {
	case target.Assume:
		purge := w.become(ctx, caller, t)
		if !purge.missing {
			w.gateway(ctx, "the purge role", narrowed(purge, t), t, false)
		}
	case target.Relay:
		w.dryRun(ctx, t.Function)
		w.relay(ctx, "the caller", caller, t, false)
	case target.States:
		w.started(ctx, action{machine: t.StateMachine}, caller, "the caller")
	default:
		w.gateway(ctx, "the caller", caller, t, false)
	}
}

// caller is who the first profile is, with the policies of its role or user as far as they can be read.
func (w *walk) caller(ctx context.Context) *role {
	s := w.home
	a, err := iam.ParseARN(s.arn)
	if err != nil {
		return &role{principal: iam.Principal{ARN: s.arn, Account: s.account}, err: err}
	}
	parts := strings.Split(a.Resource, "/")
	switch {
	case parts[0] == "assumed-role" && len(parts) == 3:
		return w.session(ctx, s, parts[1])
	case parts[0] == "user":
		return w.user(ctx, s, parts[len(parts)-1])
	case a.Resource == "root":
		return &role{principal: iam.Principal{ARN: s.arn, Account: s.account}}
	}
	return &role{
		principal: iam.Principal{ARN: s.arn, Account: s.account},
		err:       fmt.Errorf("%s is neither a role, a user nor a root user", s.arn),
	}
}

// session is the caller's role. Its ARN has a path that the session's has not, so IAM is asked.
func (w *walk) session(ctx context.Context, s *side, name string) *role {
	w.read("iam:GetRole", name)
	arn := fmt.Sprintf("arn:%s:iam::%s:role/%s", partition(s.arn), s.account, name)
	out, err := s.iam.GetRole(ctx, &awsiam.GetRoleInput{RoleName: &name})
	if err == nil && out.Role != nil {
		arn = aws.ToString(out.Role.Arn)
	}
	r := w.role(ctx, arn)
	r.principal.ARN = s.arn
	if id, _, ok := strings.Cut(s.userID, ":"); ok {
		r.principal.UniqueID = id
	}
	return r
}

// user reads a user's policies. Those of its groups are not read: a member's are unknown.
func (w *walk) user(ctx context.Context, s *side, name string) *role {
	r := &role{principal: iam.Principal{ARN: s.arn, Account: s.account, UniqueID: s.userID}}
	w.read("iam:GetUser", name)
	out, err := s.iam.GetUser(ctx, &awsiam.GetUserInput{UserName: &name})
	if err == nil && out.User == nil {
		err = errEmpty
	}
	if err != nil {
		r.err = fmt.Errorf("iam:GetUser %s: %s", name, brief(err))
		return r
	}
	if b := out.User.PermissionsBoundary; b != nil {
		r.boundaryARN = aws.ToString(b.PermissionsBoundaryArn)
		r.boundary, r.err = w.managed(ctx, s, "boundary", r.boundaryARN)
	}
	r.keep(w.inline(ctx, ofUser(s, name)))
	r.keep(w.attached(ctx, s, ofUser(s, name)))
	w.read("iam:ListGroupsForUser", name)
	groups, err := s.iam.ListGroupsForUser(ctx, &awsiam.ListGroupsForUserInput{UserName: &name})
	switch {
	case err != nil:
		err = fmt.Errorf("iam:ListGroupsForUser %s: %s", name, brief(err))
	case len(groups.Groups) > 0:
		err = fmt.Errorf("user %s is in %s, whose policies are not read", name, plural.Of(len(groups.Groups), "group"))
	}
	r.keep(nil, err)
	return r
}

// become assumes the purge role, as a purge would. Where no profile of its account was given, the session
// speaks for that account from then on.
func (w *walk) become(ctx context.Context, caller *role, t target.Target) *role {
	in := &sts.AssumeRoleInput{RoleArn: &t.Role, RoleSessionName: aws.String("unstale-doctor"), DurationSeconds: aws.Int32(900)}
	if t.ExternalID != "" {
		in.ExternalId = &t.ExternalID
	}
	w.read("sts:AssumeRole", t.Role)
	out, err := w.home.sts.AssumeRole(ctx, in)
	if err == nil && out.Credentials == nil {
		err = errEmpty
	}
	if err != nil {
		w.refused(ctx, caller, t, err)
		return w.role(ctx, t.Role)
	}
	w.add(Rung{Name: "the caller may assume the purge role", Account: t.Account, Subject: t.Role, State: OK, Why: "STS gave a session"})
	if _, err := w.at(t.Account); err != nil {
		cfg, c := w.home.cfg.Copy(), *out.Credentials
		cfg.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID: aws.ToString(c.AccessKeyId), SecretAccessKey: aws.ToString(c.SecretAccessKey),
				SessionToken: aws.ToString(c.SessionToken), Source: "sts:AssumeRole",
			}, nil
		}))
		if s, err := newSide(ctx, cfg); err == nil {
			w.sides[s.account] = s
		}
	}
	return w.role(ctx, t.Role)
}

// refused tells why STS refused, as far as policies tell: STS does not say which side was silent.
func (w *walk) refused(ctx context.Context, caller *role, t target.Target, err error) {
	name := "the caller may assume the purge role"
	if code(err) != "AccessDenied" {
		w.add(Rung{Name: name, Account: t.Account, Subject: t.Role, State: Unknown, Why: brief(err)})
		return
	}
	before := len(w.report.Rungs)
	w.assume(ctx, name, caller, t.Role, t.ExternalID)
	r := &w.report.Rungs[before]
	if r.State != Broken {
		r.State, r.Why = Broken, brief(err)+"; what could be read does not tell why: "+r.Why
	}
}

// dryRun asks Lambda whether the caller may invoke a function, without invoking it.
func (w *walk) dryRun(ctx context.Context, arn string) {
	w.read("lambda:Invoke DryRun", arn)
	out, err := w.home.lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: &arn, InvocationType: "DryRun"}, w.regionOf(arn))
	if err == nil && out.StatusCode != http.StatusNoContent {
		err = errEmpty // Lambda API Reference, Invoke: 204 for DryRun
	}
	r := Rung{Name: "Lambda lets the caller invoke", Account: accountOf(arn), Subject: arn, State: OK, Why: "a dry run was accepted"}
	switch {
	case code(err) == "AccessDeniedException" || gone(err):
		r.State, r.Why = Broken, brief(err)
	case err != nil:
		r.State, r.Why = Unknown, brief(err)
	}
	w.add(r)
}

func (w *walk) regionOf(arn string) func(*lambda.Options) {
	a, err := iam.ParseARN(arn)
	if err != nil {
		return inRegion("")
	}
	return inRegion(a.Region)
}
