package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what S3 clients sign with.
const SigningName = "s3"

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// request is one HTTP request, path-style.
type request struct {
	ctx         context.Context
	call        front.Call
	method      string
	bucket, key string
	query       url.Values
	header      http.Header
}

// reply is the answer to it. status 0 means 200; xml, when set, is the body.
type reply struct {
	status int
	header http.Header
	body   []byte
	xml    any
}

// operation is an operation of S3's API.
type operation struct {
	name   string
	params []string // the query parameters it takes
	serve  func(*Service, request) (reply, error)
	// anywhere: served whatever region the client signed for, as clients use it to find the region.
	anywhere bool
}

// operations are by method, level and the query parameter that selects them. What is not here is
// not emulated.
var operations = map[string]operation{
	"GET service":        {name: "ListBuckets", serve: (*Service).serveListBuckets, anywhere: true},
	"PUT bucket":         {name: "CreateBucket", serve: (*Service).serveCreateBucket, anywhere: true},
	"HEAD bucket":        {name: "HeadBucket", serve: (*Service).serveHeadBucket},
	"DELETE bucket":      {name: "DeleteBucket", serve: (*Service).serveDeleteBucket},
	"GET bucket":         {name: "ListObjects", params: []string{"prefix", "delimiter", "marker", "max-keys", "encoding-type"}, serve: (*Service).serveListV1},
	"POST bucket delete": {name: "DeleteObjects", params: []string{"delete"}, serve: (*Service).serveDeleteObjects},
	"GET bucket list-type": {
		name:   "ListObjectsV2",
		params: []string{"list-type", "prefix", "delimiter", "start-after", "continuation-token", "max-keys", "encoding-type", "fetch-owner"},
		serve:  (*Service).serveListV2,
	},
	"GET bucket versions":          {name: "ListObjectVersions", params: []string{"versions", "prefix", "max-keys", "encoding-type"}, serve: (*Service).serveVersions},
	"GET bucket uploads":           {name: "ListMultipartUploads", params: []string{"uploads", "prefix", "max-uploads", "encoding-type"}, serve: (*Service).serveUploads},
	"GET bucket location":          {name: "GetBucketLocation", params: []string{"location"}, serve: (*Service).serveLocation, anywhere: true},
	"GET bucket policy":            {name: "GetBucketPolicy", params: []string{"policy"}, serve: (*Service).serveGetPolicy},
	"PUT bucket policy":            {name: "PutBucketPolicy", params: []string{"policy"}, serve: (*Service).servePutPolicy},
	"DELETE bucket policy":         {name: "DeleteBucketPolicy", params: []string{"policy"}, serve: (*Service).serveDeletePolicy},
	"GET bucket policyStatus":      {name: "GetBucketPolicyStatus", params: []string{"policyStatus"}, serve: (*Service).servePolicyStatus},
	"GET bucket publicAccessBlock": {name: "GetPublicAccessBlock", params: []string{"publicAccessBlock"}, serve: (*Service).serveGetBlock},
	"PUT bucket publicAccessBlock": {name: "PutPublicAccessBlock", params: []string{"publicAccessBlock"}, serve: (*Service).servePutBlock},
	"DELETE bucket publicAccessBlock": {
		name: "DeletePublicAccessBlock", params: []string{"publicAccessBlock"}, serve: (*Service).serveDeleteBlock,
	},
	"GET bucket encryption":        {name: "GetBucketEncryption", params: []string{"encryption"}, serve: (*Service).serveGetEncryption},
	"PUT bucket encryption":        {name: "PutBucketEncryption", params: []string{"encryption"}, serve: (*Service).servePutEncryption},
	"DELETE bucket encryption":     {name: "DeleteBucketEncryption", params: []string{"encryption"}, serve: (*Service).serveDeleteEncryption},
	"GET bucket versioning":        {name: "GetBucketVersioning", params: []string{"versioning"}, serve: (*Service).serveGetVersioning},
	"PUT bucket versioning":        {name: "PutBucketVersioning", params: []string{"versioning"}, serve: (*Service).servePutVersioning},
	"GET bucket tagging":           {name: "GetBucketTagging", params: []string{"tagging"}, serve: (*Service).serveGetTagging},
	"GET bucket ownershipControls": {name: "GetBucketOwnershipControls", params: []string{"ownershipControls"}, serve: (*Service).serveGetOwnership},
	"PUT bucket ownershipControls": {name: "PutBucketOwnershipControls", params: []string{"ownershipControls"}, serve: (*Service).servePutOwnership},

	"GET object":    {name: "GetObject", params: append([]string{"versionId"}, overrides...), serve: (*Service).serveGet},
	"HEAD object":   {name: "HeadObject", params: append([]string{"versionId"}, overrides...), serve: (*Service).serveHead},
	"PUT object":    {name: "PutObject", serve: (*Service).servePut},
	"DELETE object": {name: "DeleteObject", params: []string{"versionId"}, serve: (*Service).serveDelete},

	"POST object uploads":    {name: "CreateMultipartUpload", params: []string{"uploads"}, serve: (*Service).serveCreateUpload},
	"PUT object uploadId":    {name: "UploadPart", params: []string{"uploadId", "partNumber"}, serve: (*Service).servePart},
	"POST object uploadId":   {name: "CompleteMultipartUpload", params: []string{"uploadId"}, serve: (*Service).serveComplete},
	"DELETE object uploadId": {name: "AbortMultipartUpload", params: []string{"uploadId"}, serve: (*Service).serveAbort},
	"GET object uploadId":    {name: "ListParts", params: []string{"uploadId", "max-parts"}, serve: (*Service).serveParts},
}

