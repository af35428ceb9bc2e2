package site

import (
	"fmt"
	"iter"
	"strings"
)

// Listed is one entry of a bucket's listing.
type Listed struct {
	Key  string
	ETag string // quoted or not
	Size int64  // bytes
}

// FromListing makes a snapshot of what a bucket lists, in any order. An error of the listing is
// returned as it is; a key that S3 cannot have, or has twice, is a *NameError.
func FromListing(entries iter.Seq2[Listed, error]) (Snapshot, error) {
	snapshot := Snapshot{}
	for entry, err := range entries {
		if err != nil {
			return nil, err
		}
		etag := strings.Trim(strings.TrimPrefix(entry.ETag, "W/"), `"`)
		reason := notKey(entry.Key)
		switch {
		case reason != "":
		case etag == "":
			reason = "has no ETag"
		case entry.Size < 0:
			reason = fmt.Sprintf("claims %d bytes", entry.Size)
		}
		if reason != "" {
			return nil, &NameError{From: "listing", Name: entry.Key, Reason: reason}
		}
		snapshot = append(snapshot, Object{Key: entry.Key, ETag: etag, Size: entry.Size})
	}
	return snapshot.finish("listing")
}
