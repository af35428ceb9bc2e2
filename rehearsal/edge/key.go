package edge

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

// lookup is one viewer's request as the cache sees it.
type lookup struct {
	distribution *cloudfront.Distribution
	behavior     *cloudfront.Behavior
	path         string // canonical, see canonical
	// url is path with the query string that the cache policy includes: what items are matched with.
	url string
	// encodings is the normalised Accept-Encoding: "br,gzip", "br", "gzip" or "".
	encodings string
	key       string
}

func newLookup(d *cloudfront.Distribution, b *cloudfront.Behavior, r *http.Request) lookup {
	l := lookup{distribution: d, behavior: b, path: canonical(cmp.Or(r.URL.EscapedPath(), "/")), encodings: acceptEncoding(b.CachePolicy, r)}
	l.url = l.path
	if query := selectQuery(b.CachePolicy.QueryStrings, r.URL.RawQuery); query != "" {
		l.url += "?" + query
	}
	parts := []string{l.url, l.encodings}
	parts = append(parts, selectHeaders(b.CachePolicy.Headers, r)...)
	parts = append(parts, selectCookies(b.CachePolicy.Cookies, r)...)
	l.key = strings.Join(parts, "\x00")
	return l
}

// canonical is a path as CloudFront compares it with items: percent-encoding as the viewer sent it,
// with upper-case digits, and with what no URL may hold raw encoded. Nothing is decoded: an item
// that encodes a character which viewers send raw misses (H: Developer Guide, "Specify the files to
// invalidate"; "~" M: aws/aws-sdk issue 525).
func canonical(path string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]):
			b.WriteString(strings.ToUpper(path[i : i+3]))
			i += 2
		case c <= ' ' || c >= 0x7f || strings.IndexByte("%<>\"{}|\\^`", c) >= 0:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// acceptEncoding keeps of Accept-Encoding what the policy caches by. HTTP/1.0 viewers get no
// compression. Source: Developer Guide, "Cache compressed objects", "Serving compressed files" (H).
func acceptEncoding(p *cloudfront.CachePolicy, r *http.Request) string {
	if r.ProtoMajor == 1 && r.ProtoMinor == 0 {
		return ""
	}
	accepts := func(coding string) bool {
		for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
			name, quality, _ := strings.Cut(part, ";")
			zero := strings.Trim(strings.TrimPrefix(strings.ReplaceAll(quality, " ", ""), "q="), "0.") == "" && quality != ""
			if strings.EqualFold(strings.TrimSpace(name), coding) && !zero {
				return true
			}
		}
		return false
	}
	var out []string
	if p.Brotli && accepts("br") {
		out = append(out, "br")
	}
	if p.Gzip && accepts("gzip") {
		out = append(out, "gzip")
	}
	return strings.Join(out, ",")
}

// selectQuery keeps the parameters that the policy includes, in the viewer's order: the same
// parameters in another order are another object (H).
func selectQuery(s cloudfront.Selection, raw string) string {
	if raw == "" || s.Behavior == "none" {
		return ""
	}
	var kept []string
	for parameter := range strings.SplitSeq(raw, "&") {
		name, _, _ := strings.Cut(parameter, "=")
		if s.Includes(name, func(a, b string) bool { return a == b }) {
			kept = append(kept, parameter)
		}
	}
	return canonical(strings.Join(kept, "&"))
}

func selectHeaders(s cloudfront.Selection, r *http.Request) []string {
	names := slices.Clone(s.Names)
	slices.Sort(names)
	var out []string
	for _, name := range names {
		out = append(out, "h:"+strings.ToLower(name)+"="+strings.Join(r.Header.Values(name), ","))
	}
	return out
}

func selectCookies(s cloudfront.Selection, r *http.Request) []string {
	var out []string
	for _, c := range r.Cookies() {
		if s.Includes(c.Name, func(a, b string) bool { return a == b }) {
			out = append(out, "c:"+c.Name+"="+c.Value)
		}
	}
	slices.Sort(out)
	return out
}
