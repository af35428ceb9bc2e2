package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/mistakes"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/doctor"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/test/commandline"
)

// person is somebody at a shell.
type person struct{ env []string }

// home is a person with the files of the AWS CLI, and an environment that knows nothing else of AWS.
func home(t *testing.T, s *story.Stage, settings, keys string) person {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"config": settings, "credentials": keys} {
		if err := os.WriteFile(filepath.Join(dir, ".aws", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"HOME=" + dir, "AWS_EC2_METADATA_DISABLED=true", commandline.Variable + "=1"}
	if s != nil {
		// The SDK for Go asks STS for the role of a profile without looking at AWS_ENDPOINT_URL.
		env = append(env, "AWS_ENDPOINT_URL="+s.World.URL(), "AWS_ENDPOINT_URL_STS="+s.World.URL())
	}
	return person{env}
}

// run is one command line.
func (p person) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"doctor"}, args...)...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = p.env, t.TempDir(), &out, &said
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), said.String()
}

func user(t *testing.T, s *story.Stage, account, name string, d iam.Document) (keys string) {
	t.Helper()
	c, err := s.World.Directory().AddUser(account, name, d)
	if err != nil {
		t.Fatal(err)
	}
	return "aws_access_key_id = " + c.AccessKeyID + "\naws_secret_access_key = " + c.SecretAccessKey + "\n"
}

