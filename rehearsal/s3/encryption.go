package s3

import (
	"context"
	"net/http"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	sseS3  = "AES256"
	sseKMS = "aws:kms"

	headerSSE       = "X-Amz-Server-Side-Encryption"
	headerKey       = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"
	headerBucketKey = "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled"
)

// encryption is how one object is stored.
type encryption struct {
	algorithm string
	keyARN    string // with aws:kms
	bucketKey bool
}

func (e Encryption) valid() error {
	switch {
	case e.Algorithm == sseS3 && e.KeyID == "":
		return nil
	case e.Algorithm == sseS3:
		return wire.Errorf(http.StatusBadRequest, "InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms")
	case e.Algorithm == sseKMS && e.KeyID == "":
		return wire.NotEmulated("encryption with the AWS managed key aws/s3: name a customer managed key")
	case e.Algorithm == sseKMS:
		return nil
	}
	return wire.NotEmulated("the encryption %q", e.Algorithm)
}

// encryptionFor is how a new object is stored: as its request says, or else as the bucket does.
func (s *Service) encryptionFor(caller accounts.Caller, b *bucket, h http.Header) (encryption, error) {
	s.mu.Lock()
	want := b.encryption
	s.mu.Unlock()
	account := b.account
	if algorithm := h.Get(headerSSE); algorithm != "" {
		// The key of a request is looked up from the caller's account, that of a bucket from the
		// bucket's. Source: S3 API Reference, PutObject, x-amz-server-side-encryption-aws-kms-key-id.
		account = caller.Account
		given := Encryption{Algorithm: algorithm, KeyID: h.Get(headerKey), BucketKey: want.BucketKey}
		if given.Algorithm == sseKMS && given.KeyID == "" && want.Algorithm == sseKMS {
			given.KeyID, account = want.KeyID, b.account
		}
		want = given
	} else if h.Get(headerKey) != "" {
		return encryption{}, wire.Errorf(http.StatusBadRequest, "InvalidArgument",
			"Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
	}
	if v := h.Get(headerBucketKey); v != "" {
		want.BucketKey = v == "true"
	}
	if err := want.valid(); err != nil {
		return encryption{}, err
	}
	if want.Algorithm != sseKMS {
		return encryption{algorithm: want.Algorithm}, nil
	}
	arn, err := s.keys.Resolve(account, b.region, want.KeyID)
	if err != nil {
		return encryption{}, keyError(err)
	}
	return encryption{algorithm: sseKMS, keyARN: arn, bucketKey: want.BucketKey}, nil
}

// useKey decides the KMS action that storing or reading an object needs, for the caller of the S3
// request: kms:GenerateDataKey to store, kms:Decrypt to read. Source: S3 User Guide, "Using
// server-side encryption with AWS KMS keys" (AWS-documented).
func (s *Service) useKey(ctx context.Context, caller accounts.Caller, action string, b *bucket, key string, e encryption) error {
	if e.keyARN == "" {
		return nil
	}
	bound := bucketARN(b.name)
	if !e.bucketKey {
		bound += "/" + key // with a bucket key, KMS sees the bucket only (AWS-documented)
	}
	return keyError(s.keys.Authorize(ctx, caller, action, e.keyARN, map[string][]string{
		"kms:ViaService":                   {"s3." + b.region + ".amazonaws.com"},
		"kms:EncryptionContext:aws:s3:arn": {bound},
		"kms:EncryptionContextKeys":        {"aws:s3:arn"},
		"aws:SecureTransport":              {"true"},
	}))
}

// keyError is how S3 passes on what KMS answered: denials as they are, all else with "KMS." in front.
func keyError(err error) error {
	if err == nil {
		return nil
	}
	e := *wire.AsError(err)
	if e.Code != "AccessDenied" && e.Code != "NotEmulated" && !strings.HasPrefix(e.Code, "KMS.") {
		e.Code = "KMS." + e.Code
	}
	return &e
}

func (e encryption) write(h http.Header) {
	if e.algorithm == "" {
		return
	}
	h.Set(headerSSE, e.algorithm)
	if e.keyARN != "" {
		h.Set(headerKey, e.keyARN)
	}
	if e.bucketKey {
		h.Set(headerBucketKey, "true")
	}
}
