package plan

import (
	"fmt"
	"time"

	"github.com/unstale/unstale/site"
)

// cause is why something is demanded.
type cause uint8

const (
	changed cause = iota
	removed
	errorCached // the key is new
	outlived    // the content is the same, but less long to be kept
	rootChanged
	rootRemoved
	rootNew
	rootOutlived
	indexChanged
	indexRemoved
	indexNew
	indexOutlived
	cleanChanged
	cleanRemoved
	cleanNew
	cleanOutlived
	spelledTwice
	fallbackChanged
	websiteError
	routeCached
	unknownFunction
)

// cause is what a change of the key means for a URL of this role.
func (r role) cause(what site.What) cause {
	which := changed
	switch what {
	case site.Removed:
		which = removed
	case site.Added:
		which = errorCached
	case site.Unchanged:
		which = outlived
	}
	return cause(r)*4 + which
}

// longer is what a Cache-Control that changed means.
const longer = "changed, and what is cached is kept for longer than it says now"

// text says why, as a clause about the URL. ttl is how long errors for missing keys stay cached.
func (d demand) text(ttl time.Duration) string {
	isNew := fmt.Sprintf("is new, and an error answer may still be cached for it (for %s)", ttl)
	switch d.why {
	case changed:
		return "it changed"
	case removed:
		return "it was removed"
	case errorCached:
		return "it " + isNew
	case outlived:
		return "its Cache-Control " + longer
	case rootOutlived, indexOutlived, cleanOutlived:
		return fmt.Sprintf("it serves %s, whose Cache-Control %s", d.key, longer)
	case rootChanged, indexChanged, cleanChanged:
		return fmt.Sprintf("it serves %s, which changed", d.key)
	case rootRemoved, indexRemoved, cleanRemoved:
		return fmt.Sprintf("it served %s, which was removed", d.key)
	case rootNew, indexNew, cleanNew:
		return fmt.Sprintf("it serves %s, which %s", d.key, isNew)
	case spelledTwice:
		return fmt.Sprintf("%s changed, and browsers send a character of it as it is that no exact path may hold", d.key)
	case fallbackChanged:
		return fmt.Sprintf("%s changed, and it is cached as the page for errors under every URL that was asked for and is no key", d.key)
	case websiteError:
		return fmt.Sprintf("%s changed; it may be the bucket website's error document, which is cached under every URL that is no key", d.key)
	case routeCached:
		return fmt.Sprintf("%s changed, and it is cached under this route as the page for errors", d.key)
	case unknownFunction:
		return fmt.Sprintf("something behind it changed, and function %s may serve that under any URL; declare what it does to URIs to purge less", d.key)
	}
	return fmt.Sprintf("cause(%d)", d.why)
}

// omission is why something was left out, or what else there is to know of it.
type omission uint8

const (
	newKey omission = iota
	newAsset
	goneAsset
	neverCached
	shortLived
	errorWaited
	staysServed
	notServed
	incomparable
	omissions
)

// ledger counts what was left out.
type ledger [omissions]struct {
	count    int
	wait     time.Duration
	examples []string
	last     string // key: one that is the page of several errors counts once
}

// maxExamples is how many keys a note names.
const maxExamples = 3

func (l *ledger) add(why omission, key string, wait time.Duration) {
	line := &l[why]
	line.wait = max(line.wait, wait)
	if line.count > 0 && line.last == key {
		return
	}
	line.count++
	line.last = key
	if len(line.examples) < maxExamples {
		line.examples = append(line.examples, key)
	}
}

// notes says what was left out and why.
func (l *ledger) notes() []string {
	var notes []string
	for why, line := range l {
		if line.count == 0 {
			continue
		}
		text, where := "", ""
		switch omission(why) {
		case newKey:
			text = "new: nothing can be cached for it"
			if line.wait > 0 {
				text = fmt.Sprintf("new: only an error could be cached for it, for %s at most", line.wait)
			}
		case newAsset:
			text = "new and named by content: nobody asked for it before"
		case goneAsset:
			text = "removed, but named by content: what is cached for it is not wrong, and older pages may need it"
		case neverCached:
			text = "answered with a Cache-Control by which nothing is kept without asking the origin"
		case shortLived:
			text = fmt.Sprintf("cached for %s at most", line.wait)
		case errorWaited:
			// Under its own URL it may well be purged.
			text, where = fmt.Sprintf("cached there for %s at most", line.wait), " as the page for errors, under URLs that are no key"
		case staysServed:
			notes = append(notes, fmt.Sprintf("%s not in the release, but the deploy does not delete, so they are served on (%s)",
				counted(line.count, "key is", "keys are"), joinSome(line.examples, line.count)))
			continue
		case notServed:
			text = "changed, but no URL of this distribution serves it"
		case incomparable:
			notes = append(notes, fmt.Sprintf("%s because the fingerprints are of different kinds and cannot be compared (%s)",
				counted(line.count, "key counts as modified", "keys count as modified"), joinSome(line.examples, line.count)))
			continue
		}
		notes = append(notes, fmt.Sprintf("left out %s (%s)%s: %s", counted(line.count, "key", "keys"), joinSome(line.examples, line.count), where, text))
	}
	return notes
}
