// Package site says what a site serves at a moment: a snapshot of its keys and their fingerprints,
// read from wherever a release happens to lie. It is pure; readers take io types.
package site

import (
	"cmp"
	"slices"
)

// Object is one file of a site.
type Object struct {
	Key   string // S3 key, not encoded, without a leading "/"
	CRC32 uint32 // IEEE, of the content as it is stored
	Size  int64  // bytes, of the same content
}

// Snapshot is what a site serves: objects sorted bytewise by key, each key once. A nil Snapshot
// means that nothing is known, not that the site is empty.
type Snapshot []Object

// Lookup finds the object of a key.
func (s Snapshot) Lookup(key string) (Object, bool) {
	i, found := slices.BinarySearchFunc(s, key, func(o Object, key string) int {
		return cmp.Compare(o.Key, key)
	})
	if !found {
		return Object{}, false
	}
	return s[i], true
}
