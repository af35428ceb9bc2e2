package sts_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/fronttest"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	accountA = "111111111111"
	accountB = "222222222222"
	roleB    = "arn:aws:iam::" + accountB + ":role/gateway"
	assumeB  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Resource":"` + roleB + `"}}`
)

type world struct {
	*fronttest.World
	sts *sts.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := fronttest.New(t, accountA, accountB)
	s := sts.New(w.Directory)
	w.Serve(sts.SigningName, s, wire.WriteXMLError)
	return &world{w, s}
}

// role makes a role; trust is a statement's members after Effect, "" for the own account's.
func (w *world) role(account, name, policy, trust string, longest time.Duration) *accounts.Role {
	w.T.Helper()
	if trust == "" {
		trust = `"Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"`
	}
	r := accounts.Role{
		Account: account, Name: name, Inline: map[string]iam.Document{}, MaxSession: longest,
		Trust: w.Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow",` + trust + `}}`),
	}
	if policy != "" {
		r.Inline["test"] = w.Parse(policy)
	}
	made, err := w.Directory.CreateRole(r)
	if err != nil {
		w.T.Fatal(err)
	}
	return made
}

func (w *world) session(r *accounts.Role) accounts.Credentials {
	return w.Directory.Session(r, "job", nil, nil, time.Hour)
}

func (w *world) client(c accounts.Credentials) *awssts.Client {
	return awssts.New(awssts.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(w.URL), RetryMaxAttempts: 1,
		Credentials: fronttest.Keys(c),
	})
}

func code(err error) string {
	var e smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.ErrorCode()
	}
	return err.Error()
}

// TestWhoMayAssume is AWS-documented: across accounts both the caller's policy and the role's trust.
func TestWhoMayAssume(t *testing.T) {
	const job = `"arn:aws:iam::` + accountA + `:role/job"`
	trust := func(principal, condition string) string {
		return `"Principal":{"AWS":` + principal + `},"Action":"sts:AssumeRole"` + condition
	}
	const rootA = `"arn:aws:iam::` + accountA + `:root"`
	tests := []struct {
		name, identity, trust, externalID string
		allowed                           bool
	}{
		{name: "both", identity: assumeB, trust: trust(job, ""), allowed: true},
		{name: "identity missing", trust: trust(job, "")},
		{name: "trust missing", identity: assumeB, trust: trust(`"`+accountB+`"`, "")},
		{name: "root of A", identity: assumeB, trust: trust(rootA, ""), allowed: true},
		{name: "condition on the role", identity: assumeB, trust: trust(rootA, `,"Condition":{"ArnEquals":{"aws:PrincipalArn":`+job+`}}`), allowed: true},
		{name: "condition on another", identity: assumeB, trust: trust(rootA, `,"Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/other"}}`)},
		{name: "external ID", identity: assumeB, trust: trust(job, `,"Condition":{"StringEquals":{"sts:ExternalId":"site-1"}}`), externalID: "site-1", allowed: true},
		{name: "wrong external ID", identity: assumeB, trust: trust(job, `,"Condition":{"StringEquals":{"sts:ExternalId":"site-1"}}`), externalID: "site-2"},
		{name: "external ID not sent", identity: assumeB, trust: trust(job, `,"Condition":{"StringEquals":{"sts:ExternalId":"site-1"}}`)},
		{name: "session name", identity: assumeB, trust: trust(job, `,"Condition":{"StringLike":{"sts:RoleSessionName":"unstale-*"}}`), allowed: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			caller := w.session(w.role(accountA, "job", tt.identity, "", 0))
			w.role(accountB, "gateway", "", tt.trust, 0)
			in := &awssts.AssumeRoleInput{RoleArn: aws.String(roleB), RoleSessionName: aws.String("unstale-1")}
			if tt.externalID != "" {
				in.ExternalId = aws.String(tt.externalID)
			}
			out, err := w.client(caller).AssumeRole(t.Context(), in)
			if !tt.allowed {
				want := fmt.Sprintf("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", caller.Caller.ARN, roleB)
				if code(err) != "AccessDenied" || !strings.HasSuffix(fmt.Sprint(err), want) {
					t.Errorf("%v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := aws.ToString(out.AssumedRoleUser.Arn); got != "arn:aws:sts::222222222222:assumed-role/gateway/unstale-1" {
				t.Errorf("became %s", got)
			}
			if left := time.Until(aws.ToTime(out.Credentials.Expiration)); left < 59*time.Minute || left > time.Hour {
				t.Errorf("expires in %s", left)
			}
			c := out.Credentials
			who, err := w.client(accounts.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}).
				GetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{})
			if err != nil || aws.ToString(who.Account) != accountB || !strings.HasSuffix(aws.ToString(who.UserId), ":unstale-1") {
				t.Errorf("identity %+v, %v", who, err)
			}
		})
	}
}

