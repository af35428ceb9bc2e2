package assume

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/target"
)

// taken is what AWS takes for the name of a session (STS API reference, RoleSessionName).
var taken = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

func TestSessionName(t *testing.T) {
	const execution = "0f8fad5b-d9cb-469f-a165-70867728950e"
	tests := []struct{ text, want string }{
		{execution, execution},
		{"v1.2.3+build@main", "v1.2.3+build@main"},
		{"", "unstale"},
		{"7", "unstale-7"},
		{"release 7/§", "release-7--"},
		{"ü", "unstale--"},
		{strings.Repeat("r", 65), strings.Repeat("r", 64)},
	}
	for _, tt := range tests {
		if got := SessionName(tt.text); got != tt.want {
			t.Errorf("SessionName(%q) = %q; want %q", tt.text, got, tt.want)
		}
	}
}

func TestSessionNameIsAlwaysTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		if got := SessionName(text); !taken.MatchString(got) || SessionName(got) != got {
			t.Fatalf("SessionName(%q) = %q", text, got)
		}
	})
}

func TestSessionPolicy(t *testing.T) {
	text, err := SessionPolicy(target.Role{Partition: "aws-us-gov", Account: "222222222222", Name: "purge"}, "E2EXAMPLE")
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Sid": "OneDistribution", "Effect": "Allow", "Resource": "arn:aws-us-gov:cloudfront::222222222222:distribution/E2EXAMPLE",
		"Action": []any{"cloudfront:CreateInvalidation", "cloudfront:GetDistribution", "cloudfront:GetInvalidation", "cloudfront:ListInvalidations"},
	}, map[string]any{
		"Sid": "ItsOrigin", "Effect": "Allow", "Resource": "arn:aws-us-gov:s3:::*/*", "Action": []any{"s3:GetObject"},
	}, map[string]any{
		"Sid": "ItsOriginsKey", "Effect": "Allow", "Resource": "arn:aws-us-gov:kms:*:*:key/*", "Action": []any{"kms:Decrypt"},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := iam.Parse([]byte(text)); err != nil {
		t.Error(err)
	}
	if _, err := SessionPolicy(target.Role{}, strings.Repeat("E", maxPolicy)); err == nil {
		t.Error("a policy that AWS refuses was made")
	}
}

// Whatever a target is called, its policy fits and names no other distribution.
func TestSessionPolicyFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[A-Z0-9]{1,64}`).Draw(t, "id")
		text, err := SessionPolicy(target.Role{Partition: "aws", Account: "222222222222", Name: "r"}, id)
		if err != nil || len(text) > maxPolicy || strings.Count(text, "distribution/"+id+`"`) != 1 || strings.Count(text, ":distribution/") != 1 {
			t.Fatalf("%s, %v", text, err)
		}
	})
}
