package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

func TestEntryPoints(t *testing.T) {
	tests := []struct {
		root string
		want []string
	}{
		{"", []string{"/"}},
		{"index.html", []string{"/", "/index.html"}},
		{"hello world.html", []string{"/", "/hello%20world.html"}},
	}
	for _, tt := range tests {
		if got := (plan.Distribution{DefaultRootObject: tt.root}).EntryPoints(); !slices.Equal(got, tt.want) {
			t.Errorf("root object %q: %q", tt.root, got)
		}
	}
}

func TestEverything(t *testing.T) {
	d := plan.Distribution{ID: "E1", Enabled: true}
	want := plan.Plan{Distribution: d, Items: []plan.Choice{{Item: "/*", Reason: "there is no artifact"}}}
	if diff := cmp.Diff(want, plan.Everything(d, "there is no artifact")); diff != "" {
		t.Error(diff)
	}
}

func TestGivenSaysWhatIsDoubtful(t *testing.T) {
	items := []invalidation.Item{"/a", "#product"}
	tests := []struct {
		name string
		d    plan.Distribution
		note string // "" when there must be none
	}{
		{"fine", plan.Distribution{ID: "E1", Enabled: true, CacheTagHeader: "x-amz-meta-cache-tag"}, ""},
		{"tags are off", plan.Distribution{ID: "E1", Enabled: true}, "distribution E1 has no cache tag header"},
		{"disabled", plan.Distribution{ID: "E1", CacheTagHeader: "x"}, "distribution E1 is disabled"},
	}
	for _, tt := range tests {
		p := plan.Given(tt.d, items, "given by the operator")
		if !slices.Equal(p.Paths(), items) || p.Items[1].Reason != "given by the operator" {
			t.Errorf("%s: %v", tt.name, p.Items)
		}
		if tt.note == "" && p.Notes != nil || tt.note != "" && (len(p.Notes) != 1 || !strings.HasPrefix(p.Notes[0], tt.note)) {
			t.Errorf("%s: notes %q", tt.name, p.Notes)
		}
	}
}
