package ablation

import (
	"slices"
	"testing"

	"github.com/unstale/unstale/templates"
)

// On every route every entry of the templates is in the table, or demanded by AWS, or a Deny; none is in
// two. What the table says is the same statement is so byte for byte, and it takes nothing out twice.
func TestEveryGrantIsAccountedFor(t *testing.T) {
	for _, route := range templates.Routes() {
		places := map[grant][]string{}
		for _, r := range table {
			if slices.Contains(r.on, route) || slices.Contains(r.same, route) {
				places[r.grant.on(route)] = append(places[r.grant.on(route)], "the table")
			}
		}
		for _, g := range demanded(t, route) {
			places[g] = append(places[g], "demanded.json")
		}
		for _, e := range entries(t, route) {
			if e.deny {
				places[e.grant] = append(places[e.grant], "the denials")
			}
			if got := places[e.grant]; len(got) != 1 {
				t.Errorf("%s, %s: it is in %q, not in exactly one place", route, e, got)
			}
			delete(places, e.grant)
		}
		for g, where := range places {
			t.Errorf("%s, %s: it is in %q, but the templates do not have it", route, g, where)
		}
	}
	for _, r := range table {
		first := r.entry(t, r.on[0])
		for _, route := range r.same {
			if same := r.entry(t, route); same.text != first.text || same.layer != first.layer {
				t.Errorf("%s is %s on route %s: take it out there too", first, same.text, route)
			}
		}
		for _, route := range r.on[1:] {
			if r.entry(t, route).text == first.text {
				t.Errorf("%s is the same on route %s: once is enough", first, route)
			}
		}
	}
}

// A template for a pipeline of one's own grants nothing else: each of its statements is that of a row, byte
// for byte, so that it is taken out there. Only lists that people give stand where a row's statement names
// what its stack knows. What it denies is denied on a route as well.
func TestOwnPipelinesAreGrantedTheSame(t *testing.T) {
	deployed, denied := map[string]bool{}, map[string]bool{}
	for _, route := range templates.Routes() {
		for _, name := range templatesOf(t, route) {
			deployed[name] = true
		}
		for _, e := range entries(t, route) {
			denied[e.resource+e.text] = denied[e.resource+e.text] || e.deny
		}
	}
	rows := map[grant]row{}
	for _, r := range table {
		if r.own != (place{}) {
			rows[grant{r.own.template, r.own.resource, r.sid, r.action, ""}] = r
		}
	}
	for _, name := range templates.Names() {
		if deployed[name] {
			continue
		}
		template := decode(t, get(t, name))
		for _, e := range entriesOf(t, name, template, "") {
			if e.deny && denied[e.resource+e.text] {
				continue
			}
			r, ok := rows[e.grant]
			if !ok {
				t.Errorf("%s: no row takes it out", e)
				continue
			}
			delete(rows, e.grant)
			if theirs := r.entry(t, r.on[0]); e.deny || e.layer != theirs.layer || given(t, template, e.text, theirs.text) != theirs.text {
				t.Errorf("%s is %s, but the row's is %s", e, e.text, theirs.text)
			}
		}
	}
	for g := range rows {
		t.Errorf("%s: the table has it, but no template for a pipeline of one's own does", g)
	}
}

// given is a statement with the resource of another where its own is a list that people give.
func given(t *testing.T, template object, text, other string) string {
	t.Helper()
	s := decode(t, []byte(text))
	if ref, ok := s["Resource"].(object); ok {
		name, _ := ref["Ref"].(string)
		if parameter, ok := template["Parameters"].(object)[name].(object); ok && parameter["Type"] == "CommaDelimitedList" {
			s["Resource"] = decode(t, []byte(other))["Resource"]
		}
	}
	return string(encode(t, s))
}

// entry is the row's grant as a route's template has it.
func (r row) entry(t *testing.T, route string) entry {
	t.Helper()
	g := r.grant.on(route)
	for _, e := range entriesOf(t, g.template, decode(t, get(t, g.template)), route) {
		if e.grant == g {
			return e
		}
	}
	t.Fatalf("route %s has no %s", route, g)
	panic("unreachable")
}

// demanded are the grants of a route that AWS's documentation demands. What it demands for all whom a
// statement names it demands for each.
func demanded(t *testing.T, route string) []grant {
	t.Helper()
	listed, err := templates.Demanded()
	if err != nil {
		t.Fatal(err)
	}
	var all []grant
	for _, e := range entries(t, route) {
		if slices.ContainsFunc(listed, func(d templates.Demand) bool {
			return d.Template == e.template && d.LogicalID == e.resource && d.Sid == e.sid && d.Action == e.action
		}) {
			all = append(all, e.grant)
		}
	}
	return all
}
