package s3

import (
	"net/http"
	"slices"
	"time"
)

// nullVersion is the ID of what was stored while versioning was not enabled.
const nullVersion = "null"

// version is one stored state of a key. It never changes once stored, so that its body can be read
// without a lock.
type version struct {
	key, id   string
	marker    bool // a delete marker: no body
	body      []byte
	etag      string      // quoted
	header    http.Header // metadata to answer with: Content-Type, Cache-Control, X-Amz-Meta-*, ...
	sse       encryption
	checksums http.Header // X-Amz-Checksum-*
	modified  time.Time
}

// shelf is a bucket's objects. The zero value is an empty one.
type shelf struct {
	keys     []string // sorted bytewise, as S3 lists them
	versions map[string][]*version
}

// put adds v as the newest state of its key. Without versioning it replaces the null version.
func (sh *shelf) put(v *version) {
	if sh.versions == nil {
		sh.versions = map[string][]*version{}
	}
	if v.id == nullVersion {
		sh.drop(v.key, nullVersion)
	}
	if len(sh.versions[v.key]) == 0 {
		i, _ := slices.BinarySearch(sh.keys, v.key)
		sh.keys = slices.Insert(sh.keys, i, v.key)
	}
	sh.versions[v.key] = append([]*version{v}, sh.versions[v.key]...)
}

// drop removes one version for good and returns it; nil when there was none.
func (sh *shelf) drop(key, id string) *version {
	for i, v := range sh.versions[key] {
		if v.id != id {
			continue
		}
		sh.versions[key] = slices.Delete(slices.Clone(sh.versions[key]), i, i+1)
		if len(sh.versions[key]) == 0 {
			delete(sh.versions, key)
			at, _ := slices.BinarySearch(sh.keys, key)
			sh.keys = slices.Delete(sh.keys, at, at+1)
		}
		return v
	}
	return nil
}

// latest is the newest state of a key, possibly a delete marker; nil when there is none.
func (sh *shelf) latest(key string) *version {
	if all := sh.versions[key]; len(all) > 0 {
		return all[0]
	}
	return nil
}

// find is one version by ID, or the latest when id is empty.
func (sh *shelf) find(key, id string) *version {
	if id == "" {
		return sh.latest(key)
	}
	for _, v := range sh.versions[key] {
		if v.id == id {
			return v
		}
	}
	return nil
}
