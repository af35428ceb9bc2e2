package invalidation

import "strings"

const hexDigits = "0123456789ABCDEF"

// EncodePath writes a URL's path as an item's path: with a leading "/", and with exactly those
// characters percent-encoded that must be, since CloudFront misses the object when others are. What
// is rightly encoded stays, so encoding twice changes nothing; a "?" begins the query string. No way
// is documented to name a literal "*" before the end: the path is cut there, and the wildcard that
// it becomes covers the object (and what shares the prefix). The result keeps every rule of
// ParseItem but PathLength.
func EncodePath(path string) string {
	var b strings.Builder
	b.Grow(len(path) + 1)
	if !strings.HasPrefix(path, "/") {
		b.WriteByte('/')
	}
	for i := 0; i < len(path); i++ {
		if !escaped(path, i) {
			if !write(&b, path[i], mustEncode(path[i])) {
				break
			}
			continue
		}
		if c := unhex(path[i+1])<<4 | unhex(path[i+2]); neverEncoded(c) {
			b.WriteByte(c)
		} else {
			b.WriteString(path[i : i+3])
		}
		i += 2
	}
	return b.String()
}

// EncodeKey writes the path under which CloudFront serves an S3 key. Unlike in a path, "%" and "?"
// in a key are ordinary characters, which URLs encode. A "+" stays as it is, as the guide says,
// although S3 reads it in a URL as a blank; whether CloudFront also matches "%2B" is not known.
// A "*" ends the path as with EncodePath.
func EncodeKey(key string) string {
	var b strings.Builder
	b.Grow(len(key) + 1)
	b.WriteByte('/')
	for i := range len(key) {
		if !write(&b, key[i], mustEncode(key[i]) || key[i] == '?') {
			break
		}
	}
	return b.String()
}

// write adds a byte, encoded or as it is, and reports whether the path goes on behind it.
func write(b *strings.Builder, c byte, encoded bool) bool {
	if encoded {
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	} else {
		b.WriteByte(c)
	}
	return c != '*'
}

// mustEncode reports whether a byte may not stand in an item's path as it is: RFC 1738's unsafe
// characters, whatever cannot be printed, and the bytes of non-ASCII characters. "~" is unsafe in
// RFC 1738, which is what CloudFront's guide refers to, although RFC 3986 freed it later.
func mustEncode(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"#%{}|\\^~[]`", c) >= 0
}

// neverEncoded reports whether no URL has a reason to encode a byte: letters, digits, and those
// marks of RFC 1738's "unreserved" that no later standard reserves or S3 reads differently.
func neverEncoded(c byte) bool {
	return alphanumeric(c) || c == '-' || c == '_' || c == '.'
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// escaped reports whether a whole escape begins at i.
func escaped(s string, i int) bool {
	return s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex is the value of a hexadecimal digit.
func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}
