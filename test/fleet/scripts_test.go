package fleet

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/unstale/unstale/test/commandline"
	"github.com/unstale/unstale/test/schema"
)

func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// keeps demands that stdout is one document of a schema: keeps NAME.
func keeps(t *testing.T, ts *testscript.TestScript, name string) {
	s := schema.Read(t, "../../docs/schemas/"+name+".schema.json")
	var document map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &document))
	if wrong := append(s.Check(document), s.Untold(document)...); len(wrong) > 0 {
		ts.Fatalf("the document does not keep the schema %s: %s", name, strings.Join(wrong, "; "))
	}
}

// laptop is who the templates let in.
const laptop = "arn:aws:iam::111111111111:user/laptop"

// Each script is a person at a shell. Its name begins with the route of the world that it plays in.
func TestStories(t *testing.T) {
	t.Parallel()
	stories, err := filepath.Glob("scripts/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatal("there are no stories", err)
	}
	for _, file := range stories {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options(t))
			if strings.HasPrefix(name, "relay") {
				w.relay(laptop)
			} else {
				w.assume(laptop)
			}
			w.admin()
			w.bucket("unstale-state-222222222222")
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Setup: func(e *testscript.Env) error {
					e.Vars = append(e.Vars, w.environment(e.WorkDir)...)
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"exits": commandline.Exits,
					"put": func(ts *testscript.TestScript, _ bool, args []string) {
						ts.Check(w.put(ts.MkAbs(args[0])))
					},
					"edge": func(_ *testscript.TestScript, _ bool, args []string) {
						w.deaf.Store(args[0] == "deaf")
					},
					"keeps": func(ts *testscript.TestScript, _ bool, args []string) { keeps(t, ts, args[0]) },
					"subst": func(ts *testscript.TestScript, _ bool, args []string) {
						text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
						ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
					},
				},
			})
		})
	}
}
