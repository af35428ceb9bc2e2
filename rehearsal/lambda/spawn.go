package lambda

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/logs"
	"github.com/unstale/unstale/rehearsal/wire"
)

// spawn starts a process for v: a cold start. The role's trust policy decides on each.
func (s *Service) spawn(v *version) (*sandbox, error) {
	cred, err := s.assume(s.closing, v.Role, v.key)
	if err != nil && wire.AsError(err).Code == "Throttling" {
		// That STS is busy is AWS's trouble, not the role's (L).
		return nil, &wire.Error{Status: 500, Code: "ServiceException", Message: "Lambda was unable to take on the role of the function.", Cause: err.Error()}
	}
	if err != nil {
		return nil, &wire.Error{
			Status: 403, Code: "AccessDenied", Cause: err.Error(),
			Message: "The role defined for the function cannot be assumed by Lambda.", // (M)
		}
	}
	dir, err := os.MkdirTemp(s.dir, "process-")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", v.FunctionArn, err)
	}
	b := &sandbox{
		version: v, dir: dir, caller: cred.Caller, started: time.Now(), renew: renewal(cred),
		jobs: make(chan *job), ready: make(chan struct{}), dead: make(chan struct{}),
	}
	if err := s.prepare(b, cred); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", v.FunctionArn, err), removeAll(dir))
	}
	if problem := start(b); problem != "" {
		// AWS too answers a package that cannot be started as an error of the function.
		b.init = &failure{Type: "Runtime.InvalidEntrypoint", Message: problem}
		_ = b.api.Close()
		b.log.last()
		_ = removeAll(dir)
		close(b.dead)
		return b, nil
	}
	go b.reap()
	return b, nil
}

// renewal is when a process is replaced rather than used again: well before its session ends.
func renewal(cred accounts.Credentials) time.Time {
	if cred.Expires.IsZero() {
		return time.Now().Add(time.Hour)
	}
	return cred.Expires.Add(-time.Until(cred.Expires) / 2)
}

// prepare makes all that a process needs: its directories, its log and its Runtime API.
func (s *Service) prepare(b *sandbox, cred accounts.Credentials) error {
	for _, d := range []string{"tmp", "runtime"} {
		if err := os.Mkdir(filepath.Join(b.dir, d), 0o700); err != nil {
			return err
		}
	}
	out, err := os.OpenFile(filepath.Join(b.dir, "output"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	v := b.version
	b.log = &outputLog{
		sink: s.Logs, clock: s.Clock, caller: b.caller, place: logs.Place{Account: v.key.account, Region: v.key.region},
		group: v.LoggingConfig.LogGroup, stream: streamName(s.Clock.Now(), v.Version), file: out,
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_ = out.Close()
		return err
	}
	b.api = &http.Server{Handler: b.runtimeAPI(l.Addr().String()), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = b.api.Serve(l) }() // ends when reap closes it

	b.cmd = exec.Command(filepath.Join(v.code.dir, "bootstrap"), v.Handler)
	b.cmd.Dir = v.code.dir
	b.cmd.Env = environment(b, cred, l.Addr().String(), s.Environment)
	b.cmd.Stdout, b.cmd.Stderr = out, out
	b.cmd.SysProcAttr = ownGroup()
	return nil
}

// start runs the process, or says in AWS's words why that cannot be.
func start(b *sandbox) (problem string) {
	err := b.cmd.Start()
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return "Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
	}
	return "Error: " + strings.ReplaceAll(err.Error(), b.version.code.dir, "/var/task")
}

// environment is all that the process sees, nothing of this machine's own among it. Source: Lambda
// Developer Guide, "Defined runtime environment variables" (H). AWS_EXECUTION_ENV is not defined
// for provided runtimes; LD_LIBRARY_PATH is left out because it names AWS's file system. The
// function's variables come last and win: the reserved names were refused before.
func environment(b *sandbox, cred accounts.Credentials, api string, extra map[string]string) []string {
	v := b.version
	env := map[string]string{
		"AWS_LAMBDA_RUNTIME_API":          api,
		"AWS_REGION":                      v.key.region,
		"AWS_DEFAULT_REGION":              v.key.region,
		"AWS_LAMBDA_FUNCTION_NAME":        v.FunctionName,
		"AWS_LAMBDA_FUNCTION_VERSION":     v.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(v.MemorySize),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       b.log.group,
		"AWS_LAMBDA_LOG_STREAM_NAME":      b.log.stream,
		"AWS_ACCESS_KEY_ID":               cred.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":           cred.SecretAccessKey,
		"AWS_SESSION_TOKEN":               cred.SessionToken,
		"LAMBDA_TASK_ROOT":                v.code.dir,
		"LAMBDA_RUNTIME_DIR":              filepath.Join(b.dir, "runtime"),
		"TMPDIR":                          filepath.Join(b.dir, "tmp"),
		"_HANDLER":                        v.Handler,
		"TZ":                              ":UTC",
		"LANG":                            "en_US.UTF-8",
		"PATH":                            "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
	}
	for k, value := range extra {
		env[k] = value
	}
	if v.Environment != nil {
		for k, value := range v.Environment.Variables {
			env[k] = value
		}
	}
	out := make([]string, 0, len(env))
	for k, value := range env {
		out = append(out, k+"="+value)
	}
	return out
}
