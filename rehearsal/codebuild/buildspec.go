package codebuild

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Buildspec is a buildspec.yml of version 0.2, as far as the rehearsal runs it. Source: CodeBuild
// User Guide, "Build specification reference" (H).
type Buildspec struct {
	Variables map[string]string // env.variables
	Runtimes  map[string]string // phases.install.runtime-versions
	Phases    []Phase           // those that have something to do, in running order
	BaseDir   string            // artifacts.base-directory, "" for the source's root
	Files     []string          // artifacts.files: globs relative to BaseDir
	Cache     []string          // cache.paths; the rehearsal keeps only npm's cache
}

// Phase is commands that run one after another, and those that run after them in any case.
type Phase struct {
	Name              string // INSTALL, PRE_BUILD, BUILD or POST_BUILD, as CodeBuild's API spells it
	Commands, Finally []string
}

// file is the YAML; every key that CodeBuild knows and this does not is an error, never skipped.
type file struct {
	Version yamlText `yaml:"version"`
	Env     struct {
		Variables map[string]yamlText `yaml:"variables"`
	} `yaml:"env"`
	Phases struct {
		Install struct {
			Runtimes map[string]yamlText `yaml:"runtime-versions"`
			Commands []string            `yaml:"commands"`
			Finally  []string            `yaml:"finally"`
		} `yaml:"install"`
		PreBuild  commands `yaml:"pre_build"`
		Build     commands `yaml:"build"`
		PostBuild commands `yaml:"post_build"`
	} `yaml:"phases"`
	Artifacts *struct {
		Files   []string `yaml:"files"`
		BaseDir string   `yaml:"base-directory"`
		Name    string   `yaml:"name"` // CodePipeline names artifacts itself and ignores it, as AWS does
	} `yaml:"artifacts"`
	Cache struct {
		Paths []string `yaml:"paths"`
	} `yaml:"cache"`
}

type commands struct {
	Commands []string `yaml:"commands"`
	Finally  []string `yaml:"finally"`
}

// yamlText is a scalar that people write with and without quotes: 0.2, 20, "20", true.
type yamlText string

// UnmarshalYAML takes the scalar's text as written.
func (t *yamlText) UnmarshalYAML(raw []byte) error {
	var v any
	if err := yaml.Unmarshal(raw, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		*t = yamlText(v)
	case nil:
		*t = ""
	case map[string]any, []any:
		return fmt.Errorf("%s is not a single value", bytes.TrimSpace(raw))
	default:
		text, _, _ := strings.Cut(string(raw), " #")
		*t = yamlText(strings.TrimSpace(text))
	}
	return nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// maxBuildspec is far above any real file and keeps the reader's work bounded.
const maxBuildspec = 1 << 20

// ParseBuildspec reads a buildspec.
func ParseBuildspec(raw []byte) (Buildspec, error) {
	if len(raw) > maxBuildspec {
		return Buildspec{}, fmt.Errorf("read buildspec: it has %d bytes, %d at most", len(raw), maxBuildspec)
	}
	f, err := decode(raw)
	if err != nil {
		return Buildspec{}, fmt.Errorf("read buildspec: %w", err)
	}
	if f.Version == "0.1" {
		return Buildspec{}, fmt.Errorf("read buildspec: %w", notEmulated{"version 0.1, only version 0.2"})
	}
	if f.Version != "0.2" {
		return Buildspec{}, fmt.Errorf("read buildspec: the rehearsal runs version 0.2, not %q", f.Version)
	}
	b := Buildspec{Variables: map[string]string{}, Runtimes: map[string]string{}, Cache: f.Cache.Paths}
	for _, name := range slices.Sorted(maps.Keys(f.Env.Variables)) {
		if !variableName.MatchString(name) {
			return Buildspec{}, fmt.Errorf("read buildspec: %q is not a variable's name", name)
		}
		b.Variables[name] = string(f.Env.Variables[name])
	}
	for name, version := range f.Phases.Install.Runtimes {
		b.Runtimes[name] = string(version)
	}
	if err := b.phases(f); err != nil {
		return Buildspec{}, err
	}
	return b, b.artifacts(f)
}

// decode reads the YAML. The library panics on some malformed documents (a list tagged "!x", seen by
// fuzzing version 1.19.2); what a repository holds must not end the rehearsal.
func decode(raw []byte) (f file, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML cannot be read: %v", r)
		}
	}()
	err = yaml.UnmarshalWithOptions(raw, &f, yaml.DisallowUnknownField())
	if unknown := (&yaml.UnknownFieldError{}); errors.As(err, &unknown) {
		if _, name, ok := strings.Cut(unknown.Message, `"`); ok {
			name, _, _ = strings.Cut(name, `"`)
			err = refuse(name, unknown.Token.Position.Line)
		}
	}
	return f, err
}

