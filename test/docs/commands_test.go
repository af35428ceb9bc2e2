package docs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli"
	"github.com/unstale/unstale/internal/targetfile"
)

const root = "../.."

// documents are all that people read, by path from the module's directory.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"README.md", "docs/*.md", "templates/*.md", "infra/*.md", "tools/dist/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.ToSlash(name)] = string(text)
		}
	}
	if len(all) < 6 {
		t.Fatalf("there are %d documents only", len(all))
	}
	return all
}

// parse holds a command line against the program's commands and flags. A whole one has to have all its
// arguments; prose names parts of them.
func parse(args []string, whole bool) error {
	tree := cli.Root()
	tree.InitDefaultCompletionCmd()
	tree.InitDefaultVersionFlag()
	cmd, rest, err := tree.Find(args)
	if err != nil {
		return err
	}
	if cmd == tree && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return fmt.Errorf("there is no command %s", rest[0])
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); errors.Is(err, pflag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if !whole || cmd == tree {
		return nil
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

func TestParseRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"no-such-verb"},
		{"plan", "--no-such-flag"},
		{"plan", "--used", "many"},
		{"deploy"},
		{"deploy", "over-the-top"},
		{"template", "a", "b"},
		{"--no-such-flag"},
		{"rehearse", "now"},
	} {
		if err := parse(args, true); err == nil {
			t.Errorf("unstale %s is taken for right", strings.Join(args, " "))
		}
	}
	for _, args := range [][]string{{}, {"--version"}, {"--help"}, {"deploy", "relay", "-y"}, {"completion", "bash"}} {
		if err := parse(args, true); err != nil {
			t.Errorf("unstale %s: %v", strings.Join(args, " "), err)
		}
	}
}

// dots is how documents leave something out.
var dots = regexp.MustCompile(`^(\.\.\.|…|\[.*\])$`)

// Every command line of the program that a document has is one that the program takes.
func TestCommandLines(t *testing.T) {
	found := map[string]int{}
	for name, text := range documents(t) {
		blocks, err := Blocks(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		check := func(where string, whole bool, scripts ...string) {
			for _, script := range scripts {
				for _, args := range Program(Commands(script), "unstale") {
					args = slices.DeleteFunc(args, dots.MatchString)
					found[name]++
					if err := parse(args, whole); err != nil {
						t.Errorf("%s, %s: unstale %s: %v", name, where, strings.Join(args, " "), err)
					}
				}
			}
		}
		for _, b := range blocks {
			where := fmt.Sprintf("line %d", b.Line)
			switch b.Language {
			case "sh":
				check(where, true, b.Text)
			case "yaml":
				scripts, err := readYAML(b.Text)
				if err != nil {
					t.Errorf("%s, %s: %v", name, where, err)
				}
				check(where, true, scripts...)
			case "json":
				if err := readJSON(b.Text); err != nil {
					t.Errorf("%s, %s: %v", name, where, err)
				}
			case "", "go":
			default:
				t.Errorf("%s, %s: nobody checks blocks of %s", name, where, b.Language)
			}
		}
		check("prose", false, Spans(text)...)
	}
	for _, name := range []string{"README.md", "docs/guide.md", "docs/runbook.md", "docs/security.md", "docs/routes.md"} {
		if found[name] == 0 {
			t.Errorf("%s has no command line of the program", name)
		}
	}
}

// workflow is what matters of a workflow of GitHub Actions.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Steps []struct {
			Uses string
			Run  string
			With map[string]string
		}
	}
}

// readYAML verifies a targets file or a workflow, and gives the scripts of the latter.
func readYAML(text string) (scripts []string, err error) {
	if strings.Contains(text, "\ntargets:") {
		_, err := targetfile.Parse("unstale.yaml", []byte(text), func(string) (string, bool) { return "", false })
		return nil, err
	}
	var w workflow
	if err := yaml.Unmarshal([]byte(text), &w); err != nil {
		return nil, err
	}
	assumes := false
	for _, job := range w.Jobs {
		for _, step := range job.Steps {
			assumes = assumes || step.With["role-to-assume"] != ""
			if step.Uses != "" && !strings.Contains(step.Uses, "@") {
				return nil, fmt.Errorf("%s names no version", step.Uses)
			}
			scripts = append(scripts, step.Run)
		}
	}
	if assumes && w.Permissions["id-token"] != "write" {
		return nil, errors.New("a workflow that assumes a role needs the permission id-token: write")
	}
	return scripts, nil
}

// readJSON verifies policies as policies, one statement as well; what else is JSON has to be just that.
func readJSON(text string) error {
	var any map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &any); err != nil {
		return err
	}
	if _, ok := any["Effect"]; ok {
		text = `{"Version": "2012-10-17", "Statement": ` + text + `}`
		any["Statement"] = nil
	}
	if _, ok := any["Statement"]; !ok {
		return nil
	}
	_, err := iam.Parse([]byte(text))
	return err
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Links lead to files that are there and to headings that they have.
func TestLinks(t *testing.T) {
	all := documents(t)
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(file, ":") || name == "tools/dist/README.md" { // whose links are those of an archive
				continue
			}
			path := name
			if file != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(name), file))
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s: a link: %v", name, err)
			}
			if anchor != "" && !slices.Contains(anchors(all[path]), anchor) {
				t.Errorf("%s: %s has no heading #%s", name, path, anchor)
			}
		}
	}
}

var (
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	dropped = regexp.MustCompile(`[^\pL\pN _-]`)
)

func anchors(text string) []string {
	var list []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		list = append(list, strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return list
}

// The README leads to every document.
func TestDocumentsAreListed(t *testing.T) {
	all := documents(t)
	for name := range all {
		if strings.HasPrefix(name, "docs/") && !strings.Contains(all["README.md"], "("+name) {
			t.Errorf("the README does not lead to %s", name)
		}
	}
}

// What the Makefile is asked for is there.
func TestMakeTargets(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for name, document := range documents(t) {
		blocks, _ := Blocks(document) // TestCommandLines tells what is wrong with them
		for _, b := range blocks {
			if b.Language != "sh" {
				continue
			}
			for _, words := range Commands(b.Text) {
				if words[0] == "make" && !strings.Contains(string(text), "\n"+words[1]+":") {
					t.Errorf("%s, line %d: there is no make %s", name, b.Line, words[1])
				}
			}
		}
	}
}
