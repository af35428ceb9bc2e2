// Package repair writes down what mends a broken link: the statement that a decision misses, in which
// account, and to what it has to be added. Whoever explains a denial, one that happened or one that
// would, tells it in these words.
package repair

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/unstale/unstale/iam"
)

// The verbs of a change.
const (
	Add    = "add"    // a statement to a policy
	Remove = "remove" // a statement from a policy
	Set    = "set"    // a configuration
)

// Change is what repairs one thing.
type Change struct {
	Do        string          `json:"do"`              // Add, Remove or Set
	Account   string          `json:"account"`         // where, 12 digits
	To        string          `json:"to"`              // the ARN or name of what is changed
	Layer     string          `json:"layer,omitempty"` // the kind of policy, e.g. "trust"; empty with Set
	Statement json.RawMessage `json:"statement"`       // of a policy; with Set, the configuration
	// Command does it where a policy cannot be pasted, for the AWS CLI with credentials of Account; else empty.
	Command string `json:"command,omitempty"`
}

// Of are the changes that remedies ask for, those that they name as Also included. Remedies that differ in
// nothing but their actions are one change: a role that lacks four actions lacks one statement.
func Of(remedies ...iam.Remedy) ([]Change, error) {
	var merged []iam.Remedy
	for _, r := range remedies {
		for _, r := range append([]iam.Remedy{r}, r.Also...) {
			r.Also, r.Statement = nil, lasting(r.Statement)
			if i := slices.IndexFunc(merged, func(m iam.Remedy) bool { return sameButActions(m, r) }); i >= 0 {
				merged[i].Statement.Action = union(merged[i].Statement.Action, r.Statement.Action)
				continue
			}
			merged = append(merged, r)
		}
	}
	var out []Change
	for _, r := range merged {
		raw, err := json.Marshal(r.Statement)
		if err != nil {
			return nil, fmt.Errorf("write the missing statement: %w", err)
		}
		out = append(out, Change{Do: Add, Account: r.Account, To: r.To, Layer: string(r.Layer), Statement: raw, Command: permission(r)})
	}
	return out, nil
}

func sameButActions(a, b iam.Remedy) bool {
	a.Statement.Action, b.Statement.Action = nil, nil
	return a.Account == b.Account && a.Layer == b.Layer && a.To == b.To && a.Statement.String() == b.Statement.String()
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// lasting makes of a statement about one object of a bucket one about all of them: the next release has
// other keys.
func lasting(s iam.Statement) iam.Statement {
	s.Resource = slices.Clone(s.Resource)
	for i, resource := range s.Resource {
		if bucket, key, ok := strings.Cut(resource, "/"); ok && key != "" && !strings.HasSuffix(key, "*") && strings.HasPrefix(bucket, "arn:aws:s3:::") {
			s.Resource[i] = bucket + "/*"
		}
	}
	return s
}

// String is the change for a person: one line that says where, then the JSON to paste.
func (c Change) String() string {
	where := c.To
	if c.Layer != "" && c.Layer != string(iam.LayerSCP) {
		where = "the " + c.Layer + " policy of " + c.To
	}
	preposition := map[string]string{Add: "to", Remove: "from", Set: "in"}[c.Do]
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s in account %s, %s %s:\n", c.Do, c.Account, preposition, where)
	start := b.Len()
	if err := json.Indent(&b, c.Statement, "", "  "); err != nil {
		b.Truncate(start)
		b.Write(c.Statement)
	}
	b.WriteByte('\n')
	if c.Command != "" {
		fmt.Fprintf(&b, "with: %s\n", c.Command)
	}
	return b.String()
}

// permission is the command that adds a statement to the policy of a function, of one of its aliases or versions.
// Lambda takes no policy as a whole. Source: Lambda API reference, AddPermission.
func permission(r iam.Remedy) string {
	parts := strings.Split(r.To, ":") // arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME, and a qualifier
	s := r.Statement
	if r.Layer != iam.LayerResource || len(parts) < 7 || parts[2] != "lambda" || parts[5] != "function" || s.Principal == nil ||
		len(s.Action) != 1 || len(s.Condition) > 0 {
		return ""
	}
	who := slices.Concat(s.Principal.AWS, s.Principal.Service)
	if len(who) != 1 {
		return ""
	}
	qualifier := ""
	if len(parts) > 7 {
		qualifier = " --qualifier " + parts[7]
	}
	return fmt.Sprintf("aws --region %s lambda add-permission --function-name %s%s --statement-id %s --action %s --principal %s",
		parts[3], parts[6], qualifier, cmp.Or(s.Sid, "unstale"), s.Action[0], who[0])
}
