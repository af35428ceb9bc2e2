package cloudfront

import (
	"slices"
	"strings"
)

const (
	maxItemLength = 4000 // characters of a path. Developer Guide, "Specify the files to invalidate" (H)
	maxTagLength  = 256  // characters of a tag. Developer Guide, "Invalidate by cache tag" (H)
)

// unsafe are RFC 1738's unsafe characters but "%" and "~": a path must carry them as escapes.
// "~" is among them and CloudFront refuses it raw, although browsers ask for it raw, so that such
// a path can be purged by a wildcard only (M: aws/aws-sdk issue 525).
const unsafe = " <>\"#{}|\\^~[]`"

// wildcard reports whether an item purges by prefix and counts as one.
func wildcard(item string) bool { return strings.HasPrefix(item, "/") && strings.HasSuffix(item, "*") }

// validItem reports whether CloudFront accepts an item. With tags, "#tag" is an item too.
//
// A path begins with a slash, has "*" only at its end, and carries non-ASCII and unsafe characters
// as escapes (H as documented; that raw ones are refused is known from many issues, M).
func validItem(item string, tags bool) bool {
	if tag, ok := strings.CutPrefix(item, "#"); ok {
		return tags && validTag(tag)
	}
	if !strings.HasPrefix(item, "/") || len(item) > maxItemLength {
		return false
	}
	path := strings.TrimSuffix(item, "*")
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c <= ' ' || c >= 0x7f || c == '*' || strings.IndexByte(unsafe, c) >= 0:
			return false
		case c == '%':
			if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
				return false
			}
			i += 2
		}
	}
	return true
}

// validTag: visible ASCII without a comma, which separates tags in the origin's header (H).
func validTag(tag string) bool {
	if tag == "" || len(tag) > maxTagLength {
		return false
	}
	return !strings.ContainsFunc(tag, func(r rune) bool { return r < '!' || r > '~' || r == ',' })
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// sameItems compares two batches without regard to order.
func sameItems(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
