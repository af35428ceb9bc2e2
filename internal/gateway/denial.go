package gateway

import (
	"fmt"
	"regexp"
	"strings"
)

// denial is how AWS words a refusal, as IAM's troubleshooting guide shows it:
// "User: ARN is not authorized to perform: ACTION on resource: ARN because REASON". The resource
// and the reason may be missing.
var denial = regexp.MustCompile(`User: (\S+) is not authorized to perform: (\S+?)[.,]?(?: on resource: "?(\S+?)"?[.,]?)?(?:\s|$)`)

// parseDenial takes caller, action and resource out of AWS's text, as far as they are there.
func parseDenial(message string) (caller, action, resource string) {
	m := denial.FindStringSubmatch(message)
	if m == nil {
		return "", "", ""
	}
	return m[1], m[2], m[3]
}

// roleOf names the role behind a session's ARN, or returns the ARN as it is. A role's path is not in
// the session's ARN, so the name is all that can be said.
func roleOf(caller string) string {
	parts := strings.SplitN(caller, ":", 6)
	if len(parts) < 6 || !strings.HasPrefix(parts[5], "assumed-role/") {
		return caller
	}
	return fmt.Sprintf("role %s of account %s", strings.Split(parts[5], "/")[1], parts[4])
}

// advise names the next step for an error, "" where there is none to name.
func advise(e *Error) string {
	switch e.Code {
	case AccessDenied:
		return adviseDenied(e)
	case NoSuchDistribution:
		return "check the distribution's ID, and that the account called is the one that owns it: another --profile or --role-arn on the command line"
	case NoSuchInvalidation:
		return "check the invalidation's ID; it is known to its own distribution only"
	case ResourceNotFoundException:
		return fmt.Sprintf("deploy the invalidator and its alias in account %s, or correct the ARN", orUnknown(e.Account))
	case TooManyInvalidationsInProgress:
		return "wait until older invalidations complete, or use fewer wildcards"
	case FunctionError:
		return fmt.Sprintf("read the log of %s in account %s", e.Function, orUnknown(e.Account))
	case InvalidArgument:
		if strings.Contains(e.Message, "invalid invalidation paths") {
			return "check the items against CloudFront's rules for paths"
		}
	case BatchTooLarge:
		return "cover some of the items with a wildcard"
	case BadRequest, BadAnswer:
		if e.Function != "" {
			return "deploy the same release of unstale in both accounts"
		}
	case "InvalidClientTokenId", "UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException":
		return signIn
	case "NoSuchBucket":
		return "make the bucket, or mend its name (state, in the targets file)"
	case NetworkError, RequestTimeout:
		if e.Endpoint != "" {
			return fmt.Sprintf("check that %s is right and answers (AWS_ENDPOINT_URL, endpoint_url of the profile, the network)", e.Endpoint)
		}
	case "SignatureDoesNotMatch", "InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed":
		// Texts as in the IAM user guide, "Troubleshooting signed requests", and S3's error responses.
		for _, clock := range []string{"expired", "not yet current", "later than", "too large"} {
			if strings.Contains(e.Message, clock) {
				return "set the clock of the machine that calls: it is more than 5 minutes from AWS's"
			}
		}
		return signIn
	case RequestNotSent:
		return "check the credentials, the region and the endpoint of this process"
	}
	return ""
}

// signIn is for credentials that AWS does not know, or not any more.
const signIn = "aws sts get-caller-identity, which shows whose credentials these are; aws sso login for new ones"

// accountIn is the account in an ARN, "" where there is none.
func accountIn(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// adviseDenied reads AWS's reason ("because no identity-based policy allows ...") and says which
// policy to change.
func adviseDenied(e *Error) string {
	if e.Action == "" {
		return "give the caller the permission that the operation needs; AWS did not name it"
	}
	who, resource := roleOf(e.Caller), e.Resource
	if resource == "" {
		resource = "the resource"
	}
	reason, cloudFront := e.Message, strings.HasPrefix(e.Action, "cloudfront:")
	mine, theirs := accountIn(e.Caller), accountIn(e.Resource)
	switch {
	case strings.Contains(reason, "explicit deny"):
		return fmt.Sprintf("find the statement that denies %s to %s (AWS names the kind of policy) and narrow it", e.Action, who)
	case cloudFront && mine != "" && theirs != "" && mine != theirs:
		// CloudFront has no resource policies: nothing but credentials of the account will do.
		return fmt.Sprintf("use credentials of account %s, whose distribution it is, not of account %s: another --profile or --role-arn on the command line", theirs, mine)
	case !cloudFront && strings.Contains(reason, "no resource-based policy"):
		return fmt.Sprintf("allow %s to %s in the resource policy of %s; for an alias, on that alias", e.Action, who, resource)
	case strings.Contains(reason, "no session policy"):
		return fmt.Sprintf("allow %s on %s in the session policy that %s was assumed with", e.Action, resource, who)
	case strings.Contains(reason, "no permissions boundary"):
		return fmt.Sprintf("allow %s on %s in the permissions boundary of %s", e.Action, resource, who)
	case strings.Contains(reason, "service control policy"), strings.Contains(reason, "resource control policy"):
		return fmt.Sprintf("ask who keeps the organization's policies to allow %s on %s", e.Action, resource)
	}
	return fmt.Sprintf("allow %s on %s in a policy of %s", e.Action, resource, who)
}

func orUnknown(account string) string {
	if account == "" {
		return "of the function"
	}
	return account
}
