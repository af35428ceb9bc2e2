// Command dist packs release archives: everything that someone without the repository needs, for each
// platform one tar.gz, and a file with their checksums. The same commit gives the same bytes.
package main

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	_ "embed"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// platforms are what "all" stands for.
var platforms = []string{"darwin/amd64", "darwin/arm64", "linux/amd64", "linux/arm64"}

//go:embed README.md
var readme []byte

func main() {
	root := flag.String("C", ".", "directory of the module to build")
	out := flag.String("o", "dist", "directory for the archives, in the module's")
	lambdas := flag.String("lambdas", "dist/lambda", "directory with the Lambda zips, in the module's")
	flag.Parse()
	wanted := flag.Args()
	switch {
	case len(wanted) == 0:
		wanted = []string{runtime.GOOS + "/" + runtime.GOARCH}
	case slices.Equal(wanted, []string{"all"}):
		wanted = platforms
	}
	r := release{root: *root, lambdas: below(*root, *lambdas)}
	if err := r.run(below(*root, *out), wanted); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

func below(root, dir string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(root, dir)
}

// release is one version of the program.
type release struct {
	root, lambdas string
	made          time.Time // the commit's time
	stamped       bool      // version control knows the version
}

func (r release) run(out string, wanted []string) (err error) {
	r.date()
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "dist-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	var sums strings.Builder
	for _, platform := range wanted {
		program := filepath.Join(tmp, strings.ReplaceAll(platform, "/", "_"), "unstale")
		if err := r.build(platform, program); err != nil {
			return err
		}
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return err
		}
		version := versionOf(info)
		files, err := r.files(filepath.Join(tmp, "pages"), version)
		if err != nil {
			return err
		}
		files["unstale"] = entry{path: program, mode: 0o755}
		notices, err := r.notices(info.Deps)
		if err != nil {
			return err
		}
		files["THIRD-PARTY-NOTICES"] = entry{body: notices}
		files["SHA256SUMS"], err = checksums(files)
		if err != nil {
			return err
		}
		base := "unstale_" + version + "_" + strings.ReplaceAll(platform, "/", "_")
		archive := filepath.Join(out, base+".tar.gz")
		sum, err := pack(archive, base, files, r.made)
		if err != nil {
			return fmt.Errorf("pack %s: %w", archive, err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", sum, filepath.Base(archive))
		if shown, err := filepath.Rel(r.root, archive); err == nil {
			fmt.Println(shown)
		}
	}
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// versionOf is how the program names its version: what version control has, or devel.
func versionOf(info *buildinfo.BuildInfo) string {
	if slices.Contains(info.Settings, debug.BuildSetting{Key: "vcs.modified", Value: "true"}) {
		return "devel"
	}
	return cmp.Or(strings.Trim(info.Main.Version, "()"), "devel")
}

// date asks version control about the commit. Without it, or in a checkout of somebody else that git does
// not read, there is no version to tell.
func (r *release) date() {
	r.made = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	cmd := exec.Command("git", "log", "-1", "--format=%ct")
	cmd.Dir = r.root
	out, err := cmd.Output()
	if err != nil {
		return
	}
	if seconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64); err == nil {
		r.made, r.stamped = time.Unix(seconds, 0).UTC(), true
	}
}

// build compiles the program: without the machine's paths, and with the version where there is one.
func (r release) build(platform, program string) error {
	goos, goarch, ok := strings.Cut(platform, "/")
	if !ok {
		return fmt.Errorf("build for %q: a platform is OS/ARCH, such as linux/arm64", platform)
	}
	return r.command([]string{"GOOS=" + goos, "GOARCH=" + goarch, "CGO_ENABLED=0"},
		"go", "build", "-trimpath", "-buildvcs="+strconv.FormatBool(r.stamped), "-ldflags=-s -w", "-o", program, "./cmd/unstale")
}

func (r release) command(env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = r.root, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}

// files are what every platform's archive has.
func (r release) files(pages, version string) (map[string]entry, error) {
	err := r.command(nil, "go", "run", "-buildvcs=false", "./internal/cli/pages", "-version", version, "-date", strconv.FormatInt(r.made.Unix(), 10), pages)
	if err != nil {
		return nil, err
	}
	files := map[string]entry{"README.md": {body: readme}, "LICENSE": {path: filepath.Join(r.root, "LICENSE")}}
	for prefix, from := range map[string]struct {
		dir  string
		ends []string
	}{
		"":          {pages, []string{""}},
		"lambda":    {r.lambdas, []string{".zip"}},
		"templates": {filepath.Join(r.root, "templates"), []string{".template.json"}},
		"docs":      {filepath.Join(r.root, "docs"), []string{".md", ".svg", ".json"}},
	} {
		found := 0
		err := filepath.WalkDir(from.dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !slices.ContainsFunc(from.ends, func(end string) bool { return strings.HasSuffix(path, end) }) {
				return err
			}
			name, err := filepath.Rel(from.dir, path)
			files[filepath.ToSlash(filepath.Join(prefix, name))] = entry{path: path}
			found++
			return err
		})
		if err != nil {
			return nil, err
		}
		if found == 0 {
			return nil, fmt.Errorf("pack %s: there is nothing; make lambdas builds the Lambda zips", from.dir)
		}
	}
	return files, nil
}

// checksums is the file by which sha256sum -c checks the others.
func checksums(files map[string]entry) (entry, error) {
	var b strings.Builder
	for _, name := range sorted(files) {
		body, err := files[name].read()
		if err != nil {
			return entry{}, err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(body), name)
	}
	return entry{body: []byte(b.String())}, nil
}
