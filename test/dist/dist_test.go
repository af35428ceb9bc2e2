// Package dist holds what a release archive is for: that someone who has nothing else can work with it.
package dist

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/unstale/unstale/internal/cli"
	"github.com/unstale/unstale/internal/deploy"
	"github.com/unstale/unstale/templates"
	"github.com/unstale/unstale/test/stage"
)

func TestMain(m *testing.M) { stage.Main(m) }

// pack packs an archive of this checkout.
func pack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./dist", "-C", "..", "-o", dir, "-lambdas", stage.Lambdas(t))
	cmd.Dir = filepath.Join("..", "..", "tools")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("pack: %v\n%s", err, out)
	}
	return dir
}

// unpack gives the archive's one directory on the disk, and the archive's entries.
func unpack(t *testing.T, archive string) (dir string, entries []*tar.Header) {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	compressed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	for files := tar.NewReader(compressed); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return dir, entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if !filepath.IsLocal(header.Name) {
			t.Fatalf("the archive has %q", header.Name)
		}
		name := filepath.Join(top, filepath.FromSlash(header.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(files)
		if err == nil {
			err = os.WriteFile(name, body, header.FileInfo().Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
		base, _, _ := strings.Cut(header.Name, "/")
		dir, entries = filepath.Join(top, base), append(entries, header)
	}
}

func TestArchive(t *testing.T) {
	out := pack(t)
	archives, err := filepath.Glob(filepath.Join(out, "unstale_*_*_*.tar.gz"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("there are the archives %q: %v", archives, err)
	}
	checkSums(t, out, []string{filepath.Base(archives[0])})
	dir, entries := unpack(t, archives[0])
	if want := strings.TrimSuffix(filepath.Base(archives[0]), ".tar.gz"); filepath.Base(dir) != want {
		t.Errorf("the archive's directory is %s, not %s", filepath.Base(dir), want)
	}
	checkEntries(t, entries)
	var names []string
	for _, e := range entries {
		_, name, _ := strings.Cut(e.Name, "/")
		names = append(names, name)
	}
	for _, want := range wanted() {
		if !slices.Contains(names, want) {
			t.Errorf("the archive lacks %s", want)
		}
	}
	checkSums(t, dir, slices.DeleteFunc(names, func(name string) bool { return name == "SHA256SUMS" }))
	checkPrivacy(t, dir, names)
	checkProgram(t, dir)
}

// wanted are the files that are named somewhere else.
func wanted() []string {
	names := []string{
		"unstale", "LICENSE", "README.md", "THIRD-PARTY-NOTICES", "SHA256SUMS", "docs/guide.md", "docs/runbook.md", "docs/schemas/unstale.schema.json",
		"completions/unstale.bash", "completions/_unstale", "completions/unstale.fish",
	}
	for _, function := range []string{"pipeline-job", "invalidator"} {
		names = append(names, "lambda/"+function+"_arm64.zip", "lambda/"+function+"_x86_64.zip")
	}
	for _, route := range templates.Routes() {
		steps, err := templates.Deployment(route)
		if err != nil {
			panic(err) // Routes lists what Deployment knows
		}
		for _, step := range steps {
			names = append(names, "templates/"+step.Template+".template.json")
		}
	}
	root := cli.Root()
	for _, cmd := range append(root.Commands(), root) {
		if cmd.IsAvailableCommand() || cmd == root {
			names = append(names, "man/man1/"+strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1")
		}
	}
	return names
}

// checkEntries holds that the same commit gives the same bytes: nothing tells when, where or by whom.
func checkEntries(t *testing.T, entries []*tar.Header) {
	t.Helper()
	for i, e := range entries {
		if i > 0 && entries[i-1].Name >= e.Name {
			t.Errorf("%s stands before %s", entries[i-1].Name, e.Name)
		}
		mode := int64(0o644)
		if filepath.Base(e.Name) == "unstale" {
			mode = 0o755
		}
		if !e.ModTime.Equal(entries[0].ModTime) || e.Uid+e.Gid != 0 || e.Uname+e.Gname != "" || e.Mode != mode || e.Typeflag != tar.TypeReg {
			t.Errorf("%s has time, owner or mode of its own: %+v", e.Name, e)
		}
	}
}

// checkSums compares a directory's SHA256SUMS with its files; it has to name all of them.
func checkSums(t *testing.T, dir string, files []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, name := range slices.Sorted(slices.Values(files)) {
		body, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256(body), name)
	}
	if string(text) != want.String() {
		t.Errorf("SHA256SUMS is\n%s\nnot\n%s", text, &want)
	}
}

var (
	today  = regexp.MustCompile(`Auto generated|auto generated`)
	source = regexp.MustCompile(`\.1$|^completions/|^unstale$`)
)

// checkPrivacy holds that nothing of the machine is in what was made on it.
func checkPrivacy(t *testing.T, dir string, names []string) {
	t.Helper()
	checkout, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	home, _ := os.UserHomeDir() // without one there is nothing to give away
	for _, name := range names {
		if !source.MatchString(name) {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range []string{checkout, home} {
			if len(place) > 1 && bytes.Contains(body, []byte(place+"/")) {
				t.Errorf("%s names %s", name, place)
			}
		}
		if strings.HasSuffix(name, ".1") && today.Match(body) {
			t.Errorf("%s says that, and when, it was generated", name)
		}
	}
}

// checkProgram uses the program as one who has only the archive does: linked to from elsewhere, from a
// directory in which there is nothing.
func checkProgram(t *testing.T, dir string) {
	t.Helper()
	bin, elsewhere := t.TempDir(), t.TempDir()
	program := filepath.Join(bin, "unstale")
	if err := os.Symlink(filepath.Join(dir, "unstale"), program); err != nil {
		t.Fatal(err)
	}
	// The name of an archive has the version that the program tells; "devel" is both.
	version := strings.Split(filepath.Base(dir), "_")[1]
	bash, err := os.ReadFile(filepath.Join(dir, "completions", "unstale.bash"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, says string }{
		{"--version", "unstale version " + version},
		{"template --list", strings.Join(deploy.Templates()[:1], "")},
		{"completion bash", string(bash)},
		{"rehearse --route states", "viewers"},
	} {
		cmd := exec.CommandContext(t.Context(), program, strings.Fields(tt.args)...)
		cmd.Dir = elsewhere
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), tt.says) {
			t.Errorf("unstale %s: %v, want %.80q\n%.2000s", tt.args, err, tt.says, out)
		}
	}
}

// Every command is in the completion that shells ask for.
func TestCompletionKnowsTheCommands(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := cli.Main(t.Context(), []string{cobra.ShellCompRequestCmd, ""}, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	for _, cmd := range cli.Root().Commands() {
		if cmd.IsAvailableCommand() && !strings.Contains(stdout.String(), cmd.Name()+"\t") {
			t.Errorf("%s is not completed", cmd.Name())
		}
	}
}
