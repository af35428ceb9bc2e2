package cloudfront

import (
	"cmp"
	"strconv"
	"time"

	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

// distributionProperties are the properties of AWS::CloudFront::Distribution that the rehearsal
// knows; any other is an error. Source: CloudFormation's resource reference (H).
type distributionProperties struct {
	DistributionConfig *configProperties
}

type configProperties struct {
	Enabled              *templates.Bool
	Comment              string
	DefaultRootObject    string
	HTTPVersion          string `json:"HttpVersion"`
	IPV6Enabled          templates.Bool
	PriceClass           string
	Aliases              []string
	ViewerCertificate    certificateProperties
	Origins              []originProperties
	DefaultCacheBehavior *behaviorProperties
	CacheBehaviors       []behaviorProperties
	CustomErrorResponses []errorProperties
	CacheTagConfig       struct{ HeaderName string }
}

type certificateProperties struct {
	AcmCertificateArn            string
	SslSupportMethod             string
	MinimumProtocolVersion       string
	CloudFrontDefaultCertificate templates.Bool
}

type originProperties struct {
	ID                    string `json:"Id"`
	DomainName            string
	OriginPath            string
	OriginAccessControlID string `json:"OriginAccessControlId"`
	S3OriginConfig        *struct{ OriginAccessIdentity string }
}

type behaviorProperties struct {
	PathPattern          string
	TargetOriginID       string `json:"TargetOriginId"`
	ViewerProtocolPolicy string
	CachePolicyID        string `json:"CachePolicyId"`
	Compress             templates.Bool
	TrustedKeyGroups     []string
}

type errorProperties struct {
	ErrorCode          templates.Int
	ResponseCode       templates.Int
	ResponsePagePath   string
	ErrorCachingMinTTL *templates.Int
}

// defaultErrorTTL holds where none is given. Source: Developer Guide, "Error caching minimum TTL" (H).
const defaultErrorTTL = 10 * time.Second

const distributionType = "AWS::CloudFront::Distribution"

// spec reads a distribution's properties.
func spec(reference string, properties map[string]any) (Spec, error) {
	all, err := templates.Decode[distributionProperties](distributionType, properties)
	if err != nil {
		return Spec{}, err
	}
	p := all.DistributionConfig
	if p == nil || p.Enabled == nil || p.DefaultCacheBehavior == nil {
		return Spec{}, invalid("A DistributionConfig with Enabled and DefaultCacheBehavior is required.")
	}
	out := Spec{
		Config: Config{
			CallerReference: reference, Enabled: bool(*p.Enabled), Comment: p.Comment, DefaultRootObject: p.DefaultRootObject,
			HTTPVersion: cmp.Or(p.HTTPVersion, "http1.1"), IPv6: bool(p.IPV6Enabled), PriceClass: cmp.Or(p.PriceClass, "PriceClass_All"),
			Aliases: p.Aliases, CacheTagHeader: p.CacheTagConfig.HeaderName,
			Certificate: Certificate{p.ViewerCertificate.AcmCertificateArn, p.ViewerCertificate.SslSupportMethod, p.ViewerCertificate.MinimumProtocolVersion},
		},
		AccessControls: map[string]string{}, CachePolicies: map[string]string{}, KeyGroups: map[string][]string{},
	}
	if err := out.readOrigins(p.Origins); err != nil {
		return Spec{}, err
	}
	if p.DefaultCacheBehavior.PathPattern != "" {
		return Spec{}, wire.NotEmulated("the property PathPattern of a default cache behavior")
	}
	if out.Default, err = out.behavior(*p.DefaultCacheBehavior); err != nil {
		return Spec{}, err
	}
	for _, b := range p.CacheBehaviors {
		read, err := out.behavior(b)
		if err != nil {
			return Spec{}, err
		}
		out.Behaviors = append(out.Behaviors, read)
	}
	for _, e := range p.CustomErrorResponses {
		ttl := defaultErrorTTL
		if e.ErrorCachingMinTTL != nil {
			ttl = time.Duration(*e.ErrorCachingMinTTL) * time.Second
		}
		out.Errors = append(out.Errors, ErrorResponse{int(e.ErrorCode), int(e.ResponseCode), e.ResponsePagePath, ttl})
	}
	return out, nil
}

func (s *Spec) readOrigins(all []originProperties) error {
	for _, o := range all {
		if o.S3OriginConfig == nil {
			return wire.NotEmulated("the origin %s, which has no S3OriginConfig", strconv.Quote(o.ID))
		}
		if o.S3OriginConfig.OriginAccessIdentity != "" {
			return wire.NotEmulated("an origin access identity; use an origin access control")
		}
		s.Origins = append(s.Origins, Origin{ID: o.ID, Domain: o.DomainName, Path: o.OriginPath})
		s.AccessControls[o.ID] = o.OriginAccessControlID
	}
	return nil
}

func (s *Spec) behavior(b behaviorProperties) (Behavior, error) {
	if b.CachePolicyID == "" {
		return Behavior{}, wire.NotEmulated("a cache behavior without a CachePolicyId (ForwardedValues)")
	}
	s.CachePolicies[b.PathPattern] = b.CachePolicyID
	s.KeyGroups[b.PathPattern] = b.TrustedKeyGroups
	return Behavior{
		PathPattern: b.PathPattern, TargetOriginID: b.TargetOriginID,
		ViewerProtocolPolicy: b.ViewerProtocolPolicy, Compress: bool(b.Compress),
	}, nil
}

// controlProperties are those of AWS::CloudFront::OriginAccessControl.
type controlProperties struct {
	OriginAccessControlConfig struct {
		Name, Description             string
		OriginAccessControlOriginType string
		SigningBehavior               string
		SigningProtocol               string
	}
}

// policyProperties are those of AWS::CloudFront::CachePolicy.
type policyProperties struct {
	CachePolicyConfig struct {
		Name, Comment                            string
		MinTTL, DefaultTTL, MaxTTL               templates.Int
		ParametersInCacheKeyAndForwardedToOrigin struct {
			EnableAcceptEncodingGzip   templates.Bool
			EnableAcceptEncodingBrotli templates.Bool
			QueryStringsConfig         struct {
				QueryStringBehavior string
				QueryStrings        []string
			}
			HeadersConfig struct {
				HeaderBehavior string
				Headers        []string
			}
			CookiesConfig struct {
				CookieBehavior string
				Cookies        []string
			}
		}
	}
}

func (p policyProperties) policy() CachePolicy {
	c := p.CachePolicyConfig
	key := c.ParametersInCacheKeyAndForwardedToOrigin
	return CachePolicy{
		Name: c.Name, Comment: c.Comment,
		MinTTL: time.Duration(c.MinTTL) * time.Second, DefaultTTL: time.Duration(c.DefaultTTL) * time.Second,
		MaxTTL: time.Duration(c.MaxTTL) * time.Second,
		Gzip:   bool(key.EnableAcceptEncodingGzip), Brotli: bool(key.EnableAcceptEncodingBrotli),
		QueryStrings: Selection{key.QueryStringsConfig.QueryStringBehavior, key.QueryStringsConfig.QueryStrings},
		Headers:      Selection{key.HeadersConfig.HeaderBehavior, key.HeadersConfig.Headers},
		Cookies:      Selection{key.CookiesConfig.CookieBehavior, key.CookiesConfig.Cookies},
	}
}
