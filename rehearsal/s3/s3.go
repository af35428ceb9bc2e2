// Package s3 is the Simple Storage Service of a rehearsal: buckets with policies, public access
// blocks, default encryption and versions, and every request on them decided for its caller, by S3
// and, where an object is encrypted with a KMS key, by KMS too.
//
// It does not stand on an S3 emulator, though good ones exist (gofakes3): those dispatch inside,
// ignore parameters they do not know, and keep no place where a request has one caller, one action
// and one resource. That place is most of this package; storing bytes is the small rest.
package s3

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Keys is what S3 needs of KMS.
type Keys interface {
	// Resolve turns a key ID, alias or ARN into a key ARN, as seen from an account and region.
	Resolve(account, region, name string) (string, error)
	// Authorize decides an action on a key for the caller of the S3 request.
	Authorize(ctx context.Context, caller accounts.Caller, action, keyARN string, extra map[string][]string) error
}

// Deps is what the service is made of; all are needed.
type Deps struct {
	Directory *accounts.Directory
	Clock     *clock.Clock
	Journal   *journal.Journal
	Keys      Keys
}

// Service holds the buckets of all accounts: bucket names are global. Make it with New.
type Service struct {
	directory *accounts.Directory
	clock     *clock.Clock
	journal   *journal.Journal
	keys      Keys

	mu      sync.Mutex
	buckets map[string]*bucket
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{directory: d.Directory, clock: d.Clock, journal: d.Journal, keys: d.Keys, buckets: map[string]*bucket{}}
}

// ObjectCreated is the Data of the event "ObjectCreated": an object was put, copied or completed.
type ObjectCreated struct {
	Bucket, Key, VersionID, ETag string
	Account                      string // the bucket's owner
	Size                         int64
}

// ObjectRemoved is the Data of the event "ObjectRemoved": an object was deleted, or hidden by a
// delete marker.
type ObjectRemoved struct {
	Bucket, Key, VersionID string
	Account                string
	Marker                 bool
}

func (s *Service) tell(name string, data any) {
	s.journal.Tell(journal.Event{Time: s.clock.Now(), Source: "s3", Name: name, Data: data})
}

// WriteError answers a request that the front door refused, in S3's words: S3 has codes of its own
// for what other services call InvalidClientTokenId and SignatureDoesNotMatch. Source: S3 API
// Reference, "List of error codes" (AWS-documented).
func WriteError(w http.ResponseWriter, requestID string, err error) {
	e := *wire.AsError(err)
	switch {
	case e.Code == "InvalidClientTokenId" && strings.Contains(e.Message, "security token"):
		e.Code, e.Message = "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
	case e.Code == "ExpiredToken":
		e.Status, e.Message = http.StatusBadRequest, "The provided token has expired."
	case e.Code == "SignatureDoesNotMatch" && strings.HasPrefix(e.Message, "Signature "):
		e.Code, e.Message = "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."
	}
	w.Header().Set("X-Amz-Request-Id", requestID)
	wire.WriteS3Error(w, requestID, &e)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
