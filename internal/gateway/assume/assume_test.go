package assume_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/gateway/assume"
	"github.com/unstale/unstale/internal/gateway/gatewaytest"
	"github.com/unstale/unstale/internal/target"
)

const (
	role  = "arn:aws:iam::222222222222:role/unstale/purge"
	me    = "arn:aws:sts::111111111111:assumed-role/unstale-job/unstale-job"
	token = "SessionTokenOfTheOtherAccount/0123456789=="
)

var site = target.Target{
	Name: "site", Route: target.Assume, Account: "222222222222", Role: role, ExternalID: "site:1", Distribution: "E2EXAMPLE",
}

// world is STS, and whatever serves CloudFront to those who hold a session of it.
type world struct {
	CloudFront http.Handler
	Lifetime   time.Duration // of sessions
	Refuse     func(w http.ResponseWriter) bool

	mu    sync.Mutex
	asked []url.Values
	from  []string // who asked: credential scopes
}

func (s *world) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		if r.Header.Get("X-Amz-Security-Token") != token || !strings.Contains(r.Header.Get("Authorization"), "Credential=ASIAOTHER") {
			http.Error(w, "not the role's session", http.StatusForbidden)
			return
		}
		s.CloudFront.ServeHTTP(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.asked = append(s.asked, r.PostForm)
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	s.from = append(s.from, strings.SplitN(scope, ",", 2)[0])
	if s.Refuse != nil && s.Refuse(w) {
		return
	}
	fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAOTHER%d</AccessKeyId><SecretAccessKey>s</SecretAccessKey>`+
		`<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		len(s.asked), token, time.Now().Add(s.Lifetime).UTC().Format(time.RFC3339))
}

func (s *world) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func refuse(status int, code, message string) func(http.ResponseWriter) bool {
	return func(w http.ResponseWriter) bool {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, code, message)
		return true
	}
}

func (s *world) config(t *testing.T) aws.Config {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &server.URL, HTTPClient: server.Client(), RetryMaxAttempts: 5,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIAJOB", SecretAccessKey: "s", SessionToken: "job"}, nil
		}),
	}
}

