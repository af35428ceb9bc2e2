package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudfront"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// cachingOptimized is the ID of CloudFront's managed cache policy: minimum TTL 1 s, query strings, cookies and headers not
// in the cache key, gzip and brotli variants. Managed policy IDs are the same in every account.
const cachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"

// errorCachingSeconds is how long an edge keeps the fallback page under the address that was asked for. S3's 404 has no
// Cache-Control, so this alone decides. It is CloudFront's own default, and short, because the fallback is kept under every
// address that was asked for: those that are waited out need not be purged, and purging them all takes a "/*".
const errorCachingSeconds = 10

// rootObject is served for "/" and for every address that is not a file.
const rootObject = "index.html"

// SiteProps describes a site.
type SiteProps struct {
	Name string // prefix of the names of what is made

	errorSeconds *float64 // nil means errorCachingSeconds
}

// Site is a private bucket behind a distribution that serves a single-page app.
type Site struct {
	constructs.Construct
	Bucket       awss3.CfnBucket
	Distribution awscloudfront.CfnDistribution
}

// NewSite makes a bucket that only its distribution can read, and the distribution. The bucket outlives its stack.
func NewSite(scope constructs.Construct, id string, props SiteProps) Site {
	c := constructs.NewConstruct(scope, jsii.String(id))
	bucket := newPrivateBucket(c, props.Name, "site", &awss3.CfnBucket_ServerSideEncryptionByDefaultProperty{
		SseAlgorithm: jsii.String("AES256"), // a KMS key would have to admit CloudFront as well, for public files
	})
	keep(bucket)
	access := awscloudfront.NewCfnOriginAccessControl(c, jsii.String("Access"), &awscloudfront.CfnOriginAccessControlProps{
		OriginAccessControlConfig: &awscloudfront.CfnOriginAccessControl_OriginAccessControlConfigProperty{
			Name:                          jsii.String(props.Name + "-site"),
			OriginAccessControlOriginType: jsii.String("s3"),
			SigningBehavior:               jsii.String("always"),
			SigningProtocol:               jsii.String("sigv4"),
		},
	})
	distribution := awscloudfront.NewCfnDistribution(c, jsii.String("Distribution"), &awscloudfront.CfnDistributionProps{
		DistributionConfig: distributionConfig(props, bucket, access),
	})
	awss3.NewCfnBucketPolicy(c, jsii.String("BucketPolicy"), &awss3.CfnBucketPolicyProps{
		Bucket:         bucket.Ref(),
		PolicyDocument: sitePolicy(*bucket.AttrArn(), *distribution.Ref()),
	})
	return Site{Construct: c, Bucket: bucket, Distribution: distribution}
}

func distributionConfig(props SiteProps, bucket awss3.CfnBucket,
	access awscloudfront.CfnOriginAccessControl,
) *awscloudfront.CfnDistribution_DistributionConfigProperty {
	return &awscloudfront.CfnDistribution_DistributionConfigProperty{
		Enabled:           true,
		Comment:           jsii.String(props.Name + " site"),
		DefaultRootObject: jsii.String(rootObject),
		HttpVersion:       jsii.String("http2and3"),
		Ipv6Enabled:       true,
		Origins: []*awscloudfront.CfnDistribution_OriginProperty{{
			Id:                    jsii.String("site"),
			DomainName:            bucket.AttrRegionalDomainName(),
			OriginAccessControlId: access.Ref(),
			// Required by the API for an S3 origin, empty when an origin access control is used.
			S3OriginConfig: &awscloudfront.CfnDistribution_S3OriginConfigProperty{OriginAccessIdentity: jsii.String("")},
		}},
		DefaultCacheBehavior: &awscloudfront.CfnDistribution_DefaultCacheBehaviorProperty{
			TargetOriginId:       jsii.String("site"),
			ViewerProtocolPolicy: jsii.String("redirect-to-https"),
			CachePolicyId:        jsii.String(cachingOptimized),
			Compress:             true,
		},
		CustomErrorResponses: []*awscloudfront.CfnDistribution_CustomErrorResponseProperty{
			fallback(403, props.errorSeconds), fallback(404, props.errorSeconds),
		},
	}
}

func fallback(code float64, seconds *float64) *awscloudfront.CfnDistribution_CustomErrorResponseProperty {
	if seconds == nil {
		seconds = jsii.Number(errorCachingSeconds)
	}
	return &awscloudfront.CfnDistribution_CustomErrorResponseProperty{
		ErrorCode:          jsii.Number(code),
		ResponseCode:       jsii.Number(200),
		ResponsePagePath:   jsii.String("/" + rootObject),
		ErrorCachingMinTtl: seconds,
	}
}

// sitePolicy lets the one distribution read. s3:ListBucket makes S3 answer 404 instead of 403 for a missing file, and
// CloudFront caches 404 always but 403 only if the origin sends a max-age, which S3 does not (CloudFront Developer Guide,
// HTTPStatusCodes). With 403 every deep link would go to S3 each time and show a release before its purge. The listing
// itself cannot be reached: "/" is the default root object, and no query string is forwarded.
func sitePolicy(bucketARN, distributionID string) map[string]any {
	onlyDistribution := map[string]map[string]any{"StringEquals": {"AWS:SourceArn": distributionARN(distributionID)}}
	cloudFront := service("cloudfront.amazonaws.com")
	return document(
		denyInsecureTransport(bucketARN),
		statement{
			sid: "DistributionReads", principal: cloudFront, actions: []string{"s3:GetObject"},
			resources: []string{bucketARN + "/*"}, when: onlyDistribution,
		},
		statement{
			sid: "DistributionSeesWhatIsMissing", principal: cloudFront, actions: []string{"s3:ListBucket"},
			resources: []string{bucketARN}, when: onlyDistribution,
		},
	)
}

// newPrivateBucket makes a bucket without public access and without ACLs. Bucket names are global, so the name carries
// account and region. With a name of at most 20 characters it fits into 63 in every region.
func newPrivateBucket(c constructs.Construct, name, use string,
	encryption *awss3.CfnBucket_ServerSideEncryptionByDefaultProperty,
) awss3.CfnBucket {
	rule := &awss3.CfnBucket_ServerSideEncryptionRuleProperty{ServerSideEncryptionByDefault: encryption}
	if *encryption.SseAlgorithm == "aws:kms" {
		rule.BucketKeyEnabled = true // one data key for many objects: fewer, cheaper KMS calls
	}
	return awss3.NewCfnBucket(c, jsii.String("Bucket"), &awss3.CfnBucketProps{
		BucketName: jsii.String(sub("${Name}-"+use+"-${AWS::AccountId}-${AWS::Region}", map[string]string{"Name": name})),
		BucketEncryption: &awss3.CfnBucket_BucketEncryptionProperty{
			ServerSideEncryptionConfiguration: []*awss3.CfnBucket_ServerSideEncryptionRuleProperty{rule},
		},
		OwnershipControls: &awss3.CfnBucket_OwnershipControlsProperty{
			Rules: []*awss3.CfnBucket_OwnershipControlsRuleProperty{{ObjectOwnership: jsii.String("BucketOwnerEnforced")}},
		},
		PublicAccessBlockConfiguration: &awss3.CfnBucket_PublicAccessBlockConfigurationProperty{
			BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true,
		},
	})
}