// ServeHTTP speaks S3's REST protocol, path-style: /bucket/key.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := front.From(r.Context())
	w.Header().Set("X-Amz-Request-Id", call.RequestID)
	in := request{ctx: r.Context(), call: call, method: r.Method, query: r.URL.Query(), header: r.Header.Clone()}
	in.bucket, in.key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	in.takeTrailer(call.Trailer)
	in.hoist()
	out, err := s.serve(in, w.Header())
	for name, values := range out.header {
		w.Header()[name] = values
	}
	switch {
	case err != nil && wire.AsError(err).Status == http.StatusNotModified:
		w.WriteHeader(http.StatusNotModified)
	case err != nil:
		WriteError(w, call.RequestID, err)
	default:
		out.write(w, in)
	}
}

func (out reply) write(w http.ResponseWriter, in request) {
	if out.xml != nil {
		var b bytes.Buffer
		b.WriteString(xml.Header)
		if err := xml.NewEncoder(&b).Encode(out.xml); err != nil {
			WriteError(w, in.call.RequestID, err)
			return
		}
		out.body = b.Bytes()
		w.Header().Set("Content-Type", "application/xml")
	}
	if out.status == 0 {
		out.status = http.StatusOK
	}
	w.WriteHeader(out.status)
	if in.method != http.MethodHead {
		_, _ = w.Write(out.body)
	}
}

// serve finds the operation, refuses what it does not take, and runs it.
func (s *Service) serve(in request, answer http.Header) (reply, error) {
	op, err := in.operation()
	if err != nil {
		return reply{}, err
	}
	if err := checkHeaders(in.header); err != nil {
		return reply{}, err
	}
	if in.bucket != "" && op.name != "CreateBucket" {
		b, err := s.bucket(in.bucket)
		if err != nil {
			return reply{}, err
		}
		answer.Set("X-Amz-Bucket-Region", b.region)
		// Source: S3 User Guide, "Verifying bucket ownership with bucket owner condition" (AWS-documented).
		if owner := in.header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != b.account {
			return reply{}, wire.Denied("Access Denied")
		}
		if !op.anywhere && b.region != in.call.Region {
			return reply{}, wire.Errorf(http.StatusBadRequest, "AuthorizationHeaderMalformed",
				"The authorization header is malformed; the region '%s' is wrong; expecting '%s'", in.call.Region, b.region)
		}
	}
	return op.serve(s, in)
}

// operation finds what a request asks for by method, level and query.
func (in request) operation() (operation, error) {
	level := "service"
	switch {
	case in.key != "":
		level = "object"
	case in.bucket != "":
		level = "bucket"
	}
	name := in.method + " " + level
	op, ok := operations[name]
	for param := range in.query {
		if o, found := operations[name+" "+param]; found {
			op, ok = o, true
		}
	}
	if !ok {
		return operation{}, wire.NotEmulated("S3's %s on a %s with the parameters %q", in.method, level, slices.Collect(keysOf(in.query)))
	}
	for param := range in.query {
		// x-id only repeats the operation's name; X-Amz-* are the presigned signature.
		if param != "x-id" && !strings.HasPrefix(param, "X-Amz-") && !slices.Contains(op.params, param) {
			return operation{}, wire.NotEmulated("the parameter %s of S3's %s", param, op.name)
		}
	}
	return op, nil
}

func keysOf(q url.Values) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range q {
			if !yield(k) {
				return
			}
		}
	}
}

// hoist turns x-amz- parameters of a presigned URL into the headers that they stand for.
func (in *request) hoist() {
	signature := []string{
		"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature", "X-Amz-Signedheaders", "X-Amz-Security-Token",
	}
	for param, values := range in.query {
		name := http.CanonicalHeaderKey(param)
		if !strings.HasPrefix(name, "X-Amz-") || slices.Contains(signature, name) {
			continue
		}
		if in.header.Get(name) == "" {
			in.header[name] = values
		}
		delete(in.query, param)
	}
}

// takeTrailer adds the checksums that came behind a chunked body.
func (in *request) takeTrailer(trailer http.Header) {
	for name, values := range trailer {
		if strings.HasPrefix(name, checksumPrefix) {
			in.header[name] = values
		}
	}
}

// decodeXML reads a request's body strictly: an element that is not among names is not emulated.
func decodeXML(body []byte, into any, names ...string) error {
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return malformedXML()
		}
		if start, ok := token.(xml.StartElement); ok && !slices.Contains(names, start.Name.Local) {
			return wire.NotEmulated("the element %s of an S3 request", start.Name.Local)
		}
	}
	if xml.Unmarshal(body, into) != nil {
		return malformedXML()
	}
	return nil
}