func dial(t *testing.T, s *world) gateway.Gateway {
	t.Helper()
	if s.Lifetime == 0 {
		s.Lifetime = 15 * time.Minute
	}
	g, err := assume.New(s.config(t), site, "release 2")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A gateway with an assumed role does all that any gateway must.
func TestAssume(t *testing.T) {
	gatewaytest.Run(t, target.Assume, func(t *testing.T, at *gatewaytest.CloudFront) gateway.Gateway {
		return dial(t, &world{CloudFront: at})
	})
}

func TestTheSessionIsNarrowAndKept(t *testing.T) {
	s := &world{CloudFront: &gatewaytest.CloudFront{Distribution: site.Distribution}}
	g := dial(t, s)
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			if _, err := g.Distribution(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	want := []url.Values{{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {"release-2"},
		"ExternalId": {"site:1"}, "DurationSeconds": {"900"},
		"Policy": {`{"Version":"2012-10-17","Statement":[{"Sid":"OneDistribution","Effect":"Allow","Action":["cloudfront:CreateInvalidation",` +
			`"cloudfront:GetDistribution","cloudfront:GetInvalidation","cloudfront:ListInvalidations"],` +
			`"Resource":"arn:aws:cloudfront::222222222222:distribution/E2EXAMPLE"},` +
			`{"Sid":"ItsOrigin","Effect":"Allow","Action":["s3:GetObject"],"Resource":"arn:aws:s3:::*/*"},` +
			`{"Sid":"ItsOriginsKey","Effect":"Allow","Action":["kms:Decrypt"],"Resource":"arn:aws:kms:*:*:key/*"}]}`},
	}}
	if diff := cmp.Diff(want, s.asked); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(s.from[0], "ASIAJOB/") || !strings.HasSuffix(s.from[0], "/eu-west-1/sts/aws4_request") {
		t.Errorf("asked by %s", s.from[0])
	}
}

// A session that is about to end is replaced before it does.
func TestTheSessionIsReplacedInTime(t *testing.T) {
	s := &world{CloudFront: &gatewaytest.CloudFront{Distribution: site.Distribution}, Lifetime: 110 * time.Second}
	g := dial(t, s)
	for range 3 {
		if _, err := g.Distribution(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s.count() != 3 {
		t.Errorf("%d sessions for three calls less than two minutes before the end of each", s.count())
	}
}

func TestRefusalsNameBothSides(t *testing.T) {
	denied := "User: " + me + " is not authorized to perform: sts:AssumeRole on resource: " + role
	both := "check both sides, STS does not say which one refused: in account 111111111111, allow sts:AssumeRole on " + role + " to " + me +
		"; in account 222222222222, let the trust policy of the role allow it sts:AssumeRole"
	tests := []struct {
		name          string
		status        int
		code, message string
		want, advice  string
		temporary     bool
	}{
		{"denied", 403, "AccessDenied", denied, gateway.AccessDenied, both + ` with sts:ExternalId "site:1"`, false},
		{"a root user", 403, "AccessDenied", "Roles may not be assumed by root accounts.", gateway.AccessDenied, "call as a user or a role, and not as the root", false},
		{"denied by an organization", 403, "AccessDenied", denied + " with an explicit deny in a service control policy", gateway.AccessDenied, "find the statement that denies sts:AssumeRole", false},
		{"ended", 403, "ExpiredToken", "The security token included in the request is expired", "ExpiredToken", "", false},
		{"throttled", 400, "Throttling", "Rate exceeded", gateway.Throttling, "", true},
		{"a region that is off", 403, "RegionDisabledException", "STS is not activated in this region", "RegionDisabledException", "", false},
		{"a bad day", 500, "InternalFailure", "broken", "InternalFailure", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &world{Refuse: refuse(tt.status, tt.code, tt.message)}
			g := dial(t, s)
			_, err := g.InProgress(t.Context())
			var e *gateway.Error
			if !errors.As(err, &e) || e.Code != tt.want || e.Temporary != tt.temporary || e.Route != target.Assume ||
				e.Message != "assume role "+role+": "+tt.message || !strings.HasPrefix(e.Try, tt.advice) || e.Account != "222222222222" {
				t.Errorf("%#v", err)
			}
			if tt.want == gateway.AccessDenied && strings.Contains(tt.message, me) && (e.Caller != me || e.Action != "sts:AssumeRole" || e.Resource != role) {
				t.Errorf("%#v", e)
			}
			if s.count() != 1 {
				t.Errorf("asked %d times: whether to try again is the purge's to say", s.count())
			}
		})
	}
}

// Without an ExternalId none is sent: a role that answers jobs needs none.
// Whatever our clock says, a session is over when AWS says so: the call is made once more with another.
func TestTheSessionIsReplacedWhenAWSSaysItIsOver(t *testing.T) {
	for _, tt := range []struct {
		code            string
		times           int // the answer is given
		ok              bool
		sessions, calls int
	}{
		{"ExpiredToken", 1, true, 2, 2},
		{"ExpiredToken", 9, false, 2, 2},
		{"AccessDenied", 1, false, 1, 1},
	} {
		calls := 0
		at := &gatewaytest.CloudFront{Distribution: site.Distribution}
		at.Trouble = func(string) *gatewaytest.Trouble {
			if calls++; calls > tt.times {
				return nil
			}
			return &gatewaytest.Trouble{Status: 403, Code: tt.code, Message: "The security token included in the request is expired"}
		}
		s := &world{CloudFront: at}
		_, err := dial(t, s).Distribution(t.Context())
		if (err == nil) != tt.ok || s.count() != tt.sessions || calls != tt.calls {
			t.Errorf("%s %d times: %d sessions, %d calls, %v", tt.code, tt.times, s.count(), calls, err)
		}
	}
}

func TestCredentialsAlone(t *testing.T) {
	s := &world{Lifetime: time.Hour}
	c, err := assume.Credentials(s.config(t), assume.Role{ARN: role, Session: "unstale-job"}).Retrieve(t.Context())
	if err != nil || c.AccessKeyID != "ASIAOTHER1" || c.SessionToken != token || !c.CanExpire {
		t.Errorf("%+v, %v", c.AccessKeyID, err)
	}
	if s.asked[0].Has("ExternalId") || s.asked[0].Has("Policy") || s.asked[0].Get("RoleSessionName") != "unstale-job" {
		t.Error(s.asked)
	}
	s.Refuse = refuse(403, "AccessDenied", "User: "+me+" is not authorized to perform: sts:AssumeRole on resource: "+role)
	_, err = assume.Credentials(s.config(t), assume.Role{ARN: role}).Retrieve(t.Context())
	if err == nil || strings.Contains(err.Error(), "ExternalId") || !strings.Contains(err.Error(), "AccessDenied: assume role "+role) {
		t.Error(err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, answer := range map[string]string{
		"no credentials": `<AssumeRoleResponse><AssumeRoleResult></AssumeRoleResult></AssumeRoleResponse>`,
		"a page":         `<html>`,
	} {
		s := &world{Refuse: func(w http.ResponseWriter) bool { fmt.Fprint(w, answer); return true }}
		if _, err := dial(t, s).Get(t.Context(), "I1"); err == nil || !strings.Contains(err.Error(), "assume role "+role) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// AWS answers a refused signature with the request it saw, token and all.
func TestTheSessionIsNotTold(t *testing.T) {
	at := &gatewaytest.CloudFront{Distribution: site.Distribution}
	at.Trouble = func(string) *gatewaytest.Trouble {
		return &gatewaytest.Trouble{Status: 403, Code: "SignatureDoesNotMatch", Message: "The canonical request was x-amz-security-token:" + token}
	}
	g := dial(t, &world{CloudFront: at})
	_, err := g.Distribution(t.Context())
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), token) {
			t.Errorf("%v", err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	bad := site
	bad.Role = "purge"
	if _, err := assume.New(aws.Config{}, bad, ""); err == nil || !strings.HasPrefix(err.Error(), `reach target "site": parse role "purge"`) {
		t.Error(err)
	}
}
