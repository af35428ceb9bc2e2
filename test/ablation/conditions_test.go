package ablation

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/templates"
)

// stranger is another role of an account, which may do everything as far as that account is asked.
const stranger = "unstale-stranger"

// intruder is somebody whom one condition key keeps out and no other: the request of who is meant, but
// for that key.
type intruder struct {
	who     string
	instead func(r iam.Request, key string) iam.Request
}

// intruders are those whom a condition key is there for. A key of the templates that is not here fails
// TestEveryConditionKeepsSomebodyOut. It is read only.
var intruders = map[string][]intruder{
	"aws:principalarn": {
		{"another role of that account", func(r iam.Request, _ string) iam.Request {
			r.Principal = session("arn:aws:iam::" + r.Principal.Account + ":role/" + stranger)
			return r
		}},
		{"a user of that account", func(r iam.Request, _ string) iam.Request {
			account := r.Principal.Account
			r.Principal = iam.Principal{ARN: "arn:aws:iam::" + account + ":user/someone", Account: account, UniqueID: "AIDASOMEONE"}
			return r
		}},
	},
	"sts:externalid": {
		{"the right role with a guess", func(r iam.Request, key string) iam.Request { return carrying(r, key, "guessed") }},
		{"the right role in capitals", func(r iam.Request, key string) iam.Request {
			return carrying(r, key, strings.ToUpper(r.Context[key][0]))
		}},
		{"the right role with none", func(r iam.Request, key string) iam.Request { return carrying(r, key) }},
	},
	"aws:sourcearn": {
		{"somebody else's distribution", func(r iam.Request, key string) iam.Request {
			return carrying(r, key, "arn:aws:cloudfront::333333333333:distribution/EOTHER")
		}},
		{"another distribution of that account", func(r iam.Request, key string) iam.Request {
			return carrying(r, key, r.Context[key][0]+"2")
		}},
		{"CloudFront without a distribution", func(r iam.Request, key string) iam.Request { return carrying(r, key) }},
	},
}

func session(role string) iam.Principal {
	account, name, _ := strings.Cut(strings.TrimPrefix(role, "arn:aws:iam::"), ":role/")
	return iam.Principal{ARN: "arn:aws:sts::" + account + ":assumed-role/" + name + "/s", Account: account, RoleARN: role, UniqueID: "AROASESSION"}
}

// carrying is a request with a condition key of these values; without any it lacks the key.
func carrying(r iam.Request, key string, values ...string) iam.Request {
	r.Context = maps.Clone(r.Context)
	delete(r.Context, key)
	if len(values) > 0 {
		r.Context[key] = values
	}
	return r
}

// Conditions grant nothing, so no release misses one. Each key of each is shown to keep somebody out: the
// policy as deployed refuses a caller who would be let in without that key, and lets in whom it is for.
// Everybody may do everything as far as their own account is asked.
func TestEveryConditionKeepsSomebodyOut(t *testing.T) {
	for _, route := range templates.Routes() {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			w, err := enter(t, route, cloudfront.ReuseDocumented, nil)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[place]map[string]bool{}
			for _, e := range entries(t, route) {
				at := place{e.template, e.resource}
				if e.deny || !e.conditional || seen[at][e.sid] {
					continue // TestEveryDenialIsNeeded shows whom a Deny's condition lets pass
				}
				if seen[at] == nil {
					seen[at] = map[string]bool{}
				}
				seen[at][e.sid] = true
				checkCondition(t, w.policyAt(t, e), e)
			}
		})
	}
}

// Nor is there a condition in another guise: what narrows a Lambda permission are its other properties.
func TestPermissionsHaveNoConditions(t *testing.T) {
	for _, name := range templates.Names() {
		for id, r := range decode(t, get(t, name))["Resources"].(object) {
			if r := r.(object); r["Type"] == "AWS::Lambda::Permission" {
				got := slices.Sorted(maps.Keys(r["Properties"].(object)))
				if want := []string{"Action", "FunctionName", "Principal"}; !slices.Equal(got, want) {
					t.Errorf("%s %s: it has %q; show whom what is more than %q keeps out", name, id, got, want)
				}
			}
		}
	}
}

