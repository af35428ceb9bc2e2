package s3

import (
	"context"
	"net/http"
	"strings"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// setting decides an action on a bucket and, when allowed, runs change under the lock.
func (s *Service) setting(caller accounts.Caller, action, name string, change func(*bucket) error) error {
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	if err := s.allow(question{caller: caller, action: action, bucket: b}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return change(b)
}

// PutBucketPolicy replaces a bucket's policy. A principal that does not exist, a resource of another
// bucket, and (BlockPublicPolicy) a public policy are refused.
func (s *Service) PutBucketPolicy(_ context.Context, caller accounts.Caller, name string, text []byte) error {
	b, err := s.bucket(name)
	if err != nil {
		return err
	}
	if err := s.allow(question{caller: caller, action: "PutBucketPolicy", bucket: b}); err != nil {
		return err
	}
	if err := ownAccount(caller, b); err != nil {
		return err
	}
	doc, err := s.parsePolicy(b, text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.block.BlockPublicPolicy && isPublic(doc) {
		return wire.Denied("User: %s is not authorized to perform: s3:PutBucketPolicy on resource: %q because public policies "+
			"are prevented by the BlockPublicPolicy setting in S3 Block Public Access.", caller.Name(), bucketARN(name))
	}
	b.policy = &doc
	return nil
}

// maxPolicy is the size limit of a bucket policy (20 KB, AWS-documented).
const maxPolicy = 20 << 10

func (s *Service) parsePolicy(b *bucket, text []byte) (iam.Document, error) {
	if len(text) > maxPolicy {
		return iam.Document{}, malformedPolicy("Policy exceeds the maximum allowed document size.")
	}
	doc, err := iam.Parse(text)
	if err == nil {
		err = doc.Validate(iam.LayerResource)
	}
	if err != nil {
		return iam.Document{}, malformedPolicy(err.Error())
	}
	if doc, err = s.directory.StorePrincipals(doc); err != nil {
		return iam.Document{}, malformedPolicy(wire.AsError(err).Message)
	}
	for _, st := range doc.Statements {
		for _, r := range append(st.Resource, st.NotResource...) {
			if r != "*" && r != bucketARN(b.name) && !strings.HasPrefix(r, bucketARN(b.name)+"/") && !coversBucket(r, b.name) {
				return iam.Document{}, malformedPolicy("Policy has invalid resource")
			}
		}
		for _, a := range append(st.Action, st.NotAction...) {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "s3:") {
				return iam.Document{}, malformedPolicy("Policy has invalid action")
			}
		}
	}
	return doc, nil
}

// coversBucket says whether an ARN with wildcards right behind its prefix may mean the bucket, as
// "arn:aws:s3:::logs*" does.
func coversBucket(pattern, name string) bool {
	rest, ok := strings.CutPrefix(pattern, "arn:aws:s3:::")
	i := strings.IndexAny(rest, "*?$")
	return ok && i >= 0 && strings.HasPrefix(name, rest[:min(i, len(rest))])
}

func malformedPolicy(text string) error {
	return wire.Errorf(http.StatusBadRequest, "MalformedPolicy", "%s", text)
}

// ownAccount refuses policy operations of other accounts, allowed or not. Source: S3 API Reference,
// PutBucketPolicy: "405 Method Not Allowed" (AWS-documented).
func ownAccount(caller accounts.Caller, b *bucket) error {
	if caller.Account != b.account {
		return wire.Errorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	}
	return nil
}

// BucketPolicy is a bucket's policy as JSON, with the principals' names as they are now.
func (s *Service) BucketPolicy(_ context.Context, caller accounts.Caller, name string) ([]byte, error) {
	var doc iam.Document
	err := s.setting(caller, "GetBucketPolicy", name, func(b *bucket) error {
		if b.policy == nil {
			return wire.Errorf(http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist")
		}
		doc = *b.policy
		return ownAccount(caller, b)
	})
	if err != nil {
		return nil, err
	}
	doc, err = s.directory.ShowPrincipals(doc)
	return []byte(doc.String()), err
}

// DeleteBucketPolicy removes a bucket's policy; none is no error.
func (s *Service) DeleteBucketPolicy(_ context.Context, caller accounts.Caller, name string) error {
	return s.setting(caller, "DeleteBucketPolicy", name, func(b *bucket) error {
		b.policy = nil
		return ownAccount(caller, b)
	})
}

// PutPublicAccessBlock replaces all four guards.
func (s *Service) PutPublicAccessBlock(_ context.Context, caller accounts.Caller, name string, p PublicAccessBlock) error {
	return s.setting(caller, "PutBucketPublicAccessBlock", name, func(b *bucket) error {
		b.block = p
		return nil
	})
}

// PublicAccessBlock is a bucket's guards.
func (s *Service) PublicAccessBlock(_ context.Context, caller accounts.Caller, name string) (PublicAccessBlock, error) {
	var out PublicAccessBlock
	err := s.setting(caller, "GetBucketPublicAccessBlock", name, func(b *bucket) error {
		out = b.block
		if out == (PublicAccessBlock{}) {
			return wire.Errorf(http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
		}
		return nil
	})
	return out, err
}

// PutEncryption sets what new objects are encrypted with.
func (s *Service) PutEncryption(_ context.Context, caller accounts.Caller, name string, e Encryption) error {
	if err := e.valid(); err != nil {
		return err
	}
	return s.setting(caller, "PutEncryptionConfiguration", name, func(b *bucket) error {
		b.encryption = e
		return nil
	})
}

// Encryption is what new objects of a bucket are encrypted with.
func (s *Service) Encryption(_ context.Context, caller accounts.Caller, name string) (Encryption, error) {
	var out Encryption
	err := s.setting(caller, "GetEncryptionConfiguration", name, func(b *bucket) error {
		out = b.encryption
		return nil
	})
	return out, err
}

// PutVersioning turns versioning "Enabled" or "Suspended"; it cannot be taken back to never.
func (s *Service) PutVersioning(_ context.Context, caller accounts.Caller, name, status string) error {
	if status != "Enabled" && status != "Suspended" {
		return malformedXML()
	}
	return s.setting(caller, "PutBucketVersioning", name, func(b *bucket) error {
		b.versioning = status
		return nil
	})
}

// Versioning is "", "Enabled" or "Suspended".
func (s *Service) Versioning(_ context.Context, caller accounts.Caller, name string) (string, error) {
	var out string
	err := s.setting(caller, "GetBucketVersioning", name, func(b *bucket) error {
		out = b.versioning
		return nil
	})
	return out, err
}

// PutOwnership accepts what is so anyway: buckets whose objects have ACLs are not emulated.
func (s *Service) PutOwnership(_ context.Context, caller accounts.Caller, name, ownership string) error {
	if ownership != ownerEnforced {
		return wire.NotEmulated("the object ownership %q: ACLs", ownership)
	}
	return s.setting(caller, "PutBucketOwnershipControls", name, func(b *bucket) error {
		b.ownership = ownership
		return nil
	})
}

// Ownership is who owns a bucket's objects.
func (s *Service) Ownership(_ context.Context, caller accounts.Caller, name string) (string, error) {
	var out string
	err := s.setting(caller, "GetBucketOwnershipControls", name, func(b *bucket) error {
		out = b.ownership
		return nil
	})
	return out, err
}

func malformedXML() error {
	return wire.Errorf(http.StatusBadRequest, "MalformedXML",
		"The XML you provided was not well-formed or did not validate against our published schema")
}
