package doctor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/iam"
)

// maxKeyAnswer bounds what is believed of KMS; a key policy has at most 32 KiB (KMS quotas).
const maxKeyAnswer = 256 << 10

// keyPolicy reads a key's policy. It is the only call to KMS that anything here makes, so it is written out
// instead of bringing in KMS's client. Source: KMS API Reference, GetKeyPolicy.
func (w *walk) keyPolicy(ctx context.Context, arn string) (*iam.Policy, error) {
	key, err := iam.ParseARN(arn)
	if err != nil || key.Service != "kms" || !strings.HasPrefix(key.Resource, "key/") {
		return nil, fmt.Errorf("read the policy of key %s: it is not given by a key's ARN", arn)
	}
	s, err := w.at(key.Account)
	if err != nil {
		return nil, err
	}
	w.read("kms:GetKeyPolicy", arn)
	text, err := s.getKeyPolicy(ctx, key.Region, arn)
	if err != nil {
		return nil, fmt.Errorf("kms:GetKeyPolicy %s: %s", arn, brief(err))
	}
	return plain(key.Resource, text)
}

func (s *side) getKeyPolicy(ctx context.Context, region, arn string) (string, error) {
	endpoint := "https://kms." + region + ".amazonaws.com/"
	if strings.HasPrefix(region, "cn-") {
		endpoint = "https://kms." + region + ".amazonaws.com.cn/"
	}
	if s.cfg.BaseEndpoint != nil {
		endpoint = *s.cfg.BaseEndpoint
	}
	body, err := json.Marshal(map[string]string{"KeyId": arn, "PolicyName": "default"})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "TrentService.GetKeyPolicy")
	credentials, err := s.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return "", fmt.Errorf("sign request: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "kms", region, time.Now()); err != nil {
		return "", fmt.Errorf("sign request: %w", err)
	}
	var client aws.HTTPClient = http.DefaultClient
	if s.cfg.HTTPClient != nil {
		client = s.cfg.HTTPClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxKeyAnswer))
	if err != nil {
		return "", fmt.Errorf("read answer: %w", err)
	}
	return readKeyAnswer(resp.StatusCode, answer)
}

func readKeyAnswer(status int, answer []byte) (string, error) {
	var out struct {
		Policy  string
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return "", fmt.Errorf("read answer of status %d: it is not JSON", status)
	}
	if status != http.StatusOK {
		return "", &smithy.GenericAPIError{Code: out.Type[strings.LastIndexByte(out.Type, '#')+1:], Message: out.Message}
	}
	if out.Policy == "" {
		return "", errors.New("the answer has no policy")
	}
	return out.Policy, nil
}
