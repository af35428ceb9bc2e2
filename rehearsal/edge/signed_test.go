package edge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

const missingKey = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>MissingKey</Code><Message>Missing Key-Pair-Id query parameter or cookie value</Message></Error>`

// signer is who may let viewers in: a private key and the ID that CloudFront gave its public half.
type signer struct {
	t       *testing.T
	private crypto.Signer
	id      string
}

// trust makes a key group of the control plane with one key and gives it to the behaviors.
func (w *world) trust(private crypto.Signer, behaviors ...*cloudfront.Behavior) signer {
	w.t.Helper()
	root, _ := w.bucket.directory.Root(owner)
	control := cloudfront.New(cloudfront.Deps{Directory: w.bucket.directory, Clock: w.clock, Journal: w.journal})
	k, err := control.CreatePublicKey(w.t.Context(), root.Caller, cloudfront.PublicKey{
		Name: "k", CallerReference: "k", EncodedKey: encode(w.t, private.Public()),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	g, err := control.CreateKeyGroup(w.t.Context(), root.Caller, cloudfront.KeyGroup{Name: "g"}, []string{k.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range behaviors {
		b.KeyGroups = append(b.KeyGroups, g)
	}
	return signer{w.t, private, k.ID}
}

func ellipticKey(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func encode(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// urlSafe is base64 as the guide tells signers to write it, by another way than alphabet.
func urlSafe(b []byte) string {
	return strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(base64.StdEncoding.EncodeToString(b))
}

func (s signer) sign(text string, hash crypto.Hash) string {
	s.t.Helper()
	h := hash.New()
	h.Write([]byte(text))
	signature, err := s.private.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		s.t.Fatal(err)
	}
	return urlSafe(signature)
}

func soon() int64 { return time.Now().Add(time.Hour).Unix() }

// canned signs a path, with its query if it has one, until an hour from now.
func (s signer) canned(path string) string { return path + s.cannedFor("https://"+domain+path, soon()) }

// cannedFor is the query of a URL signed for resource.
func (s signer) cannedFor(resource string, expires int64) string {
	signature := s.sign(fmt.Sprintf(`{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}`, resource, expires), crypto.SHA1)
	return fmt.Sprintf("%sExpires=%d&Signature=%s&Key-Pair-Id=%s", joint(resource), expires, signature, s.id)
}

// custom is the query of a URL signed with a policy of one's own.
func (s signer) custom(policy string) string {
	return fmt.Sprintf("?Policy=%s&Signature=%s&Key-Pair-Id=%s", urlSafe([]byte(policy)), s.sign(policy, crypto.SHA1), s.id)
}

func joint(url string) string {
	if strings.Contains(url, "?") {
		return "&"
	}
	return "?"
}

func policyOf(resource string) string {
	return fmt.Sprintf(`{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}`, resource, soon())
}

// cookies are signed ones as a Cookie header.
func (s signer) cookies(policy string) string {
	return fmt.Sprintf("theme=dark; CloudFront-Policy=%s; CloudFront-Signature=%s; CloudFront-Key-Pair-Id=%s", urlSafe([]byte(policy)), s.sign(policy, crypto.SHA1), s.id)
}

// restricted is a world whose /members/* needs a signature.
func restricted(t *testing.T, change func(*cloudfront.Config)) (*world, signer) {
	t.Helper()
	w := newWorld(t, func(c *cloudfront.Config) {
		below := c.Default
		below.PathPattern = "/members/*"
		c.Behaviors, c.Errors = []cloudfront.Behavior{below}, nil
		if change != nil {
			change(c)
		}
	}, Options{})
	w.bucket.put("members/a.html", "for members")
	return w, w.trust(ellipticKey(t), &w.dist.Config.Behaviors[0])
}

func TestUnsigned(t *testing.T) {
	w, s := restricted(t, nil)
	w.bucket.put("a.html", "for all")
	got := w.get("/members/a.html")
	w.expect("without a signature", got, 403, "Error", missingKey)
	for name, want := range map[string]string{"Content-Type": "text/xml", "X-Cache": "Error from cloudfront", "Server": "CloudFront", "X-Amz-Cf-Pop": "FRA56-P1", "Age": ""} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	p := w.edge.POPs()[0]
	w.expect("by HEAD", w.from(p, "HEAD", "https://"+domain+"/members/a.html"), 403, "Error", "")
	w.expect("what is not there", w.get("/members/nothing"), 403, "Error", missingKey)
	w.expect("another behavior", w.get("/a.html"), 200, "Miss", "for all")
	if got := w.from(p, "GET", "http://"+domain+"/members/a.html"); got.status != 301 {
		t.Errorf("by http: %+v", got)
	}
	if n, stats := w.bucket.count("members/a.html"), p.Stats(); n != 0 || stats.Entries != 1 || stats.Errors != 3 {
		t.Errorf("asked the origin %d times; %+v", n, stats)
	}
	w.expect("signed", w.get(s.canned("/members/a.html")), 200, "Miss", "for members")
	w.expect("signed again", w.get(s.canned("/members/a.html")), 200, "Hit", "for members")
	w.expect("without a signature, though it is cached", w.get("/members/a.html"), 403, "Error", missingKey)
}

func TestUnsignedErrorPage(t *testing.T) {
	long := strings.Repeat("<p>sign in</p>", 100)
	page := func(c *cloudfront.Config) {
		c.Errors = []cloudfront.ErrorResponse{{Code: 403, ResponseCode: 403, PagePath: "/members/sign-in.html", CachingMinTTL: time.Hour}}
	}
	w, s := restricted(t, page)
	if got := w.get("/members/a.html"); got.status != 403 || !strings.Contains(got.body, "AccessDenied") {
		t.Errorf("a page that is not there: %+v", got)
	}
	w.bucket.put("members/sign-in.html", long)
	got := w.get("/members/a.html", "Accept-Encoding", "br")
	w.expect("the page, of a restricted behavior too", got, 403, "Error", long)
	if got.header.Get("Content-Encoding") != "br" || got.header.Get("Content-Type") != "text/html" {
		t.Errorf("%v", got.header)
	}
	if n := w.edge.POPs()[0].Stats().Entries; n != 0 {
		t.Errorf("%d entries are cached", n)
	}
	w.expect("the page itself, by a viewer", w.get("/members/sign-in.html"), 403, "Error", long)
	w.expect("the error is not cached", w.get(s.canned("/members/a.html")), 200, "Miss", "for members")
	w.dist.Config.Errors[0].ResponseCode = 200
	w.expect("with another code", w.get("/members/a.html"), 200, "Error", long)
	w.dist.Config.Errors[0] = cloudfront.ErrorResponse{Code: 403, CachingMinTTL: time.Hour}
	w.expect("a TTL and no page", w.get("/members/a.html"), 403, "Error", missingKey)
}

func TestSignedURLs(t *testing.T) {
	w, s := restricted(t, nil)
	stranger := signer{t, ellipticKey(t), s.id}
	unknown := signer{t, s.private, "KUNKNOWN"}
	const path, base = "/members/a.html", "https://" + domain + "/members/a.html"
	drop := func(query, name string) string {
		head, tail, _ := strings.Cut(query, name+"=")
		_, tail, _ = strings.Cut(tail, "&")
		return head + tail
	}
	window := func(from, to time.Duration) string {
		return s.custom(fmt.Sprintf(`{"Statement":[{"Resource":"%s","Condition":{"DateGreaterThan":{"AWS:EpochTime":%d},"DateLessThan":{"AWS:EpochTime":%d}}}]}`,
			base, time.Now().Add(from).Unix(), time.Now().Add(to).Unix()))
	}
	address := func(cidr string) string {
		return s.custom(fmt.Sprintf(`{"Statement":[{"Condition":{"IpAddress":{"AWS:SourceIp":"%s"},"DateLessThan":{"AWS:EpochTime":%d}}}]}`, cidr, soon()))
	}
	sha256 := fmt.Sprintf("?Expires=%d&Signature=%s&Key-Pair-Id=%s&Hash-Algorithm=", soon(),
		s.sign(policyOf(base), crypto.SHA256), s.id)
	for _, tt := range []struct{ what, query, want string }{
		{"canned", s.cannedFor(base, soon()), ""},
		{"canned, with a query of one's own", "?a=1" + s.cannedFor(base+"?a=1", soon()), ""},
		{"canned, before a query of one's own", "?" + s.cannedFor(base+"?a=1", soon())[1:] + "&a=1", ""},
		{"canned, with a query added", s.cannedFor(base, soon()) + "&a=1", "AccessDenied"},
		{"canned, for another query", "?a=2" + s.cannedFor(base+"?a=1", soon()), "AccessDenied"},
		{"canned, for another path", s.cannedFor("https://"+domain+"/members/b.html", soon()), "AccessDenied"},
		{"canned, for http", s.cannedFor("http://"+domain+path, soon()), "AccessDenied"},
		{"canned, for another host", s.cannedFor("https://www.example.com"+path, soon()), "AccessDenied"},
		{"canned, with a wildcard", s.cannedFor("https://"+domain+"/members/*", soon()), "AccessDenied"},
		{"canned, expired", s.cannedFor(base, time.Now().Add(-time.Second).Unix()), "AccessDenied"},
		{"canned, in milliseconds", s.cannedFor(base, soon()*1000), "MalformedPolicy"},
		{"escaped", strings.ReplaceAll(strings.ReplaceAll(s.cannedFor(base, soon()), "~", "%7E"), "_", "%5F"), ""},
		{"without padding", strings.ReplaceAll(s.cannedFor(base, soon()), "_", ""), ""},
		{"SHA-256", sha256 + "SHA256", ""},
		{"SHA-256 as SHA-1", sha256 + "SHA1", "AccessDenied"},
		{"another hash", sha256 + "MD5", "NotEmulated"},
		{"custom", s.custom(policyOf(base)), ""},
		{"custom, with space", s.custom(strings.ReplaceAll(policyOf(base), "{", "{\r\n ") + "\n"), ""},
		{"custom, a wildcard", s.custom(policyOf("http*://" + domain + "/members/?.html")), ""},
		{"custom, a wildcard elsewhere", s.custom(policyOf("https://" + domain + "/members/*.jpg")), "AccessDenied"},
		{"custom, open", window(-time.Hour, time.Hour), ""},
		{"custom, not yet open", window(time.Hour, 2*time.Hour), "AccessDenied"},
		{"custom, closed", window(-2*time.Hour, -time.Hour), "AccessDenied"},
		{"custom, any address and resource", address("0.0.0.0/0"), ""},
		{"custom, an address", address("192.0.2.0/24"), "NotEmulated"},
		{"custom, not base64", strings.Replace(s.custom(policyOf(base)), "Policy=", "Policy=!", 1), "MalformedPolicy"},
		{"custom, not a policy", s.custom("{}"), "MalformedPolicy"},
		{"custom, changed by a space", strings.Replace(s.custom(policyOf(base)), "Policy=", "Policy="+urlSafe([]byte("   ")), 1), "AccessDenied"},
		{"signed by another", stranger.cannedFor(base, soon()), "AccessDenied"},
		{"an unknown key", unknown.cannedFor(base, soon()), "InvalidKey"},
		{"without the key", drop(s.cannedFor(base, soon()), "Key-Pair-Id"), "MissingKey"},
		{"an empty key", drop(s.cannedFor(base, soon()), "Key-Pair-Id") + "&Key-Pair-Id=", "MissingKey"},
		{"without the signature", drop(s.cannedFor(base, soon()), "Signature"), "MissingSignature"},
		{"without an expiry", drop(s.cannedFor(base, soon()), "Expires"), "MalformedPolicy"},
		{"plain base64", strings.Replace(s.cannedFor(base, soon()), "Signature=", "Signature=+/", 1), "MalformedSignature"},
	} {
		got := w.get(path + tt.query)
		switch {
		case tt.want == "" && (got.status != 200 || got.body != "for members"):
			t.Errorf("%s: %d %s", tt.what, got.status, got.body)
		case tt.want == "NotEmulated" && got.status != 501, tt.want != "" && tt.want != "NotEmulated" && got.status != 403,
			tt.want != "" && !strings.Contains(got.body, "<Code>"+tt.want+"</Code>"):
			t.Errorf("%s: %d %s, want %s", tt.what, got.status, got.body, tt.want)
		}
	}
}

func TestSignedWithRSA(t *testing.T) {
	w, _ := restricted(t, nil)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := w.trust(private, &w.dist.Config.Behaviors[0])
	w.expect("a second group's key", w.get(s.canned("/members/a.html")), 200, "Miss", "for members")
	w.expect("by its cookies", w.get("/members/a.html", "Cookie", s.cookies(policyOf("https://*"))), 200, "Hit", "for members")
}

func TestSignedCookies(t *testing.T) {
	w, s := restricted(t, nil)
	const path, base = "/members/a.html", "https://" + domain + "/members/a.html"
	good, other := s.cookies(policyOf("https://"+domain+"/members/*")), s.cookies(policyOf("https://"+domain+"/others/*"))
	expires := soon()
	query := s.cannedFor(base, expires)[1:]
	canned := "CloudFront-" + strings.ReplaceAll(query, "&", "; CloudFront-")
	for _, tt := range []struct {
		what, path, cookie string
		want               int
	}{
		{"custom", path, good, 200},
		{"canned", path, canned, 200},
		{"canned, elsewhere", "/members/b.html", canned, 403},
		{"for another path", path, other, 403},
		{"without the key", path, strings.Replace(good, "CloudFront-Key-Pair-Id", "Key-Pair-Id", 1), 403},
		{"names count", path, strings.Replace(good, "CloudFront-Key-Pair-Id", "cloudfront-key-pair-id", 1), 403},
		{"a signed URL goes first", path + "?Key-Pair-Id=K0", good, 403},
		{"so does a part of one", path + "?Expires=1", good, 403},
		{"a signed URL is enough", path + "?" + query, other, 200},
	} {
		if got := w.get(tt.path, "Cookie", tt.cookie); got.status != tt.want {
			t.Errorf("%s: %d %s", tt.what, got.status, got.body)
		}
	}
}

// TestSignatureIsNoPartOfTheKey: viewers with signatures of their own share what is cached.
func TestSignatureIsNoPartOfTheKey(t *testing.T) {
	w, s := restricted(t, func(c *cloudfront.Config) {
		all := cloudfront.Selection{Behavior: "all"}
		policy := optimized()
		policy.QueryStrings, policy.Cookies = all, all
		c.Default.CachePolicy, c.Behaviors[0].CachePolicy = policy, policy
	})
	w.bucket.put("a.html", "for all")
	const path, base = "/members/a.html", "https://" + domain + "/members/a.html"
	own := func() string { return path + "?v=1&" + s.cannedFor(base+"?v=1&w=2", soon())[1:] + "&w=2" }
	w.expect("one viewer", w.get(own()), 200, "Miss", "for members")
	w.expect("another", w.get(own()), 200, "Hit", "for members")
	w.expect("the same by cookies", w.get(path+"?v=1&w=2", "Cookie", strings.TrimPrefix(s.cookies(policyOf("*")), "theme=dark; ")), 200, "Hit", "for members")
	w.expect("a cookie of one's own", w.get(path+"?v=1&w=2", "Cookie", s.cookies(policyOf("*"))), 200, "Miss", "for members")
	w.expect("another query", w.get(s.canned(path+"?v=2")), 200, "Miss", "for members")
	if n := w.edge.Purge("FRA56-P1", "E1", []string{path + "?v=1&w=2"}); n != 2 {
		t.Errorf("purged %d", n)
	}
	w.expect("without a restriction it is a parameter like others", w.get("/a.html?Expires=1"), 200, "Miss", "for all")
	w.expect("and another is another", w.get("/a.html?Expires=2"), 200, "Miss", "for all")
}

// TestSignersLiveInWallTime: the rehearsal's clock skips, and who signs does not see that.
func TestSignersLiveInWallTime(t *testing.T) {
	w, s := restricted(t, nil)
	w.clock.Advance(48 * time.Hour)
	w.expect("signed now", w.get(s.canned("/members/a.html")), 200, "Miss", "for members")
}

func TestSignedThroughTheProxy(t *testing.T) {
	w := listen(t, nil)
	w.dist.Config.Errors = nil
	s := w.trust(ellipticKey(t), &w.dist.Config.Default)
	w.bucket.put("index.html", "for members")
	c := w.browser(w.edge.POPs()[0])
	for path, want := range map[string]int{"/": 403, s.canned("/"): 200, s.canned("/?a=%C3%A9&b"): 200, s.canned("/no%20such?x"): 403} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+domain+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got := w.read(resp)
		if got.status != want || got.cache == "" || want == 200 && got.body != "for members" ||
			strings.HasPrefix(path, "/no") != strings.Contains(got.body, "<Message>Access Denied</Message>") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
