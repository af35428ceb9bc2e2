package s3_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestPresignedURLs(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountA, "site-a")
	presign := s3.NewPresignClient(w.client(w.Role(accountA, "sharer",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::site-a/shared/*"}}`)))
	fetch := func(method, url, body string, h http.Header) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range h {
			if name != "Host" && name != "Content-Length" {
				r.Header[name] = values
			}
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(got)
	}
	put, err := presign.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("site-a"), Key: aws.String("shared/k"), ContentType: aws.String("text/plain")})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := fetch(put.Method, put.URL, "hello", put.SignedHeader); status != 200 {
		t.Fatalf("put: %d %s", status, body)
	}
	get, err := presign.PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("site-a"), Key: aws.String("shared/k"), ResponseContentType: aws.String("text/html"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := fetch(get.Method, get.URL, "", nil); status != 200 || body != "hello" {
		t.Errorf("get: %d %s", status, body)
	}
	if status, body := fetch("GET", strings.Replace(get.URL, "shared/k", "shared/other", 1), "", nil); status != 403 || !strings.Contains(body, "SignatureDoesNotMatch") {
		t.Errorf("another key: %d %s", status, body)
	}
	secret, err := presign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("site-a"), Key: aws.String("secret")})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := fetch("GET", secret.URL, "", nil); status != 403 || !strings.Contains(body, "AccessDenied") {
		t.Errorf("what the signer may not read: %d %s", status, body)
	}
}
