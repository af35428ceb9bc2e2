package edge

import (
	"crypto"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Restricted viewer access: a behavior with trusted key groups answers those only who show a policy
// signed with one of their keys, in the URL or in cookies. Source: Developer Guide, "Serve private
// content with signed URLs and signed cookies" (H, where nothing else is said). The guide documents no
// error but that each is a 403; codes and texts are as people report them.

// signingNames are the query parameters of a signed URL; with cookiePrefix, the signed cookies.
var signingNames = []string{"Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"}

const cookiePrefix = "CloudFront-"

// pass is what a viewer shows to be let in, by signingNames.
type pass map[string]string

// passOf reads a viewer's. A URL that has any of the parameters is a signed URL, and its cookies are
// not looked at (H: "Decide to use signed URLs or signed cookies", whose list lacks Hash-Algorithm).
func passOf(r *http.Request) pass {
	p, _ := splitQuery(r.URL.RawQuery)
	for _, name := range signingNames[:4] {
		if _, ok := p[name]; ok {
			return p
		}
	}
	p = pass{}
	for _, c := range r.Cookies() {
		if name, ok := strings.CutPrefix(c.Name, cookiePrefix); ok && slices.Contains(signingNames, name) {
			p[name] = c.Value
		}
	}
	return p
}

// splitQuery parts the parameters of a signed URL, unescaped, from the viewer's own, as they were sent.
func splitQuery(raw string) (pass, string) {
	signed, own := pass{}, []string{}
	for parameter := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		if !slices.Contains(signingNames, name) {
			own = append(own, parameter)
			continue
		}
		if plain, err := url.PathUnescape(value); err == nil { // which keeps "+", unlike QueryUnescape
			value = plain
		}
		signed[name] = value
	}
	return signed, strings.Join(own, "&")
}

// unsigned is r without its pass, which is no part of the cache key and does not reach the origin (M for
// the parameters, as people report; L for the cookies).
func unsigned(r *http.Request) *http.Request {
	u := r.Clone(r.Context())
	_, u.URL.RawQuery = splitQuery(r.URL.RawQuery)
	u.Header.Del("Cookie")
	for _, c := range r.Cookies() {
		if name, ok := strings.CutPrefix(c.Name, cookiePrefix); !ok || !slices.Contains(signingNames, name) {
			u.AddCookie(c)
		}
	}
	return u
}

// baseURL is what a canned policy names: the URL as the viewer sent it, less what signs it.
func baseURL(r *http.Request, secure bool, host string) string {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	base := scheme + "://" + host + path
	if _, own := splitQuery(r.URL.RawQuery); own != "" {
		base += "?" + own
	}
	return base
}

// alphabet is CloudFront's base64: "-", "~" and "_" for what URLs cannot hold, "+", "/" and "=". Whether
// the padding may be missing is L; the guide's own examples lack it.
var alphabet = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~").WithPadding(base64.NoPadding)

func decode(s string) ([]byte, error) { return alphabet.DecodeString(strings.TrimRight(s, "_")) }

// admit reports why a viewer is not let in to base at a time; nil lets him in. The signature is looked at
// before the policy (H: "How signed URLs work").
func (p pass) admit(b *cloudfront.Behavior, base string, now time.Time) error {
	id := p["Key-Pair-Id"]
	if id == "" {
		return barred("MissingKey", "Missing Key-Pair-Id query parameter or cookie value") // H: AWS Knowledge Center
	}
	key, ok := b.TrustedKey(id)
	if !ok {
		return barred("InvalidKey", "Unknown Key") // H: the same for the text, M for the code
	}
	if p["Signature"] == "" {
		return barred("MissingSignature", "Missing Signature query parameter or cookie value") // L
	}
	signature, err := decode(p["Signature"])
	if err != nil {
		return barred("MalformedSignature", "Could not unencode Signature") // M
	}
	hash, err := p.hash()
	if err != nil {
		return err
	}
	text, rules, err := p.policy(base)
	if err != nil {
		return err
	}
	if !key.Verify(hash, text, signature) {
		return denied()
	}
	if rules == nil {
		if rules, err = parsePolicy(text); err != nil {
			return err
		}
	}
	return rules.allow(base, now)
}

// hash is SHA-1 unless the viewer says otherwise (H: "Create a signed URL using a canned policy").
func (p pass) hash() (crypto.Hash, error) {
	switch name := p["Hash-Algorithm"]; name {
	case "", "SHA1":
		return crypto.SHA1, nil
	case "SHA256":
		return crypto.SHA256, nil
	default:
		return 0, wire.NotEmulated("the Hash-Algorithm %q of a signed URL or cookie", name)
	}
}

// policy is the text that was signed: the viewer's own, or for a canned policy the one that CloudFront
// makes of the URL, whose rules are known. A custom policy goes before an expiry (L).
func (p pass) policy(base string) ([]byte, *rules, error) {
	if custom, ok := p["Policy"]; ok {
		text, err := decode(custom)
		if err != nil {
			return nil, nil, malformed()
		}
		return text, nil, nil
	}
	before, err := parseEpoch([]byte(p["Expires"]))
	if err != nil {
		return nil, nil, err
	}
	text := `{"Statement":[{"Resource":"` + base + `","Condition":{"DateLessThan":{"AWS:EpochTime":` + p["Expires"] + `}}}]}`
	// base holds no wildcards but those the viewer sent, so that it matches itself.
	return []byte(text), &rules{resource: base, before: before}, nil
}

// refusal is an error as CloudFront itself answers it: in one line and with these headers (M).
func refusal(err error) object {
	e := wire.AsError(err)
	body, _ := xml.Marshal(s3Error{Code: e.Code, Message: e.Message}) // two strings always marshal
	return object{
		status: e.HTTPStatus(), body: append([]byte(strings.TrimSpace(xml.Header)), body...),
		header: http.Header{"Content-Type": {"text/xml"}, "Server": {"CloudFront"}},
	}
}

func barred(code, message string) error {
	return wire.Errorf(http.StatusForbidden, code, "%s", message)
}

// denied is the answer to a wrong signature, a policy for something else and one whose time is not now (M).
func denied() error { return barred("AccessDenied", "Access denied") }

func malformed() error { return barred("MalformedPolicy", "Malformed Policy") } // M: aws-sdk-js issue 2236
