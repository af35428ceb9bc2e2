package test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/unstale/unstale/test/stage"
)

// Colours are for terminals that want them. Source: no-color.org.
func TestColoursOnTerminalsOnly(t *testing.T) {
	t.Parallel()
	// With code that is no zip the show ends soon after its first, coloured, lines.
	broken := t.TempDir()
	for _, arch := range []string{"arm64", "x86_64"} {
		if err := os.WriteFile(filepath.Join(broken, "pipeline-job_"+arch+".zip"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		env    []string
		colour bool
	}{
		{[]string{"TERM=xterm", "NO_COLOR="}, true},
		{[]string{"TERM=xterm", "NO_COLOR=1"}, false},
		{[]string{"TERM=dumb", "NO_COLOR="}, false},
	} {
		shown := onTerminal(t, tt.env, "rehearse", "--route", "relay", "--lambdas", broken)
		if !strings.Contains(shown, "unstale rehearse, route relay") {
			t.Errorf("%v: the show has no title: %q", tt.env, shown)
		}
		if got := strings.Contains(shown, "\x1b["); got != tt.colour {
			t.Errorf("%v: colours %v in %q", tt.env, got, shown)
		}
	}
}

// onTerminal runs the program on a pseudo-terminal and returns what was shown there.
func onTerminal(t *testing.T, env []string, args ...string) string {
	t.Helper()
	master, terminal := openTerminal(t)
	defer func() { _ = master.Close() }()
	cmd := exec.CommandContext(deadline(t), stage.Program(t), args...)
	cmd.Env = append(append(os.Environ(), "TMPDIR="+t.TempDir()), env...)
	cmd.Stdout, cmd.Stderr = terminal, terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	shown, _ := io.ReadAll(master) // ends with an I/O error when the last writer is gone: pty(7)
	if err := cmd.Wait(); err == nil {
		t.Error("the program took code that is no zip")
	}
	return string(shown)
}

// openTerminal makes a pseudo-terminal. Source: pts(4).
func openTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatalf("make a terminal: %v", err)
	}
	var locked, number int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &locked, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatalf("make a terminal: %v", errno)
		}
	}
	runtime.KeepAlive(master)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatalf("open the terminal: %v", err)
	}
	return master, terminal
}
