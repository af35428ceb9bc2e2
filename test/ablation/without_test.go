package ablation

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/unstale/unstale/templates"
)

// Taking a grant out takes out that grant alone, with the roles that it names on one route.
func TestWithoutChangesNothingElse(t *testing.T) {
	for _, route := range templates.Routes() {
		for _, name := range templatesOf(t, route) {
			text := get(t, name)
			all := entriesOf(t, name, decode(t, text), route)
			for _, e := range all {
				checkWithout(t, e, all, entriesOf(t, name, decode(t, e.without(t, text)), route))
			}
			if !bytes.Equal(canonical(t, text), canonical(t, encode(t, decode(t, text)))) {
				t.Errorf("template %s is not written back as it was", name)
			}
		}
	}
}

func checkWithout(t *testing.T, e entry, all, left []entry) {
	t.Helper()
	want := map[grant]bool{}
	for _, other := range all {
		// The roles of a statement with several actions are listed under the last of these.
		want[other.grant] = other != e && !(other.role != "" && other.resource == e.resource && other.sid == e.sid)
	}
	for _, other := range left {
		if !want[other.grant] && other.action != "sts:TagSession" && other.role == "" {
			t.Errorf("without %s there is %s", e, other)
		}
		delete(want, other.grant)
	}
	for g, wanted := range want {
		if wanted {
			t.Errorf("without %s this is gone too: %s", e, g)
		}
	}
}

func canonical(t *testing.T, text []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
