// Package mistakes holds the mistakes that people make most often when they clear a cache across
// accounts. Each is made on purpose in a rehearsal, which then shows what AWS answers; from the
// decision that stopped it comes the statement that repairs it.
package mistakes

import (
	"slices"
	"strings"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/doctor/repair"
)

// Mistake is one thing that is wrong in an otherwise good set-up.
type Mistake struct {
	Name    string // as people type it
	Summary string // what is wrong, in one line
	Lesson  string // why AWS answers as it does, and how to avoid it
	ways    []way
}

// way is how the mistake is made on some routes.
type way struct {
	routes     []string
	edits      map[string][]edit            // by template; * stands for the route
	parameters map[string]map[string]string // likewise
	code       map[string]string            // likewise: another Lambda zip
	after      func(*story.Stage) error     // once everything is deployed
	fails      string                       // where it must: "stack NAME", "STAGE/ACTION" or "viewers"
	denied     string                       // the action whose denial explains it; empty: no decision knows
	needs      []string                     // all actions that the missing statement has to allow; nil: the denied one
	repair     func(*story.Stage) Change    // instead of what the decision names
}

// Change is what repairs a mistake.
type Change = repair.Change

// All lists the mistakes in the order in which a release meets them.
func All() []Mistake {
	return slices.Concat(deployment(), delivery(), border(), purge(), answer(), viewers())
}

// Find is the mistake of a name.
func Find(name string) (Mistake, bool) {
	for _, m := range All() {
		if m.Name == name {
			return m, true
		}
	}
	return Mistake{}, false
}

// Routes lists those on which the mistake can be made, in the order of story.Routes.
func (m Mistake) Routes() []string {
	var out []string
	for _, route := range story.Routes() {
		if m.on(route) != nil {
			out = append(out, route)
		}
	}
	return out
}

// on is how the mistake is made on a route, nil when it cannot be.
func (m Mistake) on(route string) *way {
	for _, w := range m.ways {
		if slices.Contains(w.routes, route) {
			return &w
		}
	}
	return nil
}

// named is a template's name with the route in it.
func named(template, route string) string {
	if route == "same-account" && strings.HasSuffix(template, "-*") {
		return route
	}
	return strings.ReplaceAll(template, "*", route)
}
