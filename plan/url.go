package plan

import (
	"strconv"
	"strings"
)

// spelling is how one key is asked for. Paths are without the leading "/" that all have, so that a
// plain key is its own path and nothing needs to be copied.
type spelling struct {
	path string // as items spell it
	// asked is as browsers spell it. It differs where items must encode a character that browsers
	// send as it is; such a URL no exact item reaches.
	asked string
	// certain is how much of path is spelled the same by everybody.
	certain int
	// plus is path with "%2B" for "+": S3 reads a "+" in a URL as a blank, so those who reach the key
	// must write it so, and the guide says to leave it. "" when there is none.
	plus string
}

// The bytes of a key that its URL holds as they are, and those that items must encode although
// browsers do not: RFC 1738's unsafe characters that WHATWG's URL standard leaves alone in paths.
// A "*" can stand in a URL, but not in an item before its end.
const (
	unsafe      = "<>\"#%{}|\\^`?"
	onlyInItems = "~[]*"
)

// ordinary tells the bytes that everybody writes as they are.
func ordinary() (table [256]bool) {
	for c := ' ' + 1; c < 0x7f; c++ {
		table[c] = !strings.ContainsRune(unsafe+onlyInItems+"+", c)
	}
	return table
}

// speller spells keys.
type speller struct{ ordinary [256]bool }

func newSpeller() *speller { return &speller{ordinary()} }

// plain reports whether a key is its own path.
func (s *speller) plain(key string) bool {
	for i := range len(key) {
		if !s.ordinary[key[i]] {
			return false
		}
	}
	return true
}

// spell encodes a key.
func (s *speller) spell(key string) spelling {
	if s.plain(key) {
		return spelling{path: key, asked: key, certain: len(key)}
	}
	const hexDigits = "0123456789ABCDEF"
	var path, asked strings.Builder
	certain := -1
	plus := false
	for i := range len(key) {
		c := key[i]
		both := onlyInItemsHas(c)
		if both && certain < 0 {
			certain = path.Len()
		}
		if s.ordinary[c] || c == '+' {
			plus = plus || c == '+'
			path.WriteByte(c)
			asked.WriteByte(c)
			continue
		}
		escape := string([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		path.WriteString(escape)
		if both {
			asked.WriteByte(c)
		} else {
			asked.WriteString(escape)
		}
	}
	out := spelling{path: path.String(), asked: asked.String(), certain: certain}
	if certain < 0 {
		out.certain = len(out.path)
	}
	if plus {
		out.plus = strings.ReplaceAll(out.path, "+", "%2B")
	}
	return out
}

func onlyInItemsHas(c byte) bool { return strings.IndexByte(onlyInItems, c) >= 0 }

// ends is the longest wildcard's prefix within path[:n]: a wildcard may end at any character, but not
// inside an escape, nor inside the escapes of one rune.
func ends(path string, n int) int {
	for back := 1; back <= 2 && back <= n; back++ {
		if path[n-back] == '%' {
			n -= back
			break
		}
	}
	// The last rune may be cut: look back to its first byte, at most three escapes ago.
	for back := 1; back <= 3 && 3*back <= n; back++ {
		at := n - 3*back
		if path[at] != '%' {
			break
		}
		lead, _ := strconv.ParseUint(path[at+1:at+3], 16, 8) // paths are escaped: an error cannot be
		if lead&0xC0 == 0x80 {
			continue // in the middle of a rune
		}
		if lead >= 0xC0 && back < runeLength(lead) {
			return at
		}
		break
	}
	return n
}

// runeLength is how many bytes a rune has in UTF-8 that begins with lead.
func runeLength(lead uint64) int {
	switch {
	case lead >= 0xF0:
		return 4
	case lead >= 0xE0:
		return 3
	}
	return 2
}
