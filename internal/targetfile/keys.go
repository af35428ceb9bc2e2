package targetfile

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/unstale/unstale/internal/nearest"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// key is one key of a target. The reader, the writer and the JSON schema all follow the table of keys.
type key struct {
	name     string
	doc      string
	form     form
	variable bool               // takes ${NAME}
	shared   bool               // may stand under defaults
	each     func(string) error // checks one entry of a list or a mapping
	// set takes a value of the key's form; its error is about the value. get gives it back, nil when the
	// target has none.
	set func(*Target, value) error
	get func(*Target) any // string, bool, []string or map[string]string
}

// form is what a key's value looks like.
type form struct {
	kind    kind // isText, isTruth, isList or isMapping, of texts
	number  bool // digits without quotes are fine
	pattern string
	choices []string
	most    int  // entries of a list or a mapping
	empty   bool // a list may be empty
}

// value is what stood behind a key.
type value struct {
	text  string
	truth bool
	list  []string
	pairs map[string]string
}

// What lists may hold. Verify's is that of a job's parameters.
const (
	maxGroups, maxVerify, maxAppRoutes, maxRewrites = 20, 20, 1000, 50
	maxPath                                         = 500 // characters of a path to verify
	maxWait                                         = 24 * time.Hour
)

const (
	patternRegion = `^[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}$`
	patternDomain = `^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}$`
	patternBucket = `^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`
	patternPage   = `^/[^*#\\ ]*$`
	patternName   = `^[A-Za-z0-9._-]{1,64}$`
	patternWait   = `^(none|([0-9]+(\.[0-9]+)?(h|m|s))+)$`
	patternBudget = `^([0-9]+|\$[0-9]+(\.[0-9]{1,6})?)$`
)

// pattern is a regular expression with what it describes.
type pattern struct {
	re   *regexp.Regexp
	what string
}

func (p pattern) check(s string) error {
	if !p.re.MatchString(s) {
		return fmt.Errorf("%q is not %s", shorten(s), p.what)
	}
	return nil
}

var (
	regionName = pattern{regexp.MustCompile(patternRegion), "a region, such as eu-central-1"}
	hostName   = pattern{regexp.MustCompile(patternDomain), "the name of a host, such as www.example.com"}
	bucketName = pattern{regexp.MustCompile(patternBucket), "the name of a bucket"}

	waitSyntax   = regexp.MustCompile(patternWait)
	budgetSyntax = regexp.MustCompile(patternBudget)
)

