package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

// ResourceTypes are the types that templates may use.
func (s *Service) ResourceTypes() []templates.Type {
	return []templates.Type{
		{
			Name: "AWS::S3::Bucket", Create: s.createBucket, Update: s.updateBucket, Delete: s.deleteBucket,
			Attributes: []string{"Arn", "DomainName", "RegionalDomainName"}, Fixed: []string{"BucketName"}, Named: "BucketName",
		},
		{Name: "AWS::S3::BucketPolicy", Create: s.createPolicy, Update: s.updatePolicy, Delete: s.deletePolicy, Fixed: []string{"Bucket"}},
	}
}

type bucketProperties struct {
	BucketName       string
	BucketEncryption *struct {
		ServerSideEncryptionConfiguration []struct {
			BucketKeyEnabled              templates.Bool
			ServerSideEncryptionByDefault struct{ SSEAlgorithm, KMSMasterKeyID string }
		}
	}
	OwnershipControls *struct {
		Rules []struct{ ObjectOwnership string }
	}
	PublicAccessBlockConfiguration *struct {
		BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets templates.Bool
	}
	VersioningConfiguration *struct{ Status string }
}

func (s *Service) createBucket(ctx context.Context, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[bucketProperties]("AWS::S3::Bucket", r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	name := p.BucketName
	if name == "" { // as CloudFormation: stack, logical ID, 12 random characters, 63 at most
		name = strings.ToLower(r.Stack + "-" + r.LogicalID)
		name = name[:min(len(name), 50)] + "-" + strings.ToLower(random.ID("", 12))
	}
	if err := s.CreateBucket(ctx, r.Caller, r.Region, name); err != nil {
		return templates.Resource{}, err
	}
	err = s.tag(r.Caller, name, r.Tags)
	if err == nil {
		err = s.configure(ctx, r, name, p)
	}
	if err != nil {
		// CloudFormation rolls a half-made resource back; it is empty, so this cannot lose anything.
		_ = s.DeleteBucket(ctx, r.Caller, name)
		return templates.Resource{}, err
	}
	return templates.Resource{Ref: name, Attributes: map[string]string{
		"Arn":                bucketARN(name),
		"DomainName":         name + ".s3.amazonaws.com",
		"RegionalDomainName": fmt.Sprintf("%s.s3.%s.amazonaws.com", name, r.Region),
	}}, nil
}

// configure applies the properties that are set; the others are as in a new bucket.
func (s *Service) configure(ctx context.Context, r templates.Request, name string, p bucketProperties) error {
	if p.BucketEncryption != nil {
		rules := p.BucketEncryption.ServerSideEncryptionConfiguration
		if len(rules) != 1 {
			return wire.Errorf(400, "ValidationError", "AWS::S3::Bucket: ServerSideEncryptionConfiguration takes one rule")
		}
		e := Encryption{
			Algorithm: rules[0].ServerSideEncryptionByDefault.SSEAlgorithm, KeyID: rules[0].ServerSideEncryptionByDefault.KMSMasterKeyID,
			BucketKey: bool(rules[0].BucketKeyEnabled),
		}
		if err := s.PutEncryption(ctx, r.Caller, name, e); err != nil {
			return err
		}
	}
	if p.OwnershipControls != nil {
		if len(p.OwnershipControls.Rules) != 1 {
			return wire.Errorf(400, "ValidationError", "AWS::S3::Bucket: OwnershipControls takes one rule")
		}
		if err := s.PutOwnership(ctx, r.Caller, name, p.OwnershipControls.Rules[0].ObjectOwnership); err != nil {
			return err
		}
	}
	if b := p.PublicAccessBlockConfiguration; b != nil {
		block := PublicAccessBlock{bool(b.BlockPublicAcls), bool(b.IgnorePublicAcls), bool(b.BlockPublicPolicy), bool(b.RestrictPublicBuckets)}
		if err := s.PutPublicAccessBlock(ctx, r.Caller, name, block); err != nil {
			return err
		}
	}
	if v := p.VersioningConfiguration; v != nil {
		return s.PutVersioning(ctx, r.Caller, name, v.Status)
	}
	return nil
}

func (s *Service) updateBucket(ctx context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	p, err := templates.Decode[bucketProperties]("AWS::S3::Bucket", r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	old, err := templates.Decode[bucketProperties]("AWS::S3::Bucket", e.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	if p.BucketName != old.BucketName {
		return templates.Resource{}, wire.NotEmulated("replacing the bucket %s by a changed BucketName", e.Resource.Ref)
	}
	if old.BucketEncryption != nil && p.BucketEncryption == nil || old.PublicAccessBlockConfiguration != nil && p.PublicAccessBlockConfiguration == nil ||
		old.VersioningConfiguration != nil && p.VersioningConfiguration == nil {
		return templates.Resource{}, wire.NotEmulated("taking a property off the bucket %s", e.Resource.Ref)
	}
	if err := s.tag(r.Caller, e.Resource.Ref, r.Tags); err != nil {
		return templates.Resource{}, err
	}
	return e.Resource, s.configure(ctx, r, e.Resource.Ref, p)
}

func (s *Service) deleteBucket(ctx context.Context, e templates.Existing) error {
	return ignoreMissing(s.DeleteBucket(ctx, e.Caller, e.Resource.Ref))
}

type policyProperties struct {
	Bucket         string
	PolicyDocument json.RawMessage
}

func (s *Service) createPolicy(ctx context.Context, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[policyProperties]("AWS::S3::BucketPolicy", r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	if err := s.PutBucketPolicy(ctx, r.Caller, p.Bucket, p.PolicyDocument); err != nil {
		return templates.Resource{}, err
	}
	return templates.Resource{Ref: p.Bucket}, nil
}

func (s *Service) updatePolicy(ctx context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	made, err := s.createPolicy(ctx, r)
	if err == nil && made.Ref != e.Resource.Ref {
		err = s.deletePolicy(ctx, e)
	}
	return made, err
}

func (s *Service) deletePolicy(ctx context.Context, e templates.Existing) error {
	return ignoreMissing(s.DeleteBucketPolicy(ctx, e.Caller, e.Resource.Ref))
}

func ignoreMissing(err error) error {
	if err != nil && wire.AsError(err).Code == "NoSuchBucket" {
		return nil
	}
	return err
}
