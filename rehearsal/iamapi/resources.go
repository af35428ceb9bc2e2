package iamapi

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

// ResourceTypes are the types that templates may use.
func (s *Service) ResourceTypes() []templates.Type {
	return []templates.Type{
		{
			Name: "AWS::IAM::Role", Create: s.createRole, Update: s.updateRole, Delete: s.deleteRole,
			Attributes: []string{"Arn", "RoleId"}, Fixed: []string{"RoleName", "Path"}, Named: "RoleName",
		},
		{
			Name: "AWS::IAM::RolePolicy", Create: s.createRolePolicy, Update: s.updateRolePolicy, Delete: s.deleteRolePolicy,
			Fixed: []string{"RoleName", "PolicyName"},
		},
	}
}

type roleProperties struct {
	RoleName, Description, Path string
	AssumeRolePolicyDocument    json.RawMessage
	MaxSessionDuration          templates.Int
	PermissionsBoundary         string
	Policies                    []struct {
		PolicyName     string
		PolicyDocument json.RawMessage
	}
}

func readRole(properties map[string]any) (roleProperties, error) {
	p, err := templates.Decode[roleProperties]("AWS::IAM::Role", properties)
	if err == nil && p.PermissionsBoundary != "" {
		err = wire.NotEmulated("the property PermissionsBoundary of AWS::IAM::Role: managed policies")
	}
	return p, err
}

func (s *Service) createRole(_ context.Context, r templates.Request) (templates.Resource, error) {
	p, err := readRole(r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	role := accounts.Role{
		Name: p.RoleName, Path: p.Path, Description: p.Description, Inline: map[string]iam.Document{},
		MaxSession: time.Duration(p.MaxSessionDuration) * time.Second,
	}
	if role.Name == "" {
		role.Name = r.Stack + "-" + r.LogicalID
	}
	if role.Trust, err = parse(p.AssumeRolePolicyDocument, iam.LayerTrust); err != nil {
		return templates.Resource{}, err
	}
	for _, policy := range p.Policies {
		if role.Inline[policy.PolicyName], err = parse(policy.PolicyDocument, iam.LayerIdentity); err != nil {
			return templates.Resource{}, err
		}
	}
	made, err := s.CreateRole(r.Caller, role)
	if err != nil {
		return templates.Resource{}, err
	}
	return templates.Resource{Ref: made.Name, Attributes: map[string]string{"Arn": made.ARN, "RoleId": made.ID}}, nil
}

// updateRole makes the calls that differ: CloudFormation's role handler calls what has changed only (M).
func (s *Service) updateRole(_ context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	p, err := readRole(r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	old, err := readRole(e.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	name := e.Resource.Ref
	if p.Description != old.Description || p.MaxSessionDuration != old.MaxSessionDuration {
		if err := s.UpdateRole(r.Caller, name, p.Description, time.Duration(p.MaxSessionDuration)*time.Second); err != nil {
			return templates.Resource{}, err
		}
	}
	if !bytes.Equal(p.AssumeRolePolicyDocument, old.AssumeRolePolicyDocument) {
		if err := s.UpdateTrust(r.Caller, name, p.AssumeRolePolicyDocument); err != nil {
			return templates.Resource{}, err
		}
	}
	now := map[string]json.RawMessage{}
	for _, policy := range p.Policies {
		now[policy.PolicyName] = policy.PolicyDocument
		if err := s.PutPolicy(r.Caller, name, policy.PolicyName, policy.PolicyDocument); err != nil {
			return templates.Resource{}, err
		}
	}
	for _, policy := range old.Policies {
		if _, stays := now[policy.PolicyName]; !stays {
			if err := ignoreMissing(s.DeletePolicy(r.Caller, name, policy.PolicyName)); err != nil {
				return templates.Resource{}, err
			}
		}
	}
	return e.Resource, nil
}

func (s *Service) deleteRole(_ context.Context, e templates.Existing) error {
	role, err := s.Role(e.Caller, e.Resource.Ref)
	if err != nil {
		return ignoreMissing(err)
	}
	for name := range role.Inline {
		if err := s.DeletePolicy(e.Caller, role.Name, name); err != nil {
			return err
		}
	}
	return ignoreMissing(s.DeleteRole(e.Caller, role.Name))
}

type rolePolicyProperties struct {
	RoleName, PolicyName string
	PolicyDocument       json.RawMessage
}

func (s *Service) createRolePolicy(_ context.Context, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[rolePolicyProperties]("AWS::IAM::RolePolicy", r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	if err := s.PutPolicy(r.Caller, p.RoleName, p.PolicyName, p.PolicyDocument); err != nil {
		return templates.Resource{}, err
	}
	return templates.Resource{Ref: p.PolicyName + "|" + p.RoleName}, nil
}

func (s *Service) updateRolePolicy(ctx context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	made, err := s.createRolePolicy(ctx, r)
	if err == nil && made.Ref != e.Resource.Ref {
		err = s.deleteRolePolicy(ctx, e)
	}
	return made, err
}

func (s *Service) deleteRolePolicy(_ context.Context, e templates.Existing) error {
	p, err := templates.Decode[rolePolicyProperties]("AWS::IAM::RolePolicy", e.Properties)
	if err != nil {
		return err
	}
	return ignoreMissing(s.DeletePolicy(e.Caller, p.RoleName, p.PolicyName))
}

func ignoreMissing(err error) error {
	if err != nil && wire.AsError(err).Code == "NoSuchEntity" {
		return nil
	}
	return err
}
