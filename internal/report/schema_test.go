package report

import (
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/test/schema"
)

func readSchema(t *testing.T) schema.Schema {
	t.Helper()
	return schema.Read(t, "../../docs/schemas/plan.schema.json")
}

func TestDocumentsKeepTheSchema(t *testing.T) {
	s := readSchema(t)
	some := mixed(t)
	paid := some
	paid.Used, paid.Preset = 2000, plan.Gentlest
	for name, in := range map[string]plan.Input{
		"some":    some,
		"paid":    paid,
		"all":     {Distribution: distribution(t, ""), Release: some.Release},
		"nothing": {Distribution: distribution(t, ""), Release: some.Release, Known: some.Known[:0:0]},
		"blind":   {Release: some.Release},
	} {
		d, _ := New(in, build(t, in), name, []string{"a warning"}, time.Second)
		v := schema.Decoded(t, d)
		for _, wrong := range s.Check(v) {
			t.Errorf("%s: %s", name, wrong)
		}
		// The schema tells every member, and so whoever adds one tells it there.
		for _, member := range s.Untold(v) {
			t.Errorf("%s: the schema does not know %s", name, member)
		}
	}
}

func TestTheSchemaRefuses(t *testing.T) {
	s := readSchema(t)
	in := mixed(t)
	d, _ := New(in, build(t, in), "", nil, 0)
	for member := range schema.Decoded(t, d) {
		v := schema.Decoded(t, d)
		delete(v, member)
		if len(s.Check(v)) == 0 {
			t.Errorf("a document without %s passes", member)
		}
		v[member] = nil
		if len(s.Check(v)) == 0 {
			t.Errorf("a document whose %s is null passes", member)
		}
	}
	v := schema.Decoded(t, d)
	v["items"].([]any)[0].(map[string]any)["item"] = "index.html"
	if got := s.Check(v); len(got) != 1 || !strings.Contains(got[0], "document.items[0].item") {
		t.Errorf("an item without a slash: %q", got)
	}
}
