package targetfile

import (
	"slices"
	"strings"
)

// value reads what stands behind a key in the key's form.
func (d *decoder) value(k key, f *givenField, path string) (v value, ok bool) {
	n := f.value
	if k.form.kind == isText && k.form.number && n.kind == isNumber {
		n = &node{place: n.place, kind: isText, text: n.text}
	}
	if !d.visit(n.place) || !d.is(n, k.form.kind, path) {
		return value{}, false
	}
	switch k.form.kind {
	case isTruth:
		return value{truth: n.text == "true"}, true
	case isList:
		v.list, ok = d.list(k, n, path)
		return v, ok
	case isMapping:
		v.pairs, ok = d.pairs(k, n, path)
		return v, ok
	}
	if v.text, ok = d.text(n, path, k.variable); ok && v.text != n.text {
		f.source, f.expanded = n.text, v.text
	}
	return v, ok
}

// text reads one text, with the values of its variables.
func (d *decoder) text(n *node, path string, variable bool) (string, bool) {
	text, problem := expand(n.text, variable, d.lookup)
	switch {
	case problem != "":
		d.report(n.place, path, "", "%s", problem)
	case text == "":
		d.report(n.place, path, "leave the key out", "the text is empty")
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		d.report(n.place, path, "write it in one line", "the text has a line break or another control character")
	default:
		return text, true
	}
	return "", false
}

// list reads a list of texts, none of them twice.
func (d *decoder) list(k key, n *node, path string) ([]string, bool) {
	switch {
	case len(n.list) == 0 && !k.form.empty:
		d.report(n.place, path, "leave the key out", "the list is empty")
		return nil, false
	case len(n.list) > k.form.most:
		d.report(n.place, path, "", "the list has %d entries, more than %d", len(n.list), k.form.most)
		return nil, false
	}
	all, right := []string{}, true
	for _, item := range n.list {
		if !d.visit(item.place) {
			return nil, false
		}
		s, ok := d.entry(k, item, path)
		switch {
		case !ok:
			right = false
		case slices.Contains(all, s):
			d.report(item.place, path, "", "%q occurs twice", shorten(s))
			right = false
		default:
			all = append(all, s)
		}
	}
	return all, right
}

// pairs reads a mapping of texts.
func (d *decoder) pairs(k key, n *node, path string) (map[string]string, bool) {
	switch {
	case len(n.entries) == 0:
		d.report(n.place, path, "leave the key out", "the mapping is empty")
		return nil, false
	case len(n.entries) > k.form.most:
		d.report(n.place, path, "", "the mapping has %d keys, more than %d", len(n.entries), k.form.most)
		return nil, false
	}
	all, right := map[string]string{}, true
	for name, e := range d.entries(n, path) {
		if name == "" {
			d.report(e.place, path, "", "a name is empty")
			right = false
			continue
		}
		s, ok := d.entry(k, e.value, path+"."+shorten(name))
		right = right && ok
		all[name] = s
	}
	return all, right
}

// entry reads and checks one text of a list or a mapping.
func (d *decoder) entry(k key, n *node, path string) (string, bool) {
	if !d.is(n, isText, path) {
		return "", false
	}
	s, ok := d.text(n, path, k.variable)
	if !ok {
		return "", false
	}
	if err := k.each(s); err != nil {
		d.wrong(n.place, path, err)
		return "", false
	}
	return s, true
}
