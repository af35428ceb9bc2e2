// Package mistakes makes every common mistake in a rehearsal, on every route that can have it, and holds
// what a person is told: where it failed, in which account, and the statement that repairs it. Then
// it does what was said, and the next release has to reach the viewers.
package mistakes

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/mistakes"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/test/stage"
)

func TestMain(m *testing.M) { stage.Main(m) }

func environment(v map[string]string) *lambdatypes.Environment {
	return &lambdatypes.Environment{Variables: v}
}

func TestMistakes(t *testing.T) {
	wanted := table(t)
	for _, m := range mistakes.All() {
		for _, route := range m.Routes() {
			name := m.Name + " " + route
			want, ok := wanted[name]
			if !ok {
				t.Errorf("%s: nothing says how it has to end", name)
			}
			delete(wanted, name)
			t.Run(strings.ReplaceAll(name, " ", "/"), func(t *testing.T) {
				t.Parallel()
				play(t, m, route, want)
			})
		}
	}
	for name := range wanted {
		t.Errorf("%s: there is no such mistake", name)
	}
}

func play(t *testing.T, m mistakes.Mistake, route, want string) {
	o := story.Options{Route: route, Source: static.Files, Lambdas: stage.Lambdas(t), Packages: stage.Packages(t), Median: 40 * time.Millisecond}
	f, report, err := m.Play(t.Context(), o, story.Narrator{}, func(s *story.Stage, f mistakes.Finding) error {
		if strings.HasPrefix(f.FailedAt, "stack ") {
			return nil // what failed is gone; it would have to be deployed anew
		}
		for _, c := range f.Changes {
			if err := repair(t.Context(), s, c); err != nil {
				return fmt.Errorf("carry out %s: %w", summary(f), err)
			}
		}
		return deliver(t, s)
	})
	if err != nil {
		t.Fatalf("%v\nit said %s\n%s", err, f.Said, summary(f))
	}
	if got := summary(f); got != want {
		t.Errorf("it ended otherwise than testdata/mistakes.txt says:\n%s %s = %s\nwant %s", m.Name, route, got, want)
	}
	if hangs := slices.Contains([]string{"answer-permission", "callback-trust", "no-callback", "silent-function"}, m.Name); hangs != (f.Seconds >= 1200) || f.Seconds > 1230 {
		t.Errorf("it took %v s of rehearsal time", f.Seconds)
	}
	if f.Said == "" || report.Route != route || len(report.Calls) == 0 {
		t.Errorf("said %q, route %s, %d calls", f.Said, report.Route, len(report.Calls))
	}
}

// deliver takes the next release to all viewers.
func deliver(t *testing.T, s *story.Stage) error {
	e, err := s.Release(t.Context(), "2", nil)
	if err != nil {
		return err
	}
	if e.Status != codepipeline.Succeeded {
		return fmt.Errorf("after the repair the pipeline ended %s: %+v", e.Status, e.Stages[len(e.Stages)-1])
	}
	views, err := s.Look(t.Context(), "/")
	for _, v := range views {
		if v.Release != "2" {
			err = errors.Join(err, fmt.Errorf("after the repair %s serves release %q", v.POP, v.Release))
		}
	}
	return err
}

// volatile is what differs from run to run.
var volatile = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`distribution/E[A-Z0-9]{13}\b`), "distribution/ID"},
	{regexp.MustCompile(`"E[A-Z2-7][A-Z0-9]{12}"`), `"ID"`},
	{regexp.MustCompile(`key/[0-9a-f]{8}-[0-9a-f-]{27}`), "key/ID"},
	{regexp.MustCompile(`unstale-[a-z2-7]{26}`), "EXTERNAL"},
}

// summary is one line of the table: where it failed, and each change.
func summary(f mistakes.Finding) string {
	out := f.FailedAt
	for _, c := range f.Changes {
		out += fmt.Sprintf(" | %s %s %s %s %s", c.Do, c.Account, c.Layer, c.To, c.Statement)
	}
	for _, v := range volatile {
		out = v.pattern.ReplaceAllString(out, v.name)
	}
	return out
}

// table is testdata/mistakes.txt: a line "mistake route = summary" each.
func table(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/mistakes.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if name, want, ok := strings.Cut(line, " = "); ok {
			out[name] = want
		}
	}
	return out
}
