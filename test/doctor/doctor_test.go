// Package doctor makes every common mistake in a rehearsal, on every route that can have it, and holds what
// the doctor says of it by reading alone: no release is pushed. It has to name the grant that the rehearsal
// of the mistake names, nothing besides, and to call a good set-up well.
package doctor

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/mistakes"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/doctor"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/test/commandline"
)

// functions is a directory of zips that stand for the Lambda functions: nothing here ever runs one.
var functions = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "unstale-doctor-")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"pipeline-job", "invalidator"} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		h := &zip.FileHeader{Name: "bootstrap"}
		h.SetMode(0o755)
		f, err := z.CreateHeader(h)
		if err == nil {
			_, err = fmt.Fprintf(f, "#!/bin/sh\n# %s\nexit 1\n", name)
		}
		if err = errors.Join(err, z.Close()); err == nil {
			err = os.WriteFile(filepath.Join(dir, name+"_"+story.Architecture()+".zip"), b.Bytes(), 0o600)
		}
		if err != nil {
			return dir, err
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	commandline.Main()
	code := m.Run()
	if dir, _ := functions(); dir != "" {
		_ = os.RemoveAll(dir) // a temporary directory
	}
	os.Exit(code)
}

func lambdas(t *testing.T) string {
	t.Helper()
	dir, err := functions()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// others are the mistakes of which a reader of policies cannot say just what the rehearsal says.
var others = map[string]string{
	"organization": "an account cannot read the policies of its organization: the simulator tells what they deny, not in which words",
}

func TestEveryMistakeIsNamed(t *testing.T) {
	wanted, played := table(t, "testdata/doctor.txt"), table(t, "../mistakes/testdata/mistakes.txt")
	for _, m := range mistakes.All() {
		for _, route := range m.Routes() {
			name := m.Name + " " + route
			want, said := wanted[name], played[name]
			delete(wanted, name)
			t.Run(strings.ReplaceAll(name, " ", "/"), func(t *testing.T) {
				t.Parallel()
				s, err := m.Deploy(t.Context(), options(t, route))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { closeStage(t, s) })
				report := examine(t, s, ask(t, route))
				got := summary(report)
				if got != want {
					t.Errorf("the doctor says otherwise than testdata/doctor.txt:\n%s = %s\nwant %s\n%s", name, got, want, ladder(report))
				}
				_, grants, _ := strings.Cut(said, " | ")
				_, mine, _ := strings.Cut(got, " | ")
				if _, differs := others[m.Name]; !differs && canonical(t, mine) != canonical(t, grants) {
					t.Errorf("the rehearsal of the mistake asks for another grant:\n%s\nthe doctor for\n%s", grants, mine)
				}
				if report.Unknown > 0 && report.Broken == 0 {
					t.Errorf("%d unknown", report.Unknown)
				}
			})
		}
	}
	for name := range wanted {
		t.Errorf("%s: there is no such mistake", name)
	}
}

func TestAllIsWell(t *testing.T) {
	for _, route := range story.Routes() {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			report := examine(t, set(t, route), ask(t, route))
			if report.Broken+report.Unknown > 0 || report.Route != route || len(report.Rungs) < 12 {
				t.Errorf("route %s, %d broken, %d unknown:\n%s", report.Route, report.Broken, report.Unknown, ladder(report))
			}
		})
	}
}

func options(t *testing.T, route string) story.Options {
	return story.Options{Route: route, Source: static.Files, Lambdas: lambdas(t)}
}

func set(t *testing.T, route string) *story.Stage {
	t.Helper()
	s, err := story.Set(t.Context(), options(t, route))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStage(t, s) })
	return s
}

func closeStage(t *testing.T, s *story.Stage) {
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func ask(t *testing.T, route string) doctor.Question {
	t.Helper()
	code, err := doctor.Code(lambdas(t))
	if err != nil {
		t.Fatal(err)
	}
	return doctor.Question{Name: "unstale", Route: target.Route(route), Code: code}
}

func examine(t *testing.T, s *story.Stage, q doctor.Question) doctor.Report {
	t.Helper()
	return profiles(t, s).check(t, q)
}

// check asks a doctor, who only reads.
func (p *people) check(t *testing.T, q doctor.Question) doctor.Report {
	t.Helper()
	report, err := p.doctor(t).Check(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	p.onlyRead(t)
	return report
}

// ladder is a report for whoever reads a failed test.
func ladder(r doctor.Report) string {
	var b strings.Builder
	for _, rung := range r.Rungs {
		fmt.Fprintf(&b, "%-8s%s %s %s: %s %v\n", rung.State, rung.Name, rung.Account, rung.Subject, rung.Why, rung.Read)
		for _, c := range rung.Changes {
			b.WriteString(c.String())
		}
	}
	return b.String()
}

// summary is one line of the table: the first broken rung, and every change of all rungs.
func summary(r doctor.Report) string {
	out := "all well"
	if first := r.First(doctor.Broken); first != nil {
		out = first.Name
	}
	for _, rung := range r.Rungs {
		for _, c := range rung.Changes {
			out += fmt.Sprintf(" | %s %s %s %s %s", c.Do, c.Account, c.Layer, c.To, c.Statement)
		}
	}
	return steady(out)
}

// canonical is changes with the members of their statements in one order.
func canonical(t *testing.T, changes string) string {
	t.Helper()
	var out []string
	for _, c := range strings.Split(changes, " | ") {
		where, statement, _ := strings.Cut(c, "{")
		var v any
		if err := json.Unmarshal([]byte("{"+statement), &v); err != nil {
			t.Fatalf("read %s: %v", c, err)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, where+string(raw))
	}
	slices.Sort(out)
	return strings.Join(out, " | ")
}

// table is lines of "mistake route = summary".
func table(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if name, want, ok := strings.Cut(line, " = "); ok {
			out[name] = want
		}
	}
	return out
}
