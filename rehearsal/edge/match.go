package edge

import (
	"net/http"
	"slices"
	"strings"
)

// matcher is the items of one invalidation. A path matches the URL as viewers ask for it: with its
// query string where the cache policy includes that, without otherwise. Variants by header, cookie
// and encoding go with it. "*" at the end matches any rest, none included (H: Developer Guide,
// "Specify the files to invalidate").
//
// "/" and the default root object are two entries, and an item purges the one it names (L: AWS says
// to give the object's path, and that "/" is a cheap insurance is what people do).
type matcher struct {
	exact    map[string]bool
	prefixes []string
	tags     map[string]bool // lower case
}

func newMatcher(items []string) matcher {
	m := matcher{exact: map[string]bool{}, tags: map[string]bool{}}
	for _, item := range items {
		switch {
		case strings.HasPrefix(item, "#"):
			m.tags[strings.ToLower(item[1:])] = true
		case strings.HasSuffix(item, "*"):
			m.prefixes = append(m.prefixes, canonical(strings.TrimSuffix(item, "*")))
		default:
			m.exact[canonical(item)] = true
		}
	}
	return m
}

func (m matcher) url(url string) bool {
	return m.exact[url] || slices.ContainsFunc(m.prefixes, func(p string) bool { return strings.HasPrefix(url, p) })
}

func (m matcher) entry(e *entry) bool {
	return m.url(e.url) || slices.ContainsFunc(e.tags, func(t string) bool { return m.tags[t] })
}

// maxTags is how many tags of an object count. Source: Developer Guide, "Invalidate by cache tag" (H).
const maxTags = 50

// tagsOf reads the cache tags of an answer, in lower case since they match without regard to case.
func tagsOf(header string, h http.Header) []string {
	if header == "" {
		return nil
	}
	var tags []string
	for tag := range strings.SplitSeq(strings.Join(h.Values(header), ","), ",") {
		if tag = strings.ToLower(strings.TrimSpace(tag)); tag != "" && len(tags) < maxTags {
			tags = append(tags, tag)
		}
	}
	return tags
}
