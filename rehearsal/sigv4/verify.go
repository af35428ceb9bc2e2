// Package sigv4 verifies AWS Signature Version 4: the header form and the presigned query form,
// with plain, unsigned and chunked payloads. Source: AWS General Reference, "Signature Version 4
// signing process", and Amazon S3 API Reference, "Authenticating Requests".
package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
	// AWS accepts 5 minutes of clock skew, S3 15. Source: IAM User Guide, "Troubleshooting signed requests".
	skew   = 5 * time.Minute
	skewS3 = 15 * time.Minute
)

// Signature is what a request says of itself before anything is checked.
type Signature struct {
	AccessKeyID, Date, Region, Service string
	Signed                             []string // header names, lower case, sorted
	Signature                          string   // hex
	Time                               time.Time
	Token                              string // session token sent along
	payload                            string // value of the payload hash line
	decoded                            int64  // x-amz-decoded-content-length; -1 where absent
	presigned                          bool
	expires                            time.Duration // of a presigned request
}

// Parse reads the signature of a request. A request without one answers MissingAuthenticationToken.
func Parse(r *http.Request) (Signature, error) {
	if auth := r.Header.Get("Authorization"); auth != "" {
		return parseHeader(r, auth)
	}
	if r.URL.Query().Get("X-Amz-Algorithm") != "" {
		return parseQuery(r)
	}
	return Signature{}, wire.Errorf(http.StatusForbidden, "MissingAuthenticationToken", "Missing Authentication Token")
}

func parseHeader(r *http.Request, auth string) (Signature, error) {
	rest, ok := strings.CutPrefix(auth, algorithm+" ")
	if !ok {
		return Signature{}, incomplete("Authorization header requires the algorithm " + algorithm + ".")
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		if k, v, ok := strings.Cut(strings.TrimSpace(part), "="); ok {
			fields[k] = v
		}
	}
	s := Signature{
		Signature: fields["Signature"],
		Token:     r.Header.Get("X-Amz-Security-Token"),
		payload:   r.Header.Get("X-Amz-Content-Sha256"),
		decoded:   -1,
	}
	if v := r.Header.Get("X-Amz-Decoded-Content-Length"); v != "" {
		n, err := strconv.ParseInt(v, 10, 63)
		if err != nil || n < 0 {
			return Signature{}, incomplete("X-Amz-Decoded-Content-Length must be a number of bytes.")
		}
		s.decoded = n
	}
	if err := s.scope(fields["Credential"], fields["SignedHeaders"], r.Header.Get("X-Amz-Date")); err != nil {
		return Signature{}, err
	}
	return s, nil
}

func parseQuery(r *http.Request) (Signature, error) {
	q := r.URL.Query()
	if q.Get("X-Amz-Algorithm") != algorithm {
		return Signature{}, incomplete("X-Amz-Algorithm must be " + algorithm + ".")
	}
	seconds := q.Get("X-Amz-Expires")
	if seconds == "" && !strings.Contains(q.Get("X-Amz-Credential"), "/s3/") {
		seconds = "900" // S3 alone demands it; STS takes 15 minutes (observed: SDKs send none to STS)
	}
	lasting, err := time.ParseDuration(seconds + "s")
	if err != nil || lasting < 0 || lasting > 7*24*time.Hour {
		return Signature{}, incomplete("X-Amz-Expires must be between 0 and 604800 seconds.")
	}
	s := Signature{
		Signature: q.Get("X-Amz-Signature"), Token: q.Get("X-Amz-Security-Token"),
		presigned: true, expires: lasting, decoded: -1,
	}
	if err := s.scope(q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Date")); err != nil {
		return Signature{}, err
	}
	if s.Service == "s3" {
		s.payload = unsignedPayload // all others sign the body's hash, presigned too (AWS-documented)
	}
	return s, nil
}

// scope fills in who signed, for what, and when.
func (s *Signature) scope(credential, signed, date string) error {
	f := strings.Split(credential, "/")
	if len(f) != 5 || f[4] != "aws4_request" {
		return incomplete("Credential must be KEY/DATE/REGION/SERVICE/aws4_request.")
	}
	s.AccessKeyID, s.Date, s.Region, s.Service = f[0], f[1], f[2], f[3]
	s.Signed = strings.Split(signed, ";")
	if !slices.Contains(s.Signed, "host") || s.Signature == "" {
		return incomplete("The signature and the signed Host header are required.")
	}
	t, err := time.Parse(timeFormat, date)
	if err != nil || len(s.Date) != 8 || !strings.HasPrefix(date, s.Date) {
		return incomplete("X-Amz-Date must be a time of the credential's date.")
	}
	s.Time = t
	return nil
}

