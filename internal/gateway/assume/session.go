package assume

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/unstale/unstale/internal/target"
)

// Limits of AssumeRole. Source: STS API reference, AssumeRole.
const (
	minSession = 2  // characters of a session's name
	maxSession = 64 // likewise
	maxPolicy  = 2048
)

// DefaultSession names the sessions of whoever gives no name.
const DefaultSession = "unstale"

// SessionName makes a name for a session out of any text: what AWS does not take becomes "-", what
// is too long is cut. CloudTrail shows it in both accounts, so that a call can be traced to its
// release. It is a label and no proof: whoever edits the pipeline chooses it.
func SessionName(text string) string {
	name := strings.Map(func(r rune) rune {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if letter || strings.ContainsRune("_+=,.@-", r) {
			return r
		}
		return '-'
	}, text)
	switch {
	case name == "":
		return DefaultSession
	case len(name) < minSession:
		return DefaultSession + "-" + name
	case len(name) > maxSession:
		return name[:maxSession]
	}
	return name
}

// actions are what a gateway asks of a distribution, and all that a session may.
var actions = []string{
	"cloudfront:CreateInvalidation", "cloudfront:GetDistribution", "cloudfront:GetInvalidation", "cloudfront:ListInvalidations",
}

// statement is one of a session policy.
type statement struct {
	Sid, Effect string
	Action      []string
	Resource    string
}

// SessionPolicy narrows a session to one distribution of the role's account, and to reading objects,
// whatever else the role may do. It takes and never gives: B's own policy decides which distributions there are to choose
// from. Source: IAM user guide, "Session policies".
func SessionPolicy(role target.Role, distribution string) (string, error) {
	text, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{{
		Sid: "OneDistribution", Effect: "Allow", Action: actions,
		Resource: fmt.Sprintf("arn:%s:cloudfront::%s:distribution/%s", role.Partition, role.Account, distribution),
	}, {
		// Which bucket the distribution reads is not known yet; the role's own policy names it.
		Sid: "ItsOrigin", Effect: "Allow", Action: []string{"s3:GetObject"}, Resource: fmt.Sprintf("arn:%s:s3:::*/*", role.Partition),
	}, {
		// Nor is the key, if its bucket has one; without this statement nobody in B could let the session use it.
		Sid: "ItsOriginsKey", Effect: "Allow", Action: []string{"kms:Decrypt"}, Resource: fmt.Sprintf("arn:%s:kms:*:*:key/*", role.Partition),
	}}})
	if err != nil {
		return "", fmt.Errorf("write session policy for distribution %s: %w", distribution, err)
	}
	if len(text) > maxPolicy {
		return "", fmt.Errorf("write session policy for distribution %s: it has %d characters, more than %d", distribution, len(text), maxPolicy)
	}
	return string(text), nil
}
