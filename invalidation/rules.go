package invalidation

import (
	"fmt"
	"strings"
)

// Rule names one of CloudFront's rules for items.
type Rule string

// The rules. Unless said otherwise their source is the CloudFront developer guide, "Specifying the
// objects to invalidate", and for tags "Invalidate files by cache tags".
const (
	// LeadingSlash: a path begins with "/". The guide lets the console leave it out; the API
	// answers InvalidArgument.
	LeadingSlash Rule = "leading-slash"
	// WildcardLast: "*" stands only at the end.
	WildcardLast Rule = "wildcard-last"
	// Escape: "%" is followed by two hexadecimal digits (RFC 3986, section 2.1).
	Escape Rule = "escape"
	// EncodeUnsafe: non-ASCII characters, and those that RFC 1738 section 2.2 calls unsafe or that
	// cannot be printed, are percent-encoded.
	EncodeUnsafe Rule = "encode-unsafe"
	// EncodeNothingElse: no other character is percent-encoded, "or CloudFront will not invalidate
	// the old version". Refused here are letters, digits and marks that no URL needs to encode;
	// reserved characters such as "/", "?" or "+" mean something else when encoded, and pass.
	EncodeNothingElse Rule = "encode-nothing-else"
	// PathLength: a path has at most MaxPath characters.
	PathLength Rule = "path-length"
	// TagEmpty: a tag has a name.
	TagEmpty Rule = "tag-empty"
	// TagCharacters: a tag's characters are ASCII 33 to 126 without the comma, which parts tags in
	// the origin's header.
	TagCharacters Rule = "tag-characters"
	// TagLength: a tag has at most MaxTag characters. Whether "#" counts is not said; here it does not.
	TagLength Rule = "tag-length"
)

// text is the rule as a sentence part.
func (r Rule) text() string {
	switch r {
	case LeadingSlash:
		return `a path begins with "/"`
	case WildcardLast:
		return `"*" may only be the last character`
	case Escape:
		return `"%" must be followed by two hexadecimal digits`
	case EncodeUnsafe:
		return "unsafe and non-ASCII characters must be percent-encoded"
	case EncodeNothingElse:
		return "only unsafe and non-ASCII characters may be percent-encoded"
	case PathLength:
		return fmt.Sprintf("a path has at most %d characters", MaxPath)
	case TagEmpty:
		return `a tag has a name after "#"`
	case TagCharacters:
		return "a tag has printable ASCII characters only, without blanks and commas"
	case TagLength:
		return fmt.Sprintf("a tag has at most %d characters", MaxTag)
	}
	return string(r)
}

// check finds out whether s breaks a rule, and what to write instead.
type check struct {
	name  Rule
	check func(s string) (try string, broken bool)
}

// The order matters: an item is blamed for the first rule that it breaks.
var (
	pathRules = []check{
		{LeadingSlash, checkLeadingSlash},
		{PathLength, checkPathLength},
		{WildcardLast, checkWildcardLast},
		{Escape, checkEscape},
		{EncodeUnsafe, checkEncodeUnsafe},
		{EncodeNothingElse, checkEncodeNothingElse},
	}
	tagRules = []check{
		{TagEmpty, checkTagEmpty},
		{TagLength, checkTagLength},
		{TagCharacters, checkTagCharacters},
	}
)

func checkLeadingSlash(s string) (string, bool) {
	if strings.HasPrefix(s, "/") {
		return "", false
	}
	if s == "" {
		return `for everything write "/*"`, true
	}
	return "write " + quote("/"+s), true
}

func checkPathLength(s string) (string, bool) {
	return "use a shorter path that ends in \"*\"", len(s) > MaxPath
}

func checkWildcardLast(s string) (string, bool) {
	at := strings.IndexByte(s, '*')
	if at < 0 || at == len(s)-1 {
		return "", false
	}
	return "write " + quote(s[:at+1]), true
}

func checkEscape(s string) (string, bool) {
	for i := range len(s) {
		if s[i] == '%' && !escaped(s, i) {
			return `write "%25" for a percent sign`, true
		}
	}
	return "", false
}

func checkEncodeUnsafe(s string) (string, bool) {
	for i := range len(s) {
		if s[i] != '%' && mustEncode(s[i]) {
			return "write " + quote(EncodePath(s)), true
		}
	}
	return "", false
}

func checkEncodeNothingElse(s string) (string, bool) {
	for i := range len(s) {
		if s[i] != '%' {
			continue
		}
		if c := unhex(s[i+1])<<4 | unhex(s[i+2]); neverEncoded(c) {
			return fmt.Sprintf("write %q for %q", string(rune(c)), s[i:i+3]), true
		}
	}
	return "", false
}

func checkTagEmpty(s string) (string, bool) {
	return `write "#name"`, s == ""
}

func checkTagLength(s string) (string, bool) {
	return fmt.Sprintf("this one has %d", len(s)), len(s) > MaxTag
}

func checkTagCharacters(s string) (string, bool) {
	for i := range len(s) {
		if s[i] < 33 || s[i] > 126 || s[i] == ',' {
			return fmt.Sprintf("character %d is %q", i+1, s[i]), true
		}
	}
	return "", false
}
