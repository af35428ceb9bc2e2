package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// State is the bucket in which runs keep what later runs have to know: manifests of what was
// deployed, the plan of every attempt, and the evidence of every run. Nothing in it is secret; whoever
// can write to it can make a purge leave something out, so only the job's role may.
type State struct {
	client         *s3.Client
	bucket, prefix string // the prefix ends in "/" or is empty
}

// NewState reads a location, "BUCKET" or "s3://BUCKET/PREFIX".
func NewState(cfg aws.Config, location string) (*State, error) {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(location, "s3://"), "/")
	if len(bucket) < 3 || len(bucket) > 63 || strings.Trim(bucket, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return nil, fmt.Errorf("read state location %q: it is not a bucket, such as s3://unstale-state-111111111111-us-east-1", location)
	}
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return &State{s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = strings.Contains(bucket, ".") // TLS does not hold for such names in a host's name
	}), bucket, prefix}, nil
}

// URI names an object of the state for people and for the AWS CLI.
func (s *State) URI(key string) string { return "s3://" + s.bucket + "/" + s.prefix + key }

// maxState is the most bytes of one object that are read: a manifest of some millions of files.
const maxState = 256 << 20

// errChanged says that an object is not what it was when it was read.
var errChanged = errors.New("it was changed by another run meanwhile")

// get reads an object; nil and no error when there is none. The tag tells its version.
func (s *State) get(ctx context.Context, key string) (body []byte, tag string, err error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + key)})
	if code(err) == "NoSuchKey" {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", s.fail("read", key, err)
	}
	defer out.Body.Close()
	body, err = io.ReadAll(io.LimitReader(out.Body, maxState+1))
	if err == nil && len(body) > maxState {
		err = fmt.Errorf("it has more than %d bytes", maxState)
	}
	if err != nil {
		return nil, "", s.fail("read", key, err)
	}
	return body, aws.ToString(out.ETag), nil
}

// put writes an object. With a tag it must still be the version of that tag; with anew it must not be
// there yet. Otherwise the error is errChanged. Source: Amazon S3 user guide, "Conditional writes".
func (s *State) put(ctx context.Context, key string, body []byte, tag string, anew bool) error {
	in := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: aws.String(s.prefix + key), Body: bytes.NewReader(body),
	}
	switch {
	case tag != "":
		in.IfMatch = &tag
	case anew:
		in.IfNoneMatch = aws.String("*")
	}
	if strings.HasSuffix(key, ".json") {
		in.ContentType = aws.String("application/json")
	}
	_, err := s.client.PutObject(ctx, in)
	switch code(err) {
	case "PreconditionFailed", "ConditionalRequestConflict":
		return errChanged
	case "NoSuchKey": // of a version that was deleted meanwhile
		if tag != "" {
			return errChanged
		}
	}
	if err != nil {
		return s.fail("write", key, err)
	}
	return nil
}

// keys lists the keys under a prefix, without the state's own prefix.
func (s *State) keys(ctx context.Context, under string) ([]string, error) {
	var all []string
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(s.prefix + under)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.fail("list", under, err)
		}
		for _, o := range page.Contents {
			all = append(all, strings.TrimPrefix(aws.ToString(o.Key), s.prefix))
		}
	}
	return all, nil
}

func (s *State) fail(what, key string, err error) error {
	return &Error{Bucket: s.bucket, Key: s.prefix + key, What: what, Code: code(err), Err: plain(err)}
}

// said is an error told in AWS's words alone, without the SDK's layers around them.
type said struct {
	text string
	err  error
}

func (s *said) Error() string { return s.text }

func (s *said) Unwrap() error { return s.err }

func plain(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		return &said{api.ErrorCode() + ": " + api.ErrorMessage(), err}
	}
	return err
}

// sumLength is how many bytes of a SHA-256 name content.
const sumLength = 16

// sumOf names content.
func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:sumLength])
}
