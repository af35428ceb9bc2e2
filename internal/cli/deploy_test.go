package cli

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/deploy"
)

func TestAskedBeforeEachChange(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "Yes\n": true, " y \n": true, "\n": false, "n\n": false, "": false, "yess\n": false, "y": true} {
		var out bytes.Buffer
		s := &deploySession{out: &out, in: bufio.NewReader(strings.NewReader(answer))}
		got, err := s.confirm(deploy.Proposal{Account: "111111111111", Stack: "unstale-pipeline-base", Create: true, Changes: []deploy.Change{
			{Action: "Add", LogicalID: "Key", Type: "AWS::KMS::Key"},
			{Action: "Modify", LogicalID: "Job", Type: "AWS::Lambda::Function", Replacement: "False", Properties: []string{"Code", "Timeout"}},
			{Action: "Modify", LogicalID: "Version", Type: "AWS::Lambda::Version", Replacement: "True", Properties: []string{"Description"}},
			{Action: "Modify", LogicalID: "Alias", Type: "AWS::Lambda::Alias", Replacement: "Conditional", Properties: []string{"Name"}},
			{Action: "Remove", LogicalID: "Old", PhysicalID: "old-1", Type: "AWS::IAM::Role"},
		}})
		if err != nil || got != want {
			t.Errorf("answer %q: %v, %v, want %v", answer, got, err, want)
		}
		const table = `
account 111111111111: make stack unstale-pipeline-base
  + Key      AWS::KMS::Key
  ~ Job      AWS::Lambda::Function  Code, Timeout
  ! Version  AWS::Lambda::Version   REPLACED: Description
  ! Alias    AWS::Lambda::Alias     may be REPLACED: Name
  - Old      AWS::IAM::Role         old-1
Do it? [y/N] `
		if out.String() != table {
			t.Errorf("printed\n%s\nwant\n%s", out.String(), table)
		}
	}
}

// A closed stdout is no agreement.
func TestNobodyReadsTheChanges(t *testing.T) {
	s := &deploySession{out: closed{}, in: bufio.NewReader(strings.NewReader("y\n")), yes: true}
	if yes, err := s.confirm(deploy.Proposal{Stack: "s"}); err == nil || yes {
		t.Errorf("%v, %v", yes, err)
	}
	if yes, err := s.remove(deploy.Removal{Stacks: []deploy.Doomed{{Stack: "s"}}}); err == nil || yes {
		t.Errorf("%v, %v", yes, err)
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("closed") }

func archive(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "code.zip")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCode(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pipeline-job_arm64.zip"), []byte("job"), 0o600); err != nil {
		t.Fatal(err)
	}
	notZip := filepath.Join(dir, "text")
	if err := os.WriteFile(notZip, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	both := []string{"pipeline-job", "invalidator"}
	for name, c := range map[string]struct {
		given     string
		functions []string
		read      string // what the code of pipeline-job for arm64 begins with; empty: an error
		refused   string
	}{
		"directory":         {dir, both[:1], "job", ""},
		"a release":         {archive(t, "unstale/lambda/pipeline-job_arm64.zip", "unstale/lambda/invalidator_arm64.zip"), both, "unstale/lambda/pipeline-job_arm64.zip", ""},
		"one function":      {archive(t, "bootstrap"), both[:1], "PK", ""},
		"one of two":        {archive(t, "bootstrap"), both, "", "is the code of one function, but the route needs pipeline-job and invalidator"},
		"without this one":  {archive(t, "invalidator_arm64.zip"), both, "", ""},
		"no archive":        {notZip, both, "", "open --code"},
		"no such directory": {filepath.Join(dir, "none"), both, "", "find the Lambda zips"},
	} {
		t.Run(name, func(t *testing.T) {
			z := code{given: c.given}
			err := z.check(c.functions)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("err = %v, want %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := z.read("pipeline-job", "arm64")
			if (err == nil) != (c.read != "") || !strings.HasPrefix(string(body), c.read) {
				t.Errorf("read %.40q, %v, want %q", body, err, c.read)
			}
		})
	}
	if err := (&code{given: "none"}).check(nil); err != nil {
		t.Errorf("a route without functions needs code: %v", err)
	}
}

func TestTagged(t *testing.T) {
	for version, want := range map[string]string{"v1.2.3 abc (modified)": "v1.2.3 abc modified", "(devel)": "devel", strings.Repeat("é1", 300): strings.Repeat("1", 256)} {
		if got := tagged(version); got != want {
			t.Errorf("tagged(%q) = %q, want %q", version, got, want)
		}
	}
}
