package story

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// maxAnswer bounds what one answer of the rehearsal may hold.
const maxAnswer = 16 << 20

// call asks a service of an account as its root, over HTTP as everybody does. The service is the name in
// the signature; target is the operation for those that speak JSON, "" for S3.
func (s *Stage) call(ctx context.Context, account, service, target, path string, body []byte) ([]byte, error) {
	method := http.MethodGet
	if target != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, s.World.URL()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	if target != "" {
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", target)
	}
	cred, err := s.Config(account).Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }).
		SignHTTP(ctx, cred, req, hash, service, Region, time.Now())
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // everything was read, or the error below says so
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(answer))
	}
	return answer, err
}

// listing is a bucket's objects: the hash of each one's content by its key. Source: S3 API Reference,
// Object: the ETag of an object that was put in one piece and is not encrypted with KMS is its MD5.
func (s *Stage) listing(ctx context.Context, account, bucket string) (map[string]string, error) {
	var page struct {
		IsTruncated           bool
		NextContinuationToken string
		Contents              []struct{ Key, ETag string }
	}
	objects := map[string]string{}
	for query := "?list-type=2"; query != ""; {
		body, err := s.call(ctx, account, "s3", "", "/"+bucket+query, nil)
		if err == nil {
			page.Contents = nil
			err = xml.Unmarshal(body, &page)
		}
		if err != nil {
			return nil, fmt.Errorf("list bucket %s: %w", bucket, err)
		}
		for _, o := range page.Contents {
			objects[o.Key] = strings.Trim(o.ETag, `"`)
		}
		if query = ""; page.IsTruncated {
			query = "?continuation-token=" + url.QueryEscape(page.NextContinuationToken) + "&list-type=2"
		}
	}
	return objects, nil
}

// variables are what an action of an execution put out.
func (s *Stage) variables(ctx context.Context, execution, action string) (map[string]string, error) {
	asked, err := json.Marshal(map[string]any{
		"pipelineName": s.Outputs["PipelineName"], "filter": map[string]string{"pipelineExecutionId": execution},
	})
	if err != nil {
		return nil, err
	}
	body, err := s.call(ctx, PipelineAccount, "codepipeline", "CodePipeline_20150709.ListActionExecutions", "/", asked)
	var answer struct {
		Details []struct {
			ActionName string
			Output     struct{ OutputVariables map[string]string }
		} `json:"actionExecutionDetails"`
	}
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil {
		return nil, fmt.Errorf("list the actions of execution %s: %w", execution, err)
	}
	for _, d := range answer.Details {
		if d.ActionName == action {
			return d.Output.OutputVariables, nil
		}
	}
	return nil, nil
}
