package doctor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/target"
)

// What a job function's variable says, without anybody who could look.
func TestState(t *testing.T) {
	const arn = "arn:aws:lambda:us-east-1:111111111111:function:job"
	for _, tt := range []struct {
		name, location string
		inputs, gated  bool
		rungs          string // state and name of each
		why            string // in the first one
	}{
		{"none", "", true, false, "note the job function remembers releases", "everything is purged each time: no state bucket"},
		{"no bucket", "Releases", true, false, "broken the job function remembers releases", "UNSTALE_STATE: read state location"},
		{
			"without an artifact", "releases", false, false, "note the job function remembers releases, unknown the state bucket exists, " +
				"unknown the job function's role may read and write the state, unknown the job function's role may list the state", "action Purge has no input artifact",
		},
		{
			"unread", "s3://releases/site", true, true, "ok the job function remembers releases, unknown the state bucket exists, " +
				"unknown the job function's role may read and write the state, unknown the job function's role may list the state", "s3://releases/site",
		},
	} {
		w := &walk{}
		fn := function{arn: arn, environment: map[string]string{stateVariable: tt.location}}
		gated := w.state(t.Context(), action{name: "Purge", inputs: tt.inputs}, fn, caller(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`))
		var got []string
		for _, r := range w.report.Rungs {
			got = append(got, string(r.State)+" "+r.Name)
		}
		if strings.Join(got, ", ") != tt.rungs || gated != tt.gated || !strings.Contains(w.report.Rungs[0].Why, tt.why) {
			t.Errorf("%s: gated %v: %s: %s", tt.name, gated, got, w.report.Rungs[0].Why)
		}
	}
}

// A state that has a prefix of its own asks for no more than that.
func TestStatePrefix(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<Error><Code>NoSuchBucketPolicy</Code></Error>") // the client tells when it fails
	}))
	defer server.Close()
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: aws.AnonymousCredentials{}}
	w := &walk{sides: map[string]*side{"111111111111": {s3: s3.NewFromConfig(cfg)}}}
	fn := function{arn: "arn:aws:lambda:us-east-1:111111111111:function:job", environment: map[string]string{stateVariable: "s3://releases/a/b/"}}
	w.state(t.Context(), action{inputs: true}, fn, caller())
	for name, want := range map[string]string{
		"the job function's role may read and write the state": `{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::releases/a/b/*"}`,
		"the job function's role may list the state":           `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::releases"}`,
	} {
		i := slices.IndexFunc(w.report.Rungs, func(r Rung) bool { return r.Name == name })
		if i < 0 || len(w.report.Rungs[i].Changes) != 1 || string(w.report.Rungs[i].Changes[0].Statement) != want {
			t.Errorf("%s: %+v", name, w.report.Rungs)
		}
	}
	w.report.Rungs = nil
	w.state(t.Context(), action{inputs: true}, fn, caller(
		`{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::releases/a/b/*"}`,
		`{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::releases","Condition":{"StringLike":{"s3:prefix":"a/b/*"}}}`,
	))
	for _, r := range w.report.Rungs {
		if r.State != OK && r.State != Note {
			t.Errorf("with just enough: %+v", r)
		}
	}
	b := bucket{name: "releases", arn: "arn:aws:s3:::releases", objects: "arn:aws:s3:::releases/a/", prefix: "a/", owner: "111111111111"}
	if got := string(onlyWriter(b, roleA).Statement); !strings.Contains(got, `"Resource":"arn:aws:s3:::releases/a/*"`) {
		t.Error(got)
	}
}

func TestSealed(t *testing.T) {
	b := bucket{name: "b", arn: "arn:aws:s3:::b", objects: "arn:aws:s3:::b/", owner: "111111111111"}
	deny := strings.TrimSuffix(string(onlyWriter(b, roleA).Statement), "}")
	for name, tt := range map[string]struct {
		policy  *iam.Policy
		want    State
		changes int
	}{
		"no policy":              {nil, Note, 1},
		"only the job":           {policy(deny + "}"), OK, 0},
		"all but readers":        {policy(`{"Effect":"Deny","Principal":"*","Action":"s3:Put*","Resource":"arn:aws:s3:::b/*"}`), OK, 0},
		"other objects":          {policy(strings.ReplaceAll(deny, "b/*", "b/other/*") + "}"), Note, 1},
		"from somewhere else":    {policy(strings.Replace(deny, `"Condition":{`, `"Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"},`, 1) + "}"), Note, 0},
		"nobody without TLS":     {policy(`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`), Note, 1},
		"one other role of many": {policy(`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/x"}}}`), Note, 1},
	} {
		w := &walk{}
		w.sealed(b, tt.policy, onlyWriter(b, roleA))
		if r := w.report.Rungs[0]; r.State != tt.want || len(r.Changes) != tt.changes || r.Why == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestNoSuchBucket(t *testing.T) {
	w := &walk{}
	ok := w.check(link{
		name: "n", caller: caller(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`), actions: []string{"s3:GetObject"}, resource: "arn:aws:s3:::b/any",
		account: "111111111111", kind: iam.ResourcePolicy, err: errors.Join(errors.New("s3:GetBucketPolicy b"), errNoBucket),
	})
	if ok || !strings.Contains(w.report.Rungs[0].Why, "there is no such bucket") {
		t.Errorf("%+v", w.report.Rungs)
	}
}

// The session that the gateway asks for lets through what it needs, for its distribution, and nothing else.
func TestNarrowed(t *testing.T) {
	purge := &role{principal: iam.Principal{ARN: "arn:aws:sts::222222222222:assumed-role/purge/s", Account: "222222222222", RoleARN: roleB}, identity: []iam.Policy{
		*policy(`{"Effect":"Allow","Action":"*","Resource":"*"}`),
	}}
	in := target.Target{Role: roleB, Distribution: "E2EXAMPLE"}
	for _, tt := range []struct {
		action, resource string
		want             State
	}{
		{"cloudfront:CreateInvalidation", "arn:aws:cloudfront::222222222222:distribution/E2EXAMPLE", OK},
		{"cloudfront:CreateInvalidation", "arn:aws:cloudfront::222222222222:distribution/E3EXAMPLE", Broken},
		{"s3:GetObject", "arn:aws:s3:::site/any", OK},
		{"s3:PutObject", "arn:aws:s3:::site/any", Broken},
	} {
		w := &walk{}
		w.check(link{caller: narrowed(purge, in), actions: []string{tt.action}, resource: tt.resource, account: "222222222222", kind: iam.ResourcePolicy})
		if r := w.report.Rungs[0]; r.State != tt.want || tt.want == Broken && r.Changes[0].Layer != "session" {
			t.Errorf("%s on %s: %+v", tt.action, tt.resource, r)
		}
	}
	if purge.session != nil {
		t.Error("the role itself was changed")
	}
	in.Role = "purge"
	if r := narrowed(purge, in); r.err == nil {
		t.Error("a role that is none has a session")
	}
}

func origin(id, domain string) types.Origin {
	return types.Origin{Id: &id, DomainName: &domain}
}

func TestReleased(t *testing.T) {
	a, b, web := origin("a", "a.s3.us-east-1.amazonaws.com"), origin("b", "b.s3.us-east-1.amazonaws.com"), origin("w", "www.example.com")
	again := origin("again", "a.s3.us-east-1.amazonaws.com")
	for name, tt := range map[string]struct {
		origins      []types.Origin
		bucket       string
		want         string
		found, known bool
	}{
		"not read":         {nil, "", "", false, false},
		"none":             {[]types.Origin{}, "", "", false, true},
		"no bucket":        {[]types.Origin{web}, "", "", false, true},
		"one":              {[]types.Origin{web, a}, "", "a", true, true},
		"one twice":        {[]types.Origin{a, again}, "", "a", true, true},
		"two":              {[]types.Origin{a, b}, "", "", false, true},
		"two, one is told": {[]types.Origin{a, b}, "b", "b", true, true},
		"another is told":  {[]types.Origin{a}, "c", "", false, true},
	} {
		w := &walk{origins: map[string][]types.Origin{"E": tt.origins}}
		o, found, known := w.released(target.Target{Distribution: "E", Planning: &target.Planning{Bucket: tt.bucket}})
		if aws.ToString(o.Id) != tt.want || found != tt.found || known != tt.known {
			t.Errorf("%s: %s, %v, %v", name, aws.ToString(o.Id), found, known)
		}
	}
}

// What a purge goes on without is not asked of the organization, and its lack is a note.
func TestLooksOnlyWhereItHasTo(t *testing.T) {
	for gated, want := range map[bool]State{true: Unknown, false: Note} {
		w := &walk{origins: map[string][]types.Origin{"E": {origin("a", "a.s3.us-east-1.amazonaws.com")}}}
		w.gateway(t.Context(), "somebody", caller(), target.Target{Distribution: "E", Account: "111111111111"}, gated)
		last := w.report.Rungs[len(w.report.Rungs)-1]
		asked := slices.ContainsFunc(w.asked, func(d demand) bool { return slices.Contains(d.actions, "s3:GetObject") })
		if last.State != want || asked != gated {
			t.Errorf("gated %v: asked %v, %+v", gated, asked, last)
		}
	}
}

// Where the distribution is not known, whether its origin may be read is not either; who does not look has
// no need to.
func TestUnreadOrigin(t *testing.T) {
	for gated, want := range map[bool]int{true: 1, false: 0} {
		w := &walk{origins: map[string][]types.Origin{"E": nil}, sides: map[string]*side{}}
		w.gateway(context.Background(), "somebody", caller(), target.Target{Distribution: "E", Account: "222222222222"}, gated)
		n := 0
		for _, r := range w.report.Rungs {
			if strings.Contains(r.Name, "origin serves") && r.State == Unknown {
				n++
			}
		}
		if n != want {
			t.Errorf("gated %v: %+v", gated, w.report.Rungs)
		}
	}
}

// The policy of a bucket in another region than the profile's is asked for there.
func TestBucketElsewhere(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/s3/") {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			w.WriteHeader(http.StatusMovedPermanently)
			_, _ = io.WriteString(w, "<Error><Code>PermanentRedirect</Code></Error>")
			return
		}
		_, _ = io.WriteString(w, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}`)
	}))
	defer server.Close()
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	}
	w := &walk{sides: map[string]*side{"111111111111": {s3: s3.NewFromConfig(cfg), region: "us-east-1"}}}
	p, err := w.bucketPolicy(t.Context(), "111111111111", "b")
	if err != nil || p == nil {
		t.Errorf("%v, %v", p, err)
	}
}
