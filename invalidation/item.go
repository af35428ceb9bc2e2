package invalidation

import (
	"fmt"
	"strings"
)

// MaxPath is the longest path of an item, in characters as written (percent-encoded).
// Source: CloudFront developer guide, "Specifying the objects to invalidate".
const MaxPath = 4000

// MaxTag is the longest cache tag, in characters without its "#".
// Source: CloudFront developer guide, "Invalidate files by cache tags".
const MaxTag = 256

// Item is one entry of an invalidation: a path ("/app.js"), a path ending in "*" ("/docs/*") or a
// cache tag ("#product"). Items come from ParseItem; the zero value is not one.
type Item string

// String returns the item as CloudFront takes it.
func (i Item) String() string { return string(i) }

// Tag reports whether the item is a cache tag.
func (i Item) Tag() bool { return strings.HasPrefix(string(i), "#") }

// Wildcard reports whether the item is a path ending in "*". A "*" in a tag is an ordinary
// character: tags match exactly.
func (i Item) Wildcard() bool { return !i.Tag() && strings.HasSuffix(string(i), "*") }

// Covers reports whether invalidating the item purges the given path, percent-encoded as EncodePath
// writes it. "*" stands for zero or more characters, slashes included; case matters. Which objects
// carry a tag is not known here, so a tag covers no path.
func (i Item) Covers(path string) bool {
	if i.Tag() || i == "" {
		return false
	}
	if i.Wildcard() {
		return strings.HasPrefix(path, strings.TrimSuffix(string(i), "*"))
	}
	return string(i) == path
}

// ItemError says which rule an item breaks, and what to write instead.
type ItemError struct {
	Item string // as it was given
	Rule Rule   // the rule it breaks
	Try  string // what to write instead
}

func (e *ItemError) Error() string {
	return fmt.Sprintf("parse item %s: %s; %s", quote(e.Item), e.Rule.text(), e.Try)
}

// quote shortens an item so that a message stays readable.
func quote(s string) string {
	const most = 120
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q... (%d characters)", s[:most], len(s))
}

// ParseItem checks an item against CloudFront's rules and returns it. Tags are lower-cased, because
// CloudFront compares them without regard to case and references are made from the text. The error
// is an *ItemError.
func ParseItem(s string) (Item, error) {
	if strings.HasPrefix(s, "#") {
		return parseTag(s)
	}
	for _, rule := range pathRules {
		if try, broken := rule.check(s); broken {
			return "", &ItemError{Item: s, Rule: rule.name, Try: try}
		}
	}
	return Item(s), nil
}

func parseTag(s string) (Item, error) {
	for _, rule := range tagRules {
		if try, broken := rule.check(s[1:]); broken {
			return "", &ItemError{Item: s, Rule: rule.name, Try: try}
		}
	}
	return Item(strings.ToLower(s)), nil
}
