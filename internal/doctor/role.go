package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/unstale/unstale/iam"
)

// role is what is known of a role or user.
type role struct {
	principal   iam.Principal
	trust       *iam.Policy // nil: of a user, or not read
	identity    []iam.Policy
	boundary    *iam.Policy
	boundaryARN string
	session     []iam.Policy // that narrow its session; nil: none does
	missing     bool         // it does not exist
	err         error        // what could not be read; the rest is as far as it went
	reads       []string     // to be told again by every rung that rests on it
	pending     string       // the stack that will bring its policy; empty: its policies are all there
}

// role reads a role once; every rung that asks for it tells what was read.
func (w *walk) role(ctx context.Context, arn string) *role {
	if r, known := w.roles[arn]; known {
		w.reads = append(w.reads, r.reads...)
		return r
	}
	before := len(w.reads)
	r := w.readRole(ctx, arn)
	r.reads = append([]string{}, w.reads[before:]...)
	w.roles[arn] = r
	return r
}

func (w *walk) readRole(ctx context.Context, arn string) *role {
	a, err := iam.ParseARN(arn)
	r := &role{err: err}
	if err != nil {
		return r
	}
	name := a.Resource[strings.LastIndexByte(a.Resource, '/')+1:]
	r.principal = iam.Principal{
		ARN: fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/unstale-doctor", a.Partition, a.Account, name), Account: a.Account, RoleARN: arn,
	}
	s, err := w.at(a.Account)
	if err != nil {
		r.err = err
		return r
	}
	w.read("iam:GetRole", name)
	out, err := s.iam.GetRole(ctx, &awsiam.GetRoleInput{RoleName: &name})
	if err == nil && out.Role == nil {
		err = errEmpty
	}
	switch {
	case gone(err):
		r.missing, r.err = true, fmt.Errorf("account %s has no role %s", a.Account, name)
		return r
	case err != nil:
		r.err = fmt.Errorf("iam:GetRole %s: %s", name, brief(err))
		return r
	}
	r.principal.UniqueID = aws.ToString(out.Role.RoleId)
	if r.trust, err = document("role/"+name+" trust", out.Role.AssumeRolePolicyDocument); err != nil {
		r.err = err
	}
	r.keep(w.inline(ctx, ofRole(s, name)))
	r.keep(w.attached(ctx, s, ofRole(s, name)))
	if b := out.Role.PermissionsBoundary; b != nil {
		r.boundaryARN = aws.ToString(b.PermissionsBoundaryArn)
		if r.boundary, err = w.managed(ctx, s, "boundary", r.boundaryARN); err != nil {
			r.err = err
		}
	}
	return r
}

// keep takes over policies as far as they could be read.
func (r *role) keep(list []iam.Policy, err error) {
	r.identity = append(r.identity, list...)
	if err != nil && r.err == nil {
		r.err = err
	}
}
