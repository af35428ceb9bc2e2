package cloudfront

import (
	"context"
	"errors"
	"time"

	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

// ResourceTypes are what templates may make of CloudFront.
func (s *Service) ResourceTypes() []templates.Type {
	return append([]templates.Type{
		{
			Name: distributionType, Attributes: []string{"DomainName", "Id"},
			Create: s.createDistributionResource, Update: s.updateDistributionResource,
			Delete: func(ctx context.Context, e templates.Existing) error {
				return gone(s.DeleteDistribution(ctx, e.Caller, e.Resource.Ref))
			},
		},
		{
			Name: "AWS::CloudFront::OriginAccessControl", Attributes: []string{"Id"},
			Create: s.createControlResource, Update: s.updateControlResource,
			Delete: func(ctx context.Context, e templates.Existing) error {
				return gone(s.DeleteOriginAccessControl(ctx, e.Caller, e.Resource.Ref))
			},
		},
		{
			Name: "AWS::CloudFront::CachePolicy", Attributes: []string{"Id", "LastModifiedTime"},
			Create: s.createPolicyResource,
			Update: func(_ context.Context, _ templates.Request, e templates.Existing) (templates.Resource, error) {
				return templates.Resource{}, wire.NotEmulated("changing the cache policy %s", e.Resource.Ref)
			},
			Delete: func(ctx context.Context, e templates.Existing) error {
				return gone(s.DeleteCachePolicy(ctx, e.Caller, e.Resource.Ref))
			},
		},
	}, s.keyTypes()...)
}

func (s *Service) createDistributionResource(ctx context.Context, r templates.Request) (templates.Resource, error) {
	spec, err := spec(random.UUID(), r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	d, err := s.CreateDistribution(ctx, r.Caller, spec)
	if err != nil {
		return templates.Resource{}, err
	}
	return distributionResource(d), nil
}

func (s *Service) updateDistributionResource(ctx context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	spec, err := spec("", r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	d, err := s.UpdateDistribution(ctx, r.Caller, e.Resource.Ref, spec)
	if err != nil {
		return templates.Resource{}, err
	}
	return distributionResource(d), nil
}

func distributionResource(d *Distribution) templates.Resource {
	return templates.Resource{Ref: d.ID, Attributes: map[string]string{"DomainName": d.Domain, "Id": d.ID}}
}

func readControl(properties map[string]any) (AccessControl, error) {
	p, err := templates.Decode[controlProperties]("AWS::CloudFront::OriginAccessControl", properties)
	if err != nil {
		return AccessControl{}, err
	}
	c := p.OriginAccessControlConfig
	if c.OriginAccessControlOriginType != "s3" || c.SigningProtocol != "sigv4" {
		return AccessControl{}, wire.NotEmulated("an origin access control for %q with %q; only s3 with sigv4 is",
			c.OriginAccessControlOriginType, c.SigningProtocol)
	}
	return AccessControl{Name: c.Name, Description: c.Description, SigningBehavior: c.SigningBehavior}, nil
}

func (s *Service) createControlResource(ctx context.Context, r templates.Request) (templates.Resource, error) {
	c, err := readControl(r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	made, err := s.CreateOriginAccessControl(ctx, r.Caller, c)
	if err != nil {
		return templates.Resource{}, err
	}
	return templates.Resource{Ref: made.ID, Attributes: map[string]string{"Id": made.ID}}, nil
}

func (s *Service) updateControlResource(ctx context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	c, err := readControl(r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	return e.Resource, s.UpdateOriginAccessControl(ctx, r.Caller, e.Resource.Ref, c)
}

func (s *Service) createPolicyResource(ctx context.Context, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[policyProperties]("AWS::CloudFront::CachePolicy", r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	made, err := s.CreateCachePolicy(ctx, r.Caller, p.policy())
	if err != nil {
		return templates.Resource{}, err
	}
	return templates.Resource{Ref: made.ID, Attributes: map[string]string{
		"Id": made.ID, "LastModifiedTime": made.Modified.Format(time.RFC3339),
	}}, nil
}

// gone makes deleting what is already gone no error.
func gone(err error) error {
	var e *wire.Error
	if errors.As(err, &e) && e.Status == 404 {
		return nil
	}
	return err
}
