package targetfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "repo", "site", "src")
	if err := os.MkdirAll(filepath.Join(deep, Name), 0o755); err != nil { // a directory of that name is none
		t.Fatal(err)
	}
	if path, err := Find(deep); !errors.Is(err, ErrNone) {
		t.Skipf("above the temporary directory there is %q (%v)", path, err)
	}
	top := filepath.Join(root, Name)
	write(t, top, "x")
	if got, err := Find(deep); got != top || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	near := filepath.Join(root, "repo", Name)
	write(t, near, "x")
	if got, err := Find(deep); got != near || err != nil {
		t.Errorf("the nearest wins: %q, %v", got, err)
	}
	other := filepath.Join(root, "repo", "site", "unstale.yml")
	write(t, other, "x")
	if _, err := Find(deep); err == nil || err.Error() != "find unstale.yaml: "+other+" is not read; rename it to unstale.yaml" {
		t.Error(err)
	}
}

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, Name), "x")
	tests := []struct {
		flag, variable string
		want           string
	}{
		{"a.yaml", "b.yaml", "a.yaml"},
		{"", "b.yaml", "b.yaml"},
		{"", "", filepath.Join(dir, Name)},
	}
	for _, tt := range tests {
		if got, err := Locate(tt.flag, variables(Variable, tt.variable), dir); got != tt.want || err != nil {
			t.Errorf("Locate(%q, %q) = %q, %v", tt.flag, tt.variable, got, err)
		}
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write(t, path("good"), fileOf("  site: {route: same-account, distribution: E1}"))
	write(t, path("bad"), "version: 1")
	write(t, path("big"), "")
	if err := os.Truncate(path("big"), 10<<20); err != nil {
		t.Fatal(err)
	}
	if f, err := Read(path("good"), variables()); err != nil || f.Path != path("good") || len(f.Targets) != 1 {
		t.Errorf("%v, %v", f, err)
	}
	for name, want := range map[string]string{
		"bad": path("bad") + ":1:1: targets is missing; add targets, a mapping of names to targets",
		"big": path("big") + ": the file has 10485760 bytes, more than 1048576; split it into several files, and choose one with --config",
		".":   dir + ": this is not a regular file",
	} {
		_, err := Read(filepath.Join(dir, name), variables())
		var p *Problems
		if errorText(err) != want || !errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(path("none"), variables()); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "read targets: ") {
		t.Error(err)
	}
}
