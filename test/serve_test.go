package test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/test/stage"
)

// served is a running `unstale rehearse --serve`, as a person at two shells has it.
type served struct {
	cmd    *exec.Cmd
	tmp    string
	lines  *bufio.Scanner // of stdout
	stderr strings.Builder
	// files are the environment files, by "pipeline" and "delivery".
	files map[string]string
	// own are the command lines of the program itself that are offered.
	own []string
}

var ownCommand = regexp.MustCompile(`^  \S*unstale (?:doctor|invalidate|status) `)

var environmentFile = regexp.MustCompile(`^  (pipeline|delivery) account +\. (\S+)$`)

func start(t *testing.T, args ...string) *served {
	t.Helper()
	s := &served{tmp: t.TempDir(), files: map[string]string{}}
	s.cmd = exec.CommandContext(deadline(t), stage.Program(t), args...)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+s.tmp)
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // it has ended, unless the test failed before
	s.lines = bufio.NewScanner(stdout)
	return s
}

// until reads on to a line that has a text.
func (s *served) until(t *testing.T, text string) {
	t.Helper()
	for s.lines.Scan() {
		if m := environmentFile.FindStringSubmatch(s.lines.Text()); m != nil {
			s.files[m[1]] = m[2]
		}
		if line := s.lines.Text(); ownCommand.MatchString(line) {
			s.own = append(s.own, strings.TrimSpace(line))
		}
		if strings.Contains(s.lines.Text(), text) {
			return
		}
	}
	t.Fatalf("the program ended without saying %q\n%s", text, s.stderr.String())
}

// interrupt is Ctrl-C; it returns the exit code, once nothing was left behind.
func (s *served) interrupt(t *testing.T) int {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for s.lines.Scan() { // Wait must not close the pipe before all is read
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	nothingLeft(t, s.tmp)
	return s.cmd.ProcessState.ExitCode()
}

// shell runs a command with an environment file sourced.
func (s *served) shell(t *testing.T, file, command string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(deadline(t), "sh", "-euc", `. "$1"; `+command, "sh", s.files[file])
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Both accounts stay up for the AWS CLI, git and whatever speaks HTTP, until Ctrl-C.
func TestServe(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Fatal("no aws on PATH: make setup installs the AWS CLI on Debian; elsewhere install it and run the tests again")
	}
	s := start(t, "rehearse", "--route", "relay", "--serve", "--lambdas", stage.Lambdas(t))
	s.until(t, "Ctrl-C ends it")
	for _, name := range []string{"pipeline", "delivery"} {
		checkPrivate(t, s.files[name])
	}
	serveClients(t, s)
	serveOwn(t, s)
	servePush(t, s)
	serveRefuses(t, s)
	if len(processesOf(t, s.tmp)) == 0 {
		t.Error("no function is running; the check that none is left would find nothing")
	}
	if code := s.interrupt(t); code != 0 || s.stderr.String() != "" {
		t.Errorf("exit code %d, stderr %q", code, s.stderr.String())
	}
}

func checkPrivate(t *testing.T, file string) {
	t.Helper()
	for path, want := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s is open for %o, not %o", path, got, want)
		}
	}
}

// environment reads an environment file the way a shell does.
func environment(t *testing.T, file string) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "env", "-i", "sh", "-euc", `. "$1"; env`, "sh", file).Output()
	if err != nil {
		t.Fatalf("source %s: %v", file, err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(out)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[k] = v
	}
	return env
}

// serveClients uses the AWS CLI on both accounts, in one shell each.
func serveClients(t *testing.T, s *served) {
	t.Helper()
	for file, wants := range map[string][]struct{ command, says string }{
		"pipeline": {
			{"aws sts get-caller-identity", `"Arn": "arn:aws:iam::111111111111:root"`},
			{"aws codepipeline get-pipeline-state --name unstale --query 'stageStates[].latestExecution.status'", `"Succeeded",`},
			{"aws s3 ls", "unstale-artifacts-111111111111-us-east-1"},
		},
		"delivery": {
			{"aws sts get-caller-identity", `"Arn": "arn:aws:iam::222222222222:root"`},
			{"aws s3 ls s3://unstale-site-222222222222-us-east-1", "index.html"},
			{`aws cloudfront list-invalidations --distribution-id "$UNSTALE_DISTRIBUTION"`, `"Status": "Completed"`},
		},
	} {
		for _, want := range wants {
			if out, err := s.shell(t, file, want.command); err != nil || !strings.Contains(out, want.says) {
				t.Errorf("%s: %v\n%s", want.command, err, out)
			}
		}
	}
}