// role is one that may read, and that a user of the pipeline account assumes.
func role(t *testing.T, s *story.Stage, account, name, externalID string) string {
	t.Helper()
	trust := iam.Statement{
		Effect: iam.Allow, Principal: &iam.Principals{AWS: []string{"arn:aws:iam::" + story.PipelineAccount + ":root"}},
		Action: []string{"sts:AssumeRole"},
	}
	if externalID != "" {
		trust.Condition = iam.Conditions{"StringEquals": {"sts:ExternalId": {externalID}}}
	}
	r, err := s.World.Directory().CreateRole(accounts.Role{
		Account: account, Name: name, Path: "/people/", Inline: map[string]iam.Document{"read": reader(t)},
		Trust: iam.Document{Version: iam.Version2012, Statements: []iam.Statement{trust}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.ARN
}

func may(actions ...string) iam.Document {
	return iam.Document{Version: iam.Version2012, Statements: []iam.Statement{{Effect: iam.Allow, Action: actions, Resource: []string{"*"}}}}
}

// A user of one account whose profiles are roles of two, without a region.
func TestProfilesOfANormalUser(t *testing.T) {
	s := set(t, "relay")
	a, b := role(t, s, story.PipelineAccount, "reads", ""), role(t, s, story.DeliveryAccount, "reads", "agreed")
	keys := "[me]\n" + user(t, s, story.PipelineAccount, "me", may("sts:AssumeRole"))
	me := home(t, s, "[profile build]\nrole_arn = "+a+"\nsource_profile = me\n"+
		"[profile site]\nrole_arn = "+b+"\nexternal_id = agreed\nsource_profile = me\n", keys)

	code, out, stderr := me.run(t, "--pipeline-profile", "build", "--delivery-profile", "site", "--lambdas", lambdas(t))
	if code != 0 || !strings.Contains(out, "route relay") || !strings.Contains(out, "all well: ") || stderr != "" {
		t.Fatalf("exit %d\n%s%s", code, out, stderr)
	}
	if strings.Contains(out, "read:") {
		t.Error("without -v it says what was read")
	}
	_, out, _ = me.run(t, "--profile", "build", "--delivery-profile", "site", "-v")
	if !strings.Contains(out, "read: ") || !strings.Contains(out, "lambda:GetPolicy unstale-invalidator:live") {
		t.Errorf("with -v:\n%s", out)
	}

	me.env = append(me.env, "AWS_PROFILE=build")
	code, out, stderr = me.run(t, "--lambdas", lambdas(t), "--json", "--name", "unstale", "--route", "relay")
	var report doctor.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 1 {
		t.Fatalf("exit %d, %v\n%s%s", code, err, out, stderr)
	}
	if report.Broken != 0 || report.Unknown == 0 || !strings.Contains(stderr, "unknown") || !strings.Contains(stderr, "try: ") {
		t.Errorf("with one profile: %d broken, %d unknown\n%s%s", report.Broken, report.Unknown, stderr, ladder(report))
	}
	for _, r := range report.Rungs {
		if r.Account == story.DeliveryAccount && r.State == doctor.OK {
			t.Errorf("nothing of the delivery account may be read, and %s is %s", r.Name, r.State)
		}
	}
	if code, _, stderr = me.run(t, "--lambdas", lambdas(t), "--route", "relay", "--allow-unknown"); code != 0 {
		t.Errorf("with --allow-unknown: exit %d\n%s", code, stderr)
	}
}

func TestBrokenOnTheCommandLine(t *testing.T) {
	m, _ := mistakes.Find("permission-for-another")
	s, err := m.Deploy(t.Context(), options(t, "relay"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStage(t, s) })
	me := home(t, s, "[default]\nregion = us-east-1\n", "[default]\n"+user(t, s, story.PipelineAccount, "me", reader(t))+
		"[site]\n"+user(t, s, story.DeliveryAccount, "me", reader(t)))
	code, out, stderr := me.run(t, "--delivery-profile", "site", "--lambdas", lambdas(t))
	for _, part := range []string{
		"broken   222222222222  the job function's role may invoke the invalidator",
		"add in account 222222222222, to the resource policy of arn:aws:lambda:us-east-1:222222222222:function:unstale-invalidator:live:\n{\n",
		`"AWS": "arn:aws:iam::111111111111:role/unstale-job"`, "\n1 broken, 0 unknown, ",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("it does not say %q:\n%s", part, out)
		}
	}
	want := "first: the job function's role may invoke the invalidator\ntry: make the change above in account 222222222222, then unstale doctor again\n"
	if code != 1 || !strings.HasSuffix(stderr, want) {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func TestUsage(t *testing.T) {
	arn := "arn:aws:iam::222222222222:role/unstale-purge"
	me := home(t, nil, "", "")
	for _, args := range [][]string{
		{"now"},
		{"--route", "tunnel"},
		{"--external-id", "x"},
		{"--role-arn", arn},
		{"--role-arn", "purge", "--distribution", "E2EXAMPLE"},
		{"--role-arn", arn, "--distribution", "e2"},
		{"--role-arn", arn, "--distribution", "E2EXAMPLE", "--external-id", "?"},
		{"--role-arn", arn, "--distribution", "E2EXAMPLE", "--pipeline", "p"},
		{"--role-arn", arn, "--function", "arn:aws:lambda:us-east-1:222222222222:function:f:live", "--distribution", "E2EXAMPLE"},
		{"--function", "f"},
		{"--state-machine", "m"},
		{"--lambdas", "/nowhere"},
		{"--frobnicate"},
	} {
		if code, out, stderr := me.run(t, args...); code != 2 || out != "" || !strings.Contains(stderr, "try: ") {
			t.Errorf("%v: exit %d\n%s%s", args, code, out, stderr)
		}
	}
	code, out, _ := me.run(t, "--policy")
	if _, err := iam.Parse([]byte(out)); err != nil || code != 0 {
		t.Errorf("--policy: exit %d, %v\n%s", code, err, out)
	}
}

// The way from a person to a distribution, on every route that has one.
func TestOperatorAssumes(t *testing.T) {
	s := set(t, "assume")
	purge := s.Outputs["PurgeRoleArn"]
	me := home(t, s, "[default]\n", "[default]\n"+user(t, s, story.PipelineAccount, "me", may(append(doctor.Actions(), "sts:AssumeRole")...))+
		"[site]\n"+user(t, s, story.DeliveryAccount, "me", reader(t)))
	trusted := []string{"--role-arn", purge, "--distribution", s.Outputs["DistributionId"], "--delivery-profile", "site"}
	code, out, _ := me.run(t, append(trusted, "--external-id", "guessed")...)
	for _, part := range []string{
		"broken   222222222222  the caller may assume the purge role: " + purge,
		"add in account 222222222222, to the trust policy of " + purge, `"aws:PrincipalArn": "arn:aws:iam::111111111111:user/me"`, `"sts:ExternalId": "guessed"`,
	} {
		if code != 1 || !strings.Contains(out, part) {
			t.Errorf("exit %d, not %q:\n%s", code, part, out)
		}
	}
	trust := iam.Statement{
		Effect: iam.Allow, Principal: &iam.Principals{AWS: []string{"arn:aws:iam::" + story.PipelineAccount + ":root"}},
		Action: []string{"sts:AssumeRole"}, Condition: iam.Conditions{"ArnEquals": {"aws:PrincipalArn": {"arn:aws:iam::111111111111:user/me"}}},
	}
	err := s.World.Directory().UpdateRole(purge, func(r *accounts.Role) error {
		r.Trust.Statements = append(slices.Clone(r.Trust.Statements), trust)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if code, out, stderr := me.run(t, trusted...); code != 0 || !strings.Contains(out, "STS gave a session") && !strings.Contains(out, "all well") {
		t.Errorf("exit %d\n%s%s", code, out, stderr)
	}
	code, out, _ = me.run(t, trusted[:4]...)
	if code != 1 || !strings.Contains(out, "unknown  222222222222  the purge role may invalidate the distribution") ||
		!strings.Contains(out, "ok       222222222222  the distribution exists and is enabled") {
		t.Errorf("with the session alone: exit %d\n%s", code, out)
	}
}

func TestOperatorInvokes(t *testing.T) {
	s := set(t, "relay")
	var ran atomic.Int32
	s.World.Journal().OnEvent(func(e journal.Event) {
		if e.Name == "InvocationStart" {
			ran.Add(1)
		}
	})
	me := home(t, s, "[default]\n", "[default]\n"+user(t, s, story.PipelineAccount, "me", may(append(doctor.Actions(), "lambda:InvokeFunction")...))+
		"[site]\n"+user(t, s, story.DeliveryAccount, "me", may(append(doctor.Actions(), "lambda:InvokeFunction")...)))
	args := []string{"--function", s.Outputs["InvalidatorArn"], "--distribution", s.Outputs["DistributionId"], "--lambdas", lambdas(t), "--delivery-profile", "site"}
	code, out, _ := me.run(t, args...)
	if code != 1 || !strings.Contains(out, "broken   222222222222  Lambda lets the caller invoke") || !strings.Contains(out, `"AWS": "arn:aws:iam::111111111111:user/me"`) {
		t.Errorf("exit %d\n%s", code, out)
	}
	code, out, stderr := me.run(t, append(args, "--profile", "site")...)
	if code != 0 || !strings.Contains(out, "ok       222222222222  Lambda lets the caller invoke") {
		t.Errorf("within the account: exit %d\n%s%s", code, out, stderr)
	}
	if n := ran.Load(); n > 0 {
		t.Errorf("%d functions ran", n)
	}
}

func TestOperatorStarts(t *testing.T) {
	s := set(t, "states")
	me := home(t, s, "[default]\n", "[default]\n"+user(t, s, story.PipelineAccount, "me", may(append(doctor.Actions(), "states:DescribeExecution")...))+
		"[site]\n"+user(t, s, story.DeliveryAccount, "me", reader(t)))
	code, out, _ := me.run(t, "--state-machine", s.Outputs["StateMachineArn"], "--distribution", s.Outputs["DistributionId"], "--delivery-profile", "site")
	if code != 1 || !strings.Contains(out, "1 broken, 0 unknown") || !strings.Contains(out, "add in account 111111111111, to the identity policy of arn:aws:iam::111111111111:user/me") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestOperatorOfTheAccount(t *testing.T) {
	s := set(t, "same-account")
	me := home(t, s, "[default]\n", "[default]\n"+user(t, s, story.PipelineAccount, "me", may(append(doctor.Actions(), "cloudfront:CreateInvalidation")...)))
	if code, out, stderr := me.run(t, "--distribution", s.Outputs["DistributionId"]); code != 0 {
		t.Errorf("exit %d\n%s%s", code, out, stderr)
	}
	code, out, _ := me.run(t, "--distribution", s.Outputs["DistributionId"], "--tags")
	if code != 1 || !strings.Contains(out, "CacheTagConfig") {
		t.Errorf("tags without a header: exit %d\n%s", code, out)
	}
	if code, out, _ = me.run(t, "--distribution", "E2NOTTHERE"); code != 1 || !strings.Contains(out, "has no distribution E2NOTTHERE") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, out, _ = me.run(t, "--name", "other"); code != 1 || !strings.Contains(out, "no stacks named other-") {
		t.Errorf("no stacks: exit %d\n%s", code, out)
	}
	if code, out, _ = me.run(t, "--pipeline", "other"); code != 1 || !strings.Contains(out, "has no pipeline other") {
		t.Errorf("no pipeline: exit %d\n%s", code, out)
	}
	if code, out, stderr := me.run(t, "--pipeline", "unstale", "--lambdas", lambdas(t)); code != 0 {
		t.Errorf("by the pipeline's name: exit %d\n%s%s", code, out, stderr)
	}
}

// What may not be read is unknown, never well: each permission of the reader is taken away in turn, and a
// broken set-up is never called well for it.
func TestNothingIsWellUnread(t *testing.T) {
	m, _ := mistakes.Find("trust")
	s, err := m.Deploy(t.Context(), options(t, "assume"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStage(t, s) })
	missed := 0
	for _, without := range doctor.Actions() {
		actions := slices.DeleteFunc(doctor.Actions(), func(a string) bool { return a == without })
		name := strings.ReplaceAll(without, ":", "-")
		p := &people{stage: s, files: t.TempDir(), accounts: []string{story.PipelineAccount, story.DeliveryAccount}, wire: &watched{seen: map[string]bool{}}}
		p.write(t, "config", "[profile pipeline]\nregion = us-east-1\n[profile delivery]\nregion = us-east-1\n")
		p.write(t, "credentials", "[pipeline]\n"+user(t, s, story.PipelineAccount, name, may(actions...))+"[delivery]\n"+user(t, s, story.DeliveryAccount, name, may(actions...)))
		report, err := p.doctor(t).Check(t.Context(), ask(t, "assume"))
		if without == "sts:GetCallerIdentity" {
			continue // it cannot be denied
		}
		if err != nil {
			t.Fatal(err)
		}
		if report.Broken+report.Unknown == 0 {
			t.Errorf("without %s all is well", without)
		}
		if report.Unknown > 0 {
			missed++
		}
	}
	if missed < 10 {
		t.Errorf("taking permissions away made something unknown %d times", missed)
	}
}
