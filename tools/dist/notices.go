package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
)

// terms are the files with the conditions of a module, wherever they stand in its top directory.
var terms = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|notice)`)

// notices are the licences of all that the program was built from, which their terms ask to be passed on.
// The Lambda functions are built from less of it, and from aws-lambda-go.
func (r release) notices(deps []*debug.Module) ([]byte, error) {
	args := []string{"list", "-m", "-f", "{{.Path}} {{.Version}} {{.Dir}}", "github.com/aws/aws-lambda-go"}
	for _, d := range deps {
		args = append(args, d.Path)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = r.root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the modules of the program: %w", err)
	}
	var b strings.Builder
	b.WriteString("The programs in this archive contain the following modules, under these terms.\n")
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("find the Go distribution: %w", err)
	}
	modules := append([]string{"go " + runtime.Version() + " " + strings.TrimSpace(string(goroot))}, strings.Split(strings.TrimSpace(string(out)), "\n")...)
	seen := map[string]bool{}
	for _, module := range modules {
		name, dir, ok := cutLast(module, " ")
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		text, err := conditions(dir)
		if err != nil {
			return nil, fmt.Errorf("read the licence of %s: %w", name, err)
		}
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s", strings.Repeat("=", 80), name, text)
	}
	return []byte(b.String()), nil
}

// conditions are a module's licence and notices. A module without any is a fault to look into.
func conditions(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, e := range entries {
		if e.IsDir() || !terms.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s\n", strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")))
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("%s has none", dir)
	}
	return b.String(), nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
