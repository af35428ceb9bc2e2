package gateway

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/httpbinding"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/sync/errgroup"

	"github.com/unstale/unstale/plan"
)

// Stored is what an origin holds under a key.
type Stored struct {
	Key   string `json:"key"`
	Found bool   `json:"found"`
	Size  int64  `json:"size"` // bytes
	// CRC32 (IEEE) is known of what S3 keeps it for, and of what is small enough to be read for it.
	Summed bool   `json:"summed"`
	CRC32  uint32 `json:"crc32"`
}

const (
	// MaxKeys is the most keys that one look at an origin takes.
	MaxKeys = 100
	// maxSummed is the longest object that is read for its checksum, in bytes.
	maxSummed = 8 << 20
	// originReaders is how many objects are read at once, and originTimeout ends one reading.
	originReaders = 8
	originTimeout = 10 * time.Second
)

// Objects looks at what an origin holds under some keys, in their order. The origin is one of the
// distribution's own; one that is no S3 bucket is refused with the code Unsupported, because nothing
// but viewers may read it.
func (c *CloudFront) Objects(ctx context.Context, origin plan.Origin, keys []string) ([]Stored, error) {
	operation := "read origin " + origin.ID
	if err := CheckObjects(origin, keys); err != nil {
		return nil, c.at.wrap(operation, err)
	}
	reader := newBucketReader(c.cfg, origin)
	all := make([]Stored, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(originReaders)
	for i, key := range keys {
		group.Go(func() (err error) {
			all[i], err = Within(ctx, originTimeout, func(ctx context.Context) (Stored, error) {
				return reader.read(ctx, key)
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, c.at.wrap(operation, err)
	}
	return all, nil
}

// CheckObjects says why an origin cannot be looked at.
func CheckObjects(origin plan.Origin, keys []string) error {
	switch {
	case origin.Bucket == "" || origin.Website:
		return &Error{
			Code: Unsupported, Message: fmt.Sprintf("origin %s (%s) is not read as an S3 bucket", origin.ID, origin.Domain),
		}
	case len(keys) > MaxKeys:
		return &Error{Code: BadRequest, Message: fmt.Sprintf("%d keys, more than %d", len(keys), MaxKeys)}
	}
	for _, key := range keys {
		if key == "" || len(key) > 1024 { // bytes. Source: Amazon S3 user guide, "Naming Amazon S3 objects"
			return &Error{Code: BadRequest, Message: fmt.Sprintf("%.40q is no key", key)}
		}
	}
	return nil
}

// bucketReader is S3's GetObject and nothing else of S3: its client would cost every cold start of the
// invalidator more than all the rest. Signing and the shapes of errors are the SDK's own.
// Source: Amazon S3 API reference, GetObject.
type bucketReader struct {
	cfg            aws.Config
	region, bucket string
	signer         *v4.Signer
}

func newBucketReader(cfg aws.Config, origin plan.Origin) *bucketReader {
	return &bucketReader{cfg, regionOf(origin, cfg.Region), origin.Bucket, v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true // S3 signs a path as it is sent
	})}
}

// regionOf is the region in a bucket's domain, BUCKET.s3.REGION.amazonaws.com; the older global form
// names none.
func regionOf(origin plan.Origin, otherwise string) string {
	host := strings.TrimSuffix(strings.TrimSuffix(origin.Domain, ".cn"), ".amazonaws.com")
	for _, mark := range []string{".s3.dualstack.", ".s3.", ".s3-"} {
		if region, ok := strings.CutPrefix(host, origin.Bucket+mark); ok && region != "" {
			return region
		}
	}
	return otherwise
}

// emptySum is the SHA-256 of no payload.
const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// read looks at one object. A bucket that answers from another region names it, and is asked there.
func (b *bucketReader) read(ctx context.Context, key string) (Stored, error) {
	for region := b.region; ; {
		response, err := b.get(ctx, region, key)
		if err != nil {
			return Stored{}, err
		}
		there := response.Header.Get("X-Amz-Bucket-Region")
		if response.StatusCode >= 300 && there != "" && there != region && region == b.region {
			response.Body.Close()
			region = there
			continue
		}
		defer response.Body.Close()
		return stored(key, response)
	}
}

func (b *bucketReader) get(ctx context.Context, region, key string) (*http.Response, error) {
	base := fmt.Sprintf("https://s3.%s.amazonaws.com", region)
	if strings.HasPrefix(region, "cn-") {
		base += ".cn"
	}
	if b.cfg.BaseEndpoint != nil {
		base = strings.TrimSuffix(*b.cfg.BaseEndpoint, "/")
	}
	// The path names the bucket, because TLS does not hold for bucket names with dots in a host's name.
	u, err := url.Parse(base + "/" + b.bucket + "/")
	if err != nil {
		return nil, fmt.Errorf("read endpoint %q: it is not a URL", base)
	}
	u.Path, u.RawPath = u.Path+key, u.Path+httpbinding.EscapePath(key, false)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept-Encoding", "identity") // or the transport would decode
	request.Header.Set("User-Agent", "unstale")
	request.Header.Set("X-Amz-Checksum-Mode", "ENABLED")
	request.Header.Set("X-Amz-Content-Sha256", emptySum)
	if b.cfg.Credentials == nil {
		return nil, errors.New("sign request: there are no credentials")
	}
	credentials, err := b.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.signer.SignHTTP(ctx, credentials, request, emptySum, "s3", region, time.Now()); err != nil {
		return nil, fmt.Errorf("sign request: %w", err)
	}
	response, err := b.cfg.HTTPClient.Do(request)
	if err != nil {
		return nil, &smithyhttp.RequestSendError{Err: err}
	}
	return response, nil
}

// stored reads an answer. Without s3:ListBucket S3 does not say that there is no such key, but that
// the caller may not list. Source: Amazon S3 API reference, GetObject, "Permissions".
func stored(key string, response *http.Response) (Stored, error) {
	if response.StatusCode >= 300 {
		err := bucketRefusal(response)
		var api smithy.APIError
		_ = errors.As(err, &api)
		if api.ErrorCode() == "NoSuchKey" || api.ErrorCode() == AccessDenied && strings.Contains(api.ErrorMessage(), "s3:ListBucket") {
			return Stored{Key: key}, nil
		}
		return Stored{}, err
	}
	o := Stored{Key: key, Found: true, Size: response.ContentLength}
	if sum, ok := keptSum(response.Header); ok {
		o.CRC32, o.Summed = sum, true
		return o, nil
	}
	if o.Size < 0 || o.Size > maxSummed {
		return o, nil
	}
	hash := crc32.NewIEEE()
	if _, err := io.Copy(hash, response.Body); err != nil {
		return Stored{}, &smithyhttp.RequestSendError{Err: fmt.Errorf("read answer: %w", err)}
	}
	o.CRC32, o.Summed = hash.Sum32(), true
	return o, nil
}

// keptSum is the checksum that S3 keeps of a whole object. Of one uploaded in parts it may keep a sum
// of sums, which says nothing of the content. Source: Amazon S3 user guide, "Checking object integrity".
func keptSum(h http.Header) (uint32, bool) {
	raw, err := base64.StdEncoding.DecodeString(h.Get("X-Amz-Checksum-Crc32"))
	if err != nil || len(raw) != 4 || h.Get("X-Amz-Checksum-Type") == "COMPOSITE" {
		return 0, false
	}
	return binary.BigEndian.Uint32(raw), true
}

// bucketRefusal reads S3's error document.
func bucketRefusal(response *http.Response) error {
	var document struct{ Code, Message string }
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	_ = xml.Unmarshal(body, &document) // a page that is not AWS's has no code, and is told by its status
	if document.Code == "" {
		document.Code = "UnknownError"
	}
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: response},
		Err:      &smithy.GenericAPIError{Code: document.Code, Message: document.Message},
	}
}
