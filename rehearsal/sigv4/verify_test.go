package sigv4_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/rehearsal/sigv4"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	keyID  = "AKIAIOSFODNN7EXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	host   = "127.0.0.1:4566"
)

var signedAt = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// received is r as a server sees it.
func received(r *http.Request, body []byte) *http.Request {
	in := httptest.NewRequest(r.Method, r.URL.RequestURI(), bytes.NewReader(body))
	in.Host, in.Header = host, r.Header.Clone()
	return in
}

func sign(t testing.TB, r *http.Request, body []byte, service string, at time.Time) *http.Request {
	t.Helper()
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	if err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, hash, service, "us-east-1", at); err != nil {
		t.Fatal(err)
	}
	return received(r, body)
}

// verify does what the front door does, and returns the payload.
func verify(r *http.Request, body []byte, key string, now time.Time) ([]byte, error) {
	s, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	s = s.NeedsBody(body)
	if err := s.Verify(r, key, now); err != nil {
		return nil, err
	}
	p, err := s.Payload(body, key)
	return p.Body, err
}

func newRequest(t testing.TB, method, target string, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+host+target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return wire.AsError(err).Code
}

func TestVerify(t *testing.T) {
	tests := []struct {
		name   string
		change func(*http.Request) // after signing
		body   string              // received, when another than sent
		secret string
		late   time.Duration
		want   string
	}{
		{name: "as signed"},
		{name: "4 minutes late", late: 4 * time.Minute},
		{name: "6 minutes late", late: 6 * time.Minute, want: "SignatureDoesNotMatch"},
		{name: "6 minutes early", late: -6 * time.Minute, want: "SignatureDoesNotMatch"},
		{name: "another secret", secret: "other", want: "SignatureDoesNotMatch"},
		{name: "another body", body: "Action=Other", want: "SignatureDoesNotMatch"},
		{name: "another path", change: func(r *http.Request) { r.URL.Path = "/other" }, want: "SignatureDoesNotMatch"},
		{name: "another query", change: func(r *http.Request) { r.URL.RawQuery = "a=2" }, want: "SignatureDoesNotMatch"},
		{name: "another method", change: func(r *http.Request) { r.Method = "PUT" }, want: "SignatureDoesNotMatch"},
		{name: "another host", change: func(r *http.Request) { r.Host = "evil:80" }, want: "SignatureDoesNotMatch"},
		{name: "another signed header", change: func(r *http.Request) { r.Header.Set("X-Amz-Target", "b") }, want: "SignatureDoesNotMatch"},
		{name: "an unsigned header", change: func(r *http.Request) { r.Header.Set("X-Forwarded-For", "b") }},
		{name: "no signature", change: func(r *http.Request) { r.Header.Del("Authorization") }, want: "MissingAuthenticationToken"},
		{name: "another algorithm", change: func(r *http.Request) { r.Header.Set("Authorization", "Basic eDp5") }, want: "IncompleteSignature"},
		{name: "no date", change: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, want: "IncompleteSignature"},
		{name: "another day", change: func(r *http.Request) { r.Header.Set("X-Amz-Date", "20261123T120000Z") }, want: "IncompleteSignature"},
		{name: "half a credential", change: func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261122/us-east-1, SignedHeaders=host, Signature=00")
		}, want: "IncompleteSignature"},
		{name: "host not signed", change: func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+keyID+"/20261122/us-east-1/sts/aws4_request, SignedHeaders=x-amz-date, Signature=00")
		}, want: "IncompleteSignature"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := []byte("Action=GetCallerIdentity")
			out := newRequest(t, "POST", "/?a=1", body)
			out.Header.Set("X-Amz-Target", "a")
			r := sign(t, out, body, "sts", signedAt)
			if tt.change != nil {
				tt.change(r)
			}
			if tt.body != "" {
				body = []byte(tt.body)
			}
			key := secret
			if tt.secret != "" {
				key = tt.secret
			}
			if _, err := verify(r, body, key, signedAt.Add(tt.late)); codeOf(err) != tt.want {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestVerifiesWhatTheSDKSigns: any path, query and body, signed by AWS's own signer.
func TestVerifiesWhatTheSDKSigns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		service := rapid.SampledFrom([]string{"s3", "lambda", "sts"}).Draw(rt, "service")
		segments := rapid.SliceOfN(rapid.StringMatching(`[a-zA-Z0-9 ._~:+=&$@%ü-]{1,8}`), 0, 3).Draw(rt, "path")
		query := url.Values{}
		for _, name := range rapid.SliceOfN(rapid.StringMatching(`[a-z0-9.-]{1,4}`), 0, 4).Draw(rt, "names") {
			query.Add(name, rapid.StringMatching(`[a-zA-Z0-9 /+=ü*]{0,6}`).Draw(rt, "value"))
		}
		body := []byte(rapid.String().Draw(rt, "body"))
		r := newRequest(t, "POST", "/", body)
		r.URL.Path, r.URL.RawQuery = "/"+strings.Join(segments, "/"), strings.ReplaceAll(query.Encode(), "+", "%20")
		if service == "s3" {
			// S3 clients send the path in AWS's own encoding, which is what they sign.
			r.URL.RawPath = awsEncoded(r.URL.Path)
		}
		got, err := verify(sign(t, r, body, service, signedAt), body, secret, signedAt)
		if err != nil || string(got) != string(body) {
			rt.Fatalf("%s %s: %v", service, r.URL, err)
		}
	})
}

