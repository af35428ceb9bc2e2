package mistakes

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
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/mistakes"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/accounts"
)

// repair does what the explanation says, as the root of the account that it names.
func repair(ctx context.Context, s *story.Stage, c mistakes.Change) error {
	switch {
	case c.Do == "remove" && c.Layer == string(iam.LayerSCP):
		return s.World.Directory().SetOrganization(c.Account, nil, nil)
	case c.Do == "set":
		return configure(ctx, s, c)
	case c.Layer == string(iam.LayerIdentity):
		return grant(s, c, func(r *accounts.Role, d iam.Document) { r.Inline["repair"] = d })
	case c.Layer == string(iam.LayerTrust):
		return grant(s, c, func(r *accounts.Role, d iam.Document) {
			r.Trust.Statements = append(r.Trust.Statements, d.Statements...)
		})
	case c.Layer == string(iam.LayerKey):
		return keyPolicy(ctx, s, c)
	case strings.HasPrefix(c.To, "arn:aws:s3:::"):
		return bucketPolicy(ctx, s, c)
	case strings.HasPrefix(c.To, "arn:aws:lambda:"):
		return permission(ctx, s, c)
	}
	return fmt.Errorf("carry out %s of a %s policy of %s: unknown", c.Do, c.Layer, c.To)
}

func grant(s *story.Stage, c mistakes.Change, add func(*accounts.Role, iam.Document)) error {
	d, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + string(c.Statement) + `]}`))
	if err != nil {
		return err
	}
	if d, err = s.World.Directory().StorePrincipals(d); err != nil {
		return err
	}
	return s.World.Directory().UpdateRole(c.To, func(r *accounts.Role) error {
		if r.Inline == nil {
			r.Inline = map[string]iam.Document{}
		}
		add(r, d)
		return nil
	})
}

// with is a policy with a statement more.
func with(policy string, statement json.RawMessage) ([]byte, error) {
	var d map[string]any
	if err := json.Unmarshal([]byte(policy), &d); err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	list, ok := d["Statement"].([]any)
	if !ok {
		list = []any{d["Statement"]}
	}
	d["Statement"] = append(list, statement)
	return json.Marshal(d)
}

func bucketPolicy(ctx context.Context, s *story.Stage, c mistakes.Change) error {
	client := s3.NewFromConfig(s.Config(c.Account), func(o *s3.Options) { o.UsePathStyle = true })
	bucket := aws.String(strings.TrimPrefix(c.To, "arn:aws:s3:::"))
	old, err := client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bucket})
	if err != nil {
		return err
	}
	policy, err := with(*old.Policy, c.Statement)
	if err != nil {
		return err
	}
	_, err = client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(string(policy))})
	return err
}

// permission gives a function's alias what the statement says, by the call that makes such statements.
func permission(ctx context.Context, s *story.Stage, c mistakes.Change) error {
	var statement struct {
		Action    string
		Principal struct{ AWS string }
	}
	if err := json.Unmarshal(c.Statement, &statement); err != nil {
		return err
	}
	_, err := lambda.NewFromConfig(s.Config(c.Account)).AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: aws.String(c.To), StatementId: aws.String("repair"), Action: aws.String(statement.Action), Principal: aws.String(statement.Principal.AWS),
	})
	return err
}

// configure sets a function's environment or code, and lets its alias, if it has one, follow.
func configure(ctx context.Context, s *story.Stage, c mistakes.Change) error {
	var values map[string]string
	if err := json.Unmarshal(c.Statement, &values); err != nil {
		return err
	}
	client := lambda.NewFromConfig(s.Config(c.Account))
	function, what, _ := strings.Cut(strings.TrimPrefix(c.To, "function "), ", ")
	if what == "code" {
		_, err := client.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{
			FunctionName: &function, S3Bucket: aws.String(values["S3Bucket"]), S3Key: aws.String(values["S3Key"]),
		})
		return err
	}
	now, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
	if err != nil {
		return err
	}
	for k, v := range values {
		now.Environment.Variables[k] = v
	}
	in := &lambda.UpdateFunctionConfigurationInput{FunctionName: &function}
	in.Environment = environment(now.Environment.Variables)
	if _, err := client.UpdateFunctionConfiguration(ctx, in); err != nil || function != "unstale-invalidator" {
		return err
	}
	version, err := client.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &function})
	if err != nil {
		return err
	}
	_, err = client.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: &function, Name: aws.String("live"), FunctionVersion: version.Version})
	return err
}

// keyPolicy speaks to KMS, whose SDK client nothing else here needs.
func keyPolicy(ctx context.Context, s *story.Stage, c mistakes.Change) error {
	old, err := kms(ctx, s, c.Account, "GetKeyPolicy", map[string]string{"KeyId": c.To, "PolicyName": "default"})
	if err != nil {
		return err
	}
	policy, err := with(old["Policy"], c.Statement)
	if err != nil {
		return err
	}
	_, err = kms(ctx, s, c.Account, "PutKeyPolicy", map[string]string{"KeyId": c.To, "PolicyName": "default", "Policy": string(policy)})
	return err
}

func kms(ctx context.Context, s *story.Stage, account, operation string, in map[string]string) (map[string]string, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.World.URL(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "TrentService."+operation)
	credentials, err := s.Config(account).Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "kms", story.Region, time.Now()); err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("kms:%s: %s: %s: %w", operation, resp.Status, answer, err)
	}
	out := map[string]string{}
	if len(answer) == 0 {
		return out, nil
	}
	return out, json.Unmarshal(answer, &out)
}
