// Package awsjson makes the few calls to services of which so little is asked that their clients are not
// worth bringing in: those that speak AWS JSON 1.1, such as KMS and CodeCommit.
package awsjson

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
)

// maxAnswer bounds what is believed of a service. The largest answer that is asked for has a key policy of
// at most 32 KiB (KMS quotas).
const maxAnswer = 256 << 10

// Operation is one of a service's, as X-Amz-Target names it: "TrentService.GetKeyPolicy".
type Operation struct{ Service, Target string }

// Call makes one call. What the service refuses is a *smithy.GenericAPIError with its code. Source: Smithy,
// AWS JSON 1.1 protocol.
func (o Operation) Call(ctx context.Context, cfg aws.Config, region string, in, out any) error {
	endpoint := "https://" + o.Service + "." + region + ".amazonaws.com/"
	if strings.HasPrefix(region, "cn-") {
		endpoint = "https://" + o.Service + "." + region + ".amazonaws.com.cn/"
	}
	if cfg.BaseEndpoint != nil {
		endpoint = *cfg.BaseEndpoint
	}
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", o.Target)
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("sign request: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), o.Service, region, time.Now()); err != nil {
		return fmt.Errorf("sign request: %w", err)
	}
	var client aws.HTTPClient = http.DefaultClient
	if cfg.HTTPClient != nil {
		client = cfg.HTTPClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return read(resp.StatusCode, answer, out)
}

func read(status int, answer []byte, out any) error {
	var refusal struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	into := out
	if status != http.StatusOK {
		into = &refusal
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read answer of status %d: it is not JSON", status)
	}
	if status != http.StatusOK {
		return &smithy.GenericAPIError{Code: refusal.Type[strings.LastIndexByte(refusal.Type, '#')+1:], Message: refusal.Message}
	}
	return nil
}
