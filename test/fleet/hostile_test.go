package fleet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/test/commandline"
)

// shell is a person at a shell, as a process of its own.
func shell(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env, cmd.Dir = env, t.TempDir()
	return cmd
}

func run(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), said.String()
}

// Whatever answers in the place of AWS, there is a clear error in bounded time, and no panic.
func TestHostileEndpoints(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("<Aliases><Quantity>0</Quantity></Aliases>", 1<<14)
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		says   string
	}{
		"a reply of 100 MB": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `<?xml version="1.0"?><Distribution><DistributionConfig>`)
			for range 100 << 20 / len(long) {
				if _, err := io.WriteString(w, long); err != nil {
					return
				}
			}
		}, "longer than"},
		"no XML":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }, "read distribution"},
		"nothing":     {func(http.ResponseWriter, *http.Request) {}, "no configuration"},
		"a bad day":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "read distribution"},
		"it hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "NetworkError"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(tt.answer))
			t.Cleanup(server.Close)
			env := []string{
				commandline.Variable + "=1", "HOME=" + t.TempDir(), "AWS_ENDPOINT_URL=" + server.URL, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
				"AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
			}
			began := time.Now()
			code, stdout, stderr := run(t, shell(t, env, "invalidate", "--distribution", "E2EXAMPLE", "/*"))
			if code != 1 || !strings.Contains(stderr, tt.says) || !strings.Contains(stderr, "\ntry: ") || strings.Contains(stderr, "goroutine") {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %v", took)
			}
			if code, _, stderr := run(t, shell(t, env, "status", "--distribution", "E2EXAMPLE")); code != 1 || !strings.Contains(stderr, "\ntry: ") {
				t.Errorf("status: exit code %d\n%s", code, stderr)
			}
		})
	}
}

// A server that never answers holds nobody up who has had enough.
func TestASilentServer(t *testing.T) {
	t.Parallel()
	asked, leave := make(chan struct{}, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-leave
	}))
	t.Cleanup(func() {
		close(leave)
		server.Close()
	})
	var stderr bytes.Buffer
	cmd := shell(t, []string{
		commandline.Variable + "=1", "HOME=" + t.TempDir(), "AWS_ENDPOINT_URL=" + server.URL, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
	}, "invalidate", "--distribution", "E2EXAMPLE", "/*")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(stderr.String(), "interrupted before CloudFront accepted an invalidation") {
		t.Errorf("exit code %d\n%s", code, stderr.String())
	}
}

// A server that never answers is given up when the wait would be over, by whatever the server is to be reached, and
// the call that had no answer is named. After a creation without an answer it is said how to find out.
func TestASilentServerIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answers []string // the paths that are answered end so
		says    []string
	}{
		"nothing is answered": {nil, []string{
			`(?m)^unstale: read distribution on distribution E2EXAMPLE: RequestTimeout: HOST gave no answer within 10s$`, `(?m)^try: check that HOST is right and answers `,
		}},
		"a creation is not answered": {[]string{"GET /2020-05-31/distribution/E2EXAMPLE", "GET /2020-05-31/distribution/E2EXAMPLE/invalidation"}, []string{
			`(?m)^unstale: create invalidation on distribution E2EXAMPLE: RequestTimeout: HOST gave no answer within 10s$`,
			`(?m)^try: check that HOST .*; then unstale invalidate --resume silent, which finds the invalidation if it was made after all$`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leave := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch asked := r.Method + " " + r.URL.Path; {
				case !slices.Contains(tt.answers, asked):
					<-leave
				case strings.HasSuffix(asked, "/invalidation"):
					_, _ = io.WriteString(w, `<InvalidationList><MaxItems>100</MaxItems><IsTruncated>false</IsTruncated><Quantity>0</Quantity></InvalidationList>`)
				default:
					_, _ = io.WriteString(w, distribution)
				}
			}))
			t.Cleanup(func() {
				close(leave)
				server.Close()
			})
			began := time.Now()
			code, stdout, stderr := run(t, shell(t, []string{
				commandline.Variable + "=1", "HOME=" + t.TempDir(), "AWS_ENDPOINT_URL=" + server.URL, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
				"AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
			}, "invalidate", "--distribution", "E2EXAMPLE", "--wait", "5s", "--attempt", "silent", "/x"))
			took := time.Since(began)
			for _, says := range tt.says {
				if says = strings.ReplaceAll(says, "HOST", regexp.QuoteMeta(strings.TrimPrefix(server.URL, "http://"))); !regexp.MustCompile(says).MatchString(stderr) {
					t.Errorf("not %s", says)
				}
			}
			if code != 1 || strings.Contains(stdout, "RequestTimeout") || t.Failed() {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if took > 20*time.Second { // four tries of 10 s would be 41
				t.Errorf("it took %v", took)
			}
		})
	}
}

