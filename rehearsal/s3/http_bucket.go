package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"net/http"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/wire"
)

func (s *Service) serveListBuckets(in request) (reply, error) {
	buckets, err := s.ListBuckets(in.ctx, in.call.Caller)
	type entry struct{ Name, CreationDate, BucketRegion string }
	out := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
		Owner   owner
		Buckets []entry `xml:"Buckets>Bucket"`
	}{Owner: owner{canonicalID(in.call.Caller.Account)}}
	for _, b := range buckets {
		out.Buckets = append(out.Buckets, entry{b.Name, stamp(b.Created), b.Region})
	}
	return reply{xml: out}, err
}

// canonicalID stands for an account's canonical user ID: 64 hexadecimal digits.
func canonicalID(account string) string {
	sum := sha256.Sum256([]byte("canonical user " + account))
	return hex.EncodeToString(sum[:])
}

func (s *Service) serveCreateBucket(in request) (reply, error) {
	var config struct{ LocationConstraint string }
	if len(in.call.Body) > 0 {
		if err := decodeXML(in.call.Body, &config, "CreateBucketConfiguration", "LocationConstraint"); err != nil {
			return reply{}, err
		}
	}
	region := in.call.Region
	// Source: S3 API Reference, CreateBucket: outside us-east-1 the constraint must name the region.
	if want := config.LocationConstraint; want != "" && want != region || want == "" && region != "us-east-1" {
		return reply{}, wire.Errorf(http.StatusBadRequest, "IllegalLocationConstraintException",
			"The %s location constraint is incompatible for the region specific endpoint this request was sent to.", want)
	}
	if v := in.header.Get("X-Amz-Object-Ownership"); v != "" && v != ownerEnforced {
		return reply{}, wire.NotEmulated("the object ownership %q: ACLs", v)
	}
	if in.header.Get("X-Amz-Bucket-Object-Lock-Enabled") == "true" {
		return reply{}, wire.NotEmulated("S3's object lock")
	}
	if v := in.header.Get("X-Amz-Acl"); v != "" && v != "private" {
		return reply{}, wire.Errorf(http.StatusBadRequest, "InvalidBucketAclWithObjectOwnership", "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
	}
	err := s.CreateBucket(in.ctx, in.call.Caller, region, in.bucket)
	// In us-east-1 alone a repeated CreateBucket succeeds. Source: S3 API Reference, CreateBucket,
	// BucketAlreadyOwnedByYou (AWS-documented).
	if err != nil && !(region == "us-east-1" && wire.AsError(err).Code == "BucketAlreadyOwnedByYou") {
		return reply{}, err
	}
	return reply{header: http.Header{"Location": {"/" + in.bucket}}}, nil
}

func (s *Service) serveHeadBucket(in request) (reply, error) {
	_, err := s.HeadBucket(in.ctx, in.call.Caller, in.bucket)
	return reply{}, err
}

func (s *Service) serveDeleteBucket(in request) (reply, error) {
	return reply{status: http.StatusNoContent}, s.DeleteBucket(in.ctx, in.call.Caller, in.bucket)
}

func (s *Service) serveLocation(in request) (reply, error) {
	out := struct {
		XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
		Location string   `xml:",chardata"`
	}{}
	err := s.setting(in.call.Caller, "GetBucketLocation", in.bucket, func(b *bucket) error {
		if b.region != "us-east-1" { // which S3 leaves empty (AWS-documented)
			out.Location = b.region
		}
		return nil
	})
	return reply{xml: out}, err
}

func (s *Service) serveGetPolicy(in request) (reply, error) {
	text, err := s.BucketPolicy(in.ctx, in.call.Caller, in.bucket)
	return reply{body: text, header: http.Header{"Content-Type": {"application/json"}}}, err
}

func (s *Service) servePutPolicy(in request) (reply, error) {
	return reply{status: http.StatusNoContent}, s.PutBucketPolicy(in.ctx, in.call.Caller, in.bucket, in.call.Body)
}

func (s *Service) serveDeletePolicy(in request) (reply, error) {
	return reply{status: http.StatusNoContent}, s.DeleteBucketPolicy(in.ctx, in.call.Caller, in.bucket)
}

func (s *Service) servePolicyStatus(in request) (reply, error) {
	var policy *iam.Document
	err := s.setting(in.call.Caller, "GetBucketPolicyStatus", in.bucket, func(b *bucket) error {
		policy = b.policy
		if policy == nil {
			return wire.Errorf(http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist")
		}
		return nil
	})
	if err != nil {
		return reply{}, err
	}
	return reply{xml: struct {
		XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ PolicyStatus"`
		IsPublic bool
	}{IsPublic: isPublic(*policy)}}, nil
}

type xmlBlock struct {
	XMLName xml.Name `xml:"PublicAccessBlockConfiguration"`
	PublicAccessBlock
}

func (s *Service) serveGetBlock(in request) (reply, error) {
	block, err := s.PublicAccessBlock(in.ctx, in.call.Caller, in.bucket)
	return reply{xml: xmlBlock{PublicAccessBlock: block}}, err
}

func (s *Service) servePutBlock(in request) (reply, error) {
	var b xmlBlock
	err := decodeXML(in.call.Body, &b, "PublicAccessBlockConfiguration", "BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
	if err != nil {
		return reply{}, err
	}
	return reply{}, s.PutPublicAccessBlock(in.ctx, in.call.Caller, in.bucket, b.PublicAccessBlock)
}

func (s *Service) serveDeleteBlock(in request) (reply, error) {
	return reply{status: http.StatusNoContent}, s.PutPublicAccessBlock(in.ctx, in.call.Caller, in.bucket, PublicAccessBlock{})
}

type xmlEncryption struct {
	XMLName   xml.Name `xml:"ServerSideEncryptionConfiguration"`
	Algorithm string   `xml:"Rule>ApplyServerSideEncryptionByDefault>SSEAlgorithm"`
	KeyID     string   `xml:"Rule>ApplyServerSideEncryptionByDefault>KMSMasterKeyID,omitempty"`
	BucketKey bool     `xml:"Rule>BucketKeyEnabled"`
}

func (s *Service) serveGetEncryption(in request) (reply, error) {
	e, err := s.Encryption(in.ctx, in.call.Caller, in.bucket)
	return reply{xml: xmlEncryption{Algorithm: e.Algorithm, KeyID: e.KeyID, BucketKey: e.BucketKey}}, err
}

func (s *Service) servePutEncryption(in request) (reply, error) {
	var e xmlEncryption
	err := decodeXML(in.call.Body, &e, "ServerSideEncryptionConfiguration", "Rule", "ApplyServerSideEncryptionByDefault",
		"SSEAlgorithm", "KMSMasterKeyID", "BucketKeyEnabled")
	if err != nil {
		return reply{}, err
	}
	return reply{}, s.PutEncryption(in.ctx, in.call.Caller, in.bucket, Encryption{e.Algorithm, e.KeyID, e.BucketKey})
}

// serveDeleteEncryption puts back what every bucket has at least: SSE-S3 (AWS-documented).
func (s *Service) serveDeleteEncryption(in request) (reply, error) {
	return reply{status: http.StatusNoContent}, s.PutEncryption(in.ctx, in.call.Caller, in.bucket, Encryption{Algorithm: sseS3})
}

type xmlVersioning struct {
	XMLName xml.Name `xml:"VersioningConfiguration"`
	Status  string   `xml:",omitempty"`
}

func (s *Service) serveGetVersioning(in request) (reply, error) {
	status, err := s.Versioning(in.ctx, in.call.Caller, in.bucket)
	return reply{xml: xmlVersioning{Status: status}}, err
}

func (s *Service) servePutVersioning(in request) (reply, error) {
	var v xmlVersioning
	if err := decodeXML(in.call.Body, &v, "VersioningConfiguration", "Status"); err != nil {
		return reply{}, err
	}
	return reply{}, s.PutVersioning(in.ctx, in.call.Caller, in.bucket, v.Status)
}

type xmlOwnership struct {
	XMLName   xml.Name `xml:"OwnershipControls"`
	Ownership string   `xml:"Rule>ObjectOwnership"`
}

func (s *Service) serveGetOwnership(in request) (reply, error) {
	ownership, err := s.Ownership(in.ctx, in.call.Caller, in.bucket)
	return reply{xml: xmlOwnership{Ownership: ownership}}, err
}

func (s *Service) servePutOwnership(in request) (reply, error) {
	var o xmlOwnership
	if err := decodeXML(in.call.Body, &o, "OwnershipControls", "Rule", "ObjectOwnership"); err != nil {
		return reply{}, err
	}
	return reply{}, s.PutOwnership(in.ctx, in.call.Caller, in.bucket, o.Ownership)
}
