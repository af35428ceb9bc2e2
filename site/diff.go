package site

import (
	"fmt"
	"iter"
	"strings"
)

// Row is one key with what each snapshot has under it.
type Row struct {
	Key string
	New *Object // nil: the release has no such key
	// Old holds one entry per known snapshot, in their order; nil: that one has no such key. The
	// slice is valid until the next row.
	Old []*Object
}

// Change is what differs under one key.
type Change struct {
	What     What
	Key      string
	Old, New *Object // nil where there is none
}

// What says how a key differs.
type What uint8

// The ways to differ. The zero value is none of them.
const (
	Unchanged What = iota
	Added
	Modified
	Removed
)

// String names it for people.
func (w What) String() string {
	names := [...]string{"unchanged", "added", "modified", "removed"}
	if int(w) < len(names) {
		return names[w]
	}
	return fmt.Sprintf("What(%d)", w)
}

// Join walks a release and any number of known snapshots side by side, key by key in order. All must
// be sorted, as every Snapshot is.
func Join(release Snapshot, known ...Snapshot) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		rest := append([]Snapshot{release}, known...)
		row := make([]*Object, len(rest))
		for {
			key, found := least(rest, row)
			if !found || !yield(Row{Key: key, New: row[0], Old: row[1:]}) {
				return
			}
		}
	}
}

// least takes the bytewise first key off the snapshots that have it, and puts their objects in row.
func least(rest []Snapshot, row []*Object) (key string, found bool) {
	for i, s := range rest {
		row[i] = nil
		if len(s) == 0 {
			continue
		}
		order := -1
		if found {
			order = strings.Compare(s[0].Key, key)
		}
		if order > 0 {
			continue
		}
		if order < 0 {
			clear(row[:i])
			key, found = s[0].Key, true
		}
		row[i] = &s[0]
	}
	for i, o := range row {
		if o != nil {
			rest[i] = rest[i][1:]
		}
	}
	return key, found
}

// What compares the release's object with all the others: Modified where any differs, Added where
// one lacks the key and the others agree, Removed where only the release lacks it.
func (r Row) What() What {
	lacking := false
	for _, old := range r.Old {
		switch {
		case old == nil:
			lacking = true
		case r.New == nil:
			return Removed
		case !r.New.same(old):
			return Modified
		}
	}
	if lacking && r.New != nil {
		return Added
	}
	return Unchanged
}

// Any is the last of the known objects under the key; nil when there is none.
func (r Row) Any() *Object {
	for i := len(r.Old) - 1; i >= 0; i-- {
		if r.Old[i] != nil {
			return r.Old[i]
		}
	}
	return nil
}

// Diff lists what a release changes, sorted by key.
func Diff(old, release Snapshot) []Change { return Stale(release, old) }

// Stale lists what caches may hold another version of: whatever differs between a release and any
// known snapshot. Known are the last verified one and every pending one, because a release that was
// deployed but never purged may be in the caches, even if a later release reverts it.
func Stale(release Snapshot, known ...Snapshot) []Change {
	var changes []Change
	for row := range Join(release, known...) {
		if what := row.What(); what != Unchanged {
			changes = append(changes, Change{What: what, Key: row.Key, Old: row.Any(), New: row.New})
		}
	}
	return changes
}

// Overlay is what a bucket serves after a deploy that replaces and adds, but never deletes: the
// release, and beneath it whatever was there. Where deploys do not delete, this is what a manifest
// has to keep; otherwise a key that one release drops and a later one brings back would look new,
// although caches still hold its first version.
func Overlay(beneath, release Snapshot) Snapshot {
	all := make(Snapshot, 0, max(len(beneath), len(release)))
	for row := range Join(release, beneath) {
		if row.New != nil {
			all = append(all, *row.New)
		} else {
			all = append(all, *row.Old[0])
		}
	}
	return all
}
