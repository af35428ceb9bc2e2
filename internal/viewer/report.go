package viewer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/unstale/unstale/invalidation"
)

// Page is what one URL served, at the last look: in the first coding that was not fresh, or in the last
// one.
type Page struct {
	URL      string `json:"url"`
	Key      string `json:"key,omitempty"`  // the release's object it is about
	Gone     bool   `json:"gone,omitempty"` // which the release removed
	Coding   string `json:"coding"`         // that it was asked for in: Accept-Encoding
	Served   string `json:"served"`         // Content-Encoding, or "identity"; of a fresh page, one for each coding
	Status   int    `json:"status"`         // HTTP status; 0 when there was no answer
	XCache   string `json:"xCache,omitempty"`
	Age      int    `json:"age"` // seconds; -1 when the answer told none
	POP      string `json:"pop,omitempty"`
	CRC32    uint32 `json:"crc32"` // of what was read, decoded
	Size     int64  `json:"size"`
	Compared bool   `json:"compared"`      // there was something to compare with
	Matches  bool   `json:"matches"`       // and it was as that has it
	Old      bool   `json:"old,omitempty"` // it was in a cache before the invalidation was created
	Fresh    bool   `json:"fresh"`         // viewers of this point of presence see the release here
	Why      string `json:"why,omitempty"` // not
	Looks    int    `json:"looks"`         // how often it was fetched
}

// String is one line, for people.
func (p Page) String() string {
	var from []string
	for _, s := range []string{p.POP, p.XCache} {
		if s != "" {
			from = append(from, s)
		}
	}
	if !p.Fresh && p.Status != 0 { // which of the variants it was
		from = append(from, fmt.Sprintf("asked for %q", p.Coding))
	}
	where := ""
	if len(from) > 0 {
		where = " (" + strings.Join(from, ", ") + ")"
	}
	says := "serves nothing older than the invalidation"
	switch {
	case !p.Fresh:
		says = p.Why
	case p.Gone:
		says = "does not serve " + p.Key + " any more, which the release removed"
	case p.Asks():
		says = "asks for a password, so what it serves to those who have one was not seen"
	case p.Compared:
		says = "serves the release's " + p.Key
	case p.Old:
		says = "serves what the invalidation left in the caches"
	}
	return p.URL + where + " " + says
}

// Report is what a viewer saw. The zero value says that nothing was seen.
type Report struct {
	Domain  string `json:"domain"`
	Pages   []Page `json:"pages"`
	Refused string `json:"refused,omitempty"` // why nothing was fetched
}

// Fresh reports whether every page was looked at and is the release's. A report without pages is
// not fresh: nothing was seen.
func (r Report) Fresh() bool {
	return r.Refused == "" && len(r.Pages) > 0 && len(r.Stale()) == 0
}

// Stale are the pages that are not fresh, those that gave an answer first: they say most.
func (r Report) Stale() []Page {
	var answered, silent []Page
	for _, p := range r.Pages {
		switch {
		case p.Fresh:
		case p.Status != 0:
			answered = append(answered, p)
		default:
			silent = append(silent, p)
		}
	}
	return append(answered, silent...)
}

// Unexplained are stale pages that came from a cache with something else than the release, and that none of the
// items covers: whoever chose them did not know that caches held it.
func (r Report) Unexplained(items []string) []Page {
	return slices.DeleteFunc(r.Stale(), func(p Page) bool {
		cached := p.Old || strings.HasPrefix(p.XCache, "Hit ")
		return !cached || p.Status != http.StatusOK || !p.Compared || p.Matches || p.Covered(items)
	})
}

// Covered reports whether one of the items covers the page; nil items are everything. Which pages have a tag is
// not known here, so that a tag covers each.
func (p Page) Covered(items []string) bool {
	if items == nil {
		return true
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(p.URL, "https://"), "/")
	path, _, _ = strings.Cut("/"+path, "?")
	return slices.ContainsFunc(items, func(item string) bool {
		one := invalidation.Item(item)
		return one.Tag() || one.Covers(invalidation.EncodePath(path))
	})
}

// Unanswered reports whether nothing that was looked at speaks against the release: every page that
// is not fresh gave no answer at all.
func (r Report) Unanswered() bool {
	stale := r.Stale()
	return len(stale) > 0 && !slices.ContainsFunc(stale, func(p Page) bool { return p.Status != 0 })
}

// Compared counts the pages that were compared with the release's content, or with what it removed;
// the others were judged by their age alone.
func (r Report) Compared() int {
	n := 0
	for _, p := range r.Pages {
		if p.Compared {
			n++
		}
	}
	return n
}

// POPs names the points of presence that answered, sorted.
func (r Report) POPs() []string {
	var pops []string
	for _, p := range r.Pages {
		if p.POP != "" {
			pops = append(pops, p.POP)
		}
	}
	slices.Sort(pops)
	return slices.Compact(pops)
}

// String is one sentence: what was seen and from where, or what was not.
func (r Report) String() string {
	from := "an unnamed point of presence"
	if pops := r.POPs(); len(pops) > 0 {
		from = strings.Join(pops, ", ")
	}
	switch stale := r.Stale(); {
	case r.Refused != "":
		return fmt.Sprintf("did not look at %q: %s", r.Domain, r.Refused)
	case len(r.Pages) == 0:
		return fmt.Sprintf("looked at no page of %s", r.Domain)
	case r.Unanswered() && len(stale) == len(r.Pages):
		return fmt.Sprintf("none of %s gave an answer: %s", pages(len(stale)), stale[0])
	case len(stale) > 0:
		return fmt.Sprintf("%d of %s not fresh, seen from %s: %s", len(stale), pages(len(r.Pages)), from, stale[0])
	case r.Compared() == 0:
		return fmt.Sprintf("%s seen from %s, by their age alone", pages(len(r.Pages)), from)
	}
	return fmt.Sprintf("%s seen from %s in %d codings, %d equal to the release", pages(len(r.Pages)), from, len(codings), r.Compared())
}

func pages(n int) string {
	if n == 1 {
		return "1 page"
	}
	return fmt.Sprintf("%d pages", n)
}
