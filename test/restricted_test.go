package test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/codepipeline"
)

// object is JSON.
type object = map[string]any

// restricting puts a key group into the delivery template, without whose signature viewers get nothing: of the
// whole site, or of what is under a path pattern.
func restricting(t *testing.T, pattern string) func(name string, text []byte) []byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	encoded := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	return func(name string, text []byte) []byte {
		if !strings.HasPrefix(name, "delivery-") {
			return text
		}
		var template object
		if err := json.Unmarshal(text, &template); err != nil {
			panic(err)
		}
		resources := template["Resources"].(object)
		resources["Key"] = object{"Type": "AWS::CloudFront::PublicKey", "Properties": object{
			"PublicKeyConfig": object{"Name": "key", "CallerReference": "1", "EncodedKey": encoded},
		}}
		resources["Keys"] = object{"Type": "AWS::CloudFront::KeyGroup", "Properties": object{
			"KeyGroupConfig": object{"Name": "keys", "Items": []any{object{"Ref": "Key"}}},
		}}
		for _, r := range resources {
			r := r.(object)
			if r["Type"] != "AWS::CloudFront::Distribution" {
				continue
			}
			config := r["Properties"].(object)["DistributionConfig"].(object)
			behavior := config["DefaultCacheBehavior"].(object)
			if pattern != "" {
				behavior = object{"PathPattern": pattern, "TargetOriginId": behavior["TargetOriginId"], "CachePolicyId": behavior["CachePolicyId"], "ViewerProtocolPolicy": "redirect-to-https"}
				config["CacheBehaviors"] = []any{behavior}
			}
			delete(config, "CustomErrorResponses") // whose page would be served instead of the refusal
			behavior["TrustedKeyGroups"] = []any{object{"Ref": "Keys"}}
		}
		out, err := json.Marshal(template)
		if err != nil {
			panic(err)
		}
		return out
	}
}

// A site that viewers need a signature for is delivered as well: what is public is looked at, and where nothing
// is, the action says that nobody looked.
func TestRestrictedSite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ what, pattern, says string }{
		{"all of it", "", "-> completed within"},
		{"a part of it", "/assets/*", "-> seen from "},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			s := set(t, story.Options{Source: static.Files, Template: restricting(t, tt.pattern)})
			for _, release := range []string{"1", "2"} {
				e, err := s.Release(deadline(t), release, nil)
				if err != nil {
					t.Fatal(err)
				}
				stages := e.Stages[len(e.Stages)-1]
				purge := stages.Actions[len(stages.Actions)-1]
				if e.Status != codepipeline.Succeeded || !strings.Contains(purge.Summary, tt.says) ||
					strings.Contains(purge.Summary, "-> not seen: viewers need signed URLs, signed cookies or a password") != (tt.pattern == "") {
					t.Errorf("release %s: %s: %s %s", release, e.Status, purge.Summary, purge.Message)
				}
			}
			views, err := s.Look(t.Context(), "/")
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range views {
				if v.Release == "2" != (tt.pattern != "") {
					t.Errorf("a viewer without a signature gets %+v", v)
				}
			}
		})
	}
}
