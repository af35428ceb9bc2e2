package kms

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

// ResourceTypes are the types that templates may use.
func (s *Service) ResourceTypes() []templates.Type {
	return []templates.Type{
		{Name: "AWS::KMS::Key", Create: s.createKey, Update: s.updateKey, Delete: s.deleteKey, Attributes: []string{"Arn", "KeyId"}},
		{Name: "AWS::KMS::Alias", Create: s.createAlias, Update: s.updateAlias, Delete: s.deleteAlias, Fixed: []string{"AliasName"}, Named: "AliasName"},
	}
}

type keyProperties struct {
	Description       string
	EnableKeyRotation templates.Bool
	KeyPolicy         json.RawMessage
}

func (s *Service) createKey(_ context.Context, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[keyProperties]("AWS::KMS::Key", r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	key, err := s.Create(r.Caller, r.Region, p.Description, p.KeyPolicy, bool(p.EnableKeyRotation))
	if err != nil {
		return templates.Resource{}, err
	}
	return templates.Resource{Ref: key.ID, Attributes: map[string]string{"Arn": key.ARN, "KeyId": key.ID}}, nil
}

// updateKey makes the calls whose subject has changed.
func (s *Service) updateKey(_ context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	p, err := templates.Decode[keyProperties]("AWS::KMS::Key", r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	old, err := templates.Decode[keyProperties]("AWS::KMS::Key", e.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	arn := e.Resource.Attributes["Arn"]
	if p.Description != old.Description {
		if err := s.Describe(r.Caller, arn, p.Description); err != nil {
			return templates.Resource{}, err
		}
	}
	if p.EnableKeyRotation != old.EnableKeyRotation {
		if err := s.Rotate(r.Caller, arn, bool(p.EnableKeyRotation)); err != nil {
			return templates.Resource{}, err
		}
	}
	if len(p.KeyPolicy) == 0 && len(old.KeyPolicy) != 0 {
		return templates.Resource{}, wire.NotEmulated("taking the policy off the key %s", arn)
	}
	if !bytes.Equal(p.KeyPolicy, old.KeyPolicy) {
		return e.Resource, s.PutPolicy(r.Caller, arn, p.KeyPolicy)
	}
	return e.Resource, nil
}

func (s *Service) deleteKey(_ context.Context, e templates.Existing) error {
	_, err := s.ScheduleDeletion(e.Caller, e.Resource.Attributes["Arn"], 30)
	return ignoreMissing(err)
}

type aliasProperties struct{ AliasName, TargetKeyID string }

func (s *Service) createAlias(_ context.Context, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[aliasProperties]("AWS::KMS::Alias", r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	arn, err := s.Resolve(r.Account, r.Region, p.TargetKeyID)
	if err != nil {
		return templates.Resource{}, err
	}
	if err := s.CreateAlias(r.Caller, r.Region, p.AliasName, arn); err != nil {
		return templates.Resource{}, err
	}
	return templates.Resource{Ref: p.AliasName}, nil
}

func (s *Service) updateAlias(_ context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	p, err := templates.Decode[aliasProperties]("AWS::KMS::Alias", r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	arn, err := s.Resolve(r.Account, r.Region, p.TargetKeyID)
	if err != nil {
		return templates.Resource{}, err
	}
	return e.Resource, s.PointAlias(r.Caller, r.Region, p.AliasName, arn)
}

func (s *Service) deleteAlias(_ context.Context, e templates.Existing) error {
	return ignoreMissing(s.DeleteAlias(e.Caller, e.Region, e.Resource.Ref))
}

func ignoreMissing(err error) error {
	if err == nil {
		return nil
	}
	switch wire.AsError(err).Code {
	case "NotFoundException", "KMSInvalidStateException": // the latter: its deletion is scheduled already
		return nil
	}
	return err
}
