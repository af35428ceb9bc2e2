package targetfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/unstale/unstale/internal/nearest"
)

// maxVisits bounds how many values are read, counting what stands behind an alias each time.
const maxVisits = 500_000

// decoder reads the document's values and keeps on after a problem, so that all are told at once.
type decoder struct {
	file     string
	lookup   func(string) (string, bool)
	keys     []key
	visits   int
	problems Problems
}

func (d *decoder) report(p place, path, try, format string, args ...any) {
	d.problems.add(Problem{d.file, p.line, p.column, path, fmt.Sprintf(format, args...), try})
}

// Parse reads a targets file's text. file is its name in problems, lookup gives the variables that it may
// name. The error is *Problems: all that is wrong, in the order of lines.
func Parse(file string, text []byte, lookup func(string) (string, bool)) (*File, error) {
	d := &decoder{file: file, lookup: lookup, keys: keys()}
	body, refused := scan(text)
	switch {
	case refused != nil:
		d.report(refused.place, "", refused.try, "%s", refused.problem)
		return nil, d.problems.err()
	case body == nil:
		return nil, whole(file, "begin with version: 1", "the file has no content")
	}
	c := converter{anchors: map[string]*node{}, report: func(p place, problem string) { d.report(p, "", "", "%s", problem) }}
	targets := d.document(c.node(body))
	if err := d.problems.err(); err != nil {
		return nil, err
	}
	return &File{Path: file, Targets: targets}, nil
}

// document reads the three keys of the file.
func (d *decoder) document(root *node) []Target {
	if !d.is(root, isMapping, "") {
		return nil
	}
	if !d.version(root) {
		return nil
	}
	top := d.mapping(root, "", []string{"version", "defaults", "targets"})
	var defaults Target
	if e, ok := top["defaults"]; ok && d.is(e.value, isMapping, "defaults") {
		d.fields(&defaults, e.value, "defaults", true)
	}
	e, ok := top["targets"]
	if !ok {
		d.report(root.place, "", "add targets, a mapping of names to targets", "targets is missing")
		return nil
	}
	if !d.is(e.value, isMapping, "targets") {
		return nil
	}
	if len(e.value.entries) == 0 {
		d.report(e.value.place, "targets", "", "there are none")
	}
	return d.targets(e.value, defaults)
}

// version reports whether the file is worth reading on: the keys of another version mean something else.
func (d *decoder) version(root *node) bool {
	i := slices.IndexFunc(root.entries, func(e entry) bool { return e.key == "version" })
	if i < 0 {
		d.report(root.place, "", fmt.Sprintf("add version: %d", Version), "version is missing")
		return true
	}
	if v := root.entries[i].value; v.kind != isNumber || v.text != fmt.Sprint(Version) {
		d.report(v.place, "version", fmt.Sprintf("write version: %d", Version), "there is one version, the number %d", Version)
		return false
	}
	return true
}

func (d *decoder) targets(all *node, defaults Target) []Target {
	var targets []Target
	var same twins
	for name, e := range d.entries(all, "targets") {
		path := "targets." + shorten(name)
		if !d.is(e.value, isMapping, path) {
			continue
		}
		t := defaults
		t.Name, t.Line = name, e.line
		given := d.fields(&t, e.value, path, false)
		d.check(&t, e, path, given)
		if other, twice := same.seen(t); twice {
			d.report(e.place, path, "keep one, or say by bucket and prefix which release each is for", "target %s has the same distribution", other)
		}
		targets = append(targets, t)
	}
	return targets
}

// mapping gives a mapping's entries by key. Other keys than the known ones are problems.
func (d *decoder) mapping(n *node, path string, known []string) map[string]entry {
	found := map[string]entry{}
	for name, e := range d.entries(n, path) {
		if !slices.Contains(known, name) {
			d.report(e.place, path, orElse(nearest.Hint(name, known), "keys are "+strings.Join(known, ", ")), "there is no key %q", shorten(name))
			continue
		}
		found[name] = e
	}
	return found
}

// entries goes over a mapping's entries in their order. Keys that occur twice are problems.
func (d *decoder) entries(n *node, path string) func(func(string, entry) bool) {
	return func(yield func(string, entry) bool) {
		first := map[string]place{}
		for _, e := range n.entries {
			if !d.visit(e.place) {
				return
			}
			if p, twice := first[e.key]; twice {
				d.report(e.place, path, "", "key %q occurs twice, first in line %d", shorten(e.key), p.line)
				continue
			}
			first[e.key] = e.place
			if !yield(e.key, e) {
				return
			}
		}
	}
}

// visit counts a value that is read, and reports when they are too many.
func (d *decoder) visit(p place) bool {
	if d.visits++; d.visits == maxVisits {
		d.report(p, "", "use fewer aliases", "with its aliases the file has more than %d values", maxVisits)
	}
	return d.visits < maxVisits
}

// is verifies what kind of value stands somewhere.
func (d *decoder) is(n *node, want kind, path string) bool {
	switch {
	case n.kind == want:
		return true
	case n.kind == isBroken:
	case n.kind == isNothing:
		d.report(n.place, path, "leave it out, or write "+string(want), "the value is missing")
	case want == isText && (n.kind == isNumber || n.kind == isTruth):
		d.report(n.place, path, fmt.Sprintf("quote it: %q", shorten(n.text)), "this is %s, not %s", n.kind, want)
	default:
		d.report(n.place, path, "", "this is %s, not %s", n.kind, want)
	}
	return false
}

// given is the fields that a target has, whether they are right or wrong.
type given map[string]*givenField

type givenField struct {
	entry
	wrong            bool
	source, expanded string // the text before and after variables; "" when there were none
}

// fields reads the keys of a target, or of the defaults.
func (d *decoder) fields(t *Target, n *node, path string, defaults bool) given {
	var known []string
	for _, k := range d.keys {
		if k.shared || !defaults {
			known = append(known, k.name)
		}
	}
	found := d.mapping(n, path, known)
	g := given{}
	for _, k := range d.keys {
		e, ok := found[k.name]
		if !ok {
			continue
		}
		f := &givenField{entry: e}
		g[k.name] = f
		path := path + "." + k.name
		v, ok := d.value(k, f, path)
		if !ok {
			f.wrong = true
			continue
		}
		if err := k.set(t, v); err != nil {
			f.wrong = true
			d.wrong(e.value.place, path, f.masked(err))
		}
	}
	return g
}

// wrong reports an error about a value.
func (d *decoder) wrong(p place, path string, err error) {
	var w *wrong
	if errors.As(err, &w) {
		d.report(p, path, w.try, "%s", w.problem)
		return
	}
	d.report(p, path, "", "%v", err)
}

// masked is an error without what variables expanded to: that may be a secret that came in by mistake.
func (f *givenField) masked(err error) error {
	if f.source == "" {
		return err
	}
	return errors.New(f.mask(err.Error()))
}

func (f *givenField) mask(text string) string {
	if f.source == "" {
		return text
	}
	for _, s := range []string{f.expanded, shorten(f.expanded)} {
		text = strings.ReplaceAll(text, fmt.Sprintf("%q", s), fmt.Sprintf("%q", shorten(f.source)))
	}
	return text
}
