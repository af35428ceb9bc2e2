package infra

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestCommittedTemplatesAreFresh(t *testing.T) {
	files, err := synthesized()
	if err != nil {
		t.Fatal(err)
	}
	stale, err := Stale("../templates", files)
	if err != nil {
		t.Fatal(err)
	}
	if len(stale) > 0 {
		t.Errorf("templates/ is stale: %s\ntry: cd infra && go run ./cmd/synth", strings.Join(stale, ", "))
	}
}

func TestEnvironmentLeavesNoTrace(t *testing.T) {
	first, err := synthesized()
	if err != nil {
		t.Fatal(err)
	}
	second, err := synthesize("444444444444", "444444444444", "eu-central-1")
	if err != nil {
		t.Fatal(err)
	}
	for name := range first {
		if !bytes.Equal(first[name], second[name]) {
			t.Errorf("%s depends on the environment that CDK was given", name)
		}
	}
	if len(first) != len(second) {
		t.Errorf("%d files, then %d", len(first), len(second))
	}
}

func TestTemplatesNeedNoCDK(t *testing.T) {
	account := regexp.MustCompile(`[0-9]{12}`)
	files, err := synthesized()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range templateNames {
		body := files[name+templateSuffix]
		for _, match := range account.FindAll(body, -1) {
			t.Errorf("%s names account %s", name, match)
		}
		for _, word := range []string{"Bootstrap", "CDKMetadata", "aws:cdk", "cdk-", "AssetParameters", `\u0026`} {
			if bytes.Contains(body, []byte(word)) {
				t.Errorf("%s contains %q", name, word)
			}
		}
		var top map[string]any
		if err := json.Unmarshal(body, &top); err != nil {
			t.Fatal(err)
		}
		for key := range top {
			if !slices.Contains([]string{"Description", "Parameters", "Conditions", "Resources", "Outputs"}, key) {
				t.Errorf("%s has a section %s, which the rehearsal would have to learn", name, key)
			}
		}
	}
}

// cfn-lint knows every resource type's schema. It is a Python program, so it is asked where it is installed only.
func TestTemplatesAreClean(t *testing.T) {
	linter, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Skip("cfn-lint is not installed")
	}
	templates, err := filepath.Glob("../templates/*" + templateSuffix)
	if err != nil || len(templates) != len(templateNames) {
		t.Fatalf("templates %q, error %v", templates, err)
	}
	if said, err := exec.Command(linter, templates...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

func TestWriteThenFresh(t *testing.T) {
	dir := t.TempDir()
	files := map[string][]byte{"a.template.json": []byte("{}\n"), "demanded.json": []byte("[]\n")}
	for _, name := range []string{"old.template.json", "templates.go"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(dir, files); err != nil {
		t.Fatal(err)
	}
	if stale, err := Stale(dir, files); err != nil || len(stale) > 0 {
		t.Errorf("after Write: stale %q, error %v", stale, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "old.template.json")); !os.IsNotExist(err) {
		t.Errorf("the template of a stack that is gone is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "templates.go")); err != nil {
		t.Errorf("a file that is not generated is gone: %v", err)
	}
}

func TestStaleNamesEveryDifference(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, map[string][]byte{"same.json": []byte("1"), "changed.json": []byte("1"), "extra.json": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	stale, err := Stale(dir, map[string][]byte{"same.json": []byte("1"), "changed.json": []byte("2"), "missing.json": []byte("1")})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"changed.json", "extra.json", "missing.json"}; !slices.Equal(stale, want) {
		t.Errorf("Stale() = %q, want %q", stale, want)
	}
}

func TestWriteSaysWhereItFailed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	if err := Write(dir, map[string][]byte{"a.json": nil}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v does not name %s", err, dir)
	}
}

func TestPrettyIsStableAndPlain(t *testing.T) {
	got, err := pretty(map[string]any{"b": "<&>", "a": []any{1.0}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"a\": [\n    1\n  ],\n  \"b\": \"<&>\"\n}\n"; string(got) != want {
		t.Errorf("pretty() = %q, want %q", got, want)
	}
}
