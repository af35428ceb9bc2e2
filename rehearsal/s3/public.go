package s3

import (
	"net"
	"slices"
	"strings"

	"github.com/unstale/unstale/iam"
)

// isPublic is S3's own meaning of a public policy: a statement allows everyone, and no condition
// pins the request to fixed values of a key that identifies who calls. Source: S3 User Guide,
// "Blocking public access to your Amazon S3 storage", "The meaning of public" (AWS-documented).
func isPublic(doc iam.Document) bool {
	return slices.ContainsFunc(doc.Statements, func(st iam.Statement) bool {
		if st.Effect != iam.Allow {
			return false
		}
		// NotPrincipal never comes with Allow: iam.Parse refuses it.
		everyone := st.Principal != nil && (st.Principal.Everyone || slices.Contains(st.Principal.AWS, "*"))
		return everyone && !pinned(st.Condition)
	})
}

// pinningKeys are the condition keys that S3 accepts as naming who calls, in lower case.
var pinningKeys = []string{
	"aws:principalorgid", "aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount",
	"aws:sourceip", "aws:userid", "s3:dataaccesspointarn", "s3:dataaccesspointaccount",
	"s3:x-amz-server-side-encryption-aws-kms-key-id",
}

// pinned looks for a positive operator with fixed values only: no wildcard, no policy variable.
// An ...IfExists operator pins nothing, as a request without the key passes it.
func pinned(conditions iam.Conditions) bool {
	for operator, keys := range conditions {
		operator = strings.TrimPrefix(strings.ToLower(operator), "foranyvalue:")
		for key, values := range keys {
			if slices.Contains(pinningKeys, strings.ToLower(key)) && pins(operator, values) {
				return true
			}
		}
	}
	return false
}

func pins(operator string, values []string) bool {
	switch operator {
	case "stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike":
		return !slices.ContainsFunc(values, func(v string) bool { return strings.ContainsAny(v, "*?$") })
	case "ipaddress":
		return !slices.ContainsFunc(values, broadRange)
	}
	return false
}

// broadRange says whether a CIDR is too wide to identify anyone: broader than /8, or /32 for IPv6.
func broadRange(cidr string) bool {
	if net.ParseIP(cidr) != nil {
		return false
	}
	_, network, err := net.ParseCIDR(cidr)
	if err != nil {
		return true
	}
	ones, bits := network.Mask.Size()
	return bits == 32 && ones < 8 || bits == 128 && ones < 32
}
