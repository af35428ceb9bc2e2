package doctor

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/doctor"
)

// people are a user in each account who may do what the doctor says it needs, and nothing else, with the
// files that an AWS CLI user has.
type people struct {
	stage    *story.Stage
	files    string // directory with config and credentials
	accounts []string
	wire     *watched
}

func profiles(t *testing.T, s *story.Stage) *people {
	t.Helper()
	p := &people{stage: s, files: t.TempDir(), wire: &watched{seen: map[string]bool{}}}
	a, b := story.AccountsOf(s.Route())
	p.accounts = slices.Compact([]string{a, b})
	var settings, keys strings.Builder
	for i, account := range p.accounts {
		profile := []string{"pipeline", "delivery"}[i]
		c, err := s.World.Directory().AddUser(account, "reader", reader(t))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&settings, "[profile %s]\nregion = %s\n", profile, story.Region)
		fmt.Fprintf(&keys, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", profile, c.AccessKeyID, c.SecretAccessKey)
	}
	p.write(t, "config", settings.String())
	p.write(t, "credentials", keys.String())
	return p
}

func (p *people) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.files, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reader is what a profile needs.
func reader(t *testing.T) iam.Document {
	t.Helper()
	d := iam.Document{Version: iam.Version2012, Statements: []iam.Statement{
		{Sid: "Read", Effect: iam.Allow, Action: doctor.Actions(), Resource: []string{"*"}},
	}}
	if err := d.Validate(iam.LayerIdentity); err != nil {
		t.Fatal(err)
	}
	return d
}

// config is a profile as the SDK reads it.
func (p *people) config(t *testing.T, profile string) aws.Config {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(
		t.Context(), config.WithSharedConfigProfile(profile), config.WithBaseEndpoint(p.stage.World.URL()),
		config.WithSharedConfigFiles([]string{filepath.Join(p.files, "config")}),
		config.WithSharedCredentialsFiles([]string{filepath.Join(p.files, "credentials")}),
	)
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTPClient = &http.Client{Transport: p.wire}
	return cfg
}

func (p *people) doctor(t *testing.T) *doctor.Doctor {
	t.Helper()
	var delivery aws.Config
	if len(p.accounts) == 2 {
		delivery = p.config(t, "delivery")
	}
	return doctor.New(p.config(t, "pipeline"), delivery)
}

// watched lets only those requests through that read, told by what is on the wire and not by what the
// doctor believes that it calls.
type watched struct {
	mu   sync.Mutex
	seen map[string]bool
}

// harmless are the actions that a doctor may take, as they are named on the wire.
var harmless = []string{
	"cloudformation:DescribeStackEvents", "cloudformation:DescribeStacks", "codepipeline:GetPipeline", "iam:GetPolicy", "iam:GetPolicyVersion",
	"iam:GetRole", "iam:GetRolePolicy", "iam:GetUser", "iam:GetUserPolicy", "iam:ListAttachedRolePolicies", "iam:ListAttachedUserPolicies",
	"iam:ListGroupsForUser", "iam:ListRolePolicies", "iam:ListUserPolicies", "iam:SimulatePrincipalPolicy", "kms:GetKeyPolicy",
	"lambda:DryRun", "states:DescribeStateMachine", "sts:AssumeRole", "sts:GetCallerIdentity",
}

var service = regexp.MustCompile(`Credential=[^/]+/\d{8}/[^/]+/([a-z0-9]+)/`)

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	action, err := actionOf(r)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.seen[action] = true
	w.mu.Unlock()
	if !slices.Contains(harmless, action) && !strings.Contains(action, ":GET ") {
		return nil, fmt.Errorf("refuse %s: a doctor does not do that", action)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// actionOf names what a request asks for: its form's Action, its target, or method and path.
func actionOf(r *http.Request) (string, error) {
	name := "unsigned"
	if m := service.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		name = m[1]
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return name + ":" + target[strings.LastIndexByte(target, '.')+1:], nil
	}
	if r.Method == http.MethodPost && r.Header.Get("X-Amz-Invocation-Type") == "DryRun" {
		return name + ":DryRun", nil
	}
	if r.Method != http.MethodPost || r.Body == nil {
		return name + ":" + r.Method + " " + r.URL.Path, nil
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	r.Body = io.NopCloser(bytes.NewReader(text)) // of a copy of the request
	form, err := url.ParseQuery(string(text))
	if err != nil || form.Get("Action") == "" {
		return name + ":POST " + r.URL.Path, nil
	}
	return name + ":" + form.Get("Action"), nil
}

// onlyRead holds what the rehearsal saw of the readers: no decision about an action that is not on the
// list, and no function that began to run.
func (p *people) onlyRead(t *testing.T) {
	t.Helper()
	for action := range maps.Keys(p.wire.seen) {
		if strings.HasPrefix(action, "unsigned") {
			t.Errorf("the doctor sent %s", action)
		}
	}
	needed := append(doctor.Actions(), "sts:AssumeRole", "lambda:InvokeFunction")
	for _, c := range p.stage.World.Journal().Calls() {
		if strings.HasSuffix(c.Principal, ":user/reader") && !slices.Contains(needed, c.Action) {
			t.Errorf("the reader asked for %s on %s", c.Action, c.Resource)
		}
	}
}

// volatile is what differs from run to run.
var volatile = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`distribution/E[A-Z0-9]{13}\b`), "distribution/ID"},
	{regexp.MustCompile(`"E[A-Z2-7][A-Z0-9]{12}"`), `"ID"`},
	{regexp.MustCompile(`key/[0-9a-f]{8}-[0-9a-f-]{27}`), "key/ID"},
	{regexp.MustCompile(`unstale-[a-z2-7]{26}`), "EXTERNAL"},
	{regexp.MustCompile(`\bE[A-Z0-9]{13}\b`), "ID"},
}

func steady(s string) string {
	for _, v := range volatile {
		s = v.pattern.ReplaceAllString(s, v.name)
	}
	return s
}
