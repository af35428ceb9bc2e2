package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/unstale/unstale/internal/cli/story"
)

func TestLastHint(t *testing.T) {
	plan, _, err := newRoot().Find([]string{"plan"})
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string, err error) error {
		return fmt.Errorf("make it: %w", &fs.PathError{Op: "open", Path: path, Err: err})
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{errors.New("something"), "unstale plan --help"},
		{interrupted{signal: syscall.SIGINT}, ""},
		{errMistaken, ""},
		{at("/dev/stdout", syscall.ENOSPC), "make room"},
		{at(filepath.Join(os.TempDir(), "x"), syscall.EDQUOT), "make room"},
		{at("/dev/stdout", syscall.EPIPE), "a reader that reads to the end"},
		{at(filepath.Join(os.TempDir(), "x"), syscall.EACCES), "TMPDIR=DIR"},
		{at(os.TempDir(), syscall.ENOENT), "TMPDIR=DIR"},
		{at(filepath.Join(os.TempDir(), "..", "x"), syscall.EACCES), "unstale plan --help"},
		{fmt.Errorf("%w: so", story.ErrStale), "unstale plan --verbose"},
	} {
		if got := lastHint(tt.err, plan); !strings.HasPrefix(got, tt.want) && !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%v: try %q, not %q", tt.err, got, tt.want)
		}
	}
}

// Every error says what to do next.
func TestEveryErrorHasATry(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"site/index.html": "x", "other.json": "no JSON", "blank.json": ""} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TMPDIR", filepath.Join(dir, "nowhere"))
	t.Setenv("XDG_STATE_HOME", dir)
	lambdas := filepath.Join(dir, "lambdas")
	if err := os.Mkdir(lambdas, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(lambdas, "pipeline-job_arm64.zip"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		line string
		code int
		try  string
	}{
		{"plan --site DIR/site --html DIR/none/plan.html", 2, "a file in a directory that exists"},
		{"plan --site DIR/site --manifest DIR", 2, "a file in a directory that exists"},
		{"plan --site DIR/site --distribution-config DIR/none.json", 2, "aws cloudfront get-distribution --id ID > DIR/none.json"},
		{"plan --site DIR/site --distribution-config DIR/blank.json", 2, "aws cloudfront get-distribution --id ID > DIR/blank.json"},
		{"plan --site DIR/site --distribution-config DIR/other.json", 2, "a file that aws cloudfront get-distribution --id ID printed"},
		{"plan --site DIR/site --cache-policy DIR/other.json", 2, "a file that aws cloudfront get-cache-policy --id ID printed"},
		{"rehearse --lambdas DIR/lambdas", 1, "TMPDIR=DIR with a directory"},
		{"status --config DIR/site", 2, "--config FILE"},
		{"help nothing", 2, "unstale --help"},
		{"help deploy nothing", 0, ""},
		{"completion tcsh", 2, "unstale completion --help"},
		{"version now", 2, "unstale version"},
	} {
		args := strings.Fields(strings.ReplaceAll(tt.line, "DIR", dir))
		var stdout, stderr bytes.Buffer
		code := Main(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
		want := "\ntry: " + strings.ReplaceAll(tt.try, "> DIR", "> "+dir)
		if code != tt.code || tt.try != "" && !strings.Contains(stderr.String(), want) {
			t.Errorf("unstale %s: exit code %d\n%s%s", tt.line, code, &stdout, &stderr)
		}
	}
}

// Every verb that cannot print what it was asked for says so.
func TestNothingIsToldToNobody(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	lines := []string{"", "--version", "version", "status", "status --json", "template delivery-assume", "help", "help deploy"}
	for _, cmd := range newRoot().Commands() {
		lines = append(lines, cmd.Name()+" --help")
	}
	for _, line := range lines {
		var stderr bytes.Buffer
		code := Main(t.Context(), strings.Fields(line), strings.NewReader(""), full{}, &stderr)
		if code != exitFailed || !strings.Contains(stderr.String(), "full") {
			t.Errorf("unstale %s: exit code %d\n%s", line, code, &stderr)
		}
	}
}

func TestNoSuch(t *testing.T) {
	for name, want := range map[string]string{
		"relat": `there is no route "relat"; did you mean relay?`,
		"zzz":   `there is no route "zzz"`,
		"a\nb":  `there is no route "a\nb"`,
	} {
		if got := noSuch("route", name, []string{"assume", "relay"}); got.Error() != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
