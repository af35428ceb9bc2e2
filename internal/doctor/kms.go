package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/awsjson"
)

// keyPolicy reads a key's policy. Source: KMS API Reference, GetKeyPolicy.
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
	var out struct{ Policy string }
	get := awsjson.Operation{Service: "kms", Target: "TrentService.GetKeyPolicy"}
	if err := get.Call(ctx, s.cfg, region, map[string]string{"KeyId": arn, "PolicyName": "default"}, &out); err != nil {
		return "", err
	}
	if out.Policy == "" {
		return "", errors.New("the answer has no policy")
	}
	return out.Policy, nil
}
