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
		return "check the distribution's ID, and that the account called is the one that owns it"
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
	case "SignatureDoesNotMatch", "InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed":
		// Texts as in the IAM user guide, "Troubleshooting signed requests", and S3's error responses.
		for _, clock := range []string{"expired", "not yet current", "later than", "too large"} {
			if strings.Contains(e.Message, clock) {
				return "set the clock of the machine that calls: it is more than 5 minutes from AWS's"
			}
		}
	case RequestNotSent:
		return "check the credentials, the region and the endpoint of this process"
	}
	return ""
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
	reason := e.Message
	switch {
	case strings.Contains(reason, "explicit deny"):
		return fmt.Sprintf("find the statement that denies %s to %s (AWS names the kind of policy) and narrow it", e.Action, who)
	case strings.Contains(reason, "no resource-based policy"):
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
