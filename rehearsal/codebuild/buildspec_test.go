package codebuild

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseBuildspec(t *testing.T) {
	b, err := ParseBuildspec([]byte(`
version: 0.2
env:
  variables:
    STAGE: prod
    DEBUG: true
    PORT: 8080
phases:
  install:
    runtime-versions: {nodejs: 18}
    commands: ["npm ci"]
  build:
    commands:
      - npm run build
      - |
        echo one
        echo two
    finally: [echo done]
artifacts:
  base-directory: dist
  files: ['**/*']
cache:
  paths: ['node_modules/**/*']
`))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"STAGE": "prod", "DEBUG": "true", "PORT": "8080"}; !maps.Equal(b.Variables, want) {
		t.Errorf("variables %v", b.Variables)
	}
	if b.Runtimes["nodejs"] != "18" || len(b.Phases) != 2 || b.Phases[0].Name != "INSTALL" || b.Phases[1].Name != "BUILD" {
		t.Errorf("phases %+v, runtimes %v", b.Phases, b.Runtimes)
	}
	if got := b.texts(); !slices.Equal(got, []string{"npm ci", "npm run build", "echo one\necho two\n", "echo done"}) {
		t.Errorf("commands %q", got)
	}
	if b.BaseDir != "dist" || !slices.Equal(b.Files, []string{"**/*"}) || len(b.Cache) != 1 {
		t.Errorf("artifacts %q %q cache %q", b.BaseDir, b.Files, b.Cache)
	}
}

func TestRefusedBuildspecs(t *testing.T) {
	const phases = "phases: {build: {commands: [a]}}\n"
	for _, tt := range []struct{ name, text, want string }{
		{"version 0.1", "version: 0.1\n" + phases, "version 0.2"},
		{"no version", phases, "version 0.2"},
		{"no phases", "version: 0.2\n", "at least one phase"},
		{"key that is not emulated", "version: 0.2\nbatch: {}\n" + phases, `the rehearsal does not emulate "batch" (line 2); CodeBuild does`},
		{"unknown key", "version: 0.2\nbatsh: {}\n" + phases, `line 2: unknown key "batsh"`},
		{"another unknown key", "version: 0.2\nphases: {build: {comands: [a]}}\n", `unknown key "comands"`},
		{"unknown phase", "version: 0.2\nphases: {test: {commands: [a]}}\n", "test"},
		{"unknown phase key", "version: 0.2\nphases: {build: {on-failure: ABORT, commands: [a]}}\n", `does not emulate "on-failure"`},
		{"secrets", "version: 0.2\nenv: {secrets-manager: {A: b}}\n" + phases, `does not emulate "secrets-manager"`},
		{"variable's name", "version: 0.2\nenv: {variables: {A-B: c}}\n" + phases, "A-B"},
		{"variable's value", "version: 0.2\nenv: {variables: {A: [c]}}\n" + phases, "single value"},
		{"artifacts without files", "version: 0.2\nartifacts: {base-directory: d}\n" + phases, "artifacts.files"},
		{"artifacts above", "version: 0.2\nartifacts: {files: ['../x']}\n" + phases, "below the source"},
		{"artifacts absolute", "version: 0.2\nartifacts: {base-directory: /etc, files: ['*']}\n" + phases, "below the source"},
		{"base pattern", "version: 0.2\nartifacts: {base-directory: 'd*', files: ['*']}\n" + phases, "patterns"},
		{"secondary artifacts", "version: 0.2\nartifacts: {secondary-artifacts: {}, files: ['*']}\n" + phases, `does not emulate "secondary-artifacts"`},
		{"not YAML", "version: [", "read buildspec"},
	} {
		if _, err := ParseBuildspec([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func FuzzBuildspec(f *testing.F) {
	f.Add("version: 0.2\nphases: {build: {commands: [a, 'b c'], finally: [d]}}\nartifacts: {files: ['**/*']}\n")
	f.Add("version: 0.2\nenv: {variables: {A: 1}}\nphases:\n  install:\n    runtime-versions: {nodejs: 20}\n    commands: [x]\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ParseBuildspec([]byte(text))
		if err != nil {
			return
		}
		if len(b.Phases) == 0 || len(b.texts()) == 0 {
			t.Fatalf("a buildspec without commands passed: %q", text)
		}
		for _, p := range b.Files {
			if strings.HasPrefix(p, "/") || slices.Contains(strings.Split(p, "/"), "..") {
				t.Fatalf("artifacts from outside passed: %q", p)
			}
		}
	})
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"**/*", "a", true},
		{"**/*", "a/b/c", true},
		{"**", "a/b", true},
		{"*", "a", true},
		{"*", "a/b", false},
		{"a/*", "a/b", true},
		{"a/*", "a/b/c", false},
		{"a/**", "a/b/c", true},
		{"a/**", "a", false},
		{"a/**/*", "a/b/c", true},
		{"a/**/c", "a/c", true},
		{"a/**/c", "a/b/b/c", true},
		{"a/**/c", "b/c", false},
		{"**/*.js", "x/y.js", true},
		{"**/*.js", "x/y.css", false},
		{"?.js", "y.js", true},
		{"./index.html", "index.html", true},
		{"index.html", "sub/index.html", false},
		{"**/a/**/b", "x/a/y/a/b", true},
	} {
		if got := Glob(tt.pattern, tt.name); got != tt.want {
			t.Errorf("Glob(%q, %q) = %v", tt.pattern, tt.name, got)
		}
	}
}

// Any text comes through the shell's quoting as it is.
func TestQuote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~\n\té']{0,20}`).Draw(t, "text")
		out, err := exec.Command("/bin/sh", "-c", `printf '%s' `+quote(text)).Output()
		if err != nil || string(out) != text {
			t.Fatalf("%q came out as %q: %v", text, out, err)
		}
	})
}

// What the build did not make is named as the buildspec does, not by where it lies on this machine.
func TestPackWithoutBaseDirectory(t *testing.T) {
	src := t.TempDir()
	_, err := pack(src, "out", []string{"**/*"})
	if err == nil || strings.Contains(err.Error(), src) || !strings.Contains(err.Error(), `the build made no directory "out"`) {
		t.Errorf("error %v", err)
	}
}
