// Package site says what a site serves at a moment: a snapshot of its keys and their fingerprints,
// read from wherever a release happens to lie (a directory, a zip, a bucket's listing), how two
// snapshots differ, and the manifest that keeps one for the next release. It is pure; readers take
// io and fs types.
package site

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Object is one file of a site. Its fingerprint is either CRC32 and Size (a directory, a zip) or
// ETag and Size (a listing); see Kind.
type Object struct {
	Key   string // S3 key, not encoded, without a leading "/"
	CRC32 uint32 // IEEE, of the content as it is stored; 0 where ETag is the fingerprint
	// CacheKnown says that CacheControl is what the object is answered with ("" means without the
	// header, and without Expires). Otherwise nothing is known, and it may be cached for any time.
	CacheKnown   bool
	Size         int64  // bytes, of the same content
	ETag         string // without quotes; "" where CRC32 is the fingerprint
	CacheControl string
}

// Kind is how an object's content is told from another.
type Kind uint8

// The kinds of fingerprints. Only two of one kind can be compared: an ETag is an MD5 for some
// uploads and opaque for others. Source: Amazon S3 API reference, "Object", ETag.
const (
	CRC32Size Kind = iota
	ETagSize
)

// String names the kind for people.
func (k Kind) String() string {
	if k == ETagSize {
		return "ETag"
	}
	return "CRC-32"
}

// Kind is the kind of the object's fingerprint.
func (o Object) Kind() Kind {
	if o.ETag != "" {
		return ETagSize
	}
	return CRC32Size
}

// Same reports whether both hold the same content for all that is known. Fingerprints that cannot be
// compared count as different: purging in vain costs little, leaving out what changed does not.
func (o Object) Same(other Object) bool { return o.same(&other) }

func (o *Object) same(other *Object) bool {
	return o.Size == other.Size && o.CRC32 == other.CRC32 && o.ETag == other.ETag
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

// maxKey is the longest S3 key in bytes. Source: Amazon S3 user guide, "Naming Amazon S3 objects".
const maxKey = 1024

// NameError says which name cannot become a key, and why.
type NameError struct {
	From   string // what was read: "archive", "directory", "listing"
	Name   string // as it stands there
	Reason string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("read %s: entry %q %s", e.From, e.Name, e.Reason)
}

// notKey says why S3 could have no object under a name; "" means that it could.
func notKey(name string) string {
	switch {
	case name == "":
		return "has no name"
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	case len(name) > maxKey:
		return fmt.Sprintf("is longer than an S3 key may be (%d bytes)", maxKey)
	}
	return ""
}

// refuse says why a file's name cannot become a key as it stands; "" means that it can.
func refuse(name string) string {
	if reason := notKey(name); reason != "" {
		return reason
	}
	switch {
	case strings.IndexByte(name, 0) >= 0:
		return "contains a NUL"
	case strings.IndexByte(name, '\\') >= 0:
		return `contains a backslash; write "/" between directories`
	case name[0] == '/':
		return "is absolute"
	}
	if strings.Contains(name, "./") || strings.HasSuffix(name, ".") { // else no segment is "." or ".."
		for segment := range strings.SplitSeq(name, "/") {
			if segment == ".." || segment == "." {
				return fmt.Sprintf("contains the segment %q", segment)
			}
		}
	}
	return ""
}

// finish sorts what was read, and refuses a key that is there twice.
func (s Snapshot) finish(from string) (Snapshot, error) {
	byKey := func(a, b Object) int { return cmp.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(s, byKey) {
		slices.SortFunc(s, byKey)
	}
	for i := 1; i < len(s); i++ {
		if s[i].Key == s[i-1].Key {
			return nil, &NameError{From: from, Name: s[i].Key, Reason: "is there twice"}
		}
	}
	return s, nil
}

// arena makes many short strings out of few allocations.
type arena struct{ block strings.Builder }

// arenaBlock is how much one allocation of an arena holds.
const arenaBlock = 256 << 10

// join keeps a+b as one string.
func (a *arena) join(head string, tail []byte) string {
	if a.block.Cap()-a.block.Len() < len(head)+len(tail) {
		a.block = strings.Builder{} // strings that were handed out keep their block
		a.block.Grow(max(arenaBlock, len(head)+len(tail)))
	}
	start := a.block.Len()
	a.block.WriteString(head)
	a.block.Write(tail)
	return a.block.String()[start:]
}