// TestAMissingRoleLooksUntrusted: AWS does not tell strangers which roles there are.
func TestAMissingRoleLooksUntrusted(t *testing.T) {
	w := newWorld(t)
	caller := w.session(w.role(accountA, "job", assumeB, "", 0))
	_, missing := w.client(caller).AssumeRole(t.Context(), &awssts.AssumeRoleInput{RoleArn: aws.String(roleB), RoleSessionName: aws.String("s1")})
	w.role(accountB, "gateway", "", "", 0)
	_, untrusted := w.client(caller).AssumeRole(t.Context(), &awssts.AssumeRoleInput{RoleArn: aws.String(roleB), RoleSessionName: aws.String("s1")})
	tail := func(err error) string { _, after, _ := strings.Cut(fmt.Sprint(err), "api error"); return after }
	if tail(missing) == "" || tail(missing) != tail(untrusted) {
		t.Errorf("missing: %v\nuntrusted: %v", missing, untrusted)
	}
}

func TestLimits(t *testing.T) {
	w := newWorld(t)
	user, err := w.Directory.AddUser(accountA, "person", w.Parse(assumeB))
	if err != nil {
		t.Fatal(err)
	}
	chained := w.session(w.role(accountA, "job", assumeB, "", 0))
	w.role(accountB, "gateway", "", `"Principal":{"AWS":"`+accountA+`"},"Action":["sts:AssumeRole","sts:TagSession"]`, 2*time.Hour)
	root, _ := w.Directory.Root(accountA)
	tests := []struct {
		name   string
		caller accounts.Credentials
		change func(*awssts.AssumeRoleInput)
		want   string
	}{
		{"plain", user, func(*awssts.AssumeRoleInput) {}, ""},
		{"root", root, func(*awssts.AssumeRoleInput) {}, "AccessDenied"},
		{"two hours", user, func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7200) }, ""},
		{"longer than the role allows", user, func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7201) }, "ValidationError"},
		{"too short", user, func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(899) }, "ValidationError"},
		{"too long", user, func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43201) }, "ValidationError"},
		{"chained for an hour", chained, func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3600) }, ""},
		{"chained for longer", chained, func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3601) }, "ValidationError"},
		{"session name", user, func(in *awssts.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }, "ValidationError"},
		{"not a role", user, func(in *awssts.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::222222222222:user/gateway") }, "ValidationError"},
		{"external ID", user, func(in *awssts.AssumeRoleInput) { in.ExternalId = aws.String("a b") }, "ValidationError"},
		{"longest external ID", user, func(in *awssts.AssumeRoleInput) { in.ExternalId = aws.String(strings.Repeat("x", 1224)) }, ""},
		{"longer external ID", user, func(in *awssts.AssumeRoleInput) { in.ExternalId = aws.String(strings.Repeat("x", 1225)) }, "ValidationError"},
		{"session policy", user, func(in *awssts.AssumeRoleInput) { in.Policy = aws.String(`{`) }, "MalformedPolicyDocument"},
		{"long session policy", user, func(in *awssts.AssumeRoleInput) { in.Policy = aws.String(strings.Repeat(" ", 2048) + assumeB) }, "PackedPolicyTooLarge"},
		{"policy ARNs", user, func(in *awssts.AssumeRoleInput) {
			in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}}
		}, "NotEmulated"},
		{"tags", user, func(in *awssts.AssumeRoleInput) {
			in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}
		}, ""},
		{"reserved tag", user, func(in *awssts.AssumeRoleInput) {
			in.Tags = []types.Tag{{Key: aws.String("aws:a"), Value: aws.String("b")}}
		}, "ValidationError"},
		{"transitive without tag", user, func(in *awssts.AssumeRoleInput) { in.TransitiveTagKeys = []string{"a"} }, "ValidationError"},
		{"source identity not trusted", user, func(in *awssts.AssumeRoleInput) { in.SourceIdentity = aws.String("ana") }, "AccessDenied"},
		{"source identity", user, func(in *awssts.AssumeRoleInput) { in.SourceIdentity = aws.String("a b") }, "ValidationError"},
	}
	for _, tt := range tests {
		in := &awssts.AssumeRoleInput{RoleArn: aws.String(roleB), RoleSessionName: aws.String("s1")}
		tt.change(in)
		_, err := w.client(tt.caller).AssumeRole(t.Context(), in)
		if got := code(err); got != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestSessionsCarryWhatTheyWereGiven(t *testing.T) {
	w := newWorld(t)
	const open = `"Principal":{"AWS":["` + accountA + `","` + accountB + `"]},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`
	anything := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	caller := w.session(w.role(accountA, "job", anything, "", 0)).Caller
	w.role(accountB, "gateway", anything, open, 0)
	last := w.role(accountB, "last", "", open, 0)
	first, err := w.sts.Assume(t.Context(), caller, sts.Input{
		RoleARN: roleB, SessionName: "s1", SourceIdentity: "ana", Tags: map[string]string{"team": "web", "local": "x"}, Transitive: []string{"team"},
		Policies: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}`},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := first.Caller.Context["aws:PrincipalTag/local"]; len(got) != 1 || got[0] != "x" {
		t.Errorf("context %v", first.Caller.Context)
	}
	if w.Directory.Authorize(accounts.Check{Caller: first.Caller, Action: "s3:ListAllMyBuckets", Resource: "*"}) == nil {
		t.Error("the session policy does not narrow the session")
	}
	next := sts.Input{RoleARN: last.ARN, SessionName: "s2"}
	second, err := w.sts.Assume(t.Context(), first.Caller, next)
	if err != nil {
		t.Fatal(err)
	}
	context := second.Caller.Context
	if context["aws:SourceIdentity"][0] != "ana" || context["aws:PrincipalTag/team"][0] != "web" || context["aws:PrincipalTag/local"] != nil {
		t.Errorf("the chained session has %v", context)
	}
	next.SourceIdentity = "bob"
	if _, err := w.sts.Assume(t.Context(), first.Caller, next); wire.AsError(err).Code != "AccessDenied" {
		t.Errorf("changing the source identity: %v", err)
	}
	next.SourceIdentity, next.Tags = "", map[string]string{"team": "other"}
	if _, err := w.sts.Assume(t.Context(), first.Caller, next); wire.AsError(err).Code != "ValidationError" {
		t.Errorf("changing a transitive tag: %v", err)
	}
}

// TestServicesAssumeTheirRoles: a service role trusts the service, and only that one.
func TestServicesAssumeTheirRoles(t *testing.T) {
	w := newWorld(t)
	r := w.role(accountA, "function", "", `"Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"`, 0)
	for service, want := range map[string]string{"lambda.amazonaws.com": "", "codebuild.amazonaws.com": "AccessDenied"} {
		_, err := w.sts.Assume(t.Context(), accounts.ServiceCaller(service, accountA, ""), sts.Input{RoleARN: r.ARN, SessionName: "fn"})
		got := ""
		if err != nil {
			got = wire.AsError(err).Code
		}
		if got != want {
			t.Errorf("%s: %v, want %q", service, err, want)
		}
	}
}

func TestIdentities(t *testing.T) {
	w := newWorld(t)
	root, _ := w.Directory.Root(accountA)
	who, err := w.client(root).GetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(who.Arn) != "arn:aws:iam::111111111111:root" || aws.ToString(who.UserId) != accountA {
		t.Errorf("root is %+v, %v", who, err)
	}
	_, err = w.client(root).GetSessionToken(t.Context(), &awssts.GetSessionTokenInput{})
	if code(err) != "NotEmulated" {
		t.Errorf("GetSessionToken: %v", err)
	}
	// A presigned GET, as one service proves its identity to another by.
	signed, err := awssts.NewPresignClient(w.client(root)).PresignGetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), signed.Method, signed.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), "<Arn>arn:aws:iam::111111111111:root</Arn>") {
		t.Errorf("presigned: %d %s, %v", resp.StatusCode, body, err)
	}
}
