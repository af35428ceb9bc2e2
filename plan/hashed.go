package plan

import (
	"slices"
	"strings"

	"github.com/unstale/unstale/site"
)

// assetTypes are the extensions of what bundlers name by content.
const assetTypes = " js mjs css map wasm woff woff2 ttf otf eot png jpg jpeg gif webp avif svg ico mp4 webm mp3 "

// hashed reports whether a key's name seems made from its content, as bundlers do: a part of the
// name of an asset that is a hash. A name cannot prove it, so this only serves to leave alone what
// is new or gone; under a hashed name that got other content, the content decides.
func hashed(key string) bool {
	name := key[strings.LastIndexByte(key, '/')+1:]
	dot := strings.IndexByte(name, '.')
	last := strings.LastIndexByte(name, '.')
	if dot < 0 || !strings.Contains(assetTypes, " "+strings.ToLower(name[last+1:])+" ") {
		return false
	}
	stem := name[:last]
	for part := range strings.FieldsFuncSeq(stem, func(r rune) bool { return r == '.' || r == '-' }) {
		if isHash(part) {
			return true
		}
	}
	// Base64 for URLs holds "-" and "_": what Vite puts behind the last "-" is 8 characters.
	return len(stem) > 9 && stem[len(stem)-9] == '-' && isHash(stem[len(stem)-8:])
}

// named reports whether a key is named by content, as far as known releases do not prove it wrong.
func named(row site.Row) bool {
	last := row.Any()
	return hashed(row.Key) && !slices.ContainsFunc(row.Old, func(o *site.Object) bool { return o != nil && !o.Same(*last) })
}

// isHash reports whether a part of a name is 8 to 64 hex digits that hold both digits and letters, or
// 8 characters of base 32 or base 64 that no word or date looks like.
func isHash(part string) bool {
	var digits, lower, upper, hex, others int
	for i := range len(part) {
		c := part[i]
		switch {
		case '0' <= c && c <= '9':
			digits++
			hex++
		case 'a' <= c && c <= 'z':
			lower++
			if c <= 'f' {
				hex++
			}
		case 'A' <= c && c <= 'Z':
			upper++
		case c == '_' || c == '-':
			others++
		default:
			return false
		}
	}
	switch n := len(part); {
	case hex == n && n >= 8 && n <= 64:
		return digits > 0 && lower > 0
	case n == 8:
		return digits > 0 && lower > 0 && upper > 0 || digits > 1 && upper > 1 && lower+others == 0
	}
	return false
}
