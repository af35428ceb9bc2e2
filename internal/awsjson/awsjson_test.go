package awsjson_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/internal/awsjson"
)

var operation = awsjson.Operation{Service: "kms", Target: "TrentService.GetKeyPolicy"}

func signed(endpoint string) aws.Config {
	return aws.Config{BaseEndpoint: &endpoint, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}, nil
	})}
}

func TestCall(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil, !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/kms/aws4_request"):
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"__type":"IncompleteSignature"}`) // the client tells when it fails
		case r.Header.Get("X-Amz-Target") != operation.Target || string(body) != `{"KeyId":"k"}`:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"com.amazonaws.kms#NotFoundException","message":"no key"}`)
		default:
			_, _ = io.WriteString(w, `{"Policy":"p"}`)
		}
	}))
	defer server.Close()
	var out struct{ Policy string }
	if err := operation.Call(t.Context(), signed(server.URL), "eu-west-1", map[string]string{"KeyId": "k"}, &out); err != nil || out.Policy != "p" {
		t.Errorf("%+v, %v", out, err)
	}
	var refused smithy.APIError
	err := operation.Call(t.Context(), signed(server.URL), "eu-west-1", map[string]string{"KeyId": "other"}, &out)
	if !errors.As(err, &refused) || refused.ErrorCode() != "NotFoundException" || refused.ErrorMessage() != "no key" {
		t.Errorf("another key: %v", err)
	}
}

func TestCallOfNobody(t *testing.T) {
	if err := operation.Call(t.Context(), signed("http://127.0.0.1:1"), "eu-west-1", struct{}{}, &struct{}{}); err == nil {
		t.Error("somebody answered")
	}
	var refused smithy.APIError
	cfg := signed("http://127.0.0.1:1")
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("none") })
	if err := operation.Call(t.Context(), cfg, "eu-west-1", struct{}{}, &struct{}{}); err == nil || errors.As(err, &refused) || !strings.Contains(err.Error(), "sign request: none") {
		t.Errorf("without credentials: %v", err)
	}
}
