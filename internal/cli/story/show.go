package story

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/unstale/unstale/invalidation"
)

// Plan shows what a release purges and why, what else, at what price, and where the evidence lies.
func (n Narrator) Plan(p Plan) {
	if n.p == nil {
		return
	}
	if p.Given {
		n.line(1, "%s nothing is planned on this route: the pipeline's action names what to purge: %s",
			n.paint(bold, "plan:"), strings.Join(p.items(), " "))
		return
	}
	head := counted(len(p.Items), "path")
	switch {
	case slices.Contains(p.items(), "/*"):
		head += " for everything"
	case p.Stale > 0:
		head += " for " + counted(p.Stale, "stale URL")
	}
	price := invalidation.Money(p.Price * float64(invalidation.Dollar)).String()
	besides := ", nothing that did not change"
	switch {
	case p.Collateral > 0:
		besides = ", " + counted(p.Collateral, "unchanged object") + " besides"
	case slices.Contains(p.items(), "/*"):
		besides = ""
	}
	n.line(1, "%s %s%s; %s", n.paint(bold, "plan:"), head, besides, price)
	width := 0
	for _, item := range p.Items {
		width = max(width, min(len(item.Item), 24))
	}
	for _, item := range p.Items {
		n.line(2, "%-*s  %s", width, item.Item, n.paint(dim, item.Reason))
	}
	for _, note := range p.Notes {
		n.line(2, "%s", n.paint(dim, "note: "+note))
	}
	if p.Evidence != "" {
		n.line(2, "evidence  %s", n.paint(dim, p.Evidence))
	}
}

func (p Plan) items() []string {
	var out []string
	for _, item := range p.Items {
		out = append(out, item.Item)
	}
	return out
}

// Warmed says how much of the site is cached.
func (n Narrator) Warmed(objects []Object) {
	urls, hits := map[string]bool{}, 0
	for _, o := range objects {
		urls[o.URL] = true
		if o.Before != nil && hit(o.Before) {
			hits++
		}
	}
	if len(objects) > 0 {
		n.line(2, "%s of the site, each at every point of presence: %d of %d answers are hits", counted(len(urls), "URL"), hits, len(objects))
	}
}

func hit(s *Served) bool { return strings.HasPrefix(s.XCache, "Hit ") }

// row is one URL's line of the table: what each point of presence answered.
type row struct {
	path, change string
	objects      []Object
}

// shownAlike is how many unchanged URLs the table lists; the rest is counted.
const shownAlike = 4

// Objects shows what viewers got of the site after release 2: every URL that the release changed, and some
// of the others.
func (n Narrator) Objects(objects []Object) {
	rows := rowsOf(objects)
	if n.p == nil || len(rows) == 0 {
		return
	}
	n.line(1, "%s", n.paint(bold, "viewers of the whole site (X-Cache: ... from cloudfront)"))
	width, most := 0, n.room()
	var shown, rest []row
	directories := map[string]bool{}
	for _, r := range rows {
		directory := path.Dir(r.path)
		switch {
		case r.change != Unchanged, len(directories) < shownAlike && !directories[directory]:
			shown = append(shown, r)
			width = max(width, min(len(r.path), most))
		default:
			rest = append(rest, r)
		}
		if r.change == Unchanged {
			directories[directory] = true
		}
	}
	head := fmt.Sprintf("%-*s", width, "URL")
	for _, o := range shown[0].objects {
		head += fmt.Sprintf("  %-8s", o.POP)
	}
	n.line(2, "%s", n.paint(dim, head+"  serves"))
	for _, r := range shown {
		line := fmt.Sprintf("%-*s", width, cut(r.path, width))
		for _, o := range r.objects {
			line += "  " + n.cache(o.After)
		}
		n.line(2, "%s  %s", line, r.serves())
	}
	n.others(rest)
	if slices.ContainsFunc(objects, func(o Object) bool { return o.Change == Changed && o.After != nil && hit(o.After) }) {
		n.line(2, "%s", n.paint(dim, "a hit on a purged URL is new too: the purge itself had looked there before these viewers"))
	}
}

// room is how many columns a URL may have beside three points of presence.
func (n Narrator) room() int {
	const others = margin + 4 + 3*10 + 2 + len("release 2, new")
	if n.p.Width == 0 {
		return mostPath
	}
	return min(max(n.p.Width-others, leastPath), mostPath)
}

// A path in the table has so many columns at least and at most.
const (
	leastPath = 16
	mostPath  = 40
)

// others counts the rows that are not listed.
func (n Narrator) others(rest []row) {
	answers, hits := 0, 0
	for _, r := range rest {
		for _, o := range r.objects {
			if answers++; o.After != nil && hit(o.After) {
				hits++
			}
		}
	}
	if answers > 0 {
		n.line(2, "and %s that did not change: %d of %d answers are hits", counted(len(rest), "URL"), hits, answers)
	}
}

func rowsOf(objects []Object) []row {
	var rows []row
	for _, o := range objects {
		u, err := url.Parse(o.URL)
		if err != nil {
			continue // made by this package: cannot be
		}
		i := slices.IndexFunc(rows, func(r row) bool { return r.path == u.EscapedPath() })
		if i < 0 {
			rows, i = append(rows, row{path: u.EscapedPath(), change: o.Change}), len(rows)
		}
		rows[i].objects = append(rows[i].objects, o)
	}
	slices.SortStableFunc(rows, func(a, b row) int { return order(a) - order(b) })
	return rows
}

func order(r row) int { return slices.Index([]string{Changed, Added, Unchanged}, r.change) }

// cache is the word that X-Cache begins with, eight columns wide.
func (n Narrator) cache(s *Served) string {
	if s == nil {
		return fmt.Sprintf("%-8s", "-")
	}
	word, _, _ := strings.Cut(s.XCache, " ")
	text := fmt.Sprintf("%-8s", word)
	if hit(s) {
		return n.paint(green, text)
	}
	return n.paint(amber, text)
}

// serves says whose bytes a URL answers with everywhere.
func (r row) serves() string {
	var releases []string
	for _, o := range r.objects {
		if o.After != nil && !slices.Contains(releases, o.After.Release) {
			releases = append(releases, o.After.Release)
		}
	}
	switch text := strings.Join(releases, ", "); {
	case text == "":
		return "neither release"
	case r.change == Unchanged && text == "1 and 2":
		return "the same"
	case r.change == Added:
		return "release " + text + ", new"
	default:
		return "release " + text
	}
}

func cut(text string, width int) string {
	if len(text) <= width {
		return text
	}
	return text[:width-3] + "..."
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
