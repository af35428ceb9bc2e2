// Package test holds what the parts prove together: stories on the rehearsal, browsers, real clients,
// and the rules of the house.
package test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/unstale/unstale"

// rule says what the non-test files of some packages may import. Paths are below the module; a
// trailing /... means the tree.
type rule struct {
	name    string
	of      []string                   // packages the rule binds
	except  []string                   // packages of those that it does not bind
	refuses func(imported string) bool // direct imports that break the rule
	why     string
}

var rules = []rule{
	{
		name: "the domain is pure",
		of:   []string{"invalidation", "site", "plan", "iam"},
		refuses: func(path string) bool {
			return !isStandard(path) && !ours(path, "invalidation", "site", "plan", "iam") ||
				isIn(path, "net/http", "os", "os/exec", "net", "log", "log/slog", "time/tzdata")
		},
		why: "values in, value and reasons out: the rules of the domain can then be tested as tables",
	},
	{
		name:    "AWS service clients stay with the packages that own a service",
		of:      []string{"..."},
		except:  []string{"internal/gateway/...", "internal/job", "internal/store", "internal/doctor", "internal/deploy", "test/stage"}, // which is for tests
		refuses: func(path string) bool { return strings.HasPrefix(path, "github.com/aws/aws-sdk-go-v2/service/") },
		why:     "whoever wants to know how a service is spoken to looks in one place",
	},
	{
		name: "the rehearsal is a foreign country",
		of:   []string{"rehearsal/..."},
		refuses: func(path string) bool {
			return strings.HasPrefix(path, module) && !ours(path, "iam", "rehearsal/...")
		},
		why: "an emulator that shares code with what it tests shares its mistakes",
	},
	{
		name:    "only the command line starts a rehearsal",
		of:      []string{"..."},
		except:  []string{"rehearsal/...", "internal/cli/...", "test/stage"},
		refuses: func(path string) bool { return ours(path, "rehearsal/...") },
		why:     "production code has no emulator branch: it meets the rehearsal over HTTP",
	},
	{
		name:    "the Lambdas stay small",
		of:      []string{"cmd/pipeline-job", "cmd/invalidator"},
		refuses: func(path string) bool { return path == "github.com/aws/aws-sdk-go-v2/config" },
		why:     "config drags in sso and signin, which every cold start would pay for",
	},
}

func TestImports(t *testing.T) {
	packages := list(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			bound := 0
			for path, imports := range packages {
				if !ours(path, r.of...) || ours(path, r.except...) {
					continue
				}
				bound++
				for _, imported := range imports {
					if r.refuses(imported) {
						t.Errorf("%s imports %s; rule: %s, because %s", path, imported, r.name, r.why)
					}
				}
			}
			if bound == 0 {
				t.Errorf("the rule binds no package: its list %v is out of date", r.of)
			}
		})
	}
}

// list is every package of the module with the imports of its non-test files.
func list(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p.Imports
	}
	return packages
}

// ours says whether path is one of our packages, or in one of our trees.
func ours(path string, names ...string) bool {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return false
	}
	for _, name := range names {
		tree, isTree := strings.CutSuffix(name, "...")
		if rest == name || isTree && (strings.HasPrefix(rest, tree) || rest == strings.TrimSuffix(tree, "/")) {
			return true
		}
	}
	return false
}

func isStandard(path string) bool { return !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") }

func isIn(path string, list ...string) bool {
	for _, p := range list {
		if p == path {
			return true
		}
	}
	return false
}
