package s3

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

type content struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
	StorageClass string
	Owner        *owner `xml:",omitempty"`
}

type owner struct{ ID string }

type commonPrefix struct{ Prefix string }

// listResult is the answer of both forms of ListObjects; each fills its own.
type listResult struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	Marker                *string        `xml:",omitempty"`
	NextMarker            string         `xml:",omitempty"`
	StartAfter            string         `xml:",omitempty"`
	ContinuationToken     string         `xml:",omitempty"`
	NextContinuationToken string         `xml:",omitempty"`
	KeyCount              *int           `xml:",omitempty"`
	MaxKeys               int            //
	Delimiter             string         `xml:",omitempty"`
	EncodingType          string         `xml:",omitempty"`
	IsTruncated           bool           //
	Contents              []content      //
	CommonPrefixes        []commonPrefix //
}

// encoding is how keys are written: as they are, or URL-encoded when the client asks.
func (in request) encoding() (func(string) string, string, error) {
	switch v := in.query.Get("encoding-type"); v {
	case "":
		return func(s string) string { return s }, "", nil
	case "url":
		return func(s string) string {
			return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(s))
		}, v, nil
	}
	return func(s string) string { return s }, "", wire.Errorf(http.StatusBadRequest, "InvalidArgument", "Invalid Encoding Method specified in Request")
}

// list reads the parameters that both forms share.
func (in request) list() (List, error) {
	out := List{Bucket: in.bucket, Prefix: in.query.Get("prefix"), Delimiter: in.query.Get("delimiter"), Max: maxPage, sent: map[string][]string{}}
	for _, name := range []string{"prefix", "delimiter", "max-keys"} {
		if in.query.Has(name) {
			out.sent["s3:"+name] = []string{in.query.Get(name)}
		}
	}
	if v := in.query.Get("max-keys"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return List{}, wire.Errorf(http.StatusBadRequest, "InvalidArgument", "Argument maxKeys must be an integer between 0 and 2147483647")
		}
		out.Max = min(n, maxPage)
	}
	return out, nil
}

// page lists and writes what both forms share.
func (s *Service) page(in request, l List) (listResult, Page, error) {
	encode, encoding, err := in.encoding()
	if err != nil {
		return listResult{}, Page{}, err
	}
	p, err := s.List(in.ctx, in.call.Caller, l)
	if err != nil {
		return listResult{}, Page{}, err
	}
	if l.Max == 0 {
		p = Page{} // decided, and nothing asked for
	}
	out := listResult{
		Name: in.bucket, Prefix: encode(l.Prefix), Delimiter: encode(l.Delimiter), MaxKeys: l.Max,
		EncodingType: encoding, IsTruncated: p.Truncated,
	}
	for _, o := range p.Objects {
		modified, err := http.ParseTime(o.Header.Get("Last-Modified"))
		if err != nil {
			return listResult{}, Page{}, err
		}
		out.Contents = append(out.Contents, content{Key: encode(o.Key), LastModified: stamp(modified), ETag: o.ETag, Size: o.Size, StorageClass: "STANDARD"})
	}
	for _, prefix := range p.Prefixes {
		out.CommonPrefixes = append(out.CommonPrefixes, commonPrefix{encode(prefix)})
	}
	return out, p, nil
}

func (s *Service) serveListV1(in request) (reply, error) {
	l, err := in.list()
	if err != nil {
		return reply{}, err
	}
	l.After = in.query.Get("marker")
	out, p, err := s.page(in, l)
	if err != nil {
		return reply{}, err
	}
	encode, _, _ := in.encoding()
	marker := encode(l.After)
	out.Marker = &marker
	if p.Truncated && l.Delimiter != "" { // without one, clients go on behind the last key (AWS-documented)
		out.NextMarker = encode(p.Last)
	}
	return reply{xml: out}, nil
}

func (s *Service) serveListV2(in request) (reply, error) {
	l, err := in.list()
	if err != nil {
		return reply{}, err
	}
	if in.query.Get("list-type") != "2" {
		return reply{}, wire.Errorf(http.StatusBadRequest, "InvalidArgument", "Invalid List Type specified in Request")
	}
	l.After = in.query.Get("start-after")
	token := in.query.Get("continuation-token")
	if token != "" {
		after, err := base64.URLEncoding.DecodeString(token)
		if err != nil {
			return reply{}, wire.Errorf(http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect")
		}
		l.After = string(after)
	}
	out, p, err := s.page(in, l)
	if err != nil {
		return reply{}, err
	}
	encode, _, _ := in.encoding()
	count := len(out.Contents) + len(out.CommonPrefixes)
	out.KeyCount, out.ContinuationToken, out.StartAfter = &count, token, encode(in.query.Get("start-after"))
	if p.Truncated {
		out.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(p.Last))
	}
	if in.query.Get("fetch-owner") == "true" {
		b, err := s.bucket(in.bucket)
		if err != nil {
			return reply{}, err
		}
		for i := range out.Contents {
			out.Contents[i].Owner = &owner{canonicalID(b.account)}
		}
	}
	return reply{xml: out}, nil
}

type versionEntry struct {
	XMLName      xml.Name
	Key          string
	VersionID    string `xml:"VersionId"`
	IsLatest     bool
	LastModified string
	ETag         string `xml:",omitempty"`
	Size         *int64 `xml:",omitempty"`
	StorageClass string `xml:",omitempty"`
}

func (s *Service) serveVersions(in request) (reply, error) {
	encode, encoding, err := in.encoding()
	if err != nil {
		return reply{}, err
	}
	all, err := s.Versions(in.ctx, in.call.Caller, in.bucket, in.query.Get("prefix"))
	if err != nil {
		return reply{}, err
	}
	out := struct {
		XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListVersionsResult"`
		Name         string
		Prefix       string
		EncodingType string `xml:",omitempty"`
		MaxKeys      int
		IsTruncated  bool
		Entries      []versionEntry
	}{Name: in.bucket, Prefix: encode(in.query.Get("prefix")), EncodingType: encoding, MaxKeys: maxPage}
	for _, v := range all {
		e := versionEntry{XMLName: xml.Name{Local: "DeleteMarker"}, Key: encode(v.Key), VersionID: v.VersionID, IsLatest: v.Latest, LastModified: v.Modified}
		if !v.Marker {
			e.XMLName.Local, e.ETag, e.Size, e.StorageClass = "Version", v.ETag, &v.Size, "STANDARD"
		}
		out.Entries = append(out.Entries, e)
	}
	return reply{xml: out}, nil
}
