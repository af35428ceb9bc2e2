package iam

import (
	"fmt"
	"strings"
)

// ARN is an Amazon Resource Name split at its first five colons.
type ARN struct {
	Partition string // e.g. "aws"
	Service   string // e.g. "iam"
	Region    string // empty for global services
	Account   string // 12 digits; empty for S3 buckets
	Resource  string // all the rest, e.g. "role/unstale-job" or "function:relay:live"
}

// ParseARN splits an ARN. It asks for six parts and a partition, a service and a resource; it does
// not look the service up.
func ParseARN(s string) (ARN, error) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] == "" || parts[5] == "" {
		return ARN{}, fmt.Errorf("parse ARN %q: want arn:partition:service:region:account:resource", s)
	}
	return ARN{Partition: parts[1], Service: parts[2], Region: parts[3], Account: parts[4], Resource: parts[5]}, nil
}

// String joins the parts again.
func (a ARN) String() string {
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}

// ValidAccount reports whether s is an account ID: exactly twelve digits.
func ValidAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// ValidUniqueID reports whether s is what IAM stores in place of a role's or user's ARN: "AROA..."
// or "AIDA..." (reference_identifiers, "Unique identifiers").
func ValidUniqueID(s string) bool {
	rest, ok := strings.CutPrefix(s, "AROA")
	if !ok {
		rest, ok = strings.CutPrefix(s, "AIDA")
	}
	return ok && len(rest) >= 4 && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}
