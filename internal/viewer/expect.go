package viewer

import (
	"net/url"
	"slices"
	"strings"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// Expect makes the expectations of a release: of the distribution's entry points and of the paths
// somebody wants verified, each once. snapshot is what the release holds, nil when that is not known.
//
// "/" and paths that are no key of the release (routes of a single-page app) have to serve the root
// object. A path like "/docs/" for which the release holds "docs/index.html" might serve either, so
// only its age is judged.
func Expect(d plan.Distribution, verify []string, snapshot site.Snapshot) []Expectation {
	root, hasRoot := snapshot.Lookup(d.DefaultRootObject)
	var all []Expectation
	for _, path := range append(d.EntryPoints(), verify...) {
		if slices.ContainsFunc(all, func(e Expectation) bool { return e.Path == path }) {
			continue
		}
		key := keyOf(path)
		object, found := snapshot.Lookup(key)
		if _, either := snapshot.Lookup(strings.TrimSuffix(key, "/") + "/index.html"); !found && !either {
			object, found = root, hasRoot
		}
		expect := Expectation{
			Path:    path,
			MayFail: path == "/" && d.DefaultRootObject == "" && !slices.Contains(verify, path),
		}
		if found {
			expect.Key, expect.HasSum, expect.CRC32, expect.Size = object.Key, true, object.CRC32, object.Size
		}
		all = append(all, expect)
	}
	return all
}

// keyOf is the S3 key that a URL path asks for, "" for "/".
func keyOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	key := strings.TrimPrefix(path, "/")
	if decoded, err := url.PathUnescape(key); err == nil {
		return decoded
	}
	return key
}