// Verify checks the signature against the secret, and the time against now (wall time). The body
// is checked by Payload.
func (s Signature) Verify(r *http.Request, secret string, now time.Time) error {
	limit := skew
	if s.Service == "s3" {
		limit = skewS3
	}
	late := now.Sub(s.Time)
	switch {
	case s.presigned && late > s.expires, !s.presigned && late > limit:
		return wire.Errorf(http.StatusForbidden, "SignatureDoesNotMatch", "Signature expired: %s is now earlier than %s",
			s.Time.Format(timeFormat), now.Add(-limit).UTC().Format(timeFormat))
	case -late > limit:
		return wire.Errorf(http.StatusForbidden, "SignatureDoesNotMatch", "Signature not yet current: %s is still later than %s",
			s.Time.Format(timeFormat), now.Add(limit).UTC().Format(timeFormat))
	}
	if err := s.unsigned(r); err != nil {
		return err
	}
	want := hex.EncodeToString(mac(s.key(secret), s.stringToSign(s.canonical(r))))
	if !hmac.Equal([]byte(want), []byte(s.Signature)) {
		return wire.Errorf(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match "+
			"the signature you provided. Check your AWS Secret Access Key and signing method.")
	}
	return nil
}

// unsigned refuses x-amz- headers that S3 would act upon though nobody signed them. Source: S3 API
// Reference, "Authenticating Requests: Using the Authorization Header" (AWS-documented).
func (s Signature) unsigned(r *http.Request) error {
	if s.Service != "s3" {
		return nil
	}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(s.Signed, name) {
			return wire.Errorf(http.StatusForbidden, "AccessDenied",
				"There were headers present in the request which were not signed: %s", name)
		}
	}
	return nil
}

func (s Signature) scopeString() string {
	return s.Date + "/" + s.Region + "/" + s.Service + "/aws4_request"
}

func (s Signature) key(secret string) []byte {
	k := mac([]byte("AWS4"+secret), s.Date)
	k = mac(k, s.Region)
	k = mac(k, s.Service)
	return mac(k, "aws4_request")
}

func (s Signature) stringToSign(canonical string) string {
	return strings.Join([]string{algorithm, s.Time.Format(timeFormat), s.scopeString(), hexHash([]byte(canonical))}, "\n")
}

func (s Signature) canonical(r *http.Request) string {
	var headers strings.Builder
	for _, name := range s.Signed {
		headers.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	return strings.Join([]string{
		r.Method, s.path(r.URL), canonicalQuery(r.URL.RawQuery), headers.String(), strings.Join(s.Signed, ";"), s.payload,
	}, "\n")
}

// path is the canonical URI: encoded once more for every service but S3.
func (s Signature) path(u *url.URL) string {
	p := u.EscapedPath()
	if p == "" {
		p = "/"
	}
	if s.Service == "s3" {
		return encode(u.Path, false)
	}
	return encode(p, false)
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		if v := r.Header.Get("Content-Length"); v != "" {
			return v
		}
		return strconv.FormatInt(r.ContentLength, 10)
	}
	var out []string
	for _, v := range r.Header.Values(name) {
		out = append(out, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(out, ",")
}

// canonicalQuery sorts by name, then by value: sorting "name=value" as one would put "a1" before "a".
func canonicalQuery(raw string) string {
	type pair struct{ name, value string }
	var pairs []pair
	for part := range strings.SplitSeq(raw, "&") {
		k, v, _ := strings.Cut(part, "=")
		k, v = decode(k), decode(v)
		if part != "" && k != "X-Amz-Signature" {
			pairs = append(pairs, pair{encode(k, true), encode(v, true)})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	var out []string
	for _, p := range pairs {
		out = append(out, p.name+"="+p.value)
	}
	return strings.Join(out, "&")
}

func decode(s string) string {
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	return s
}

// encode is AWS's UriEncode: unreserved characters stay, all else becomes %XX, slashes if asked.
func encode(s string, slashes bool) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0, c == '/' && !slashes:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func hexHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func incomplete(text string) error {
	return wire.Errorf(http.StatusBadRequest, "IncompleteSignature", "%s", text)
}
