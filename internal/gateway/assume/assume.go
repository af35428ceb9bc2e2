// Package assume crosses the border by a role of the other account: it makes the role's sessions and
// the gateway that works with them. The role belongs to the delivery account, whose policies say
// which distributions there are; a session here lasts a quarter of an hour, is named after the
// release and can touch one distribution only.
package assume

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/target"
)

const (
	// lifetime is the shortest that AWS takes. A function's own credentials are a session already,
	// and of a session assumed by a session AWS takes an hour at most ("role chaining").
	lifetime = 15 * time.Minute
	// refresh is how long before its end a session is replaced: longer than any call lasts that
	// begins with it, and room for clocks that differ.
	refresh = 2 * time.Minute
	// timeout ends one AssumeRole. STS answers within a second or so.
	timeout = 5 * time.Second
)

// Role is what to assume, and how the session shall be.
type Role struct {
	ARN        string
	ExternalID string // "": none is sent
	Session    string // name of the session, made to fit by SessionName
	Policy     string // session policy; "": the session may do what the role may
}

// New makes the gateway of a target of route assume. cfg holds the caller's own credentials and
// region; the session is kept and replaced before it ends.
func New(cfg aws.Config, t target.Target, release string) (*Gateway, error) {
	role, err := target.ParseRole(t.Role)
	if err != nil {
		return nil, fmt.Errorf("reach target %q: %w", t.Name, err)
	}
	policy, err := SessionPolicy(role, t.Distribution)
	if err != nil {
		return nil, fmt.Errorf("reach target %q: %w", t.Name, err)
	}
	p := newProvider(cfg, Role{ARN: t.Role, ExternalID: t.ExternalID, Session: release, Policy: policy})
	there := cfg.Copy()
	cache := p.cached()
	there.Credentials = cache
	return &Gateway{gateway.CloudFrontOf(there, t), p, cache}, nil
}

// Credentials gives the role's sessions, one for as long as it lasts. cfg holds the credentials that
// assume it; STS is called in cfg's region, so that another region's trouble is not ours. Errors are
// *gateway.Error and say what either account lacks.
func Credentials(cfg aws.Config, r Role) aws.CredentialsProvider { return newProvider(cfg, r).cached() }

// provider assumes the role anew each time, and remembers the last session.
type provider struct {
	client *sts.Client
	role   Role
	last   atomic.Pointer[aws.Credentials]
	holds  atomic.Bool // a session: the latest attempt to have one succeeded
}

func newProvider(cfg aws.Config, r Role) *provider {
	client := sts.NewFromConfig(cfg, func(o *sts.Options) {
		o.Retryer, o.RetryMaxAttempts = aws.NopRetryer{}, 0
	})
	r.Session = SessionName(r.Session)
	return &provider{client: client, role: r}
}

func (p *provider) cached() *aws.CredentialsCache {
	return aws.NewCredentialsCache(p, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = refresh })
}

// Retrieve implements aws.CredentialsProvider.
func (p *provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	in := &sts.AssumeRoleInput{
		RoleArn: &p.role.ARN, RoleSessionName: &p.role.Session, DurationSeconds: aws.Int32(int32(lifetime / time.Second)),
	}
	if p.role.ExternalID != "" {
		in.ExternalId = &p.role.ExternalID
	}
	if p.role.Policy != "" {
		in.Policy = &p.role.Policy
	}
	out, err := gateway.Within(ctx, timeout, func(ctx context.Context) (*sts.AssumeRoleOutput, error) {
		return p.client.AssumeRole(ctx, in)
	})
	if err == nil && (out.Credentials == nil || out.Credentials.AccessKeyId == nil || out.Credentials.SecretAccessKey == nil) {
		err = &gateway.Error{Code: gateway.BadAnswer, Message: "STS's answer has no credentials"}
	}
	p.holds.Store(err == nil)
	if err != nil {
		return aws.Credentials{}, p.role.explain(err)
	}
	c := aws.Credentials{
		AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey,
		SessionToken: aws.ToString(out.Credentials.SessionToken), Source: "sts:AssumeRole",
	}
	if end := out.Credentials.Expiration; end != nil {
		c.CanExpire, c.Expires = true, *end
	}
	p.last.Store(&c)
	return c, nil
}

// explain says of a refusal what each side has to have: STS does not tell which one refused.
func (r Role) explain(err error) *gateway.Error {
	e := gateway.Explain(err)
	e.Message = fmt.Sprintf("assume role %s: %s", r.ARN, e.Message)
	if e.Code != gateway.AccessDenied || strings.Contains(e.Message, "explicit deny") {
		return e
	}
	if strings.Contains(e.Message, "root accounts") { // no policy can allow it. Source: STS API reference, AssumeRole
		e.Try = "call as a user or a role, and not as the root of an account"
		return e
	}
	caller, whose := "the caller", "the caller's account"
	if e.Caller != "" {
		caller = e.Caller
		if parts := strings.SplitN(caller, ":", 6); len(parts) == 6 {
			whose = "account " + parts[4]
		}
	}
	there := "the role's account"
	if role, err := target.ParseRole(r.ARN); err == nil {
		there = "account " + role.Account
	}
	condition := ""
	if r.ExternalID != "" {
		condition = fmt.Sprintf(" with sts:ExternalId %q", r.ExternalID)
	}
	e.Action, e.Resource = "sts:AssumeRole", r.ARN
	e.Try = fmt.Sprintf("check both sides, STS does not say which one refused: in %s, allow sts:AssumeRole on %s to %s; in %s, "+
		"let the trust policy of the role allow it sts:AssumeRole%s", whose, r.ARN, caller, there, condition)
	return e
}
