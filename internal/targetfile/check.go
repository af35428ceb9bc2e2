package targetfile

import (
	"slices"
	"strings"

	"github.com/unstale/unstale/internal/nearest"
	"github.com/unstale/unstale/internal/target"
)

// check verifies a target as a whole and reports each fault where the field stands, or at the target's
// name where it lacks. Of fields that are wrong by themselves nothing more is said.
func (d *decoder) check(t *Target, e entry, path string, g given) {
	checked, faults := target.Check(t.Target)
	for _, fault := range faults {
		f := g[fault.Field]
		if f != nil && f.wrong || g["route"] != nil && g["route"].wrong && fault.Field == "route" {
			continue
		}
		switch {
		case fault.Missing && fault.Field == "distribution" && t.Route == target.SameAccount && g["domain"] != nil:
			// The domain stands in its place: the caller's own account can be asked for it.
		case fault.Missing && fault.Field == "distribution" && g["domain"] != nil:
			d.report(e.place, path, "add its ID: what unstale grants in the delivery account cannot list distributions to find a domain's",
				"route %s needs distribution", checked.Route)
		case fault.Missing && fault.Field == "distribution" && t.Route == target.SameAccount:
			d.report(e.place, path, "add its ID, or a domain to find it by", "%s", fault.Text)
		case fault.Missing:
			d.report(e.place, path, "", "%s", fault.Text)
		case fault.Field == "route" && t.Route == "":
			d.report(e.place, path, "add one of "+strings.Join(texts(target.Routes()), ", "), "route is missing")
		case fault.Field == "route":
			d.report(f.value.place, path+".route", orElse(nearest.Hint(string(t.Route), texts(target.Routes())), "choose among "+strings.Join(texts(target.Routes()), ", ")),
				"there is no route %q", shorten(string(t.Route)))
		case f == nil:
			d.report(e.place, path, "", "%s", cut(fault.Text))
		default:
			d.report(f.value.place, path+"."+fault.Field, "", "%s", cut(f.mask(fault.Text)))
		}
	}
	slices.Sort(t.Groups)
	t.Target = checked
}

// twins finds targets that would purge the same distribution twice for the same release.
type twins map[twin]string

type twin struct{ distribution, bucket, prefix string }

// seen says which earlier target is of the same distribution and release as t. Targets that only
// pipelines reach do not count: they may stand beside the operator's own way.
func (s *twins) seen(t Target) (other string, twice bool) {
	if t.Distribution == "" || t.Reachable() != nil {
		return "", false
	}
	if *s == nil {
		*s = twins{}
	}
	k := twin{t.Distribution, t.Bucket, t.Prefix}
	if other, twice = (*s)[k]; !twice {
		(*s)[k] = t.Name
	}
	return other, twice
}

func texts(routes []target.Route) []string {
	var all []string
	for _, r := range routes {
		all = append(all, string(r))
	}
	return all
}