// serveOwn runs what the program offers of itself, as it is pasted, in a shell of each account.
func serveOwn(t *testing.T, s *served) {
	t.Helper()
	says := []string{"all well: ", "dry run: nothing was purged", "done", "PATHS THIS MONTH"}
	if len(s.own) != len(says) {
		t.Errorf("%d commands are offered: %q", len(s.own), s.own)
		return
	}
	for file := range s.files {
		for i, command := range s.own {
			if out, err := s.shell(t, file, command); err != nil || !strings.Contains(out, says[i]) {
				t.Errorf("in a shell of %s: %s: %v, want %q\n%s", file, command, err, says[i], out)
			}
		}
	}
}

// servePush delivers release 2 with git alone, and looks at it from every point of presence.
func servePush(t *testing.T, s *served) {
	t.Helper()
	const push = `git clone --quiet "$UNSTALE_REPOSITORY" site; cd site; echo 2 >RELEASE
git -c user.name=D -c user.email=d@example.com commit --quiet --all --message 'Release 2'; git push --quiet`
	if out, err := s.shell(t, "pipeline", push); err != nil {
		t.Fatalf("push: %v\n%s", err, out)
	}
	s.until(t, "pipeline unstale Succeeded")
	env := environment(t, s.files["delivery"])
	looked := 0
	for name, proxy := range env {
		if strings.HasPrefix(name, "UNSTALE_PROXY_") {
			looked++
			if body := fetch(t, env["UNSTALE_SITE"]+"any/route", proxy, env["SSL_CERT_FILE"]); !strings.Contains(body, `data-release="2"`) {
				t.Errorf("%s answers %s", name, body)
			}
		}
	}
	if looked != 3 {
		t.Errorf("there are %d points of presence, not 3", looked)
	}
}

func fetch(t *testing.T, address, proxy, caFile string) string {
	t.Helper()
	ca, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	via, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(via), TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// serveRefuses tries what others on this machine, or a page in a browser on it, might.
func serveRefuses(t *testing.T, s *served) {
	t.Helper()
	env := environment(t, s.files["pipeline"])
	for says, keys := range map[string][2]string{
		"SignatureDoesNotMatch": {env["AWS_ACCESS_KEY_ID"], "wrong"},
		"InvalidClientTokenId":  {"AKIAUNKNOWN", env["AWS_SECRET_ACCESS_KEY"]},
	} {
		err := whoAmI(t, env, keys[0], keys[1])
		var refused smithy.APIError
		if !errors.As(err, &refused) || refused.ErrorCode() != says {
			t.Errorf("want %s, got %v", says, err)
		}
	}
	if err := whoAmI(t, env, env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]); err != nil {
		t.Errorf("with the right keys: %v", err)
	}
	const strangers = `git ls-remote "$(echo "$UNSTALE_REPOSITORY" | sed 's|//[^@]*@|//|')"`
	if out, err := s.shell(t, "pipeline", strangers); err == nil {
		t.Errorf("git needs no credentials: %s", out)
	}
	// A page of another site can make a browser call this port, but under that site's name.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env["AWS_ENDPOINT_URL"], nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "attacker.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign Host is answered %s", resp.Status)
	}
}

// whoAmI asks STS with an access key and its secret.
func whoAmI(t *testing.T, env map[string]string, id, secret string) error {
	t.Helper()
	client := sts.New(sts.Options{
		Region: env["AWS_REGION"], BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
		}),
	})
	_, err := client.GetCallerIdentity(t.Context(), nil)
	return err
}

// Ctrl-C in the middle of a story is none of its failures: it ends as shells say, with one word, and leaves
// no more behind than the end of one.
func TestInterruptInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"CREATE_IN_PROGRESS", "Build    InProgress", "invalidation I"} {
		s := start(t, "rehearse", "--route", "relay", "--lambdas", stage.Lambdas(t))
		s.until(t, moment)
		if code := s.interrupt(t); code != 130 || s.stderr.String() != "unstale: interrupted\n" {
			t.Errorf("at %q: exit code %d\n%s", moment, code, s.stderr.String())
		}
	}
}
