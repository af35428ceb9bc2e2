package iam

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testCase is one entry of testdata/*.json: a request, the policies that bear on it, what must come
// out, and where AWS says so.
type testCase struct {
	Name     string
	Source   string
	Request  Request
	Policies Policies
	Want     wanted
}

// wanted is the part of a Decision that the cases pin. Reason holds words that must occur in it.
type wanted struct {
	Allowed, Explicit         bool
	Layer                     Layer
	Policy, Statement, Reason string
	Remedy                    *Remedy
}

func readCases[T any](t testing.TB, pattern string) map[string][]T {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("find cases %s: %v, %d files", pattern, err, len(files))
	}
	cases := map[string][]T{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		var list []T
		if err := d.Decode(&list); err != nil {
			t.Fatalf("read %s: %v", file, err)
		}
		cases[strings.TrimSuffix(filepath.Base(file), ".json")] = list
	}
	return cases
}

func TestCases(t *testing.T) {
	names := map[string]bool{}
	for topic, cases := range readCases[testCase](t, "decide-*.json") {
		for _, c := range cases {
			t.Run(topic+"/"+c.Name, func(t *testing.T) {
				if names[c.Name] || c.Source == "" {
					t.Errorf("case %q: its name is taken or it has no source", c.Name)
				}
				names[c.Name] = true
				got := Decide(c.Request, c.Policies)
				if !strings.Contains(got.Reason, c.Want.Reason) {
					t.Errorf("reason %q lacks %q", got.Reason, c.Want.Reason)
				}
				if got.Reason == "" {
					t.Error("no reason")
				}
				c.Want.Reason = ""
				brief := wanted{got.Allowed, got.Explicit, got.Layer, got.Policy, got.Statement, "", nil}
				if c.Want.Remedy != nil {
					brief.Remedy = got.Remedy
				}
				if diff := cmp.Diff(c.Want, brief); diff != "" {
					t.Errorf("%s\nwant -, got +:\n%s", got.Reason, diff)
				}
				checkRemedy(t, c.Request, c.Policies, got)
			})
		}
	}
}

// checkRemedy holds every case to the promise of Remedy: adding it turns the denial into an allow.
func checkRemedy(t testing.TB, r Request, p Policies, d Decision) {
	t.Helper()
	if d.Remedy == nil {
		return
	}
	if d.Allowed || d.Explicit {
		t.Errorf("a decision (allowed %t, explicit %t) has a remedy", d.Allowed, d.Explicit)
	}
	if again := Decide(r, withRemedy(p, *d.Remedy)); !again.Allowed {
		t.Errorf("denied: %s\nremedy: %s\nstill denied: %s", d.Reason, d.Remedy.Statement, again.Reason)
	}
}

func withRemedy(p Policies, m Remedy) Policies {
	add := Policy{Name: "remedy", Document: Document{Version: Version2012, Statements: []Statement{m.Statement}}}
	switch m.Layer {
	case LayerIdentity:
		p.Identity = append(p.Identity[:len(p.Identity):len(p.Identity)], add)
	case LayerSession:
		p.Session = append(p.Session[:len(p.Session):len(p.Session)], add)
	case LayerBoundary:
		p.Boundary = joined(p.Boundary, add)
	case LayerSCP:
		p.SCPs = everyLevel(p.SCPs, add)
	case LayerRCP:
		p.RCPs = everyLevel(p.RCPs, add)
	default:
		p.Resource = joined(p.Resource, add)
	}
	for _, more := range m.Also {
		p = withRemedy(p, more)
	}
	return p
}

func joined(p *Policy, add Policy) *Policy {
	if p == nil {
		return &add
	}
	both := *p
	both.Document.Version = Version2012
	both.Document.Statements = append(append([]Statement{}, p.Document.Statements...), add.Document.Statements...)
	return &both
}

func everyLevel(levels [][]Policy, add Policy) [][]Policy {
	var all [][]Policy
	for _, level := range levels {
		all = append(all, append(append([]Policy{}, level...), add))
	}
	return all
}
