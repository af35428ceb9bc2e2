package s3

import (
	"encoding/xml"
	"net/http"
	"strconv"
)

func (in request) target() Target {
	return Target{Bucket: in.bucket, Key: in.key, UploadID: in.query.Get("uploadId")}
}

func (s *Service) serveCreateUpload(in request) (reply, error) {
	id, e, err := s.CreateMultipartUpload(in.ctx, in.call.Caller, in.bucket, in.key, in.header)
	if err != nil {
		return reply{}, err
	}
	h := http.Header{}
	e.write(h)
	return reply{header: h, xml: struct {
		XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
		Bucket   string
		Key      string
		UploadID string `xml:"UploadId"`
	}{Bucket: in.bucket, Key: in.key, UploadID: id}}, nil
}

func (s *Service) servePart(in request) (reply, error) {
	number, err := strconv.Atoi(in.query.Get("partNumber"))
	if err != nil {
		number = 0 // refused by UploadPart
	}
	if in.header.Get("X-Amz-Copy-Source") != "" {
		tag, err := s.UploadPartCopy(in.ctx, in.call.Caller, in.target(), number, in.header)
		if err != nil {
			return reply{}, err
		}
		return reply{xml: copyResult{
			XMLName: xml.Name{Space: namespace, Local: "CopyPartResult"}, LastModified: stamp(s.clock.Now()), ETag: tag,
		}}, nil
	}
	tag, err := s.UploadPart(in.ctx, in.call.Caller, in.target(), number, in.call.Body, in.header)
	if err != nil {
		return reply{}, err
	}
	h := http.Header{}
	h.Set("ETag", tag)
	for _, name := range checksumHeaders {
		if v := in.header.Get(name); v != "" {
			h.Set(name, v)
		}
	}
	return reply{header: h}, nil
}

type completeRequest struct {
	Part []struct {
		PartNumber int
		ETag       string
	}
}

func (s *Service) serveComplete(in request) (reply, error) {
	var wanted completeRequest
	err := decodeXML(in.call.Body, &wanted, "CompleteMultipartUpload", "Part", "PartNumber", "ETag",
		"ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256") // compared when the part arrived
	if err != nil {
		return reply{}, err
	}
	var refs []PartRef
	for _, p := range wanted.Part {
		refs = append(refs, PartRef{p.PartNumber, p.ETag})
	}
	o, err := s.CompleteMultipartUpload(in.ctx, in.call.Caller, in.target(), refs, in.header)
	if err != nil {
		return reply{}, err
	}
	return reply{header: written(o), xml: struct {
		XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
		Location string
		Bucket   string
		Key      string
		ETag     string
	}{Location: "/" + o.Bucket + "/" + o.Key, Bucket: o.Bucket, Key: o.Key, ETag: o.ETag}}, nil
}

func (s *Service) serveAbort(in request) (reply, error) {
	return reply{status: http.StatusNoContent}, s.AbortMultipartUpload(in.ctx, in.call.Caller, in.target())
}

func (s *Service) serveParts(in request) (reply, error) {
	parts, err := s.ListParts(in.ctx, in.call.Caller, in.target())
	return reply{xml: struct {
		XMLName     xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
		Bucket      string
		Key         string
		UploadID    string `xml:"UploadId"`
		IsTruncated bool
		Part        []Part
	}{Bucket: in.bucket, Key: in.key, UploadID: in.query.Get("uploadId"), Part: parts}}, err
}

func (s *Service) serveUploads(in request) (reply, error) {
	uploads, err := s.ListMultipartUploads(in.ctx, in.call.Caller, in.bucket, in.query.Get("prefix"))
	encode, encoding, bad := in.encoding()
	if err == nil {
		err = bad
	}
	for i := range uploads {
		uploads[i].Key = encode(uploads[i].Key)
	}
	return reply{xml: struct {
		XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
		Bucket       string
		Prefix       string
		EncodingType string `xml:",omitempty"`
		IsTruncated  bool
		Upload       []Upload
	}{Bucket: in.bucket, Prefix: encode(in.query.Get("prefix")), EncodingType: encoding, Upload: uploads}}, err
}