// notEmulated says that CodeBuild would take what the rehearsal does not. It is no fault of the
// buildspec.
type notEmulated struct{ what string }

func (e notEmulated) Error() string {
	return "the rehearsal does not emulate " + e.what + "; CodeBuild does"
}

// known are the keys of a buildspec that the rehearsal does not emulate. Source: CodeBuild User Guide,
// "Build specification reference" (H).
var known = []string{
	"run-as", "proxy", "upload-artifacts", "logs", "batch", "reports", // top level
	"shell", "parameter-store", "exported-variables", "secrets-manager", "git-credential-helper", // env
	"on-failure", "discard-paths", "exclude-paths", "enable-symlinks", "s3-prefix", "secondary-artifacts",
	"fast-fail", "build-list", "build-matrix", "build-graph", "build-fanout", "key", "fallback-keys", "action", "steps",
}

func refuse(name string, line int) error {
	if slices.Contains(known, name) {
		return notEmulated{fmt.Sprintf("%q (line %d)", name, line)}
	}
	return fmt.Errorf("line %d: unknown key %q", line, name)
}

func (b *Buildspec) phases(f file) error {
	install := commands{f.Phases.Install.Commands, f.Phases.Install.Finally}
	for i, c := range []commands{install, f.Phases.PreBuild, f.Phases.Build, f.Phases.PostBuild} {
		if len(c.Commands)+len(c.Finally) > 0 {
			b.Phases = append(b.Phases, Phase{phaseNames[i], c.Commands, c.Finally})
		}
	}
	if len(b.Phases) == 0 {
		return fmt.Errorf("read buildspec: at least one phase must have commands")
	}
	for _, p := range b.Phases {
		for _, c := range slices.Concat(p.Commands, p.Finally) {
			if strings.ContainsRune(c, 0) {
				return fmt.Errorf("read buildspec: a command of %s holds a NUL character", p.Name)
			}
		}
	}
	return nil
}

var phaseNames = [...]string{"INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"}

func (b *Buildspec) artifacts(f file) error {
	if f.Artifacts == nil {
		return nil
	}
	if len(f.Artifacts.Files) == 0 {
		return fmt.Errorf("read buildspec: artifacts.files is required")
	}
	b.Files, b.BaseDir = f.Artifacts.Files, strings.TrimSuffix(f.Artifacts.BaseDir, "/")
	for _, p := range append([]string{b.BaseDir}, b.Files...) {
		if strings.HasPrefix(p, "/") || slices.Contains(strings.Split(p, "/"), "..") {
			return fmt.Errorf("read buildspec: %w", notEmulated{fmt.Sprintf("artifacts from outside of the source (%q), only from below the source", p)})
		}
	}
	if strings.ContainsAny(b.BaseDir, "*?[$") {
		return fmt.Errorf("read buildspec: %w", notEmulated{fmt.Sprintf("patterns in base-directory (%q)", b.BaseDir)})
	}
	for _, p := range b.Files {
		if strings.ContainsAny(p, "$[{") {
			return fmt.Errorf("read buildspec: %w", notEmulated{fmt.Sprintf("the pattern %q", p)})
		}
	}
	return nil
}
