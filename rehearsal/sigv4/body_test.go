package sigv4_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/rehearsal/sigv4"
)

// The published examples: S3 API Reference, "Signature calculations for the Authorization header:
// transferring payload in multiple chunks" and "... including trailing headers".
const (
	exampleHost = "s3.amazonaws.com"
	authStart   = "AWS4-HMAC-SHA256 Credential=" + keyID + "/20130524/us-east-1/s3/aws4_request,"
)

var exampleTime = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

func example(payload, auth string, headers map[string]string) *http.Request {
	r := httptest.NewRequest("PUT", "/examplebucket/chunkObject.txt", nil)
	r.Host = exampleHost
	r.Header.Set("Authorization", authStart+auth)
	r.Header.Set("X-Amz-Date", "20130524T000000Z")
	r.Header.Set("X-Amz-Content-Sha256", payload)
	r.Header.Set("X-Amz-Decoded-Content-Length", "66560")
	r.Header.Set("Content-Encoding", "aws-chunked")
	r.Header.Set("X-Amz-Storage-Class", "REDUCED_REDUNDANCY")
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	return r
}

func chunk(data, signature string) string {
	return fmt.Sprintf("%x;chunk-signature=%s\r\n%s\r\n", len(data), signature, data)
}

func signedExample() (*http.Request, string) {
	r := example("STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
		"SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,"+
			"Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", map[string]string{"Content-Length": "66824"})
	body := chunk(strings.Repeat("a", 65536), "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648") +
		chunk(strings.Repeat("a", 1024), "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497") +
		chunk("", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")
	return r, body
}

func trailerExample() (*http.Request, string) {
	r := example("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
		"SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,"+
			"Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc32c"})
	body := chunk(strings.Repeat("a", 65536), "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2") +
		chunk(strings.Repeat("a", 1024), "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7") +
		"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" +
		"x-amz-checksum-crc32c:sOO8/Q==\r\n" +
		"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
	return r, body
}

func payload(t *testing.T, r *http.Request, body string) (sigv4.Payload, error) {
	t.Helper()
	s, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(r, secret, exampleTime); err != nil {
		t.Fatal(err)
	}
	return s.Payload([]byte(body), secret)
}

func TestSignedChunks(t *testing.T) {
	r, body := signedExample()
	p, err := payload(t, r, body)
	if err != nil || string(p.Body) != strings.Repeat("a", 66560) {
		t.Fatalf("%d bytes, %v", len(p.Body), err)
	}
	for name, tt := range map[string]struct{ body, want string }{
		"another byte":      {strings.Replace(body, "aaaa", "aaab", 1), "SignatureDoesNotMatch"},
		"without the last":  {body[:strings.LastIndex(body, "0;chunk")], "IncompleteBody"},
		"cut in a chunk":    {body[:60000], "IncompleteBody"},
		"only the last":     {body[strings.LastIndex(body, "0;chunk"):], "SignatureDoesNotMatch"},
		"not a size":        {"x" + body, "IncompleteBody"},
		"bigger than it is": {"fffffff;chunk-signature=0\r\n", "IncompleteBody"},
		"longer than said":  {strings.Replace(body, "\r\n400;", "a\r\n400;", 1), "IncompleteBody"},
		"empty":             {"", "IncompleteBody"},
	} {
		if _, err := payload(t, r, tt.body); codeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

func TestSignedTrailer(t *testing.T) {
	r, body := trailerExample()
	p, err := payload(t, r, body)
	if err != nil || len(p.Body) != 66560 || p.Trailer.Get("X-Amz-Checksum-Crc32c") != "sOO8/Q==" || len(p.Trailer) != 1 {
		t.Fatalf("%d bytes, trailer %v, %v", len(p.Body), p.Trailer, err)
	}
	if _, err := payload(t, r, strings.Replace(body, "sOO8/Q==", "AAAA/Q==", 1)); codeOf(err) != "SignatureDoesNotMatch" {
		t.Errorf("another checksum: %v", err)
	}
	if _, err := payload(t, r, body[:strings.Index(body, "x-amz-trailer-signature")]); codeOf(err) != "SignatureDoesNotMatch" {
		t.Errorf("no trailer signature: %v", err)
	}
	if _, err := payload(t, r, strings.Replace(body, "x-amz-checksum-crc32c:", "x-amz-checksum-crc32c", 1)); codeOf(err) != "IncompleteBody" {
		t.Errorf("a trailer without a colon: %v", err)
	}
}

func FuzzChunks(f *testing.F) {
	_, signed := signedExample()
	f.Add(signed[:200])
	f.Add("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n")
	f.Add("0\r\n")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("PUT", "/b/k", nil)
		r.Header.Set("Authorization", authStart+"SignedHeaders=host,Signature=00")
		r.Header.Set("X-Amz-Date", "20130524T000000Z")
		r.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
		s, err := sigv4.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := s.Payload([]byte(body), secret); err == nil && len(p.Body) > len(body) {
			t.Errorf("%d bytes out of %d", len(p.Body), len(body))
		}
	})
}
