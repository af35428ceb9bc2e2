package codebuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
)

// run carries out the buildspec's phases below dir and records each.
func (s *Service) run(ctx context.Context, b *build, spec Buildspec, cred accounts.Credentials, dir string, log *buildLog) error {
	src, home, scripts := filepath.Join(dir, "src"), filepath.Join(dir, "home"), filepath.Join(dir, "script")
	own := maps.Clone(spec.Variables)
	maps.Copy(own, b.input.Variables)
	env := s.environment(b, cred, home, src, own)
	start := s.Clock.Now()
	if err := checkRuntimes(ctx, spec.Runtimes, env); err != nil {
		s.record(b, "INSTALL", start, err)
		log.say("%v", err)
		return err
	}
	if len(spec.Cache) > 0 {
		log.say("cache.paths is not kept between builds here; npm's downloads are, if the rehearsal has a cache directory")
	}
	path, err := script(spec, scripts)
	if err != nil {
		return err
	}
	if len(spec.Phases) > 0 {
		s.mu.Lock()
		b.Phase = spec.Phases[0].Name
		s.mu.Unlock()
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", path)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = src, env, log, log
	failure := runGroup(cmd)
	log.flush()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.results(b, spec, scripts, start, failure)
}

// runGroup runs cmd in a process group of its own, which is killed when cmd ends or its context
// does: nothing a build started outlives it.
func runGroup(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	kill := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = kill
	cmd.WaitDelay = 2 * time.Second // a process that left the group may hold the output open
	err := cmd.Run()
	if cmd.Process != nil {
		_ = kill() // what is left in the background; an empty group is the usual case
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return err
}

// results records the phases that ran and names the command that failed first.
func (s *Service) results(b *build, spec Buildspec, scripts string, start time.Time, failure error) error {
	all, err := statuses(scripts)
	if err != nil {
		return err
	}
	var first error
	texts := spec.texts()
	for _, p := range spec.Phases {
		var began bool
		var failed error
		for _, r := range all {
			if r.Phase != p.Name {
				continue
			}
			began = true
			if r.Status == "-" && failure == nil {
				continue // "exit 0": the shell ended well
			}
			if r.Status != "0" && failed == nil {
				failed = commandError(texts[r.Index], r.Status, failure)
			}
		}
		if began {
			s.record(b, p.Name, start, failed)
		}
		if first == nil {
			first = failed
		}
	}
	if first == nil && failure != nil {
		first = fmt.Errorf("run the buildspec: %w", failure)
	}
	return first
}

func commandError(command, status string, failure error) error {
	reason := "exit status " + status
	if status == "-" {
		reason = failure.Error()
	}
	return fmt.Errorf("COMMAND_EXECUTION_ERROR: Error while executing command: %s. Reason: %s", command, reason)
}

// texts lists all commands in the order in which script numbers them.
func (b Buildspec) texts() []string {
	var out []string
	for _, p := range b.Phases {
		out = slices.Concat(out, p.Commands, p.Finally)
	}
	return out
}

// checkRuntimes takes runtime-versions as a statement about the build image: this machine's Node must be
// at least that new. Other languages are not looked for, so naming them is an error.
func checkRuntimes(ctx context.Context, runtimes map[string]string, env []string) error {
	for _, name := range slices.Sorted(maps.Keys(runtimes)) {
		want := runtimes[name]
		if name != "nodejs" {
			return fmt.Errorf("the rehearsal does not emulate the runtime %s; it has nodejs only", name)
		}
		have, err := nodeVersion(ctx, env)
		if err != nil {
			return err
		}
		if want == "latest" {
			continue
		}
		text, _, _ := strings.Cut(want, ".")
		major, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("read runtime-versions: nodejs %q is not a version", want)
		}
		if have < major {
			return fmt.Errorf("the buildspec asks for nodejs %s and this machine has %d; install a newer Node", want, have)
		}
	}
	return nil
}

func nodeVersion(ctx context.Context, env []string) (major int, err error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", "exec node --version")
	cmd.Env = env
	cmd.Dir = os.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is not for it
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("find node, which the buildspec asks for: %w", err)
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(string(bytes.TrimSpace(out)), "v"), ".")
	if major, err = strconv.Atoi(text); err != nil {
		return 0, fmt.Errorf("read node's version %q: %w", out, err)
	}
	return major, nil
}
