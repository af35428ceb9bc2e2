package edge

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/wire"
)

// object is an origin's answer.
type object struct {
	status int
	header http.Header
	body   []byte
}

// ask reads path from the behavior's origin. With an origin access control the bucket sees
// CloudFront acting for the distribution, which its policy must allow; without one, nobody.
//
// HEAD reads the object too, and a revalidation reads it again instead of sending If-None-Match:
// what S3 decides is s3:GetObject either way, and in one process the body costs nothing.
func (e *Edge) ask(ctx context.Context, d *cloudfront.Distribution, b *cloudfront.Behavior, path string) object {
	origin, ok := d.Config.OriginByID(b.TargetOriginID)
	if !ok {
		return failure(wire.Errorf(http.StatusBadGateway, "NoSuchOrigin", "the distribution has no origin %s", b.TargetOriginID))
	}
	key, err := url.PathUnescape(strings.TrimPrefix(origin.Path+path, "/"))
	if err != nil {
		return failure(wire.Errorf(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI."))
	}
	if key == "" {
		// The bucket itself: a listing, which needs s3:ListBucket and is of no use to a site. S3
		// answers this to a caller that may only read objects (H).
		return failure(wire.Denied("Access Denied"))
	}
	caller := accounts.Caller{}
	if origin.AccessControl.Signs() {
		caller = accounts.ServiceCaller("cloudfront.amazonaws.com", d.Account, d.ARN)
	}
	body, header, err := e.deps.Origin.GetObject(ctx, caller, origin.Bucket(), key)
	if err != nil {
		return failure(err)
	}
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if c := parseControl(header); c.unknown != "" {
		return failure(wire.NotEmulated("the Cache-Control directive %s, which CloudFront heeds (object %s)", c.unknown, key))
	}
	for _, name := range []string{"Connection", "Content-Length", "Transfer-Encoding", "Age"} {
		header.Del(name)
	}
	header.Set("Server", "AmazonS3")
	header.Set("Accept-Ranges", "bytes")
	return object{status: http.StatusOK, header: header, body: body}
}

type s3Error struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

// failure is an error as S3 answers it.
func failure(err error) object {
	e := wire.AsError(err)
	body, _ := xml.Marshal(s3Error{Code: e.Code, Message: e.Message}) // two strings always marshal
	return object{
		status: e.HTTPStatus(), body: append([]byte(xml.Header), body...),
		header: http.Header{"Content-Type": {"application/xml"}, "Server": {"AmazonS3"}},
	}
}
