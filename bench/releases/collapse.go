package releases

import (
	"slices"
	"strings"

	"github.com/unstale/unstale/invalidation"
)

// Directories is what Collapse is measured with: s3deploy "will try to reduce the number of
// invalidation paths to maximum 8".
const Directories = 8

// Collapse is the heuristic of tools that keep invalidations few: while there are more paths than
// most, those of the deepest directories become a wildcard on their directory, level by level; and
// where not even the topmost directories are few enough, everything is purged. s3deploy documents it
// so, and is the model. This is written anew and kinder than that: a file becomes its own directory's
// wildcard before its parent's, and a path that a wildcard covers is dropped. Paths begin with "/".
func Collapse(paths []string, most int) []invalidation.Item {
	deepest := 0
	for _, path := range paths {
		deepest = max(deepest, strings.Count(path, "/")-1)
	}
	items := slices.Clone(paths)
	for depth := deepest; len(items) > most; depth-- {
		if depth == 0 {
			return []invalidation.Item{"/*"}
		}
		for i, path := range items {
			items[i] = shorten(path, depth)
		}
		slices.Sort(items)
		items = slices.Compact(items)
	}
	out := make([]invalidation.Item, len(items))
	for i, item := range items {
		out[i] = invalidation.Item(item)
	}
	return out
}

// shorten makes a path that lies at least so many directories deep a wildcard on the directory there:
// a path of the same directory is gone with it.
func shorten(path string, depth int) string {
	at := 0
	for range depth {
		next := strings.IndexByte(path[at+1:], '/')
		if next < 0 {
			return path
		}
		at += 1 + next
	}
	return path[:at] + "/*"
}