// distribution is what CloudFront answers of one that has an origin.
const distribution = `<?xml version="1.0"?><Distribution><Id>E2EXAMPLE</Id><ARN>arn:aws:cloudfront::222222222222:distribution/E2EXAMPLE</ARN><Status>Deployed</Status>
<DomainName>d111111abcdef8.cloudfront.net</DomainName><InProgressInvalidationBatches>0</InProgressInvalidationBatches>
<DistributionConfig><CallerReference>r</CallerReference><Enabled>true</Enabled><Comment></Comment>
<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id><DomainName>www.example.com</DomainName><CustomOriginConfig><HTTPPort>80</HTTPPort><HTTPSPort>443</HTTPSPort><OriginProtocolPolicy>https-only</OriginProtocolPolicy></CustomOriginConfig></Origin></Items></Origins>
<DefaultCacheBehavior><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>https-only</ViewerProtocolPolicy><CachePolicyId>658327ea-f89d-4fab-a63d-7e88639e58f6</CachePolicyId></DefaultCacheBehavior>
</DistributionConfig></Distribution>`

// slow is a world whose invalidations take long.
func slow(t *testing.T) (*world, []string) {
	t.Helper()
	o := options(t)
	o.Invalidation.Delays = cloudfront.Fixed(time.Hour)
	o.ManualClock = true
	w := newWorld(t, o)
	w.assume(laptop)
	return w, w.environment(t.TempDir())
}

func flags(w *world) []string {
	return []string{"--region", region, "--distribution", w.outputs["DistributionId"], "--role-arn", w.outputs["PurgeRoleArn"], "--external-id", external}
}

// The first Ctrl-C ends the waiting and says what goes on and how to look at it again.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	w, env := slow(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := shell(t, env, append([]string{"invalidate", "/*"}, flags(w)...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.Contains(lines.Text(), ": created ") {
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(out)
		_ = cmd.Wait() // its exit code is looked at
		said := stderr.String()
		if code := cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(said, "interrupted: wait for invalidation I") || !strings.Contains(said, "it goes on at AWS") ||
			!strings.Contains(said, "try: unstale status --run ") {
			t.Errorf("exit code %d\n%s%s", code, rest, said)
		}
	}
	// And it is shown.
	code, stdout, stderr := run(t, shell(t, env, append([]string{"status"}, flags(w)...)...))
	if code != 0 || !strings.Contains(stdout, "InProgress, created ") || !strings.Contains(stdout, "go on: unstale invalidate --resume ") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// A reader that goes away is an error, and what was begun is written down all the same.
func TestClosedStdout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options(t))
	w.assume(laptop)
	env := w.environment(t.TempDir())
	for _, verb := range [][]string{{"invalidate", "--no-verify", "--attempt", "closed", "/*"}, {"invalidate", "--no-verify", "--json", "/*"}, {"status"}} {
		r, p, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd := shell(t, env, append(verb, flags(w)...)...)
		cmd.Stdout, cmd.Stderr = p, &stderr
		_ = cmd.Run() // its exit code is looked at
		_ = p.Close()
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "broken pipe") || strings.Contains(stderr.String(), "goroutine") {
			t.Errorf("%v: exit code %d\n%s", verb, code, stderr.String())
		}
	}
	code, stdout, _ := run(t, shell(t, env, "status", "--run", "closed"))
	if code != 0 || !strings.Contains(stdout, ": done after completed") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

// Where a run cannot be written down nothing is purged.
func TestNowhereToWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options(t))
	w.assume(laptop)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(w.environment(t.TempDir()), "XDG_STATE_HOME="+file)
	code, _, stderr := run(t, shell(t, env, append([]string{"invalidate", "/*"}, flags(w)...)...))
	if code != 1 || !strings.Contains(stderr, "nothing was purged: ") || !strings.Contains(stderr, "\ntry: set XDG_STATE_HOME") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	for _, c := range w.aws.Journal().Calls() {
		if c.Action == "cloudfront:CreateInvalidation" {
			t.Error(fmt.Sprint(c))
		}
	}
}