func awsEncoded(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20")
	}
	return strings.Join(parts, "/")
}

func TestPresigned(t *testing.T) {
	presign := func(service, expires string) *http.Request {
		t.Helper()
		r := newRequest(t, "GET", "/bucket/key?X-Amz-Expires="+expires, nil)
		hash := "UNSIGNED-PAYLOAD"
		if service != "s3" {
			sum := sha256.Sum256(nil)
			hash = hex.EncodeToString(sum[:])
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
		uri, _, err := signer.PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: "token"}, r, hash, service, "us-east-1", signedAt)
		if err != nil {
			t.Fatal(err)
		}
		in := httptest.NewRequest("GET", strings.TrimPrefix(uri, "http://"+host), nil)
		in.Host = host
		return in
	}
	for _, service := range []string{"s3", "sts"} {
		if _, err := verify(presign(service, "60"), nil, secret, signedAt.Add(59*time.Second)); err != nil {
			t.Errorf("%s in time: %v", service, err)
		}
		if _, err := verify(presign(service, "60"), nil, secret, signedAt.Add(61*time.Second)); codeOf(err) != "SignatureDoesNotMatch" {
			t.Errorf("%s after its end: %v", service, err)
		}
	}
	s, err := sigv4.Parse(presign("s3", "60"))
	if err != nil || s.Token != "token" || s.AccessKeyID != keyID || s.Service != "s3" {
		t.Errorf("parsed %+v, %v", s, err)
	}
	for _, bad := range []string{"", "x", "-1", "604801"} {
		if _, err := sigv4.Parse(presign("s3", bad)); codeOf(err) != "IncompleteSignature" {
			t.Errorf("expires %q: %v", bad, err)
		}
	}
	tampered := presign("s3", "60")
	tampered.URL.Path = "/bucket/other"
	if _, err := verify(tampered, nil, secret, signedAt); codeOf(err) != "SignatureDoesNotMatch" {
		t.Errorf("another key: %v", err)
	}
}

// TestS3SignsWhatItActsUpon: an x-amz- header that nobody signed is refused, not obeyed.
func TestS3SignsWhatItActsUpon(t *testing.T) {
	r := sign(t, newRequest(t, "PUT", "/b/k", nil), nil, "s3", signedAt)
	r.Header.Set("X-Amz-Acl", "public-read")
	if _, err := verify(r, nil, secret, signedAt); codeOf(err) != "AccessDenied" {
		t.Errorf("an unsigned x-amz-acl: %v", err)
	}
	late := sign(t, newRequest(t, "GET", "/b/k", nil), nil, "s3", signedAt)
	if _, err := verify(late, nil, secret, signedAt.Add(14*time.Minute)); err != nil {
		t.Errorf("S3 takes 15 minutes of skew: %v", err)
	}
	if _, err := verify(late, []byte("x"), secret, signedAt); codeOf(err) != "XAmzContentSHA256Mismatch" {
		t.Errorf("another body: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=A/20261122/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "a=1&b", "20261122T120000Z")
	f.Add("", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A&X-Amz-Expires=9", "")
	f.Fuzz(func(t *testing.T, auth, query, date string) {
		r := &http.Request{Method: "GET", Host: host, URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{}}
		r.Header.Set("Authorization", auth)
		r.Header.Set("X-Amz-Date", date)
		s, err := sigv4.Parse(r)
		if err != nil {
			return
		}
		if s.NeedsBody(nil).Verify(r, secret, signedAt) == nil {
			t.Errorf("verified without the secret: %q %q", auth, query)
		}
	})
}
