package s3

import (
	"hash/crc64"
	"net/http"
	"strings"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/wire"
)

func TestThePublicMeaning(t *testing.T) {
	statement := func(effect, principal, condition string) string {
		return `{"Effect":"` + effect + `",` + principal + `,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"` + condition + `}`
	}
	const everyone, anyAWS, account = `"Principal":"*"`, `"Principal":{"AWS":"*"}`, `"Principal":{"AWS":"111111111111"}`
	condition := func(operator, key, value string) string {
		return `,"Condition":{"` + operator + `":{"` + key + `":"` + value + `"}}`
	}
	tests := []struct {
		name, statement string
		want            bool
	}{
		{"everyone", statement("Allow", everyone, ""), true},
		{"any AWS principal", statement("Allow", anyAWS, ""), true},
		{"an account", statement("Allow", account, ""), false},
		{"a service", statement("Allow", `"Principal":{"Service":"cloudfront.amazonaws.com"}`, ""), false},
		{"a denial", statement("Deny", everyone, ""), false},
		{"an organization", statement("Allow", everyone, condition("StringEquals", "aws:PrincipalOrgID", "o-1")), false},
		{"a source", statement("Allow", everyone, condition("ArnLike", "AWS:SourceArn", "arn:aws:sns:us-east-1:111111111111:t")), false},
		{"any source", statement("Allow", everyone, condition("ArnLike", "aws:SourceArn", "arn:aws:sns:us-east-1:111111111111:*")), true},
		{"if the key is there", statement("Allow", everyone, condition("StringEqualsIfExists", "aws:PrincipalOrgID", "o-1")), true},
		{"not an organization", statement("Allow", everyone, condition("StringNotEquals", "aws:PrincipalOrgID", "o-1")), true},
		{"only TLS", statement("Allow", everyone, condition("Bool", "aws:SecureTransport", "true")), true},
		{"an address", statement("Allow", everyone, condition("IpAddress", "aws:SourceIp", "192.0.2.1")), false},
		{"a network", statement("Allow", everyone, condition("IpAddress", "aws:SourceIp", "10.0.0.0/8")), false},
		{"half the world", statement("Allow", everyone, condition("IpAddress", "aws:SourceIp", "0.0.0.0/1")), true},
		{"a wide IPv6 network", statement("Allow", everyone, condition("IpAddress", "aws:SourceIp", "2001::/16")), true},
		{"not an address", statement("Allow", everyone, condition("NotIpAddress", "aws:SourceIp", "192.0.2.1")), true},
	}
	for _, tt := range tests {
		doc, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + tt.statement + `]}`))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := isPublic(doc); got != tt.want {
			t.Errorf("%s: public %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestChecksums compares with the published check values ("123456789") of each algorithm.
func TestChecksums(t *testing.T) {
	if got := crc64.Checksum([]byte("123456789"), crc64.MakeTable(crc64NVME)); got != 0xae8b14860a799888 {
		t.Errorf("CRC-64/NVME %x", got)
	}
	for name, want := range map[string]string{
		"X-Amz-Checksum-Crc32": "y/Q5Jg==", "X-Amz-Checksum-Crc32c": "4waSgw==", "X-Amz-Checksum-Crc64nvme": "rosUhgp5mIg=",
		"X-Amz-Checksum-Sha1":   "98O8HYCOBHMq32eZZczDTKeuNEE=",
		"X-Amz-Checksum-Sha256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
		"Content-Md5":           "JfnnlDI7RTiF9RgfG2JNCw==",
	} {
		if name != "Content-Md5" && encodedSum(name, []byte("123456789")) != want {
			t.Errorf("%s is %s, want %s", name, encodedSum(name, []byte("123456789")), want)
		}
		if _, err := verifyChecksums(http.Header{name: {want}}, []byte("123456789")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := verifyChecksums(http.Header{name: {want}}, []byte("other")); err == nil || wire.AsError(err).Code != "BadDigest" {
			t.Errorf("%s of another body: %v", name, err)
		}
	}
	sums, err := verifyChecksums(nil, []byte("123456789"))
	if err != nil || sums.Get("X-Amz-Checksum-Crc64nvme") != "rosUhgp5mIg=" {
		t.Errorf("without any: %v, %v", sums, err)
	}
}

func TestStoredHeaders(t *testing.T) {
	for given, want := range map[string]string{
		"": "", "gzip": "gzip", "aws-chunked": "", "aws-chunked,gzip": "gzip", "gzip, aws-chunked": "gzip",
	} {
		h, err := storedHeaders(http.Header{"Content-Encoding": {given}, "X-Other": {"no"}, "X-Amz-Meta-Tag": {"x"}})
		if err != nil || h.Get("Content-Encoding") != want || h.Get("X-Other") != "" || h.Get("X-Amz-Meta-Tag") != "x" {
			t.Errorf("%q: %v, %v", given, h, err)
		}
	}
	if _, err := storedHeaders(http.Header{"X-Amz-Meta-Big": {strings.Repeat("x", 2048)}}); wire.AsError(err).Code != "MetadataTooLarge" {
		t.Errorf("more than 2 KB of metadata: %v", err)
	}
}

func FuzzByteRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=9-3", "bytes=0-0,1-1", "lines=1-2", "bytes=--1"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		r, err := byteRange(header, size)
		if err == nil && r != nil && (r.from < 0 || r.from >= r.to || r.to > size) {
			t.Errorf("%q of %d bytes: %+v", header, size, *r)
		}
	})
}

func FuzzCopySource(f *testing.F) {
	for _, seed := range []string{"/b/k", "b/k%20x?versionId=1", "b", "%", "//"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := copySource(text)
		if err == nil && (a.Bucket == "" || a.Key == "" || strings.Contains(a.Bucket, "/")) {
			t.Errorf("%q: %+v", text, a)
		}
	})
}

func TestErrorsInS3Words(t *testing.T) {
	for _, tt := range []struct{ give, want *wire.Error }{
		{wire.Errorf(403, "InvalidClientTokenId", "The security token included in the request is invalid."), wire.Errorf(403, "InvalidAccessKeyId", "")},
		{wire.Errorf(403, "ExpiredToken", "x"), wire.Errorf(400, "ExpiredToken", "")},
		{wire.Errorf(403, "SignatureDoesNotMatch", "Signature expired: x"), wire.Errorf(403, "RequestTimeTooSkewed", "")},
		{wire.Errorf(403, "SignatureDoesNotMatch", "The request signature we calculated"), wire.Errorf(403, "SignatureDoesNotMatch", "")},
	} {
		w := &recorder{header: http.Header{}}
		WriteError(w, "id", tt.give)
		if w.status != tt.want.Status || !strings.Contains(w.body, "<Code>"+tt.want.Code+"</Code>") {
			t.Errorf("%v: %d %s, want %d %s", tt.give, w.status, w.body, tt.want.Status, tt.want.Code)
		}
	}
}

type recorder struct {
	header http.Header
	status int
	body   string
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { r.body += string(b); return len(b), nil }
