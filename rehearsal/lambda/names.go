package lambda

import (
	"regexp"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

// latest is the qualifier of the version that can still change.
const latest = "$LATEST"

// place is an account's Region.
type place struct{ account, region string }

// key names a function.
type key struct {
	place
	name string
}

// arn is the function's ARN; an empty qualifier gives the unqualified one.
func (k key) arn(qualifier string) string {
	arn := "arn:aws:lambda:" + k.region + ":" + k.account + ":function:" + k.name
	if qualifier != "" {
		arn += ":" + qualifier
	}
	return arn
}

// target is what a request names: a function and, when not empty, a version or alias of it.
type target struct {
	key
	qualifier string
}

// arn is the ARN that AWS decides on: qualified exactly as the caller qualified it.
func (t target) arn() string { return t.key.arn(t.qualifier) }

var (
	nameRule      = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	qualifierRule = regexp.MustCompile(`^(\$LATEST|[a-zA-Z0-9_-]{1,128})$`)
	versionRule   = regexp.MustCompile(`^[0-9]+$`)
)

// parseTarget reads the ways AWS lets a function be named: NAME, NAME:QUALIFIER,
// ACCOUNT:function:NAME and the full ARN, each with or without a qualifier, which may also come by
// itself. home is where the request arrived. Source: Lambda API Reference, Invoke, FunctionName (H).
func parseTarget(name, qualifier string, home place) (target, error) {
	t := target{key: key{place: home}}
	rest := name
	if strings.HasPrefix(name, "arn:") {
		f := strings.SplitN(name, ":", 7)
		if len(f) != 7 || f[2] != "lambda" || f[5] != "function" {
			return target{}, badName(name)
		}
		t.region, t.account, rest = f[3], f[4], f[6]
		if t.region != home.region {
			return target{}, wire.Errorf(404, "ResourceNotFoundException",
				"Functions from '%s' are not reachable in this region ('%s')", t.region, home.region)
		}
	} else if account, after, ok := strings.Cut(name, ":function:"); ok {
		t.account, rest = account, after
	}
	var inName string
	t.name, inName, _ = strings.Cut(rest, ":")
	if !nameRule.MatchString(t.name) || strings.HasSuffix(rest, ":") {
		return target{}, badName(name)
	}
	if inName != "" && qualifier != "" && inName != qualifier {
		return target{}, invalid("The derived qualifier from the function name does not match the specified qualifier.")
	}
	t.qualifier = inName
	if qualifier != "" {
		t.qualifier = qualifier
	}
	if t.qualifier != "" && !qualifierRule.MatchString(t.qualifier) {
		return target{}, wire.Errorf(400, "ValidationException",
			"1 validation error detected: Value '%s' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: (|[a-zA-Z0-9$_-]+)", t.qualifier)
	}
	return t, nil
}

func badName(name string) error {
	return wire.Errorf(400, "ValidationException",
		"1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: a name, an ARN or ACCOUNT:function:NAME", name)
}

func invalid(format string, args ...any) error {
	return wire.Errorf(400, "InvalidParameterValueException", format, args...)
}

func conflict(format string, args ...any) error {
	return wire.Errorf(409, "ResourceConflictException", format, args...)
}

func notFound(arn string) error {
	return wire.Errorf(404, "ResourceNotFoundException", "Function not found: %s", arn)
}
