package cloudfront

import (
	"context"
	"time"

	"github.com/unstale/unstale/rehearsal/templates"
)

// keyProperties are those of AWS::CloudFront::PublicKey.
type keyProperties struct {
	PublicKeyConfig struct{ CallerReference, Comment, EncodedKey, Name string }
}

// groupProperties are those of AWS::CloudFront::KeyGroup.
type groupProperties struct {
	KeyGroupConfig struct {
		Name, Comment string
		Items         []string
	}
}

const (
	keyType   = "AWS::CloudFront::PublicKey"
	groupType = "AWS::CloudFront::KeyGroup"
)

// keyTypes are the resource types of restricted viewer access.
func (s *Service) keyTypes() []templates.Type {
	return []templates.Type{
		{
			Name: keyType, Attributes: []string{"CreatedTime", "Id"}, Create: s.createKeyResource,
			// No property is Fixed: CloudFormation tries to change the immutable ones in place too, and fails
			// (M: cloudformation-coverage-roadmap issue 924).
			Update: s.updateKeyResource,
			Delete: func(ctx context.Context, e templates.Existing) error {
				return gone(s.DeletePublicKey(ctx, e.Caller, e.Resource.Ref))
			},
		},
		{
			Name: groupType, Attributes: []string{"Id", "LastModifiedTime"},
			Create: s.createGroupResource, Update: s.updateGroupResource,
			Delete: func(ctx context.Context, e templates.Existing) error {
				return gone(s.DeleteKeyGroup(ctx, e.Caller, e.Resource.Ref))
			},
		},
	}
}

func readKey(properties map[string]any) (PublicKey, error) {
	p, err := templates.Decode[keyProperties](keyType, properties)
	c := p.PublicKeyConfig
	return PublicKey{Name: c.Name, CallerReference: c.CallerReference, EncodedKey: c.EncodedKey, Comment: c.Comment}, err
}

func (s *Service) createKeyResource(ctx context.Context, r templates.Request) (templates.Resource, error) {
	k, err := readKey(r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	made, err := s.CreatePublicKey(ctx, r.Caller, k)
	if err != nil {
		return templates.Resource{}, err
	}
	return templates.Resource{Ref: made.ID, Attributes: map[string]string{
		"Id": made.ID, "CreatedTime": made.Created.Format(time.RFC3339),
	}}, nil
}

func (s *Service) updateKeyResource(ctx context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	k, err := readKey(r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	return e.Resource, s.UpdatePublicKey(ctx, r.Caller, e.Resource.Ref, k)
}

func readGroup(properties map[string]any) (g KeyGroup, keys []string, err error) {
	p, err := templates.Decode[groupProperties](groupType, properties)
	c := p.KeyGroupConfig
	return KeyGroup{Name: c.Name, Comment: c.Comment}, c.Items, err
}

func (s *Service) createGroupResource(ctx context.Context, r templates.Request) (templates.Resource, error) {
	g, keys, err := readGroup(r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	return groupResource(s.CreateKeyGroup(ctx, r.Caller, g, keys))
}

func (s *Service) updateGroupResource(ctx context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	g, keys, err := readGroup(r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	return groupResource(s.UpdateKeyGroup(ctx, r.Caller, e.Resource.Ref, g, keys))
}

func groupResource(g *KeyGroup, err error) (templates.Resource, error) {
	if err != nil {
		return templates.Resource{}, err
	}
	return templates.Resource{Ref: g.ID, Attributes: map[string]string{
		"Id": g.ID, "LastModifiedTime": g.Modified.Format(time.RFC3339),
	}}, nil
}