// text is a key whose value is kept as it is, checked by check when that is not nil.
func text(k key, of func(*Target) *string, check func(string) error) key {
	k.form.kind = isText
	k.set = func(t *Target, v value) error {
		if check != nil {
			if err := check(v.text); err != nil {
				return err
			}
		}
		*of(t) = v.text
		return nil
	}
	k.get = func(t *Target) any { return orNil(*of(t)) }
	return k
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// keys lists what a target may have, in the order in which it is written.
func keys() []key {
	return append(addressKeys(), append(purgeKeys(), releaseKeys()...)...)
}

// addressKeys say which distribution, and how it is reached. What of it package target knows is
// checked there.
func addressKeys() []key {
	routes := []string{}
	for _, r := range target.Routes() {
		routes = append(routes, string(r))
	}
	return []key{
		text(key{
			name: "route", form: form{choices: routes},
			doc: "How the border between the accounts is crossed. May be left out where role is given: assume. The command line takes assume, relay and same-account; direct and states belong to pipelines, and stand here so that their links can be checked.",
		}, func(t *Target) *string { return (*string)(&t.Route) }, nil),
		text(key{
			name: "distribution", form: form{pattern: `^[A-Z0-9]{1,64}$`},
			doc: "The distribution's ID. With relay it may be left out: the invalidator's own single one. With same-account a domain may stand in its place.",
		}, func(t *Target) *string { return &t.Distribution }, nil),
		text(key{
			name: "domain", form: form{pattern: patternDomain},
			doc: "What viewers ask for: an alias of the distribution, which then verifies under this name. Without distribution it is looked up, which takes cloudfront:ListDistributions in the caller's own account and hence route same-account: roles and functions of unstale may not list.",
		}, func(t *Target) *string { return &t.Domain }, hostName.check),
		text(key{
			name: "account", variable: true, form: form{number: true, pattern: `^[0-9]{12}$`},
			doc: "The account of the distribution, 12 digits. Taken from role or function where there is one, and compared with it when both are given. With same-account the caller must be of this account.",
		}, func(t *Target) *string { return &t.Account }, nil),
		text(key{
			name: "role", variable: true, form: form{pattern: `^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$`},
			doc: "Route assume: ARN of the role of the delivery account to assume.",
		}, func(t *Target) *string { return &t.Role }, nil),
		text(key{
			name: "externalId", variable: true, form: form{pattern: `^[A-Za-z0-9_+=,.@:/-]{2,}$`},
			doc: "Route assume: what the role's trust policy asks for. One per target.",
		}, func(t *Target) *string { return &t.ExternalID }, nil),
		text(key{
			name: "function", form: form{pattern: `^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[^:]+(:[^:]+)?$`},
			doc: "Route relay: ARN of the alias of the invalidator in the delivery account. It takes no variables, because with relay it can decide which distribution is purged.",
		}, func(t *Target) *string { return &t.Function }, nil),
		text(key{
			name: "stateMachine", form: form{pattern: `^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[^:]+$`},
			doc: "Route states: ARN of the state machine of the pipeline account.",
		}, func(t *Target) *string { return &t.StateMachine }, nil),
		text(key{
			name: "profile", variable: true, shared: true,
			doc: "Profile of the AWS shared configuration to start from. With same-account it may itself assume a role in the delivery account. By default what AWS_PROFILE and the environment say.",
		}, func(t *Target) *string { return &t.Profile }, nil),
		text(key{
			name: "region", variable: true, shared: true, form: form{pattern: patternRegion},
			doc: "Region to call AWS in, for what is not global. By default that of the function, the profile or the environment.",
		}, func(t *Target) *string { return &t.Region }, regionName.check),
		list(key{
			name: "groups", form: form{most: maxGroups, pattern: patternName},
			doc: "Groups that the target belongs to, for --group.",
		}, func(t *Target) *[]string { return &t.Groups }, func(s string) error {
			if !target.ValidName(s) {
				return fmt.Errorf("%q is not the name of a group: 1 to 64 letters, digits, '.', '_' or '-'", shorten(s))
			}
			return nil
		}),
	}
}

// list is a key whose value is a list of texts, each checked.
func list(k key, of func(*Target) *[]string, check func(string) error) key {
	k.form.kind, k.each = isList, check
	k.set = func(t *Target, v value) error {
		*of(t) = v.list
		return nil
	}
	k.get = func(t *Target) any {
		if *of(t) == nil {
			return nil
		}
		return *of(t)
	}
	return k
}

// checkPage checks the path of one page, as a job's parameters are checked.
func checkPage(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf(`path %q does not begin with "/"`, shorten(path))
	case len(path) > maxPath:
		return fmt.Errorf("a path has %d characters, more than %d", len(path), maxPath)
	case strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return fmt.Errorf("path %q has characters that a URL percent-encodes", shorten(path))
	case strings.ContainsAny(path, `*#\`):
		return fmt.Errorf("path %q is not the path of one page", shorten(path))
	}
	return nil
}

// choose checks that a text is one of the choices.
func choose(what, s string, choices []string) error {
	for _, c := range choices {
		if c == s {
			return nil
		}
	}
	return &wrong{
		fmt.Sprintf("there is no %s %q", what, shorten(s)),
		orElse(nearest.Hint(s, choices), "choose among "+strings.Join(choices, ", ")),
	}
}

// wrong is a problem that knows what to do.
type wrong struct{ problem, try string }

func (w *wrong) Error() string { return w.problem + "; " + w.try }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// parseState takes an s3:// URL apart.
func parseState(s string) (State, error) {
	rest, ok := strings.CutPrefix(s, "s3://")
	name, prefix, _ := strings.Cut(rest, "/")
	if !ok || bucketName.check(name) != nil || strings.HasPrefix(prefix, "/") || len(prefix) > 512 {
		return State{}, fmt.Errorf("%q is not a place in S3, such as s3://my-bucket/unstale", shorten(s))
	}
	return State{name, strings.TrimSuffix(prefix, "/")}, nil
}

// parseWait reads how long to wait; none is 0.
func parseWait(s string) (*time.Duration, error) {
	if s == "none" {
		return new(time.Duration), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || !waitSyntax.MatchString(s) {
		return nil, &wrong{fmt.Sprintf("%q is not a duration", shorten(s)), "write it as 90s, 10m or 1h30m, or none"}
	}
	if d < time.Second || d > maxWait {
		return nil, &wrong{fmt.Sprintf("%s is not between 1s and 24h", s), "write none to not wait at all"}
	}
	return &d, nil
}

// formatBudget writes what plan.ParseBudget reads.
func formatBudget(b plan.Budget) any {
	switch b.Unit {
	case plan.PerPlan:
		return fmt.Sprint(b.Items)
	case plan.PerMonth:
		return b.Money.String()
	}
	return nil
}

func checkAppRoute(s string) error {
	if !strings.HasPrefix(s, "/") {
		return fmt.Errorf(`route %q does not begin with "/"`, shorten(s))
	}
	// Encoding would cut it at an inner "*", which purges more than whoever wrote it thinks.
	if strings.ContainsAny(strings.TrimSuffix(s, "*"), "*?#") {
		return &wrong{fmt.Sprintf("route %q is no path with at most a * at its end", shorten(s)), "end it at the first *, as in /users/*"}
	}
	if len(invalidation.EncodePath(s)) > invalidation.MaxPath {
		return fmt.Errorf("a route has more than the %d characters that can be purged", invalidation.MaxPath)
	}
	return nil
}