// deployedPolicy is a policy as the rehearsal has it.
type deployedPolicy struct {
	account, arn string // of what it protects
	kind         iam.ResourceKind
	document     iam.Document
}

// everything is the identity policy of those who may do everything.
var everything = iam.Document{Version: "2012-10-17", Statements: []iam.Statement{
	{Effect: iam.Allow, Action: []string{"*"}, Resource: []string{"*"}},
}}

func (p deployedPolicy) decide(r iam.Request) iam.Decision {
	return iam.Decide(r, iam.Policies{
		Kind: p.kind, Resource: &iam.Policy{Name: p.arn, Document: p.document}, Identity: identityOf(r),
	})
}

// identityOf is what a caller may; a service has no policies of its own.
func identityOf(r iam.Request) []iam.Policy {
	if r.Principal.Service != "" {
		return nil
	}
	return []iam.Policy{{Name: "everything", Document: everything}}
}

func checkCondition(t *testing.T, p deployedPolicy, e entry) {
	t.Helper()
	i := slices.IndexFunc(p.document.Statements, func(s iam.Statement) bool { return s.Sid == e.sid })
	if i < 0 || len(p.document.Statements[i].Condition) == 0 {
		t.Fatalf("%s: the deployed policy has no such condition", e)
	}
	s := p.document.Statements[i]
	for _, meant := range p.meant(t, s) {
		if d := p.decide(meant); !d.Allowed || d.Statement != s.Sid {
			t.Errorf("%s: %s is meant, but decided %+v", e, meant.Principal, d)
		}
		for operator, keys := range s.Condition {
			for key := range keys {
				known := intruders[strings.ToLower(key)]
				if len(known) == 0 {
					t.Errorf("%s: nobody shows whom the condition key %s keeps out", e, key)
				}
				for _, in := range known {
					r := in.instead(meant, key)
					if d := p.decide(r); d.Allowed {
						t.Errorf("%s: %s is let in by %s", e, in.who, d.Statement)
					}
					if d := p.without(i, operator, key).decide(r); !d.Allowed {
						t.Errorf("%s: even without %s %s is kept out: %s", e, key, in.who, d.Reason)
					}
				}
			}
		}
	}
}

// without is the policy with one key of one statement's condition gone.
func (p deployedPolicy) without(statement int, operator, key string) deployedPolicy {
	p.document.Statements = slices.Clone(p.document.Statements)
	s := &p.document.Statements[statement]
	s.Condition = maps.Clone(s.Condition)
	s.Condition[operator] = maps.Clone(s.Condition[operator])
	if delete(s.Condition[operator], key); len(s.Condition[operator]) == 0 {
		delete(s.Condition, operator)
	}
	return p
}

// meant are the requests that a statement is for: of each role that its condition names, or of its
// service, with every key as the condition wants it.
func (p deployedPolicy) meant(t *testing.T, s iam.Statement) []iam.Request {
	t.Helper()
	action := strings.TrimSuffix(s.Action[0], "*")
	r := iam.Request{Action: action, Resource: p.arn, ResourceAccount: p.account, Context: map[string][]string{}}
	if p.kind == iam.ResourcePolicy {
		r.Resource = strings.Replace(s.Resource[len(s.Resource)-1], "*", "index.html", 1)
	}
	var roles []string
	for _, keys := range s.Condition {
		for key, values := range keys {
			if strings.EqualFold(key, "aws:PrincipalArn") {
				roles = values
				continue
			}
			r.Context[key] = values[:1]
		}
	}
	if len(s.Principal.Service) > 0 {
		r.Principal = iam.Principal{Service: s.Principal.Service[0]}
		return []iam.Request{r}
	}
	var all []iam.Request
	for _, role := range roles {
		r.Principal = session(role)
		all = append(all, r)
	}
	if len(all) == 0 {
		t.Fatalf("%s: the condition names no role, and the principal %+v is no service", s.Sid, s.Principal)
	}
	return all
}

// roleName finds the end of a role's name in its template.
var roleName = regexp.MustCompile(`"-([a-z]+)"`)

