package s3

import (
	"context"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// bucket is guarded by the service's lock.
type bucket struct {
	name, account, region string
	created               time.Time
	policy                *iam.Document
	block                 PublicAccessBlock
	encryption            Encryption
	versioning            string // "", "Enabled", "Suspended"
	ownership             string
	tags                  map[string]string // never changed, only replaced
	objects               shelf
	uploads               map[string]*upload
}

// PublicAccessBlock is a bucket's four guards against the public.
type PublicAccessBlock struct {
	BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool
}

// Encryption is what a bucket does to objects whose request does not say: SSE-S3 (Algorithm
// "AES256") or SSE-KMS ("aws:kms") with a customer managed key.
type Encryption struct {
	Algorithm string
	KeyID     string // ID, alias or ARN, as given; empty with AES256
	BucketKey bool
}

// Bucket is what HeadBucket tells.
type Bucket struct {
	Name, Account, Region string
	Created               time.Time
}

// ownerEnforced is the only ownership there is here: ACLs are off, as in all new buckets.
const ownerEnforced = "BucketOwnerEnforced"

// CreateBucket makes a bucket with what all new buckets have since April 2023: public access
// blocked, ACLs off, SSE-S3 (AWS-documented).
func (s *Service) CreateBucket(_ context.Context, caller accounts.Caller, region, name string) error {
	if !validName(name) {
		return wire.Errorf(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
	}
	err := s.directory.Authorize(accounts.Check{
		Caller: caller, Action: "s3:CreateBucket", Resource: bucketARN(name), Account: caller.Account, Kind: iam.ResourcePolicy,
		Context: requestContext(caller.Account, map[string][]string{"s3:LocationConstraint": {region}}),
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch b := s.buckets[name]; {
	case b != nil && b.account == caller.Account:
		return wire.Errorf(http.StatusConflict, "BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded and you already own it.")
	case b != nil:
		return wire.Errorf(http.StatusConflict, "BucketAlreadyExists", "The requested bucket name is not available. "+
			"The bucket namespace is shared by all users of the system. Please select a different name and try again.")
	}
	s.buckets[name] = &bucket{
		name: name, account: caller.Account, region: region, created: s.clock.Now(), ownership: ownerEnforced,
		block: PublicAccessBlock{true, true, true, true}, encryption: Encryption{Algorithm: sseS3}, uploads: map[string]*upload{},
	}
	return nil
}

var (
	nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	badNames = []string{"xn--", "sthree-", "amzn-s3-demo-"}
)

// validName is S3's rule for bucket names. Source: S3 User Guide, "Bucket naming rules"
// (AWS-documented).
func validName(name string) bool {
	return nameForm.MatchString(name) && !strings.Contains(name, "..") && net.ParseIP(name) == nil &&
		!slices.ContainsFunc(badNames, func(p string) bool { return strings.HasPrefix(name, p) }) &&
		!strings.HasSuffix(name, "-s3alias") && !strings.HasSuffix(name, "--ol-s3")
}

// HeadBucket tells of a bucket to who may list it.
func (s *Service) HeadBucket(_ context.Context, caller accounts.Caller, name string) (Bucket, error) {
	b, err := s.bucket(name)
	if err != nil {
		return Bucket{}, err
	}
	if err := s.allow(question{caller: caller, action: "ListBucket", bucket: b}); err != nil {
		return Bucket{}, err
	}
	return Bucket{b.name, b.account, b.region, b.created}, nil
}

// DeleteBucket removes an empty bucket.
func (s *Service) DeleteBucket(_ context.Context, caller accounts.Caller, name string) error {
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	if err := s.allow(question{caller: caller, action: "DeleteBucket", bucket: b}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(b.objects.keys) > 0 {
		return wire.Errorf(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	}
	delete(s.buckets, name)
	return nil
}

// ListBuckets lists the caller's own buckets by name.
func (s *Service) ListBuckets(_ context.Context, caller accounts.Caller) ([]Bucket, error) {
	err := s.directory.Authorize(accounts.Check{
		Caller: caller, Action: "s3:ListAllMyBuckets", Resource: "*", Account: caller.Account,
		Context: requestContext(caller.Account, nil),
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Bucket
	for _, b := range s.buckets {
		if b.account == caller.Account {
			out = append(out, Bucket{b.name, b.account, b.region, b.created})
		}
	}
	slices.SortFunc(out, func(a, b Bucket) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// bucket finds a bucket by name. AWS tells anyone whether a name is taken.
func (s *Service) bucket(name string) (*bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[name]; b != nil {
		return b, nil
	}
	return nil, noSuchBucket(name)
}
