package s3

import (
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

// overrides are the parameters with which a reader replaces headers of the answer.
var overrides = []string{
	"response-content-type", "response-content-language", "response-expires", "response-cache-control",
	"response-content-disposition", "response-content-encoding",
}

func (in request) ask() Ask {
	return Ask{Bucket: in.bucket, Key: in.key, VersionID: in.query.Get("versionId"), Header: in.header}
}

func (in request) override(h http.Header) {
	for _, param := range overrides {
		if v := in.query.Get(param); v != "" {
			h.Set(strings.TrimPrefix(param, "response-"), v)
		}
	}
}

func (s *Service) serveGet(in request) (reply, error) {
	o, err := s.Get(in.ctx, in.call.Caller, in.ask())
	if err != nil {
		return reply{header: o.Header}, err
	}
	in.override(o.Header)
	return reply{status: o.Status, header: o.Header, body: o.Body}, nil
}

func (s *Service) serveHead(in request) (reply, error) {
	if in.header.Get("Range") != "" {
		return reply{}, wire.NotEmulated("the header range of S3's HeadObject")
	}
	o, err := s.Head(in.ctx, in.call.Caller, in.ask())
	if err != nil {
		return reply{header: o.Header}, err
	}
	in.override(o.Header)
	return reply{status: o.Status, header: o.Header}, nil
}

type copyResult struct {
	XMLName      xml.Name
	LastModified string
	ETag         string
}

func (s *Service) servePut(in request) (reply, error) {
	if in.header.Get("X-Amz-Copy-Source") != "" {
		o, err := s.CopyObject(in.ctx, in.call.Caller, in.bucket, in.key, in.header)
		if err != nil {
			return reply{}, err
		}
		modified, err := http.ParseTime(o.Header.Get("Last-Modified"))
		return reply{header: written(o), xml: copyResult{
			XMLName: xml.Name{Space: namespace, Local: "CopyObjectResult"}, LastModified: stamp(modified), ETag: o.ETag,
		}}, err
	}
	o, err := s.PutObject(in.ctx, in.call.Caller, in.bucket, in.key, in.call.Body, in.header)
	if err != nil {
		return reply{}, err
	}
	h := written(o)
	h.Set("ETag", o.ETag)
	for _, name := range checksumHeaders {
		if v := in.header.Get(name); v != "" {
			h.Set(name, v)
		}
	}
	return reply{header: h}, nil
}

// written is what S3 answers to a write: how it was encrypted, and the version.
func written(o Object) http.Header {
	out := http.Header{}
	for _, name := range []string{headerSSE, headerKey, headerBucketKey, "X-Amz-Version-Id"} {
		if v := o.Header.Get(name); v != "" {
			out.Set(name, v)
		}
	}
	return out
}

func (s *Service) serveDelete(in request) (reply, error) {
	done, err := s.Delete(in.ctx, in.call.Caller, in.ask())
	if err != nil {
		return reply{}, err
	}
	h := http.Header{}
	if done.VersionID != "" {
		h.Set("X-Amz-Version-Id", done.VersionID)
	}
	if done.Marker {
		h.Set("X-Amz-Delete-Marker", "true")
	}
	return reply{status: http.StatusNoContent, header: h}, nil
}

type deleteRequest struct {
	Object []struct {
		Key       string
		VersionID string `xml:"VersionId"`
		ETag      string
	}
	Quiet bool
}

type deleted struct {
	Key       string
	VersionID string `xml:"VersionId,omitempty"`
	Marker    bool   `xml:"DeleteMarker,omitempty"`
	MarkerID  string `xml:"DeleteMarkerVersionId,omitempty"`
}

type deleteError struct {
	Key       string
	VersionID string `xml:"VersionId,omitempty"`
	Code      string
	Message   string
}

type deleteResult struct {
	XMLName xml.Name      `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
	Deleted []deleted     `xml:"Deleted"`
	Errors  []deleteError `xml:"Error"`
}

func (s *Service) serveDeleteObjects(in request) (reply, error) {
	if _, err := verifyChecksums(in.header, in.call.Body); err != nil {
		return reply{}, err
	}
	var wanted deleteRequest
	if err := decodeXML(in.call.Body, &wanted, "Delete", "Object", "Key", "VersionId", "ETag", "Quiet"); err != nil {
		return reply{}, err
	}
	if n := len(wanted.Object); n == 0 || n > maxPage {
		return reply{}, malformedXML()
	}
	var out deleteResult
	for _, o := range wanted.Object {
		h := http.Header{}
		if o.ETag != "" {
			h.Set("If-Match", o.ETag)
		}
		done, err := s.Delete(in.ctx, in.call.Caller, Ask{Bucket: in.bucket, Key: o.Key, VersionID: o.VersionID, Header: h})
		if err != nil {
			e := wire.AsError(err)
			out.Errors = append(out.Errors, deleteError{o.Key, o.VersionID, e.Code, e.Message})
			continue
		}
		if wanted.Quiet {
			continue
		}
		d := deleted{Key: o.Key, VersionID: o.VersionID, Marker: done.Marker}
		if done.Marker {
			d.MarkerID = done.VersionID
		}
		out.Deleted = append(out.Deleted, d)
	}
	return reply{xml: out}, nil
}