// policyAt is the policy that has an entry, as deployed.
func (w *world) policyAt(t *testing.T, e entry) deployedPolicy {
	t.Helper()
	account, there := story.AccountsOf(w.route)
	if partOf(e.template) == delivery {
		account = there
	}
	switch e.layer {
	case "trust":
		resource := decode(t, get(t, e.template))["Resources"].(object)[e.resource].(object)
		found := roleName.FindSubmatch(encode(t, resource["Properties"].(object)["RoleName"].(object)))
		arn := "arn:aws:iam::" + account + ":role/unstale-" + string(found[1])
		role, err := w.World.Directory().Role(arn)
		if err != nil {
			t.Fatal(err)
		}
		return deployedPolicy{account, arn, iam.ResourceTrust, role.Trust}
	case "resource":
		bucket := w.bucketOf(t, e.resource)
		return deployedPolicy{account, "arn:aws:s3:::" + bucket, iam.ResourcePolicy, w.bucketPolicy(t, account, bucket)}
	case "key":
		arn := w.Outputs["ArtifactKeyArn"]
		return deployedPolicy{account, arn, iam.ResourceKey, w.keyPolicy(t, account, arn)}
	}
	t.Fatalf("%s: nobody shows whom the condition of this policy keeps out", e)
	panic("unreachable")
}

// Who takes on a role of ours is asked for all of that when the calls are real: each role that is for
// somebody of an account refuses everybody else of it, whatever they say.
func TestRolesRefuseStrangers(t *testing.T) {
	for _, route := range templates.Routes() {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			w, err := enter(t, route, cloudfront.ReuseDocumented, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries(t, route) {
				if !e.conditional || e.layer != "trust" {
					continue
				}
				p := w.policyAt(t, e)
				i := slices.IndexFunc(p.document.Statements, func(s iam.Statement) bool { return s.Sid == e.sid })
				for _, meant := range p.meant(t, p.document.Statements[i]) {
					w.checkAssume(t, p.arn, meant)
				}
			}
		})
	}
}

func (w *world) checkAssume(t *testing.T, arn string, meant iam.Request) {
	t.Helper()
	external := meant.Context["sts:ExternalId"]
	other := w.stranger(t, meant.Principal.Account)
	if err := w.assume(t, meant.Principal.RoleARN, arn, external); err != nil {
		t.Errorf("%s may not take on %s, which is for it: %v", meant.Principal.RoleARN, arn, err)
	}
	attempts := map[string]error{"another role of that account": w.assume(t, other, arn, external)}
	if external != nil {
		attempts["the right role with a guess"] = w.assume(t, meant.Principal.RoleARN, arn, []string{"guessed"})
		attempts["the right role without an external ID"] = w.assume(t, meant.Principal.RoleARN, arn, nil)
	}
	for who, err := range attempts {
		if err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("%s takes on %s: %v", who, arn, err)
		}
	}
}

// stranger makes the stranger of an account, once.
func (w *world) stranger(t *testing.T, account string) string {
	t.Helper()
	trust, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Sid":"T","Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:iam::" + account + ":role/" + stranger
	if _, err := w.World.Directory().Role(arn); err == nil {
		return arn
	}
	if _, err := w.World.Directory().CreateRole(accounts.Role{
		Account: account, Name: stranger, Trust: trust, Inline: map[string]iam.Document{"everything": everything},
	}); err != nil {
		t.Fatal(err)
	}
	return arn
}

// assume calls STS with a session of a role.
func (w *world) assume(t *testing.T, by, role string, external []string) error {
	t.Helper()
	in := &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("session")}
	if external != nil {
		in.ExternalId = &external[0]
	}
	_, err := sts.NewFromConfig(w.as(t, by)).AssumeRole(t.Context(), in)
	return err
}

// as is the configuration of somebody who has a session of a role.
func (w *world) as(t *testing.T, arn string) aws.Config {
	t.Helper()
	role, err := w.World.Directory().Role(arn)
	if err != nil {
		t.Fatal(err)
	}
	c := w.World.Directory().Session(role, "session", nil, nil, time.Hour)
	cfg := w.Config(role.Account)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
	})
	return cfg
}
