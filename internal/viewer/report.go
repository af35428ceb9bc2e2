package viewer

import (
	"fmt"
	"slices"
	"strings"
)

// Page is what one URL served, at the last look.
type Page struct {
	URL      string `json:"url"`
	Key      string `json:"key,omitempty"` // the release's object it was compared with
	Coding   string `json:"coding"`        // that it was asked for in
	Status   int    `json:"status"`        // HTTP status; 0 when there was no answer
	XCache   string `json:"xCache,omitempty"`
	Age      int    `json:"age"` // seconds; -1 when the answer told none
	POP      string `json:"pop,omitempty"`
	CRC32    uint32 `json:"crc32"`
	Size     int64  `json:"size"`
	Compared bool   `json:"compared"` // there was something to compare with
	Matches  bool   `json:"matches"`  // and it was that
	Old      bool   `json:"old"`      // it was in a cache before the invalidation was created
	Fresh    bool   `json:"fresh"`    // viewers of this point of presence see the release here
	Why      string `json:"why,omitempty"`
	Looks    int    `json:"looks"` // how often it was fetched
}

// String is one line, for people.
func (p Page) String() string {
	var from []string
	for _, s := range []string{p.POP, p.XCache} {
		if s != "" {
			from = append(from, s)
		}
	}
	where := ""
	if len(from) > 0 {
		where = " (" + strings.Join(from, ", ") + ")"
	}
	if !p.Fresh {
		return fmt.Sprintf("%s%s %s", p.URL, where, p.Why)
	}
	if p.Compared {
		return fmt.Sprintf("%s%s serves the release's %s", p.URL, where, p.Key)
	}
	return fmt.Sprintf("%s%s serves nothing older than the invalidation", p.URL, where)
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

// Stale are the pages that are not fresh.
func (r Report) Stale() []Page {
	return slices.DeleteFunc(slices.Clone(r.Pages), func(p Page) bool { return p.Fresh })
}

// Unanswered reports whether nothing that was looked at speaks against the release: every page that
// is not fresh gave no answer at all.
func (r Report) Unanswered() bool {
	stale := r.Stale()
	return len(stale) > 0 && !slices.ContainsFunc(stale, func(p Page) bool { return p.Status != 0 })
}

// Compared counts the pages that were compared with the release's content; the others were judged
// by their age alone.
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
		return fmt.Sprintf("none of %d pages gave an answer: %s", len(stale), stale[0])
	case len(stale) > 0:
		return fmt.Sprintf("%d of %d pages not fresh, seen from %s: %s", len(stale), len(r.Pages), from, stale[0])
	case r.Compared() == 0:
		return fmt.Sprintf("%d pages seen from %s, by their age alone", len(r.Pages), from)
	}
	return fmt.Sprintf("%d pages seen from %s, %d equal to the release", len(r.Pages), from, r.Compared())
}
