package doctor

import (
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/unstale/unstale/iam"
)

// holder is a role or a user as the calls for their policies tell them apart.
type holder struct {
	kind, name string // kind is as in the names of the calls: "Role" or "User"
	list       func(ctx context.Context, marker *string) (names []string, next *string, err error)
	get        func(ctx context.Context, policy string) (document *string, err error)
	attached   func(ctx context.Context, marker *string) (list []types.AttachedPolicy, next *string, err error)
}

func ofRole(s *side, name string) holder {
	return holder{
		kind: "Role", name: name,
		list: func(ctx context.Context, marker *string) ([]string, *string, error) {
			out, err := s.iam.ListRolePolicies(ctx, &awsiam.ListRolePoliciesInput{RoleName: &name, Marker: marker})
			if err != nil {
				return nil, nil, err
			}
			return out.PolicyNames, out.Marker, nil
		},
		get: func(ctx context.Context, policy string) (*string, error) {
			out, err := s.iam.GetRolePolicy(ctx, &awsiam.GetRolePolicyInput{RoleName: &name, PolicyName: &policy})
			if err != nil {
				return nil, err
			}
			return out.PolicyDocument, nil
		},
		attached: func(ctx context.Context, marker *string) ([]types.AttachedPolicy, *string, error) {
			out, err := s.iam.ListAttachedRolePolicies(ctx, &awsiam.ListAttachedRolePoliciesInput{RoleName: &name, Marker: marker})
			if err != nil {
				return nil, nil, err
			}
			return out.AttachedPolicies, out.Marker, nil
		},
	}
}

func ofUser(s *side, name string) holder {
	return holder{
		kind: "User", name: name,
		list: func(ctx context.Context, marker *string) ([]string, *string, error) {
			out, err := s.iam.ListUserPolicies(ctx, &awsiam.ListUserPoliciesInput{UserName: &name, Marker: marker})
			if err != nil {
				return nil, nil, err
			}
			return out.PolicyNames, out.Marker, nil
		},
		get: func(ctx context.Context, policy string) (*string, error) {
			out, err := s.iam.GetUserPolicy(ctx, &awsiam.GetUserPolicyInput{UserName: &name, PolicyName: &policy})
			if err != nil {
				return nil, err
			}
			return out.PolicyDocument, nil
		},
		attached: func(ctx context.Context, marker *string) ([]types.AttachedPolicy, *string, error) {
			out, err := s.iam.ListAttachedUserPolicies(ctx, &awsiam.ListAttachedUserPoliciesInput{UserName: &name, Marker: marker})
			if err != nil {
				return nil, nil, err
			}
			return out.AttachedPolicies, out.Marker, nil
		},
	}
}

// String names the holder in a decision.
func (h holder) String() string {
	return map[string]string{"Role": "role/", "User": "user/"}[h.kind] + h.name
}

// inline reads the policies that are part of a role or user.
func (w *walk) inline(ctx context.Context, h holder) ([]iam.Policy, error) {
	w.read("iam:List"+h.kind+"Policies", h.name)
	var out []iam.Policy
	for marker, more := (*string)(nil), true; more; more = marker != nil {
		names, next, err := h.list(ctx, marker)
		if err != nil {
			return out, fmt.Errorf("iam:List%sPolicies %s: %s", h.kind, h.name, brief(err))
		}
		for _, name := range names {
			w.read("iam:Get"+h.kind+"Policy", h.name+"/"+name)
			text, err := h.get(ctx, name)
			if err != nil {
				return out, fmt.Errorf("iam:Get%sPolicy %s/%s: %s", h.kind, h.name, name, brief(err))
			}
			p, err := document(h.String()+" policy "+name, text)
			if err != nil {
				return out, err
			}
			out = append(out, *p)
		}
		marker = next
	}
	return out, nil
}

// attached reads the managed policies of a role or user.
func (w *walk) attached(ctx context.Context, s *side, h holder) ([]iam.Policy, error) {
	w.read("iam:ListAttached"+h.kind+"Policies", h.name)
	var out []iam.Policy
	for marker, more := (*string)(nil), true; more; more = marker != nil {
		list, next, err := h.attached(ctx, marker)
		if err != nil {
			return out, fmt.Errorf("iam:ListAttached%sPolicies %s: %s", h.kind, h.name, brief(err))
		}
		for _, a := range list {
			p, err := w.managed(ctx, s, h.String()+" managed", aws.ToString(a.PolicyArn))
			if err != nil {
				return out, err
			}
			out = append(out, *p)
		}
		marker = next
	}
	return out, nil
}

// managed reads the version in force of a policy that has an ARN of its own.
func (w *walk) managed(ctx context.Context, s *side, what, arn string) (*iam.Policy, error) {
	w.read("iam:GetPolicy", arn)
	p, err := s.iam.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: &arn})
	if err == nil && p.Policy == nil {
		err = errEmpty
	}
	if err != nil {
		return nil, fmt.Errorf("iam:GetPolicy %s: %s", arn, brief(err))
	}
	w.read("iam:GetPolicyVersion", arn)
	v, err := s.iam.GetPolicyVersion(ctx, &awsiam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: p.Policy.DefaultVersionId})
	if err == nil && v.PolicyVersion == nil {
		err = errEmpty
	}
	if err != nil {
		return nil, fmt.Errorf("iam:GetPolicyVersion %s: %s", arn, brief(err))
	}
	return document(what+" "+arn, v.PolicyVersion.Document)
}

// document reads a policy as IAM gives it: URL-encoded JSON (IAM API Reference, GetRole).
func document(name string, text *string) (*iam.Policy, error) {
	raw, err := url.PathUnescape(aws.ToString(text))
	if err != nil {
		return nil, fmt.Errorf("read policy %q: %w", name, err)
	}
	return plain(name, raw)
}

// plain reads a policy that is not encoded.
func plain(name, text string) (*iam.Policy, error) {
	d, err := iam.Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("read policy %q: %w", name, err)
	}
	return &iam.Policy{Name: name, Document: d}, nil
}
