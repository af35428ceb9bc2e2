// Package artifact is what pipelines and builds hand each other through S3: where an artifact lies,
// and the two calls on S3 that reading and writing one take.
package artifact

import (
	"context"

	"github.com/unstale/unstale/rehearsal/accounts"
)

// Location is an object in S3.
type Location struct{ Bucket, Key string }

// ARN is the object's ARN.
func (l Location) ARN() string { return "arn:aws:s3:::" + l.Bucket + "/" + l.Key }

// Object is one to be stored. Empty headers are not sent; without KMSKey the bucket's own default
// encryption applies.
type Object struct {
	Location
	Body         []byte
	ContentType  string
	CacheControl string
	KMSKey       string // ARN or ID: asks for SSE-KMS with it
}

// Store is what pipelines and builds need of S3. Each call is decided for its caller.
type Store interface {
	Fetch(ctx context.Context, caller accounts.Caller, at Location) ([]byte, error)
	Keep(ctx context.Context, caller accounts.Caller, o Object) error
}
